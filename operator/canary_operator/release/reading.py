"""What Prometheus is asked for, what its last answer says of both versions, and why it is not accepted when it is not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from canary_operator.analysis.counters import Interval, called_from_elsewhere, counted_by, intervals, spacing, through_proxies, untold
from canary_operator.analysis.duplicates import merged
from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.incident import INCIDENT_WINDOW
from canary_operator.analysis.latency import cannot_tell
from canary_operator.analysis.promql import REQUESTS, any_of
from canary_operator.analysis.remembering import remembered
from canary_operator.analysis.samples import NoData, QueryFailed, Samples
from canary_operator.analysis.witnesses import FULL
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import ReleaseRecord
from canary_operator.release import reasons
from canary_operator.release.model import Because, Observation

STALE_SPACINGS = 3
"""Samples are stale when the newest is this many scrape spacings old: a Prometheus that is frozen still answers."""
STALE_AT_LEAST = timedelta(seconds=15)
STALE_UNKNOWN = timedelta(seconds=90)
"""The same while the spacing is not known yet: longer than the longest usual scrape interval."""
CLUSTER = "cluster"
RECENT = 8
"""Answers whose counts are remembered: as many as are looked at at a time. An answer may be large, and what is remembered outlives it for a while."""
SERVICE_SETTLES = timedelta(seconds=10)
"""Until all proxies know the endpoints of a Service that was made anew: as long as istiod collects changes at most (PILOT_DEBOUNCE_MAX)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says."""

    found: tuple[Interval, ...] = ()
    """What happened between the scrapes."""
    missing: Because | None = None
    """Why they are not accepted as news; None: they are."""
    stale_in: timedelta | None = None
    """After this time they are too old; None: time changes nothing."""
    newest: float | None = None
    """Time of the newest sample of the proxies, Unix seconds; None: unknown."""
    unseen: str | None = None
    """What finds nothing of a canary that has weight; None: it is seen, or need not be."""
    routed: tuple[Interval, ...] = ()
    """The same as `found`, of the requests that weights hold for. Empty where nobody can tell whose they are."""
    alone: bool = False
    """The canary has series, and stable has none."""
    apart: bool = False
    """Each version is counted by proxies of its own, so the silence of one may be theirs."""


def asked_since(state: ReleaseRecord, now: datetime) -> float | None:
    """From when on samples are needed, Unix seconds: what is not stored, and the last minute in any case.

    Over so long stable itself is watched, wherever the evidence stands. None: nothing is stored yet.
    """
    reached = state.evidence.reached
    return None if reached is None else round(min(reached, now - INCIDENT_WINDOW).timestamp(), 3)


def unmeasured(state: ReleaseRecord) -> bool:
    """How long stable's requests last is not recorded yet, and can still be: the canary has no weight."""
    return not state.step and (state.baseline is None or state.baseline.lasting is None)


