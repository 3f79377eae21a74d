"""When somebody else writes what the operator manages: set right, so many times, never as fast as two who disagree could write."""

from datetime import timedelta
from itertools import pairwise

import pytest

from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.drift import MOST_CORRECTIONS, REST_SPACING, RISE_SPACING
from canary_operator.release.model import Announce, Mark
from canary_operator.simulation.objects import OPERATOR, PERSON
from tests.builders import LONG_AGO, NOW, UID, Situation, labels, release, weights
from tests.pure.release.tales.routes import attached, drift_fight

RUNNING = release().at_step(2, since=60)
FOUGHT = RUNNING.recorded(drifts=MOST_CORRECTIONS)
HOME = release().at_rest().wanting("v1")
ATTACHED = release().at_rest().observing(attached=True).routing(stays=True)


@pytest.mark.parametrize(
    "meddled",
    [
        pytest.param(lambda each: each.routing(weight=90), id="more weight"),
        pytest.param(lambda each: each.routing(weight=0), id="less weight"),
        pytest.param(lambda each: each.routing(intact=False), id="other destinations"),
        pytest.param(lambda each: each.selecting(stable="v3"), id="another label of stable"),
        pytest.param(lambda each: each.selecting(canary="v3"), id="another label of the canary"),
        pytest.param(lambda each: each.selecting(canary=None), id="a subset taken out"),
        pytest.param(lambda each: each.observing(route=None), id="the route deleted"),
    ],
)
def test_each_correction_counts_until_the_release_gives_way(meddled: "object") -> None:
    assert callable(meddled)
    once = meddled(RUNNING).decide()
    assert (once.because.reason, once.state.drifts) == (reasons.DRIFT, 1)
    over = meddled(FOUGHT).decide()
    assert over.because.reason == reasons.DRIFT_FIGHT
    assert (over.state.state, over.state.ending and over.state.ending.outcome) == (State.WITHDRAWING, Outcome.WITHDRAWN)
    assert weights(over) == ([0] if meddled(FOUGHT).seen.route and meddled(FOUGHT).seen.route.weight else [])


def test_the_other_manager_is_named_with_what_to_write() -> None:
    assert "argocd-controller" in RUNNING.routing(weight=90, touched_by="argocd-controller").decide().because.message
    message = FOUGHT.routing(weight=90).selecting(touched_by="argocd-controller").decide().because.message
    assert "argocd-controller" in message
    assert "docs/gitops.md" in message


def test_the_canarys_label_at_weight_0_counts_too() -> None:
    mark = Mark(UID, 1, 3, 0, reasons.RELEASE_STARTED)
    assert release().at_step(0).selecting(canary="v1", mark=mark).decide().state.drifts == 1
    assert release().at_step(0).selecting(canary="v1", mark=Mark(UID, 0, 2, 0, reasons.ADOPTING)).decide().state.drifts == 0
    assert release().at_step(0).selecting(canary="v1", mark=mark).recorded(drifts=5).decide().because.reason == reasons.DRIFT_FIGHT


def test_no_rise_follows_a_correction_at_once() -> None:
    ready = release().at_step(0).healthy().before_a_scrape()
    lowered = ready.recorded(drifts=1, weight_since=ready.seen.now - timedelta(seconds=2))
    decision = lowered.decide()
    assert (weights(decision), decision.look_again_in) == ([], RISE_SPACING - timedelta(seconds=2))
    assert weights(lowered.recorded(drifts=0).decide()) == [5]
    assert weights(lowered.observing(now=ready.seen.now + timedelta(seconds=4)).decide()) == [5]


