"""Counts that are being added up while a release is folded: the one place of `analysis` where a value changes.

Refuses to judge. A look at a hundred proxies adds a thousand intervals, and making a new value of each sum took most of its time.
"""

from collections.abc import Iterable

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import NOTHING, Counts, Segment


class Sums:
    """What both arms did over a stretch, so far."""

    __slots__ = (
        *("canary", "canary_failed", "canary_given_up", "canary_slow", "canary_timed", "lost"),
        *("stable", "stable_failed", "stable_given_up", "stable_slow", "stable_timed"),
    )

    def __init__(self, start: Segment) -> None:
        self.canary, self.canary_failed = start.canary.requests, start.canary.failures
        self.stable, self.stable_failed = start.stable.requests, start.stable.failures
        self.lost, self.canary_given_up, self.stable_given_up = start.lost, start.canary_given_up, start.stable_given_up
        self.canary_timed, self.canary_slow = start.canary_timed.requests, start.canary_timed.failures
        self.stable_timed, self.stable_slow = start.stable_timed.requests, start.stable_timed.failures

    def add(self, intervals: Iterable[Interval], warm_at: float) -> None:
        """Adds these intervals; answers are timed only in those that begin when the canary is warm."""
        for each in intervals:
            self.canary += each.canary.requests
            self.canary_failed += each.canary.failures
            self.stable += each.stable.requests
            self.stable_failed += each.stable.failures
            self.lost += each.lost
            self.canary_given_up += each.canary_given_up
            self.stable_given_up += each.stable_given_up
            if each.since >= warm_at:
                self.canary_timed += each.canary_timed.requests
                self.canary_slow += each.canary_timed.failures
                self.stable_timed += each.stable_timed.requests
                self.stable_slow += each.stable_timed.failures

    def segment(self, weight: int) -> Segment:
        """The stretch as it stands, at this weight."""
        return Segment(
            weight,
            Counts(self.canary, self.canary_failed),
            Counts(self.stable, self.stable_failed),
            self.lost,
            Counts(self.canary_timed, self.canary_slow) if self.canary_timed or self.canary_slow else NOTHING,
            Counts(self.stable_timed, self.stable_slow) if self.stable_timed or self.stable_slow else NOTHING,
            self.canary_given_up,
            self.stable_given_up,
        )
