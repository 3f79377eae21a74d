"""What the samples of one look say of the running release: folded into the stored evidence, judged, and worded."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from canary_operator.analysis.baseline import as_counted, baseline
from canary_operator.analysis.counters import Interval, counted_by, intervals, spacing
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.latency import cannot_tell
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.promql import REQUESTS, any_of
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.samples import NoData, QueryFailed, Samples
from canary_operator.analysis.sentence import sentence
from canary_operator.analysis.verdict import Verdict, Word, incident, judge, judge_bake, odds_text
from canary_operator.analysis.witnesses import FULL, Rules, Slowness, Why, stable_of
from canary_operator.api.record import BaselineRecord
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.model import Because, Observation
from canary_operator.release.record import baseline_of, baseline_record, evidence_of

STALE_SPACINGS = 3
"""Samples are stale when the newest is this many scrape spacings old: a Prometheus that is frozen still answers."""
STALE_AT_LEAST = timedelta(seconds=15)
STALE_UNKNOWN = timedelta(seconds=90)
"""The same while the spacing is not known yet: longer than the longest usual scrape interval."""
INCIDENT_PATIENCE = timedelta(minutes=3)
"""For so long stable may fail far more than before the release until the release is withdrawn (analysis.md 4.5)."""


@dataclass(frozen=True, slots=True)
class Look:
    """The evidence after this look, and what it means."""

    committed: Evidence
    """To be stored."""
    now: Evidence
    """To be judged: with the samples of proxies whose scrape is ahead."""
    verdict: Verdict
    missing: Because | None
    """Why no samples are accepted; None: they are."""
    baseline: BaselineRecord | None
    """Stable before the release; None: unknown."""
    incident_since: datetime | None
    """Since when stable itself fails far more often; None: it does not."""
    patience_is_over: bool = False
    """The incident has lasted too long."""
    valid_for: timedelta | None = None
    """After this time it means something else even without news: the samples are too old, or patience is over. None: it does not."""

    @property
    def worse(self) -> str | None:
        """Why the canary is to be blamed, with the numbers; None: it is not."""
        return sentence(self.verdict, self.now) if self.verdict.word is Word.WORSE else None

    @property
    def blamed_for(self) -> str:
        """The reason to roll back with, when there is one."""
        blame = self.verdict.blame
        return reasons.SLOWER if blame and blame.why is Why.SLOW else reasons.MORE_FAILURES

    @property
    def passed(self) -> bool:
        """The evidence lets the next step begin."""
        return self.missing is None and self.verdict.advances

    @property
    def reason(self) -> str:
        """The printed word for where the evidence stands."""
        if self.missing:
            return self.missing.reason
        return reasons.SUSPECT if self.verdict.word is Word.SUSPECT else reasons.GATHERING

    @property
    def told(self) -> str:
        """The evidence in one line, with the one condition that is still missing."""
        return self.missing.message if self.missing else sentence(self.verdict, self.now)

    @property
    def odds(self) -> str:
        """The odds in words."""
        slow = self.verdict.testimony.ln_slow
        slower = "" if slow is None else f", {odds_text(slow)} slower"
        return f"{odds_text(self.verdict.ln_worse)} worse{slower}, {odds_text(self.verdict.ln_not_worse)} not worse"


def rules_of(spec: CanaryReleaseSpec, state: ReleaseRecord) -> Rules:
    """How the canary is judged in the present step."""
    analysis, before = spec.analysis, baseline_of(state.baseline)
    latency = analysis.latency
    hold = state.plan[max(state.step - 1, 0)].hold if state.plan else None
    return Rules(
        tolerance=analysis.errors.tolerance,
        rule_out=analysis.errors.rule_out,
        confidence=float(analysis.confidence),
        min_requests=analysis.min_requests,
        limit=analysis.errors.limit,
        hold_min=spec.bake.total_seconds() if state.weight == FULL or hold is None else hold.min.total_seconds(),
        hold_max=hold.max.total_seconds() if hold else 0.0,
        insufficient_data_advances=analysis.insufficient_data == "Advance",
        noise=before.noise if before else 1.0,
        slowness=Slowness(latency.tolerance, latency.rule_out, latency.warmup.total_seconds(), before.slow_noise if before else 1.0)
        if latency
        else None,
        lost_before=before.lost_share if before else 0.0,
    )


def look(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Look:
    """Folds the newest samples into the stored evidence and judges. Nothing running: nothing is folded."""
    rules, stored = rules_of(spec, state), evidence_of(state)
    if state.state not in (State.PROGRESSING, State.PROMOTING):
        return Look(stored, stored, judge(stored, rules), None, state.baseline, None)
    found, missing, stale_in = _intervals(spec, state, seen)
    rules = as_counted(rules, found)
    yardstick = _yardstick(state, stored)
    folded = fold(
        stored,
        found,
        weight=state.weight,
        since=state.weight_since.timestamp() if state.weight and state.weight_since else None,
        settled_at=_settled_at(spec, state, seen),
        rules=rules,
        stable=yardstick,
    )
    base = _baseline(state, found)
    since = _incident_since(state, seen, found, base)
    lasted = seen.now - since if since else timedelta(0)
    verdict = (
        judge_bake(folded.now, yardstick, rules)
        if state.weight == FULL
        else judge(folded.now, rules, incident_for=lasted.total_seconds() + (1e-3 if since else 0))
    )
    patience = INCIDENT_PATIENCE - lasted if since and lasted < INCIDENT_PATIENCE else None
    valid_for = min((span for span in (stale_in, patience) if span is not None), default=None)
    return Look(folded.committed, folded.now, verdict, missing, base, since, lasted >= INCIDENT_PATIENCE, valid_for)


def _intervals(
    spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation
) -> tuple[tuple[Interval, ...], Because | None, timedelta | None]:
    """The intervals in the answer, why they are not accepted as news (None: they are), and when they will be too old."""
    match seen.samples:
        case None:
            return (), Because(reasons.GATHERING, "the first samples are awaited"), None
        case NoData(why):
            return (), Because(reasons.METRICS_UNAVAILABLE, f"Prometheus has no samples: {why}"), None
        case QueryFailed(why):
            return (), Because(reasons.METRICS_UNAVAILABLE, f"Prometheus cannot be asked: {why}"), None
        case Samples() as samples:
            pass
    versions = seen.versions or {}
    canary, stable = (versions.get(text.rpartition("@")[0]) if text else None for text in (state.to, state.from_))
    arms = [frozenset(arm.workloads if arm else ()) for arm in (canary, stable)]
    errors, latency = spec.analysis.errors, spec.analysis.latency
    samples = counted_by(spec.analysis.reporter, samples, arms[1])
    found = intervals(
        samples,
        canary=arms[0],
        stable=arms[1],
        failing=FailureCodes.from_names(errors.http, [str(code) for code in errors.grpc]),
        slow_above=latency.threshold / timedelta(milliseconds=1) if latency else None,
    )
    newest = max((series.points[-1].time for series in samples.series if "destination_workload" in series.labels), default=0.0)
    if not newest:
        return (), Because(reasons.METRICS_UNAVAILABLE, f"no proxy has counted a request as reporter {spec.analysis.reporter}"), None
    age, usual = seen.now.timestamp() - newest, spacing(found)
    allowed = STALE_UNKNOWN.total_seconds() if usual is None else max(STALE_AT_LEAST.total_seconds(), STALE_SPACINGS * usual)
    if age > allowed:
        words = f"the newest sample in Prometheus is {age:.0f} s old, so nothing is known of the present"
        return found, Because(reasons.METRICS_UNAVAILABLE, words), None
    if state.weight != FULL and not _has_series(samples, arms[1]):
        words = f"Prometheus has no series of stable, so the canary cannot be compared: {_of(arms[1])} is empty"
        return found, Because(reasons.METRICS_UNAVAILABLE, words), None
    if latency and (unknown := cannot_tell(samples, latency.threshold)):
        return found, Because(reasons.LATENCY_UNKNOWN, unknown), None
    return found, None, timedelta(seconds=allowed - age + 0.001)


def _has_series(samples: Samples, workloads: frozenset[str]) -> bool:
    return any(series.labels.get("destination_workload") in workloads for series in samples.series)


def _of(workloads: frozenset[str]) -> str:
    """The query that finds the series of these workloads."""
    return f"{REQUESTS}{{destination_workload=~{any_of(sorted(workloads) or ('',))}}}"


def _settled_at(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> float | None:
    if seen.route is None or seen.route.weight != state.weight:
        return None
    return (seen.route.since + spec.settle).timestamp()


def _baseline(state: ReleaseRecord, found: tuple[Interval, ...]) -> BaselineRecord | None:
    """Stable in the minutes before the first weight; kept for the release."""
    if state.step or state.baseline is not None:
        return state.baseline
    return baseline_record(baseline(found))


def _yardstick(state: ReleaseRecord, stored: Evidence) -> Counts | None:
    """What a bake is judged by where stable had no request beside the canary: what it did before. None: what it did beside the canary."""
    before = baseline_of(state.baseline)
    return before.stable if before and not stable_of(stored.segments).requests else None


def _incident_since(state: ReleaseRecord, seen: Observation, found: tuple[Interval, ...], base: BaselineRecord | None) -> datetime | None:
    known = baseline_of(base)
    if known is None or not state.step or not incident(found, known.share):
        # Without news an incident neither begins nor ends.
        return state.incident_since if not found else None
    return state.incident_since or seen.now
