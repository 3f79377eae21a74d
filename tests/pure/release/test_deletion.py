"""Rule 12: a deletion ends, loses no request, and nothing that is missing can block it."""

from datetime import timedelta

import pytest

from canary_operator.release import reasons
from canary_operator.release.model import (
    Disown,
    EnsureSubsets,
    EnsureUnsplit,
    EnsureWeights,
    Mark,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
    RouteSeen,
)
from tests.builders import LONG_AGO, NOW, UID, Situation, release, serving, weights

ALONE = release().at_rest().observing(deleting=True)
BOTH = release().at_step(2, since=60).observing(deleting=True)
ATTACHED = {"attached": True}
GONE = {"route": None, "route_gone_since": NOW - timedelta(seconds=10)}
NAMED = ALONE.selecting(named_by="VirtualService edge/shop")
GATEWAY = ALONE.routing(stays=True)
UNSPLIT = GATEWAY.routing(unsplit=True, intact=False)
THEIRS = BOTH.routing(stays=True).observing(**ATTACHED)


GIVEN_BACK: list[object] = [Disown, "Announce", ReleaseFinalizer]


@pytest.mark.parametrize(
    ("situation", "effects"),
    [
        pytest.param(ALONE, [RemoveRoute], id="one version serves: the route goes first"),
        pytest.param(
            ALONE.observing(route=None, route_gone_since=NOW - timedelta(seconds=1)), [], id="the route is gone, not everywhere yet: wait"
        ),
        pytest.param(ALONE.observing(**GONE), [RemoveSubsets, ReleaseFinalizer], id="settled: the subsets go, then the finalizer"),
        pytest.param(ALONE.observing(**GONE, subsets=None), [ReleaseFinalizer], id="nothing is left: only the finalizer"),
        pytest.param(ALONE.observing(subsets=None), [RemoveRoute], id="the subsets were missing: the route goes all the same"),
        pytest.param(ALONE.observing(versions=None), [RemoveRoute], id="the Service is gone"),
        pytest.param(ALONE.observing(versions={}), [RemoveRoute], id="nothing serves any more"),
        pytest.param(NAMED, [RemoveRoute], id="a route of the user's names our subsets: ours goes"),
        pytest.param(NAMED.observing(**GONE), GIVEN_BACK, id="a route of the user's names our subsets: they stay"),
        pytest.param(NAMED.observing(**GONE).selecting(canary="v2"), [EnsureSubsets], id="subsets that stay are pinned first"),
        pytest.param(
            NAMED.observing(**GONE).selecting(stays=True), GIVEN_BACK, id="the user's DestinationRule keeps subsets that a route names"
        ),
        pytest.param(ALONE.observing(finalizer=False), [], id="not held by us: nothing to do"),
        pytest.param(BOTH, [EnsureWeights], id="two versions serve: traffic to stable first"),
        pytest.param(BOTH.routing(weight=0, since=NOW - timedelta(hours=1)), [EnsureSubsets], id="drained: both subsets select stable"),
        pytest.param(ALONE.deployed("v2"), [Disown, "Announce", ReleaseFinalizer], id="home, two versions: pinned and given away"),
        pytest.param(
            BOTH.gone("v1"), [RecordState, EnsureWeights], id="stable has had no pods: traffic goes to what serves, recorded first"
        ),
        pytest.param(GATEWAY, [EnsureUnsplit], id="at a gateway the route stays, and names the host without a subset"),
        pytest.param(GATEWAY.observing(subsets=None), [EnsureUnsplit], id="at a gateway, and the subsets are missing"),
        pytest.param(GATEWAY.observing(versions=None), [EnsureUnsplit], id="at a gateway, and the Service is gone"),
        pytest.param(GATEWAY.deployed("v2"), GIVEN_BACK, id="at a gateway, and several versions serve: pinned"),
        pytest.param(
            GATEWAY.observing(strangers=1), GIVEN_BACK, id="at a gateway, beside pods of no version: pinned, or they would get traffic"
        ),
        pytest.param(GATEWAY.observing(unknown=1), GIVEN_BACK, id="at a gateway, beside pods that are not known yet: pinned"),
        pytest.param(GATEWAY.observing(versions={}, strangers=1), [EnsureUnsplit], id="at a gateway, and only pods of no version serve"),
        pytest.param(BOTH.pods("v1", 0).observing(unknown=1), [EnsureWeights], id="pods that are not known yet may be stable's: home"),
        pytest.param(GATEWAY.selecting(policies=True), GIVEN_BACK, id="at a gateway, and a subset has a policy of its own: pinned"),
        pytest.param(ALONE.selecting(policies=True), GIVEN_BACK, id="a subset has a policy of its own: pinned, in the mesh too"),
        pytest.param(UNSPLIT.routing(since=NOW - timedelta(seconds=1)), [], id="without a subset, not everywhere yet: wait"),
        pytest.param(UNSPLIT, [RemoveSubsets, *GIVEN_BACK], id="without a subset, settled: the subsets go, the route is given back"),
        pytest.param(UNSPLIT.observing(subsets=None), [RemoveSubsets, *GIVEN_BACK], id="without a subset, and the subsets are gone"),
        pytest.param(UNSPLIT.selecting(named_by="route `old` of VirtualService shop/reviews"), GIVEN_BACK, id="a users' route names them"),
        pytest.param(
            BOTH.routing(stays=True, weight=25).observing(versions={"v2": serving("v2")}), [EnsureUnsplit], id="only the canary is left"
        ),
        pytest.param(ALONE.deployed("v2", pods=0), [RemoveRoute], id="the other version is scaled to nothing"),
        pytest.param(ALONE.routing(stays=True).observing(**ATTACHED), GIVEN_BACK, id="the user's routes stay, though one version serves"),
        pytest.param(BOTH.routing(stays=True).observing(**ATTACHED), [EnsureWeights], id="the user's routes at a weight: to stable first"),
        pytest.param(
            THEIRS.gone("v1"), [RecordState, EnsureWeights], id="the user's routes at a weight, and only the canary serves: all to it"
        ),
        pytest.param(THEIRS.observing(versions=None), [EnsureWeights], id="the user's routes at a weight, and the Service is gone"),
        pytest.param(THEIRS.observing(versions={}), [EnsureWeights], id="the user's routes at a weight, and nothing serves"),
        pytest.param(
            ALONE.routing(stays=True, weight=30).observing(**ATTACHED),
            [EnsureWeights],
            id="Git's weights in the user's routes: stable 100 first",
        ),
        pytest.param(
            ALONE.routing(stays=True).selecting(canary="v2").observing(**ATTACHED),
            [EnsureSubsets],
            id="the user's routes: pinned, then given back",
        ),
        pytest.param(ALONE.observing(**GONE, **ATTACHED), GIVEN_BACK, id="the user's routes are gone: none is created"),
        pytest.param(
            release().observing(deleting=True, finalizer=True, route=RouteSeen(50, True, None, LONG_AGO, stays=True), **ATTACHED),
            GIVEN_BACK,
            id="the user's routes were not taken over yet",
        ),
        pytest.param(
            ALONE.observing(**GONE).selecting(stays=True),
            [RemoveSubsets, ReleaseFinalizer],
            id="our subsets leave a user's DestinationRule",
        ),
        pytest.param(
            ALONE.observing(**GONE).selecting(stays=True, mark=None), [ReleaseFinalizer], id="a user's DestinationRule without our mark"
        ),
    ],
)
def test_the_next_step_of_a_deletion(situation: Situation, effects: list[object]) -> None:
    decision = situation.decide()
    assert [type(each).__name__ for each in decision.effects] == [each if isinstance(each, str) else each.__name__ for each in effects]  # type: ignore[attr-defined]


