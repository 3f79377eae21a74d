"""Which looks a play may leave out: those at which nothing can be decided.

While a step gathers evidence most looks write nothing, or how far they have read; the look after them reads the same samples again (ADR 5).
A sample can change how the release goes only by failures of the canary that make it suspect, by enough failures of stable for an incident,
or by its time. The other looks are left out, and what they would have written down of one proxy is put in the record before the next one. That
changes nothing of how a release goes: `tests/pure/simulation/test_quiet.py` plays both ways and compares. Refuses to decide anything itself.
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.failures import FailureCodes, Outcome
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.witnesses import Rules
from canary_operator.api.record import ReleaseRecord
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.plan import FULL, at_ceiling, hold_of
from canary_operator.release.reading import STALE_AT_LEAST, STALE_SPACINGS
from canary_operator.release.record import baseline_of
from canary_operator.simulation.objects import MILLISECOND, as_stored, moment
from canary_operator.simulation.process import Pass
from canary_operator.simulation.traffic import FAILING, Counter
from canary_operator.simulation.unread import Lately, Unread

NEVER = float("-inf")
EQUAL = 1e-5
"""Times that differ by fewer seconds are the same."""
WRITTEN_WITHIN = 600.0
"""Of several proxies nothing is put in the record, so a look must write it after so many seconds: it asks back for 900 while nothing is written."""
CALM = (reasons.GATHERING, reasons.BAKING, reasons.STEP_PASSED)
"""What a pass may say after which looks are left out."""


class Quiet:
    """What a play remembers, to know which scrape needs no look.

    Args:
        canary: The canary's workload.
        stable: Stable's.
        spacing: Seconds between two scrapes of a proxy; all the time, so there is no outage.
        proxies: How many there are. Of several the last look may have counted more than it has stored.
    """

    def __init__(self, canary: str, stable: str, spacing: float, proxies: int) -> None:
        self._canary, self._stable = canary, stable
        self._spacing, self._several = spacing, proxies > 1
        self._lasting = max(STALE_AT_LEAST.total_seconds(), STALE_SPACINGS * spacing) + MILLISECOND
        """Seconds after which the operator looks whether the newest sample is stale."""
        self._until = NEVER
        """Samples before this time, Unix seconds, decide nothing by their time."""
        self._shown = NEVER
        """Samples before this time cover too little for the next step, whatever the odds are; later ones may pass it by their odds."""
        self._unread: Unread | None = None
        """What was scraped since the last look; None: everything must be looked at."""
        self._known: Evidence | None = None
        """The evidence before the last scrape, if that needs a look by its time; None: it needs none, or nobody knows."""
        self._share: float | None = None
        """Of stable's requests before the release, those that failed; None: unknown."""
        self._newest = NEVER
        """The newest sample of a proxy that has counted a request, Unix seconds."""
        self._times: deque[float] = deque(maxlen=proxies + 2)
        """The last samples, Unix seconds: the newest that the last look was answered with is among them."""
        self._counted: dict[Counter, int] = {}
        """What each counter of requests had at the last scrape of its target."""
        self._scraped: dict[frozenset[str], float] = {}
        """When which targets were last scraped, Unix seconds."""
        self._recent: deque[Interval] = deque(maxlen=proxies)
        """The newest interval of each."""
        self._lately = Lately()

    def after(self, done: Pass, served_since: float | None) -> bool:
        """Takes note of a pass. True: it need not look again at what it wrote itself.

        Args:
            done: The pass.
            served_since: When it first saw the route with the weight of its record, Unix seconds; None: it has not.
        """
        decision = done.decision
        passed = decision.because.reason == reasons.STEP_PASSED
        calm = not done.failed and decision.metrics is None and (passed or not decision.effects)
        self._until, self._unread, self._known = NEVER, None, None
        if not calm or decision.because.reason not in CALM:
            return False
        record = as_stored(done.after).release
        if record is None or not _usual(done.spec, record):
            return False
        known = baseline_of(record.baseline)
        self._share = known.share if known else None
        settled_at = None if served_since is None else (moment(served_since) + done.spec.settle).timestamp()
        self._unread = Unread(done.spec, record, settled_at, self._recent)
        self._shown = _covered(record, _least(done.spec, record))
        by_clock = _by_clock(done.spec, record, done.time) - self._lasting - self._spacing
        self._until = min(by_clock, max(self._shown, _covered(record, _most(record, self._unread.rules))))
        if self._several:
            self._until = min(self._until, done.time + WRITTEN_WITHIN)
        return self._until > done.time

    def scraped(self, time: float, counters: Mapping[Counter, int], targets: frozenset[str]) -> bool:
        """Takes note of a scrape. True: no look is needed.

        Args:
            time: Unix seconds.
            counters: All of them, as they stand.
            targets: Whose were scraped.
        """
        interval = self._interval(time, counters, targets)
        self._recent.append(interval)
        self._lately.add(time, interval.stable)
        if self._newest < time:
            return False
        self._times.append(time)
        if self._unread is None:
            return False
        shown = time >= self._shown
        pressing = time >= self._until or (self._share is not None and self._lately.incident(self._share))
        self._known = self._unread.known if (pressing or shown) and not self._several else None
        self._unread.add(interval)
        needed = pressing or self._unread.suspicious or (shown and self._unread.may_rise)
        if needed and self._known is None:
            self._unread = None  # the look reads all of it again
        elif not needed:
            self._known = None
        return not needed

    def _interval(self, time: float, counters: Mapping[Counter, int], targets: frozenset[str]) -> Interval:
        """What the scraped targets have counted since they were scraped before."""
        canary, stable = [0, 0], [0, 0]
        canary_seen = stable_seen = False
        for counter, value in counters.items():
            target, workload, code, bound = counter
            if bound or target not in targets:
                continue
            self._newest = time
            if workload == self._canary:
                arm, canary_seen = canary, True
            elif workload == self._stable:
                arm, stable_seen = stable, True
            else:
                continue
            grown = value - self._counted.get(counter, 0)
            if grown:
                self._counted[counter] = value
                arm[0] += grown
                if code == FAILING:
                    arm[1] += grown
        since, self._scraped[targets] = self._scraped.get(targets, NEVER), time
        return Interval("+".join(targets), since, time, Counts(*canary), Counts(*stable), canary_seen, stable_seen)

    def unwritten(self, *, hidden: bool) -> ReleaseRecord | None:
        """The record as an operator that looked at every scrape might have written it down; None: as it is stored.

        Args:
            hidden: The last scrape is in no answer yet.
        """
        if self._several or self._unread is None or (hidden and self._known is None):
            return None
        return self._unread.record(self._known or self._unread.known)

    @property
    def stale_at(self) -> float:
        """When the operator looks whether the newest sample is stale, Unix seconds."""
        return self._newest + self._lasting

    def postponed(self, due: float | None) -> float | None:
        """When the operator looks again by itself, after a scrape that needs no look: later, if it was to see whether samples are stale.

        Args:
            due: When it was to look, Unix seconds; None: not at all.
        """
        stale = due is not None and any([abs(due - newest - self._lasting) < EQUAL for newest in self._times])
        return self.stale_at if stale else due