def read(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Reading:
    """What the last answer of Prometheus says of both versions."""
    if seen.versions is None:  # nobody knows whose series are whose
        return Reading(missing=Because(reasons.GATHERING, f"Service {spec.service.name} is missing, so nothing is counted"))
    match seen.samples:
        case None:
            return Reading(missing=Because(reasons.GATHERING, "the first samples are awaited"))
        case NoData(why):
            return Reading(missing=Because(reasons.METRICS_UNAVAILABLE, f"Prometheus has no samples: {why}"))
        case QueryFailed(why):
            return Reading(missing=Because(reasons.METRICS_UNAVAILABLE, f"Prometheus cannot be asked: {why}"))
        case Samples() as samples:
            return _read(spec, state, seen, samples)


@dataclass(frozen=True, slots=True)
class _How:
    """How an answer is to be counted."""

    reporter: str
    canary: frozenset[str]
    """Names of its workloads."""
    stable: frozenset[str]
    failing: FailureCodes
    slow_above: float | None
    left_out: frozenset[str] = frozenset()
    """Namespaces whose callers are not counted."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """An answer, counted."""

    samples: Samples
    """Of the one reporter."""
    found: tuple[Interval, ...]
    spacing: float | None
    newest: float
    """Time of the newest sample of the proxies, Unix seconds; 0: there is none."""
    workloads: frozenset[str | None]
    """All that have a series."""
    clusters: tuple[str, ...]
    """Values of the label `cluster`, which tells clusters apart in a store of several; empty for series that lack it."""
    untold: frozenset[str]
    """Labels that are missing, so that nobody can tell how some requests to the two arms ended."""
    others: bool
    """There are series of callers that are left out."""
    routed: tuple[Interval, ...]
    """Of callers with a proxy."""
    apart: bool
    """The called pods' proxies have counted."""
    copied: bool
    """Copies for a mirror are counted too: the called pods count them as requests, the callers' proxies do not."""


@remembered(RECENT)
def _counted(answer: Samples, how: _How) -> _Counted:
    heard = called_from_elsewhere(answer, how.left_out)
    samples = merged(counted_by(how.reporter, heard, how.stable))
    found = _intervals(samples, how)
    newest = max((series.points[-1].time for series in samples.series if "destination_workload" in series.labels), default=0.0)
    workloads = frozenset(series.labels.get("destination_workload") for series in samples.series)
    clusters = tuple(sorted({series.labels.get(CLUSTER, "") for series in samples.series}))
    told = untold(samples, how.canary | how.stable, how.failing)
    others = len(heard.series) < len(answer.series)
    routed = found if (asked := through_proxies(samples)) is samples else _intervals(asked, how)
    copied = any(series.labels.get("reporter", "source") != "source" for series in samples.series)
    apart = any(series.labels.get("reporter") == "destination" for series in samples.series)
    return _Counted(samples, found, spacing(found), newest, workloads, clusters, told, others, routed, apart, copied)


def _intervals(samples: Samples, how: _How) -> tuple[Interval, ...]:
    return intervals(samples, canary=how.canary, stable=how.stable, failing=how.failing, slow_above=how.slow_above)


def _read(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, answer: Samples) -> Reading:
    canary, stable = _arms(state, seen)
    errors, latency = spec.analysis.errors, spec.analysis.latency
    failing = FailureCodes.from_names(errors.http, errors.grpc)
    slow_above = latency.threshold / timedelta(milliseconds=1) if latency else None
    counted = _counted(answer, _How(spec.analysis.reporter, canary, stable, failing, slow_above, seen.left_out))
    if not counted.newest:
        where = f", but in {', '.join(sorted(seen.left_out)[:5])}, whose requests are left out" if counted.others else ""
        words = f"no proxy has counted a request as reporter {spec.analysis.reporter}{where}"
        return Reading(missing=Because(reasons.METRICS_UNAVAILABLE, words))
    age, usual = seen.now.timestamp() - counted.newest, counted.spacing
    allowed = STALE_UNKNOWN.total_seconds() if usual is None else max(STALE_AT_LEAST.total_seconds(), STALE_SPACINGS * usual)
    missing = None
    if age > allowed:
        words = f"the newest sample in Prometheus is {age:.0f} s old, so nothing is known of the present"
        missing = Because(reasons.METRICS_UNAVAILABLE, words)
    elif state.weight != FULL and not stable & counted.workloads:
        words = f"Prometheus has no series of stable, so the canary cannot be compared: {_of(stable)} is empty"
        missing = Because(reasons.METRICS_UNAVAILABLE, words)
    elif len(counted.clusters) > 1:
        missing = Because(reasons.METRICS_UNAVAILABLE, _several(counted.clusters, spec.analysis.prometheus))
    elif counted.untold:
        missing = Because(reasons.METRICS_UNAVAILABLE, _untold(counted.untold))
    elif latency and (unknown := cannot_tell(counted.samples, latency.threshold)):
        missing = Because(reasons.LATENCY_UNKNOWN, unknown)
    unseen = None
    if state.weight and not canary & counted.workloads:
        unseen = f"Prometheus has no series of the canary: {_of(canary)} is empty"
    stale_in = None if missing else timedelta(seconds=allowed - age + 0.001)
    mirrored = counted.copied and seen.route is not None and seen.route.extras.mirror > 0
    routed = () if missing or mirrored or canary & stable else counted.routed
    alone = state.weight != FULL and bool(canary & counted.workloads) and not stable & counted.workloads
    reading = Reading(counted.found, missing, stale_in, counted.newest, unseen, routed, alone, counted.apart)
    return _since_made(spec, seen, reading)


def _several(clusters: Sequence[str], provider: str) -> str:
    """An empty name: series that lack the label."""
    named = [each for each in clusters if each]
    bare = len(named) < len(clusters)
    listed = ", ".join([*named[:5], *([f"one without the label `{CLUSTER}`"] if bare else [])])
    mend = f"; if it is the one without, name it in `global.external_labels.{CLUSTER}` of its Prometheus first" if bare else ""
    return (
        f"the samples are of several clusters ({listed}), which may have a Service of this name each: write the one of this "
        f"cluster into the operator's configuration, as `prometheus.{provider}.matchers: {{{CLUSTER}: {named[0]}}}`{mend}"
    )


def _untold(labels: frozenset[str]) -> str:
    """Which resource removes a label: istio.io/latest/docs/reference/config/telemetry, `tagOverrides`."""
    names = " and ".join(f"`{label}`" for label in sorted(labels))
    return (
        f"{REQUESTS} has series without the label {names}, so nobody can tell how these requests ended: take `operation: REMOVE` of that tag out "
        "of the Telemetry resource (kubectl get telemetries -A), or keep the label in Prometheus' relabelling"
    )


def _since_made(spec: CanaryReleaseSpec, seen: Observation, reading: Reading) -> Reading:
    """What a Service that was made anew leaves of it: requests that no proxy could send anywhere say nothing of either version."""
    if seen.service_since is None:
        return reading
    settles = max(spec.settle, SERVICE_SETTLES)
    counted_from = seen.service_since + settles
    begun = counted_from.timestamp()
    found, routed = (
        of if all(each.since >= begun for each in of) else tuple(each for each in of if each.since >= begun)
        for of in (reading.found, reading.routed)
    )
    left = counted_from - seen.now
    if reading.missing or left <= timedelta(0):
        return replace(reading, found=found, routed=routed)
    words = f"Service {spec.service.name} was made anew; for {settles.total_seconds():g} s nothing is counted: not all proxies know its endpoints"
    return replace(reading, found=found, missing=Because(reasons.SETTLING, words), stale_in=left, routed=())


def _arms(state: ReleaseRecord, seen: Observation) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the workloads of canary and stable."""
    versions = seen.versions or {}
    canary, stable = (versions.get(text.rpartition("@")[0]) if text else None for text in (state.to, state.from_))
    return frozenset(canary.workloads if canary else ()), frozenset(stable.workloads if stable else ())


def _of(workloads: frozenset[str]) -> str:
    """The query that finds the series of these workloads."""
    return f"{REQUESTS}{{destination_workload=~{any_of(sorted(workloads) or ('',))}}}"
