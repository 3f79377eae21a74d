"""A version of which several templates serve, or of whose endpoints nobody knows yet."""

import pytest

from canary_operator.release import reasons
from canary_operator.release.model import RemoveRoute
from tests.builders import Situation, labels, release, weights

FIRST = release().at_step(0, since=60).healthy().before_a_scrape()
SECOND = release().at_step(1, since=120).healthy(seconds=120)
RECORDED = release().at_step(1, since=60).healthy().recorded(step=2, weight=10, seq=10)
"""A rise that is recorded and not written yet."""


@pytest.mark.parametrize("situation", [pytest.param(FIRST, id="the first weight"), pytest.param(SECOND, id="a rise")])
def test_the_weight_rises_while_the_newest_templates_serve_alone(situation: Situation) -> None:
    assert weights(situation.decide()) != []


@pytest.mark.parametrize("situation", [FIRST, SECOND, RECORDED])
@pytest.mark.parametrize(
    ("version", "ready", "old", "role"),
    [
        pytest.param("v2", 3, 1, "canary", id="the canary is in its rollout, or paused"),
        pytest.param("v2", 0, 4, "canary", id="no pod of its newest template is ready yet"),
        pytest.param("v1", 3, 1, "stable", id="stable is in its rollout"),
    ],
)
def test_no_weight_rises_while_older_pods_serve(situation: Situation, version: str, ready: int, old: int, role: str) -> None:
    decision = situation.rolling(version, ready=ready, old=old).decide()
    assert (weights(decision), decision.because.reason) == ([], reasons.OLD_PODS_SERVE)
    assert f"{old} ready pods of {role} {version} are of an older template than {version}@t1, which has {ready}" in decision.because.message


def test_a_canary_whose_older_pods_answer_is_not_lost() -> None:
    decision = release().at_step(2, since=60).healthy().rolling("v2", ready=0, old=2).decide()
    assert weights(decision) == []
    assert decision.because.reason == reasons.OLD_PODS_SERVE


def test_a_stable_whose_older_pods_answer_is_not_gone() -> None:
    decision = release().at_step(2, since=60).failing(0.2).rolling("v1", ready=0, old=2).decide()
    assert (weights(decision), decision.because.reason) == ([0], reasons.MORE_FAILURES)


def test_capacity_is_measured_by_all_pods_that_stable_has() -> None:
    decision = release().at_step(4, since=120).healthy(seconds=120).rolling("v1", ready=4, old=0).pods("v2", 1).decide()
    assert "of the 2 needed" in decision.because.message
    many = release().at_step(4, since=120).healthy(seconds=120).rolling("v1", ready=2, old=6).pods("v2", 1)
    assert many.decide().because.reason == reasons.OLD_PODS_SERVE


@pytest.mark.parametrize(
    ("situation", "word"),
    [
        pytest.param(release().at_step(2, since=60).healthy().pods("v2", 0), reasons.CANARY_LOST, id="the canary"),
        pytest.param(release().at_step(2, since=60).healthy().pods("v1", 0), reasons.STABLE_GONE, id="stable"),
        pytest.param(release().at_rest().wanting("v1").pods("v1", 0), reasons.STABLE_GONE, id="stable at rest"),
    ],
)
def test_nothing_is_gone_while_an_endpoint_may_be_its(situation: Situation, word: str) -> None:
    assert situation.decide().because.reason == word
    decision = situation.observing(unknown=1).decide()
    # Stable is told to have no ready pod that is known; nothing moves before it is known whose the endpoint is.
    assert (weights(decision), labels(decision)) == ([], [])
    assert decision.state.stable_gone is None


def test_a_service_whose_older_pods_serve_is_taken_over() -> None:
    assert labels(release().rolling("v1", ready=0, old=3).decide()) == [("v1", "v1")]


@pytest.mark.parametrize("others", [{"strangers": 1}, {"unknown": 1}])
def test_a_deletion_keeps_the_route_while_anything_else_would_be_sent_requests(others: dict[str, int]) -> None:
    at_rest = release().at_rest().wanting("v1").observing(deleting=True)
    assert RemoveRoute() in at_rest.decide().effects
    assert RemoveRoute() not in at_rest.observing(**others).decide().effects