def test_a_deletion_goes_before_everything_else() -> None:
    for situation in (BOTH.failing(1.0), BOTH.acting("abort/1/1"), BOTH.wanting("v3"), BOTH.prometheus_down()):
        decision = situation.decide()
        assert decision.because.reason == reasons.DELETING
        assert weights(decision) == [0]


@pytest.mark.parametrize(
    ("situation", "effects", "left"),
    [
        pytest.param(BOTH.gone(seconds=2), [], 3, id="a probe that failed moments ago: it is waited for"),
        pytest.param(BOTH.gone(seconds=2, desired=0), [RemoveRoute], None, id="nobody asks for its pods: at once"),
        pytest.param(BOTH.gone(seconds=6), [RecordState, EnsureWeights], None, id="it has lasted"),
        pytest.param(ALONE.gone(seconds=2), [RemoveRoute], None, id="nothing else serves, so there is no other end"),
        pytest.param(
            ALONE.gone(seconds=2).deployed("v2").selecting(stable="v2", canary="v2", mark=Mark(UID, 1, 9, 0, reasons.DELETING)),
            GIVEN_BACK,
            None,
            id="this deletion has ended elsewhere before",
        ),
    ],
)
def test_a_stable_that_just_lost_its_pods_is_waited_for(situation: Situation, effects: list[object], left: float | None) -> None:
    decision = situation.decide()
    assert [type(each).__name__ for each in decision.effects] == [each if isinstance(each, str) else each.__name__ for each in effects]  # type: ignore[attr-defined]
    if left is not None:
        assert decision.look_again_in == timedelta(seconds=left)


def test_a_decided_promotion_ends_at_the_new_version() -> None:
    promoted = release().baking(since=600).decided().observing(deleting=True)
    assert "v2" in promoted.decide().because.message
