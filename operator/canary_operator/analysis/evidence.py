"""How a look changes what is known of a release: `folding` adds its new scrapes one by one.

Refuses to choose: `verdict` says what the evidence means.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf

from canary_operator.analysis.counters import Interval, spacing
from canary_operator.analysis.folding import Folding
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.queries import begin_again
from canary_operator.analysis.record import Blame, Evidence, Folded, Suspect
from canary_operator.analysis.witnesses import Rules

__all__ = ["Blame", "Evidence", "Folded", "Suspect", "fold", "restart", "start_step"]

SPACINGS_ALIVE = 3
"""A target whose newest sample is this many scrape spacings behind the newest of all no longer holds up the others."""


def start_step(evidence: Evidence, weight: int) -> Evidence:
    """A new step at `weight` percent begins: its own counts, cover, suspicion and blame start again."""
    return Evidence(weight, evidence.segments, reached=evidence.reached, observed=evidence.observed, rows=begin_again(evidence.rows))


def restart(evidence: Evidence) -> Evidence:
    """Stable is another revision now: nothing seen so far may be compared with it, and nothing is counted twice."""
    return Evidence(evidence.weight, reached=evidence.reached, rows=begin_again(evidence.rows))


def fold(  # noqa: PLR0913 - the facts of one look, each by its name
    evidence: Evidence,
    intervals: Sequence[Interval],
    *,
    weight: int,
    since: float | None,
    settled_at: float | None,
    rules: Rules,
    stable: Counts | None = None,
) -> Folded:
    """Adds what is new in `intervals`; what `evidence` has reached is skipped, so folding twice is harmless.

    Args:
        evidence: As it was stored.
        intervals: All intervals of the answer, in any order, also those already counted.
        weight: The present weight, percent; another than the evidence's starts a step.
        since: When it was written, seconds since 1970. None: the canary has no weight, and nothing counts. Scrapes up
            to this time still belong to the previous weight.
        settled_at: When it was served everywhere, seconds since 1970. None: not yet.
        rules: How the canary is judged.
        stable: Counts of stable to judge a bake by. None: those of this release.
    """
    folding = Folding(evidence if weight == evidence.weight else start_step(evidence, weight), since, settled_at, rules, stable)
    cut, reached = _cut(intervals), -inf if evidence.reached is None else evidence.reached
    found = intervals if since is not None else _last(intervals, cut)
    counted = [each for each in found if each.until <= reached]
    if counted:
        folding.look_at(counted)
    committed: Evidence | None = None
    for scrape in _scrapes([each for each in found if each.until > reached]):
        if committed is None and scrape[0].until > cut:
            committed = folding.known()
        folding.look_at(scrape)
        folding.add(scrape)
    now = folding.known()
    return Folded(now if committed is None else committed, now)


def _cut(intervals: Sequence[Interval]) -> float:
    """The time up to which every living target has reported, seconds since 1970; 0 without intervals."""
    newest: dict[str, float] = {}
    for interval in intervals:
        if interval.until > newest.get(interval.target, 0.0):
            newest[interval.target] = interval.until
    alive_since = max(newest.values(), default=0.0) - SPACINGS_ALIVE * (spacing(intervals) or 0.0)
    return min((until for until in newest.values() if until >= alive_since), default=0.0)


def _last(intervals: Sequence[Interval], cut: float) -> list[Interval]:
    """Without a weight nothing counts but how far it is read: what lies before the scrapes at and after the cut has no say."""
    longest = max((each.length for each in intervals), default=0.0)
    return [each for each in intervals if each.until > cut - longest]


def _scrapes(intervals: Sequence[Interval]) -> Iterator[list[Interval]]:
    """Scrapes of one instant together, oldest first."""
    for _, group in groupby(sorted(intervals, key=lambda each: (each.until, each.target)), lambda each: each.until):
        yield list(group)
