"""The way to a version that serves, from stable, which has no ready pod: no label changes under traffic, no weight rises before labels settled."""

from datetime import timedelta

import pytest

from canary_operator.release.elsewhere import elsewhere, end_of
from canary_operator.release.homeward import Move, Relabel, Shift, Wait
from canary_operator.release.model import Announce, Observation, RouteSeen, SubsetsSeen
from tests.builders import LONG_AGO, NOW, UID, release

SETTLE, DRAIN = timedelta(seconds=5), timedelta(seconds=30)
ONE_AGO = NOW - timedelta(seconds=1)


def seen(weight: int, stable: str, canary: str, *, moved: bool = False, labelled: bool = False, intact: bool = True) -> Observation:
    """The routing; moved or labelled: a second ago, else long ago."""
    route = RouteSeen(weight, intact, None, ONE_AGO if moved else LONG_AGO)
    return Observation(
        now=NOW, uid=UID, generation=1, route=route, subsets=SubsetsSeen(stable, canary, None, ONE_AGO if labelled else LONG_AGO)
    )


@pytest.mark.parametrize(
    ("at", "move"),
    [
        pytest.param(seen(0, "v1", "v1"), Relabel("v1", "v2"), id="at rest: the subset without weight first"),
        pytest.param(seen(0, "v1", "v1", moved=True), Wait(timedelta(seconds=29)), id="its last traffic is not drained"),
        pytest.param(seen(0, "v1", "v2", labelled=True), Wait(timedelta(seconds=4)), id="its label has not settled"),
        pytest.param(seen(0, "v1", "v2"), Shift(100), id="labelled and settled: everything goes there"),
        pytest.param(seen(25, "v1", "v2"), Shift(100), id="in a release: everything goes there at once"),
        pytest.param(seen(100, "v1", "v2", intact=False), Shift(100), id="some route has less"),
        pytest.param(seen(100, "v1", "v2", moved=True), Wait(timedelta(seconds=29)), id="there, and stable is drained"),
        pytest.param(seen(100, "v1", "v2"), Relabel("v2", "v2"), id="there, and stable's subset is free"),
        pytest.param(seen(100, "v2", "v2", labelled=True), Wait(timedelta(seconds=4)), id="relabelled, and not settled"),
        pytest.param(seen(100, "v2", "v2"), Shift(0), id="both select it: weights go home"),
        pytest.param(seen(0, "v2", "v2"), None, id="there"),
        pytest.param(seen(25, "v1", "v3"), Shift(100), id="another canary serves: all to it, so that stable's subset is free"),
        pytest.param(seen(100, "v1", "v3"), Relabel("v2", "v3"), id="the free subset selects it"),
        pytest.param(seen(100, "v2", "v3", labelled=True), Wait(timedelta(seconds=4)), id="a weight waits for labels that changed"),
        pytest.param(seen(100, "v2", "v3"), Shift(0), id="and everything goes there"),
        pytest.param(seen(25, "v1", "v9"), Shift(0), id="neither serves: whichever is free first"),
    ],
)
def test_the_next_write(at: Observation, move: Move | Wait | None) -> None:
    assert elsewhere(at, "v2", ("v2", "v3"), SETTLE, DRAIN) == move


@pytest.mark.parametrize(
    ("stable", "serving", "preferred", "end"),
    [
        ("v1", ["v2", "v1"], ("v2",), "v1"),
        ("v1", ["v3", "v2"], ("v2", "v3"), "v2"),
        ("v1", ["v3", "v2"], ("v9", None, "v2"), "v2"),
        ("v1", ["v3", "v2"], ("v9", None), "v3"),
        ("v1", [], ("v2",), "v1"),
        ("", ["v2"], ("v2",), ""),
    ],
    ids=[
        "stable serves",
        "the wanted one",
        "the next that is preferred",
        "the one with most pods",
        "nothing serves",
        "nobody knows stable",
    ],
)
def test_where_the_traffic_ends(stable: str, serving: list[str], preferred: tuple[str | None, ...], end: str) -> None:
    assert end_of(stable, serving, preferred) == end


def test_what_stays_pinned_is_given_back_with_a_warning_that_names_the_version_and_what_to_do() -> None:
    situation = release().at_rest().observing(deleting=True).deployed("v2").gone("v1").selecting(stable="v2", canary="v2")
    [told] = [effect for effect in situation.decide().effects if isinstance(effect, Announce)]
    assert told.warning
    assert "several versions serve (v1, v2)" in told.because.message
    assert "pinned to v2, since v1 has no ready pod" in told.because.message
    assert "Do not rename or remove version v2" in told.because.message
    assert "let the routes name the host without a subset, wait 5 s, and take the subsets out" in told.because.message


def test_stable_that_comes_back_does_not_move_the_traffic_a_second_time() -> None:
    """The subsets were pointed at v2 by this deletion, while v1 had no pods."""
    before = release().at_rest().observing(deleting=True).deployed("v2")
    assert before.seen.subsets and before.seen.subsets.mark
    decision = before.selecting(stable="v2", canary="v2", mark=type(before.seen.subsets.mark)(UID, 0, 5, 0, "Deleting")).decide()
    assert "traffic ends at v2" in decision.because.message
    assert any(isinstance(effect, Announce) for effect in decision.effects)
