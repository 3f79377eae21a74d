"""From raw counters to what happened between two scrapes.

Own differences per series, instead of `rate()` and `increase()`: no failure is lost, no fraction invented, and every
count keeps the time span it belongs to. Refuses to judge; knows nothing of weights, steps or odds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from math import isinf, nan
from statistics import median
from typing import NamedTuple

from canary_operator.analysis.failures import STATUS, FailureCodes, Outcome, untold_label
from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.analysis.promql import NOWHERE, REPORTERS
from canary_operator.analysis.samples import Samples, Series

__all__ = ["TARGET_LABELS", "FailureCodes", "Interval", "intervals", "spacing"]

TARGET_LABELS = ("cluster", "namespace", "job", "instance", "pod")
"""The labels that tell one scrape target (one proxy) from another; one that is missing counts as empty."""


_PROXY = frozenset({"instance", "pod"})
"""Series without either are sums over several proxies, such as a recording rule or a federation makes."""


class Interval(NamedTuple):
    """What one scrape target counted between two neighbouring scrapes of it."""

    target: str
    """Values of `TARGET_LABELS`, as a text to sort and print."""
    since: float
    """The earlier scrape, seconds since 1970."""
    until: float
    """The later scrape, seconds since 1970; later than `since`."""
    canary: Counts
    stable: Counts
    canary_seen: bool
    """At `until` the target showed at least one series of the canary."""
    stable_seen: bool
    """At `until` the target showed at least one series of stable."""
    lost: int = 0
    """Failed requests that reached no workload (no healthy endpoint, no cluster): nobody can tell whose they were."""
    canary_timed: Counts = NOTHING
    """Answers of the canary whose time is known, and those of them that were slow. Nothing unless latency is judged."""
    stable_timed: Counts = NOTHING
    """The same of stable."""
    canary_given_up: int = 0
    """Requests to the canary that their callers ended before the answer was complete; not among `canary`."""
    stable_given_up: int = 0
    """The same of stable."""

    @property
    def both(self) -> bool:
        """Accepted samples of both arms cover this interval."""
        return self.canary_seen and self.stable_seen

    @property
    def length(self) -> float:
        """Seconds, above 0."""
        return self.until - self.since


def intervals(
    samples: Samples,
    *,
    canary: frozenset[str],
    stable: frozenset[str],
    failing: FailureCodes,
    slow_above: float | None = None,
    since: float | None = None,
) -> tuple[Interval, ...]:
    """All intervals in the samples, in order of time.

    A falling counter is a reset: its new value is added. A sum over several proxies that falls is none: that interval
    is left out. A series that vanishes keeps its last value. A series that
    appears after the first scrape of its target starts at 0; one that is there at the target's first scrape has that
    value as its baseline, so a gateway that comes back with yesterday's counters is no failure.

    Args:
        samples: The answer to `promql.requests_total`, of one Prometheus (replicas must be deduplicated: two copies
            of one target would count twice).
        canary: Names of the workloads of the canary; series of other workloads are left out.
        stable: The same for stable; the two sets share no name.
        failing: What counts as failed.
        slow_above: Milliseconds; an answer that takes longer is slow. It must be a bound of the histogram, else no answer counts as timed.
            None: latency is not judged.
        since: Seconds since 1970: only intervals that end later. None: all. `evidence.fold` wants them all: it skips
            what it has counted, and learns from the rest which targets live.
    """
    targets: dict[str, list[Series]] = {}
    known, outcome = {*canary, *stable, NOWHERE}, partial(failing.outcome, statuses=tells_statuses(samples))
    for series in samples.series:
        if series.labels.get("destination_workload") in known:
            targets.setdefault(_target(series.labels), []).append(series)
    found = (
        interval
        for target, members in targets.items()
        for interval in _of_target(target, members, canary, outcome, slow_above)
        if since is None or interval.until > since
    )
    return tuple(sorted(found, key=lambda interval: (interval.until, interval.target)))


def tells_statuses(samples: Samples) -> bool:
    """Some series carries the number of a gRPC status, so the label was not removed from all."""
    return any(STATUS in series.labels for series in samples.series)


def untold(samples: Samples, workloads: frozenset[str], failing: FailureCodes) -> frozenset[str]:
    """The labels that are missing, so that nobody can tell how some of the requests to these workloads ended; empty: all can be told.

    A series that does not grow says nothing of the present.
    """
    statuses = tells_statuses(samples)
    return frozenset(
        untold_label(series.labels)
        for series in samples.series
        if series.labels.get("destination_workload") in workloads
        and "le" not in series.labels
        and (len(series.points) == 1 or series.points[-1].value != series.points[0].value)
        and failing.outcome(series.labels, statuses=statuses) is Outcome.UNTOLD
    )


def counted_by(reporter: str, samples: Samples, stable: frozenset[str]) -> Samples:
    """The samples of one reporter: never the sum of two, which would count each request twice.

    Args:
        reporter: A key of `promql.REPORTERS`; of several the first that has counted requests of stable.
        samples: Of all of them. A series without the label `reporter` belongs to any.
        stable: Names of stable's workloads.
    """
    choices = REPORTERS[reporter]
    counted = {
        series.labels.get("reporter", choices[0]) for series in samples.series if series.labels.get("destination_workload") in stable
    }
    chosen = next((choice for choice in choices if choice in counted), choices[0])
    return Samples(tuple(series for series in samples.series if series.labels.get("reporter", chosen) == chosen))


def called_from_elsewhere(samples: Samples, namespaces: frozenset[str]) -> Samples:
    """The samples without the requests of callers in these namespaces; the very same samples when there are none."""
    if not namespaces:
        return samples
    return Samples(tuple(series for series in samples.series if series.labels.get("source_workload_namespace") not in namespaces))


def through_proxies(samples: Samples) -> Samples:
    """Without the requests of callers that have no proxy: no weight holds for them. Only the called pods' own proxies count them."""
    kept = tuple(series for series in samples.series if not _without_proxy(series.labels))
    return samples if len(kept) == len(samples.series) else Samples(kept)


