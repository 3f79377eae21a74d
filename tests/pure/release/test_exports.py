"""Routing as an earlier version of the operator wrote it, and a DestinationRule that is to reach other callers: taken over, never told as drift."""

import pytest

from canary_operator.api.status import State
from canary_operator.release import reasons
from canary_operator.release.model import Announce
from tests.builders import Situation, finding, labels, release, weights

HOME = release().at_rest().wanting("v1")
RUNNING = release().at_step(2, since=60)
BAKING = release().baking(since=60)


@pytest.mark.parametrize(
    ("situation", "written"),
    [
        pytest.param(HOME, ("v1", "v1"), id="at rest"),
        pytest.param(RUNNING, ("v1", "v2"), id="in a release"),
        pytest.param(BAKING, ("v1", "v2"), id="at 100 percent"),
    ],
)
@pytest.mark.parametrize("former", [True, False], ids=["of an earlier version", "the Service is exported otherwise"])
def test_the_rule_is_written_without_a_change_of_labels_and_nobody_is_told_of_drift(
    situation: Situation, written: tuple[str, str], former: bool
) -> None:
    decision = situation.selecting(exported=False, former=former).decide()
    assert labels(decision) == [written]
    assert weights(decision) == []
    assert decision.because.reason != reasons.DRIFT
    assert decision.state.drifts == 0
    assert not [effect for effect in decision.effects if isinstance(effect, Announce)]


def test_somebody_who_limits_our_rule_is_named() -> None:
    for situation in (HOME, RUNNING):
        decision = situation.selecting(exported=False, touched_by="kubectl-edit").decide()
        assert (decision.because.reason, "kubectl-edit" in decision.because.message) == (reasons.DRIFT, True)
        assert len(labels(decision)) == 1


def test_a_drop_comes_before_it() -> None:
    ending = release().at_step(2).ending(reasons.MORE_FAILURES, weight=25).selecting(exported=False)
    assert (weights(ending.decide()), labels(ending.decide())) == ([0], [])
    dropped = ending.routing(weight=0)
    assert (weights(dropped.decide()), labels(dropped.decide())) == ([], [("v1", "v2")])


def test_a_route_of_an_earlier_version_is_written_at_its_weight_and_the_release_goes_on() -> None:
    for situation in (HOME, RUNNING, BAKING):
        assert situation.seen.route is not None
        decision = situation.routing(intact=False, unfinished=True).decide()
        assert weights(decision) == [situation.seen.route.weight]
        assert decision.because.reason != reasons.DRIFT
        assert decision.state.state in (State.STABLE, State.PROGRESSING, State.PROMOTING)


@pytest.mark.parametrize("reason", ["NotExported", "PortsCrossed", "PolicyShadowed", "SubsetMissing", "ServicePortUnknown"])
def test_what_hurts_at_rest_is_told_at_rest(reason: str) -> None:
    found = finding(reason)
    status = HOME.observing(findings=(found,)).status()
    assert (status.phase, status.reason, [each.reason for each in status.warnings]) == ("Stable", reasons.AT_REST, [reason])
    blocked = release().at_rest().deployed("v2").observing(findings=(found,)).status()
    assert (blocked.phase, blocked.reason, blocked.warnings) == ("Blocked", reason, ())