@pytest.mark.parametrize(
    ("situation", "written"),
    [
        pytest.param(HOME.routing(weight=40, since=NOW), [], id="ours: harmless, so not at once"),
        pytest.param(HOME.routing(weight=40, since=NOW - REST_SPACING), [0], id="ours: after a while"),
        pytest.param(HOME.routing(weight=40, since=NOW, intact=False), [0], id="ours, leading elsewhere: at once"),
        pytest.param(HOME.routing(weight=40, since=NOW).selecting(canary="v2"), [0], id="ours, at another version: at once"),
        pytest.param(ATTACHED.wanting("v1").routing(weight=40, since=LONG_AGO), [], id="the user's: any weight is right"),
        pytest.param(ATTACHED.wanting("v1").routing(weight=40, intact=False), [], id="the user's, several weights"),
        pytest.param(ATTACHED.wanting("v1").routing(weight=40).selecting(canary="v2"), [0], id="the user's, at another version: at once"),
    ],
)
def test_weights_at_rest(situation: Situation, written: list[int]) -> None:
    assert weights(situation.decide()) == written


def test_a_release_begins_by_weight_0() -> None:
    wanted = ATTACHED.deployed("v2").routing(weight=40, since=NOW)
    begun = wanted.decide()
    assert (begun.state.state, begun.state.number, weights(begun), labels(begun)) == (State.PROGRESSING, 1, [0], [])
    assert [type(effect).__name__ for effect in begun.effects][:2] == ["RecordState", "EnsureWeights"]


def test_a_route_of_the_users_that_is_missing_blocks() -> None:
    adopting = release().observing(attached=True, finalizer=True, subsets=ATTACHED.seen.subsets)
    for situation in (ATTACHED, ATTACHED.wanting("v1"), adopting, RUNNING.observing(attached=True)):
        decision = situation.observing(route=None).decide()
        assert (decision.because.reason, decision.phase) == (reasons.ROUTE_MISSING, "Blocked")
        assert (weights(decision), labels(decision)) == ([], [])


def test_who_applies_git_every_5_seconds_gets_no_hot_loop() -> None:
    log = drift_fight().world.cluster.log
    fight = [stored for stored in log if stored.what == "route" and stored.time > log[0].time + 112]
    rises = [one.time for one, other in zip(fight[1:], fight, strict=False) if one.route.weight > other.route.weight]  # type: ignore[union-attr]
    assert all(later - earlier >= 5 for earlier, later in pairwise(rises))
    assert sum(stored.by == OPERATOR for stored in fight) <= 2 * MOST_CORRECTIONS + 1


def test_a_users_route_is_written_only_while_a_release_runs() -> None:
    log = attached().world.cluster.log
    at_rest = [
        stored for stored in log if stored.resource and stored.resource.record.state is State.STABLE and not stored.resource.deleting
    ]
    assert not [stored for stored in at_rest if stored.what == "route" and stored.by == OPERATOR and not stored.reason.startswith("P")]
    assert [stored.route.weight for stored in log if stored.what == "route" and stored.by == PERSON and stored.route] == [30, 30]


@pytest.mark.parametrize(
    ("situation", "written"),
    [pytest.param(HOME, 0, id="at rest"), pytest.param(RUNNING, RUNNING.seen.route.weight if RUNNING.seen.route else 0, id="in a release")],
)
def test_an_edit_of_the_spec_is_no_drift(situation: Situation, written: int) -> None:
    """Hosts, gateways, the preview or the Service's port: the route is as we left it, and is to be otherwise."""
    decision = situation.routing(intact=False, unfinished=True).decide()
    assert weights(decision) == [written]
    assert decision.because.reason != reasons.DRIFT
    assert decision.state.drifts == 0
    assert not [effect for effect in decision.effects if isinstance(effect, Announce)]


def test_a_stable_subset_that_somebody_points_at_the_canary_ends_no_bake() -> None:
    decision = release().baking(since=60).failing(0.3).selecting(stable="v2").decide()
    assert (decision.because.reason, weights(decision)) == (reasons.MORE_FAILURES, [0])
    assert labels(release().baking(since=60).healthy().selecting(stable="v2").decide()) == [("v1", "v2")]