def _without_proxy(labels: Mapping[str, str]) -> bool:
    return labels.get("reporter") == "destination" and labels.get("source_workload") == NOWHERE


def spacing(of: Sequence[Interval]) -> float | None:
    """Median seconds between two scrapes of a target; None without intervals."""
    return median(interval.length for interval in of) if of else None


def _target(labels: Mapping[str, str]) -> str:
    return _target_text(*(labels.get(label, "") for label in TARGET_LABELS))


@lru_cache(maxsize=4096)
def _target_text(*values: str) -> str:
    return " ".join(f"{label}={value!r}" for label, value in zip(TARGET_LABELS, values, strict=True))


class _Arm:
    """What one arm of one target did, by the number of the scrape."""

    __slots__ = ("failures", "given_up", "requests", "seen", "slow", "timed")

    def __init__(self, scrapes: int) -> None:
        self.requests, self.failures, self.given_up = [0] * scrapes, [0] * scrapes, [0] * scrapes
        self.timed: list[int] | None = None
        """None: no answer is timed."""
        self.slow: list[int] = []
        self.seen = [False] * scrapes

    def counts(self, scrape: int) -> Counts:
        return Counts(self.requests[scrape], self.failures[scrape]) if self.requests[scrape] else NOTHING

    def times(self, scrape: int) -> Counts:
        if self.timed is None:
            return NOTHING
        return Counts(self.timed[scrape], max(0, min(self.slow[scrape], self.timed[scrape])))


