"""The way home: from any routing to "every request goes to this version, whatever the weights", one safe write at a time.

Promotion, rollback, withdrawal, healing and deletion all end this way; they differ in the version that is home. A subset's labels change only when
it has no weight and that has settled, because relabelling a subset under traffic is a race between clusters and endpoints in every proxy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from canary_operator.release.model import BARE, Observation, RouteSeen, SubsetsSeen


@dataclass(frozen=True, slots=True)
class Relabel:
    """Let the subsets select these versions."""

    stable: str
    canary: str


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the canary subset this weight, in percent."""

    canary: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to write before this time has passed."""

    time: timedelta


Move = Relabel | Shift


def remaining(since: datetime, span: timedelta, now: datetime) -> timedelta:
    """What is left of a span that began at `since`; never negative."""
    return max(timedelta(0), since + span - now)


def harmless(seen: Observation, version: str) -> bool:
    """At rest, every request goes to this version, though the routing is not as it will be: any weight is right while both subsets select it."""
    route, subsets = seen.route, seen.subsets
    if route is None or subsets is None or subsets.stable != version or subsets.canary is None:
        return False
    return subsets.canary == version and (seen.attached or (route.intact and route.extras == BARE))


def homeward(seen: Observation, version: str, settle: timedelta, drain: timedelta) -> Move | Wait | None:
    """The next write on the way home to `version`; None: home, and settled.

    >>> # rolled back from 25 percent: weight 0 at once; after the drain both subsets select v1; home after a settle time
    """
    route, subsets = seen.route, seen.subsets
    if subsets is None or subsets.stable is None or subsets.canary is None:
        # A route that names a missing subset answers 503: mended at once, whatever else is under way. A canary subset that is there
        # keeps its label: it may have served a moment ago.
        return Relabel(version, (subsets and subsets.canary) or version)
    if not subsets.exported and not (route is not None and route.weight > 0 and subsets.canary != version):
        # No label changes, so nothing waits for it: callers that saw the route without the subsets would get 503. Only a drop comes first.
        return Relabel(subsets.stable, subsets.canary)
    if route is None and not seen.attached:
        if subsets.stable != version:  # a route would lead there
            return Relabel(version, version)
        left = remaining(subsets.since, settle, seen.now)
        return Wait(left) if left else Shift(0)
    if route is None:  # the user's, and it is not there: nothing is created in its place
        if (subsets.stable, subsets.canary) != (version, version):
            return Relabel(version, version)
        left = remaining(subsets.since, settle, seen.now)
        return Wait(left) if left else None
    return _with_route(seen.now, route, subsets, version, settle, max(settle, drain))


def _with_route(
    now: datetime, route: RouteSeen, subsets: SubsetsSeen, version: str, settle: timedelta, drain: timedelta
) -> Move | Wait | None:
    if subsets.stable != version:
        if subsets.canary == version and route.weight == 100:
            left = remaining(max(route.since, subsets.since), drain, now)
            return Wait(left) if left else Relabel(version, version)
        # Neither the old nor the new order of ours: somebody relabelled a subset that serves. Waiting would only prolong it.
        return Relabel(version, subsets.canary or version)
    if route.weight > 0 or not route.intact or route.extras != BARE:
        same = subsets.canary == version
        left = remaining(subsets.since, settle, now) if same else timedelta(0)
        return Wait(left) if left else Shift(0)
    if subsets.canary != version:
        left = remaining(route.since, drain, now)
        return Wait(left) if left else Relabel(version, version)
    left = remaining(max(route.since, subsets.since), settle, now)
    return Wait(left) if left else None
