"""Routes that are the user's: none is created, and at rest their weights are nobody's business."""

import pytest

from canary_operator.release import reasons
from canary_operator.release.model import Announce, EnsureSubsets, EnsureWeights, Mark, RouteSeen
from tests.builders import LONG_AGO, NOW, UID, Situation, finding, release, weights

REST = release().at_rest().routing(stays=True).observing(attached=True)


def routing(situation: Situation) -> list[str]:
    return [type(each).__name__ for each in situation.decide().effects if isinstance(each, EnsureWeights | EnsureSubsets)]


@pytest.mark.parametrize("weight", [0, 50, 100])
def test_at_rest_any_weight_is_right(weight: int) -> None:
    assert routing(REST.wanting("v1").routing(weight=weight, intact=weight != 50)) == []


def test_the_subsets_are_put_right_all_the_same() -> None:
    assert routing(REST.wanting("v1").selecting(canary=None)) == ["EnsureSubsets"]


def test_the_weights_that_git_has_are_adopted_as_they_are() -> None:
    fresh = (
        release()
        .wanting("v1")
        .observing(attached=True, finalizer=True, route=RouteSeen(30, True, None, LONG_AGO, stays=True), subsets=REST.seen.subsets)
    )
    assert fresh.decide().because.reason == reasons.AT_REST
    assert routing(fresh) == []


def test_a_release_starts_at_weight_0() -> None:
    asked = REST.deployed("v2")
    assert weights(asked.routing(weight=30).decide()) == [0]
    assert routing(asked.routing(weight=0, since=NOW)) == []
    assert routing(asked.routing(weight=0)) == ["EnsureSubsets"]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_without_a_route_nothing_is_written_and_the_release_is_blocked(step: int) -> None:
    gone = release().at_step(step).observing(attached=True, route=None, route_gone_since=LONG_AGO)
    assert gone.decide().phase == "Blocked"
    assert gone.decide().effects == ()
    assert gone.observing(findings=(finding("RouteMissing"),)).decide().because.reason == "RouteMissing"


def test_the_way_home_without_a_route_is_to_let_both_subsets_select_stable() -> None:
    gone = release().at_step(2).ending(reasons.ABORTED).observing(attached=True, route=None, route_gone_since=LONG_AGO)
    assert routing(gone) == ["EnsureSubsets"]
    assert routing(gone.selecting(canary="v1")) == []


def test_weights_that_git_puts_back_while_both_subsets_select_stable_cost_the_canary_nothing() -> None:
    """Its pods need not be ready yet: the requests go to stable, whatever the weight is."""
    decision = release().at_step(0).pods("v2", 0).routing(weight=30, stays=True).selecting(canary="v1").observing(attached=True).decide()
    assert (decision.because.reason, decision.state.lost, weights(decision)) == (reasons.PREPARING, False, [0])


@pytest.mark.parametrize(
    ("situation", "reason", "written"),
    [
        pytest.param(release().at_step(1, since=2), reasons.STEP_PASSED, 5, id="a rise"),
        pytest.param(
            release().at_step(0).routing(weight=5, mark=Mark(UID, 1, 9, 0, reasons.CANARY_LOST)), reasons.CANARY_LOST, 0, id="a drop"
        ),
    ],
)
def test_a_write_of_ours_that_reached_some_routes_only_is_completed_and_blames_nobody(
    situation: Situation, reason: str, written: int
) -> None:
    decision = situation.routing(intact=False, unfinished=True, stays=True).observing(attached=True).decide()
    assert (decision.because.reason, weights(decision), decision.state.drifts) == (reason, [written], 0)
    assert not [effect for effect in decision.effects if isinstance(effect, Announce)]