def _of_target(
    target: str, members: Sequence[Series], canary: frozenset[str], told: Callable[[Mapping[str, str]], Outcome], slow_above: float | None
) -> Iterable[Interval]:
    times = sorted({point.time for series in members for point in series.points})
    scrapes = {time: scrape for scrape, time in enumerate(times)}
    ours, theirs, nobody = _Arm(len(times)), _Arm(len(times)), _Arm(len(times))
    timed = _timed(members, slow_above)
    for series in members:
        workload = series.labels["destination_workload"]
        arm = nobody if workload == NOWHERE else ours if workload in canary else theirs
        outcome = told(series.labels)
        if "le" in series.labels:
            if outcome is Outcome.SUCCEEDED and _without_bound(series.labels) in timed:
                _add_times(series, arm, scrapes, slow_above)
        elif workload != NOWHERE or FailureCodes.found_nobody(series.labels):
            _add(series, arm, scrapes, outcome)
    torn = _torn(members, scrapes) if not (_PROXY & members[0].labels.keys()) else frozenset()
    for scrape in range(1, len(times)):  # The first scrape of a target is its baseline: what it adds is left out.
        if scrape in torn:
            continue
        yield Interval(
            target,
            since=times[scrape - 1],
            until=times[scrape],
            canary=ours.counts(scrape),
            stable=theirs.counts(scrape),
            canary_seen=ours.seen[scrape],
            stable_seen=theirs.seen[scrape],
            lost=nobody.failures[scrape],
            canary_timed=ours.times(scrape),
            stable_timed=theirs.times(scrape),
            canary_given_up=ours.given_up[scrape],
            stable_given_up=theirs.given_up[scrape],
        )


def _torn(members: Sequence[Series], scrapes: Mapping[float, int]) -> frozenset[int]:
    """Scrapes at which a sum over several proxies fell: one of them began anew, and nobody can tell what the others added meanwhile."""
    return frozenset(scrapes[later.time] for each in members for earlier, later in pairwise(each.points) if later.value < earlier.value)


def _increments(series: Series, scrapes: Mapping[float, int]) -> Iterable[tuple[int, int]]:
    """The number of each scrape, and by how much the series grew there."""
    before = 0
    for point in series.points:
        value = round(point.value)
        yield scrapes[point.time], value - before if value >= before else value
        before = value


def _add(series: Series, arm: _Arm, scrapes: Mapping[float, int], outcome: Outcome) -> None:
    """Adds the increments of one counter to its arm."""
    if outcome is Outcome.GIVEN_UP:
        for scrape, grown in _increments(series, scrapes):
            arm.seen[scrape] = True
            arm.given_up[scrape] += grown
        return
    counts, failed = outcome is not Outcome.UNTOLD, outcome is Outcome.FAILED
    requests, failures, seen = arm.requests, arm.failures, arm.seen
    for scrape, grown in _increments(series, scrapes):
        seen[scrape] = True
        if counts and grown:
            requests[scrape] += grown
            if failed:
                failures[scrape] += grown


def _add_times(series: Series, arm: _Arm, scrapes: Mapping[float, int], slow_above: float | None) -> None:
    """Adds one bucket of a histogram: all answers, or those that were not slow."""
    every = isinf(bound(series.labels["le"]))
    if not every and bound(series.labels["le"]) != slow_above:
        return
    if arm.timed is None:
        arm.timed, arm.slow = [0] * len(arm.requests), [0] * len(arm.requests)
    for scrape, grown in _increments(series, scrapes):
        arm.timed[scrape] += grown if every else 0
        arm.slow[scrape] += grown if every else -grown


def _timed(members: Sequence[Series], slow_above: float | None) -> set[frozenset[tuple[str, str]]]:
    """The histograms that have the bound in question."""
    if slow_above is None:
        return set()
    return {_without_bound(series.labels) for series in members if bound(series.labels.get("le", "")) == slow_above}


def _without_bound(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((label, value) for label, value in labels.items() if label != "le")


def bound(le: str) -> float:
    """The upper bound of a bucket; NaN when the text is none."""
    try:
        return float(le)
    except ValueError:
        return nan


def total(of: Iterable[Counts]) -> Counts:
    """All counts together."""
    return sum(of, start=NOTHING)
