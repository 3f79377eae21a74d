"""The way home: from any routing to "every request goes to this version", one safe write at a time."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from canary_operator.release.homeward import Relabel, Shift, Wait, homeward
from canary_operator.release.model import Observation, RouteSeen, SubsetsSeen
from tests.builders import LONG_AGO, NOW, UID

SETTLE, DRAIN = timedelta(seconds=5), timedelta(seconds=30)


def routing(weight: int | None, stable: str | None = "v1", canary: str | None = "v2", **seen: object) -> Observation:
    route = None if weight is None else RouteSeen(weight, True, None, LONG_AGO)
    known = Observation(now=NOW, uid=UID, generation=1, route=route, subsets=SubsetsSeen(stable, canary, None, LONG_AGO))
    return replace(known, **seen)  # type: ignore[arg-type]


def just_now(seen: Observation, seconds: float = 1, *, what: str = "route") -> Observation:
    return replace(seen, **{what: replace(getattr(seen, what), since=NOW - timedelta(seconds=seconds))})


@pytest.mark.parametrize(
    ("seen", "move"),
    [
        pytest.param(routing(25), Shift(0), id="traffic at the canary: back at once"),
        pytest.param(routing(0), Relabel("v1", "v1"), id="drained: both subsets select stable"),
        pytest.param(just_now(routing(0), 10), Wait(timedelta(seconds=20)), id="not drained yet: wait"),
        pytest.param(routing(0, canary="v1"), None, id="home"),
        pytest.param(just_now(routing(0, canary="v1"), 2, what="subsets"), Wait(timedelta(seconds=3)), id="home, not settled"),
        pytest.param(routing(100, stable="v2", canary="v2"), Shift(0), id="promoted for another home: weights home"),
        pytest.param(routing(25, canary=None), Relabel("v1", "v1"), id="the canary subset is missing: put back at once"),
        pytest.param(routing(25, stable=None), Relabel("v1", "v2"), id="the stable subset is missing: the canary's label stays"),
        pytest.param(routing(25, stable="v9"), Relabel("v1", "v2"), id="somebody relabelled stable: mended at once, the canary's stays"),
        pytest.param(routing(0, subsets=None), Relabel("v1", "v1"), id="no DestinationRule: created first"),
        pytest.param(routing(None, canary="v1"), Shift(0), id="no VirtualService: created after the subsets have settled"),
        pytest.param(
            just_now(routing(None, canary="v1"), 2, what="subsets"), Wait(timedelta(seconds=3)), id="the subsets are not served yet"
        ),
    ],
)
def test_the_next_write(seen: Observation, move: object) -> None:
    version = "v2" if isinstance(move, Shift) and seen.subsets and seen.subsets.stable == "v2" else "v1"
    assert homeward(seen, version, SETTLE, DRAIN) == move


def test_promotion_drains_the_old_version_before_stable_is_relabelled() -> None:
    assert homeward(routing(100), "v2", SETTLE, DRAIN) == Relabel("v2", "v2")
    assert homeward(just_now(routing(100), 10), "v2", SETTLE, DRAIN) == Wait(timedelta(seconds=20))


@pytest.mark.parametrize(("weight", "stable", "canary"), [*product([None, 0, 40, 100], [None, "v1", "v2", "v9"], [None, "v1", "v2", "v9"])])
def test_every_way_leads_home_in_a_few_writes(weight: int | None, stable: str | None, canary: str | None) -> None:
    seen, now = routing(weight, stable, canary), NOW
    for _ in range(12):
        move = homeward(replace(seen, now=now), "v1", SETTLE, DRAIN)
        match move:
            case None:
                break
            case Wait(time):
                now += time
            case Shift(to):
                assert seen.subsets and seen.subsets.stable and seen.subsets.canary, "a route that names a missing subset"
                seen = replace(seen, route=RouteSeen(to, True, None, now))
            case Relabel(one, other):
                seen = replace(seen, subsets=SubsetsSeen(one, other, None, now))
    assert seen.route and seen.route.weight == 0
    assert seen.subsets and (seen.subsets.stable, seen.subsets.canary) == ("v1", "v1")
