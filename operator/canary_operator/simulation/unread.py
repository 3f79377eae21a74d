"""What was scraped since the last look, folded as it comes: enough to know whether a look could decide anything. Refuses to leave a look out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from canary_operator.analysis.counters import Interval, total
from canary_operator.analysis.folding import LONGEST_COVER, Folding
from canary_operator.analysis.incident import INCIDENT_FAILURES, INCIDENT_WINDOW, incident
from canary_operator.analysis.odds import NOTHING, Counts, log_odds_not_worse
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.verdict import LN_ADVANCE
from canary_operator.api.record import ReleaseRecord
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release.evidence import rules_of, yardstick_of
from canary_operator.release.record import evidence_of, record_of
from canary_operator.simulation.objects import MILLISECOND


class Unread:
    """The evidence of a release while nobody looks at it.

    Args:
        spec: Of the release.
        record: As the last look has left it.
        settled_at: When the present weight was or will be served everywhere, Unix seconds; None: nobody knows.
        recent: The newest interval of each proxy, in order of time: what the look has judged and not stored, since others lag behind.
    """

    def __init__(self, spec: CanaryReleaseSpec, record: ReleaseRecord, settled_at: float | None, recent: Iterable[Interval]) -> None:
        evidence = evidence_of(record)
        self.rules, self._record = rules_of(spec, record), record
        since = None if record.weight_since is None else record.weight_since.timestamp()
        self._waiting: list[Interval] = []
        """What is not folded yet, in order of time: nothing can come of it."""
        self._folding = Folding(evidence, since, settled_at, self.rules, yardstick_of(record, evidence))
        for interval in recent:
            if evidence.reached is not None and interval.until > evidence.reached:
                self.add(interval)

    def add(self, interval: Interval) -> None:
        """One more scrape."""
        self._waiting.append(interval)
        if sum([each.canary.failures for each in self._waiting]) > self._folding.spare(interval.until):
            self._fold()

    def _fold(self) -> None:
        """What nothing could come of is counted together, but for the newest scrape, which is a part of the evidence."""
        for interval in (*_lumps(self._waiting[:-1], self._folding.counted_as), *self._waiting[-1:]):
            self._folding.look_at([interval])
            self._folding.add([interval])
        self._waiting = []

    @property
    def suspicious(self) -> bool:
        """What was scraped speaks against the canary."""
        return self._folding.suspicious

    @property
    def may_rise(self) -> bool:
        """The odds for the next step are in."""
        self._fold()
        return log_odds_not_worse(self._folding.step, self.rules.rule_out, self.rules.noise) >= LN_ADVANCE

    @property
    def known(self) -> Evidence:
        """All that is counted so far."""
        self._fold()
        return self._folding.known()

    def record(self, known: Evidence) -> ReleaseRecord:
        """The record as an operator might have written it down that knew so much."""
        return replace(self._record, evidence=record_of(known), observed_seconds=known.covered)


def _lumps(intervals: Iterable[Interval], counted_as: Callable[[Interval], tuple[int, bool]]) -> Iterator[Interval]:
    """Neighbours that are counted as the same, put together; none becomes so long that it would be a gap in the samples."""
    lump: list[Interval] = []
    for each in intervals:
        if lump and not (_alike(lump[0], each) and each.until - lump[0].since <= LONGEST_COVER and counted_as(lump[0]) == counted_as(each)):
            yield _together(lump)
            lump = []
        lump.append(each)
    if lump:
        yield _together(lump)


def _alike(one: Interval, other: Interval) -> bool:
    return (one.target, one.canary_seen, one.stable_seen) == (other.target, other.canary_seen, other.stable_seen)


def _together(lump: Sequence[Interval]) -> Interval:
    canary, stable = total(each.canary for each in lump), total(each.stable for each in lump)
    return lump[-1]._replace(since=lump[0].since, canary=canary, stable=stable)


class Lately:
    """What stable did in the last minute."""

    def __init__(self) -> None:
        self._scrapes: deque[tuple[float, Counts]] = deque()
        """When it was scraped, Unix seconds, and what was counted since the scrape before."""
        self._failures = 0

    def add(self, time: float, counts: Counts) -> None:
        """One more scrape, at this time in Unix seconds."""
        self._scrapes.append((time, counts))
        self._failures += counts.failures
        while self._scrapes[0][0] <= time - INCIDENT_WINDOW.total_seconds():
            self._failures -= self._scrapes.popleft()[1].failures

    def incident(self, share: float) -> bool:
        """Stable fails far more than the share (0 to 1) before the release."""
        if self._failures < INCIDENT_FAILURES:
            return False
        return incident([Interval("", at - MILLISECOND, at, NOTHING, counts, False, True) for at, counts in self._scrapes], share)
