"""The way to a version that serves, from stable, which has no ready pod: one safe write at a time, and no labels change under traffic."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from canary_operator.release.homeward import Move, Relabel, Shift, Wait, homeward, remaining
from canary_operator.release.model import BARE, Observation, RouteSeen, SubsetsSeen


def end_of(stable: str, serving: Sequence[str], preferred: Iterable[str | None]) -> str:
    """The version at which traffic ends: stable, or where that has no ready pod, another that has.

    Args:
        stable: Empty: nobody knows.
        serving: Versions that have ready pods, those with most of them first.
        preferred: What is taken before the first of these, if it serves.
    """
    if not stable or not serving or stable in serving:
        return stable
    return next((version for version in preferred if version in serving), serving[0]) or stable


def elsewhere(seen: Observation, version: str, serving: Collection[str], settle: timedelta, drain: timedelta) -> Move | Wait | None:
    """The next write on the way to "every request goes to this version", which is not stable; None: there, and settled.

    Args:
        seen: The routing as it stands.
        version: Has ready pods.
        serving: All versions that have.
        settle: After a routing write, before it counts as served.
        drain: After the last traffic of a subset, before its labels change.

    >>> # at rest: subset canary selects the version, settle; weight 100; after the drain both subsets do; weight 0
    """
    route, subsets = seen.route, seen.subsets
    if route is None or subsets is None or subsets.stable is None or subsets.canary is None:
        return homeward(seen, version, settle, drain)
    if subsets.stable == version:
        move = homeward(seen, version, settle, drain)
        return _when(subsets.since, settle, seen.now, move) if isinstance(move, Shift) else move
    everything = route.weight == 100 and route.intact and route.extras == BARE
    if subsets.canary == version:
        if everything:
            return homeward(seen, version, settle, drain)
        return _when(subsets.since, settle, seen.now, Shift(100))
    return _unused(route, subsets, version, subsets.canary in serving and subsets.stable not in serving, seen.now, max(settle, drain))


def _unused(route: RouteSeen, subsets: SubsetsSeen, version: str, canary_serves: bool, now: datetime, drain: timedelta) -> Move | Wait:
    """Neither subset selects the version: the one without traffic is to. What is served until then stays served."""
    plain = route.intact and route.extras == BARE
    if plain and route.weight == 0:
        return _when(max(route.since, subsets.since), drain, now, Relabel(str(subsets.stable), version))
    if plain and route.weight == 100:
        return _when(max(route.since, subsets.since), drain, now, Relabel(version, str(subsets.canary)))
    return Shift(100 if canary_serves else 0)


def _when(since: datetime, span: timedelta, now: datetime, move: Move) -> Move | Wait:
    left = remaining(since, span, now)
    return Wait(left) if left else move