def _by_clock(spec: CanaryReleaseSpec, record: ReleaseRecord, now: float) -> float:
    """When the operator looks again whatever the samples say, Unix seconds: the end of what a step or a way may last."""
    if record.weight_since is None or record.weight == FULL:
        return float("inf")
    waited = record.waited_seconds
    begun = record.weight_since.timestamp() + waited
    ends = [begun + hold_of(record).max.total_seconds(), begun + spec.analysis.deadline.total_seconds()]
    if record.pace is not None:
        ends[1] = (record.pace.since + record.pace.max_duration).timestamp() + record.pace.waited_seconds + waited
    return min((end for end in ends if end > now), default=float("inf"))


def _covered(record: ReleaseRecord, span: timedelta | None) -> float:
    """The time, Unix seconds, before which no sample covers so much of the present step; None: never."""
    since = record.evidence.covered_to or record.weight_since
    if span is None or since is None:
        return float("inf") if span is None else NEVER
    return (since + span - timedelta(seconds=record.observed_seconds)).timestamp() - MILLISECOND


def _least(spec: CanaryReleaseSpec, record: ReleaseRecord) -> timedelta:
    """What the step, the bake, or at the highest weight the whole way of a pace has to last."""
    if record.weight == FULL:
        return spec.bake
    if record.pace is None or not at_ceiling(record):
        return hold_of(record).min
    before = timedelta(seconds=record.evidence.seconds - record.observed_seconds)
    return max(hold_of(record).min, record.pace.min_duration - before)


def _most(record: ReleaseRecord, rules: Rules) -> timedelta | None:
    """After which the next step may begin without the odds; None: only with them."""
    if record.weight == FULL:
        return timedelta(0)
    return timedelta(seconds=rules.hold_max) if rules.insufficient_data_advances else None


def _usual(spec: CanaryReleaseSpec, record: ReleaseRecord) -> bool:
    """Only failures are judged, those of this world are some, and stable has no incident."""
    analysis = spec.analysis
    failing = FailureCodes.from_names(analysis.errors.http, analysis.errors.grpc).outcome({"response_code": FAILING})
    plain = failing is Outcome.FAILED and analysis.latency is None and not analysis.queries
    return plain and record.incident_since is None
