"""Which looks a play may leave out: those at which nothing can be decided.

While a step gathers evidence most looks write nothing, and the look after them reads the same samples again (ADR 5). A sample can change
that only by a failure of the canary, by enough failures of stable for an incident, or by its time. Leaving out the other looks changes
nothing of how a release goes: `tests/pure/simulation/test_quiet.py` plays both ways and compares. Refuses to decide anything itself.
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.incident import INCIDENT_WINDOW, incident
from canary_operator.analysis.odds import NOTHING, Counts, Segment, log_odds_not_worse
from canary_operator.analysis.verdict import LN_ADVANCE
from canary_operator.analysis.witnesses import Rules
from canary_operator.api.record import ReleaseRecord
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.evidence import rules_of
from canary_operator.release.plan import FULL, at_ceiling, hold_of
from canary_operator.release.reading import STALE_AT_LEAST, STALE_SPACINGS
from canary_operator.release.record import baseline_of, evidence_of
from canary_operator.release.report import CHECKPOINT
from canary_operator.simulation.process import Pass
from canary_operator.simulation.traffic import FAILING, Counter

NEVER = float("-inf")
MILLISECOND = 0.001
"""Covered time is rounded to this, and samples are stale so long after the time that they are allowed."""


class Quiet:
    """What a play remembers, to know which scrape needs no look.

    Args:
        canary: The canary's workload.
        stable: Stable's.
        spacing: Seconds between two scrapes of a proxy; all the time, so there is no outage.
    """

    def __init__(self, canary: str, stable: str, spacing: float) -> None:
        self._canary, self._stable = canary, stable
        self._spacing = spacing
        self._lasting = max(STALE_AT_LEAST.total_seconds(), STALE_SPACINGS * spacing) + MILLISECOND
        """Seconds after which the operator looks whether the newest sample is stale."""
        self._until = NEVER
        """Samples before this time, Unix seconds, decide nothing by their time."""
        self._shown = NEVER
        """Samples before this time cover too little for the next step, whatever the odds are; later ones may pass it by their odds."""
        self._step = Segment(0)
        """What the last look counted of the present step, and the scrapes since."""
        self._rules = Rules()
        self._share: float | None = None
        """Of stable's requests before the release, those that failed; None: unknown."""
        self._newest = NEVER
        """The newest sample of a proxy that has counted a request, Unix seconds."""
        self._counted: dict[Counter, int] = {}
        """What each counter of requests had at the last scrape of its target."""
        self._before = NEVER
        """The newest sample before the last scrape."""
        self._lately: deque[Interval] = deque()
        """What stable did in the last minute."""

    def after(self, done: Pass) -> bool:
        """Takes note of a pass. True: it need not look again at what it wrote itself."""
        record = done.after.release
        stored = done.after if done.wrote else done.before
        calm = not done.failed and not done.decision.effects and done.decision.metrics is None
        self._until = NEVER
        if (
            record is None
            or record.incident_since
            or not calm
            or done.decision.because.reason not in (reasons.GATHERING, reasons.BAKING)
            or _heard_apart(done.spec)
        ):
            return False
        known = baseline_of(record.baseline)
        self._share = known.share if known else None
        written = stored.release.evidence.reached if stored.release else None
        checkpoint = float("inf") if written is None else (written + CHECKPOINT).timestamp()
        self._rules, self._step = rules_of(done.spec, record), evidence_of(record).step
        self._shown = _covered(record, _least(done.spec, record))
        by_clock = _by_clock(done.spec, record, done.time) - self._lasting - self._spacing
        self._until = min(checkpoint, by_clock, max(self._shown, _covered(record, _most(record, self._rules))))
        return self._until > done.time

    def scraped(self, time: float, counters: Mapping[Counter, int], targets: frozenset[str]) -> bool:
        """Takes note of a scrape. True: no look is needed.

        Args:
            time: Unix seconds.
            counters: All of them, as they stand.
            targets: Whose were scraped.
        """
        self._before = self._newest
        canary, canary_failed, stable, stable_failed = 0, 0, 0, 0
        for counter, value in counters.items():
            if counter[3] or counter[0] not in targets:
                continue
            self._newest, grown = time, value - self._counted.get(counter, 0)
            if not grown:
                continue
            self._counted[counter] = value
            failed = grown if counter[2] == FAILING else 0
            if counter[1] == self._canary:
                canary, canary_failed = canary + grown, canary_failed + failed
            elif counter[1] == self._stable:
                stable, stable_failed = stable + grown, stable_failed + failed
        beside = Counts(stable, stable_failed)
        self._lately.append(Interval("", time - MILLISECOND, time, NOTHING, beside, False, True))
        if self._until > NEVER:
            self._step += Segment(self._step.weight, Counts(canary, canary_failed), beside)
        while self._lately and self._lately[0].until <= time - INCIDENT_WINDOW.total_seconds():
            self._lately.popleft()
        if self._newest < time or canary_failed or time >= self._until or (time >= self._shown and self._may_rise(targets)):
            return False
        return self._share is None or not incident(self._lately, self._share)

    def postponed(self, due: float | None) -> float | None:
        """When the operator looks again by itself, after a scrape that needs no look: later, if it was to see whether samples are stale.

        Args:
            due: When it was to look, Unix seconds; None: not at all.
        """
        stale = due is not None and abs(due - self._before - self._lasting) < 1e-5
        return due + self._newest - self._before if due is not None and stale else due

    def _may_rise(self, targets: frozenset[str]) -> bool:
        """The odds may be in. Of several proxies the last look may have counted more than it stored."""
        several = {counter[0] for counter in self._counted} != targets
        return several or log_odds_not_worse(self._step, self._rules.rule_out, self._rules.noise) >= LN_ADVANCE


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


def _heard_apart(spec: CanaryReleaseSpec) -> bool:
    """Something else than failures is judged too."""
    return spec.analysis.latency is not None or bool(spec.analysis.queries)
