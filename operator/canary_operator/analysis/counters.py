"""From raw counters to what happened between two scrapes.

Own differences per series, instead of `rate()` and `increase()`: no failure is lost, no fraction invented, and every
count keeps the time span it belongs to. Refuses to judge; knows nothing of weights, steps or odds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from canary_operator.analysis.failures import FailureCodes, Outcome
from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.analysis.samples import Samples, Series

__all__ = ["TARGET_LABELS", "FailureCodes", "Interval", "intervals", "spacing"]

TARGET_LABELS = ("cluster", "namespace", "job", "instance", "pod")
"""The labels that tell one scrape target (one proxy) from another; one that is missing counts as empty."""


@dataclass(frozen=True, slots=True)
class Interval:
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
    since: float | None = None,
) -> tuple[Interval, ...]:
    """All intervals in the samples, in order of time.

    A falling counter is a reset: its new value is added. A series that vanishes keeps its last value. A series that
    appears after the first scrape of its target starts at 0; one that is there at the target's first scrape has that
    value as its baseline, so a gateway that comes back with yesterday's counters is no failure.

    Args:
        samples: The answer to `promql.requests_total`, of one Prometheus (replicas must be deduplicated: two copies
            of one target would count twice).
        canary: Names of the workloads of the canary; series of other workloads are left out.
        stable: The same for stable; the two sets share no name.
        failing: What counts as failed.
        since: Seconds since 1970: only intervals that end later. None: all. `evidence.fold` wants them all: it skips
            what it has counted, and learns from the rest which targets live.
    """
    targets: dict[str, list[Series]] = {}
    for series in samples.series:
        if series.labels.get("destination_workload") in canary | stable:
            targets.setdefault(_target(series.labels), []).append(series)
    found = (
        interval
        for target, members in targets.items()
        for interval in _of_target(target, members, canary, failing)
        if since is None or interval.until > since
    )
    return tuple(sorted(found, key=lambda interval: (interval.until, interval.target)))


def spacing(of: Sequence[Interval]) -> float | None:
    """Median seconds between two scrapes of a target; None without intervals."""
    return median(interval.length for interval in of) if of else None


def _target(labels: Mapping[str, str]) -> str:
    return " ".join(f"{label}={labels.get(label, '')!r}" for label in TARGET_LABELS)


@dataclass(slots=True)
class _Arm:
    """What one arm of one target did, by the number of the scrape."""

    requests: list[int]
    failures: list[int]
    seen: set[int]

    def counts(self, scrape: int) -> Counts:
        return Counts(self.requests[scrape], self.failures[scrape])


def _of_target(target: str, members: Sequence[Series], canary: frozenset[str], failing: FailureCodes) -> Iterable[Interval]:
    times = sorted({point.time for series in members for point in series.points})
    scrapes = {time: scrape for scrape, time in enumerate(times)}
    arms = {ours: _Arm([0] * len(times), [0] * len(times), set()) for ours in (True, False)}
    for series in members:
        _add(series, arms[series.labels["destination_workload"] in canary], scrapes, failing.outcome(series.labels))
    for scrape in range(1, len(times)):  # The first scrape of a target is its baseline: what it adds is left out.
        yield Interval(
            target,
            since=times[scrape - 1],
            until=times[scrape],
            canary=arms[True].counts(scrape),
            stable=arms[False].counts(scrape),
            canary_seen=scrape in arms[True].seen,
            stable_seen=scrape in arms[False].seen,
        )


def _add(series: Series, arm: _Arm, scrapes: Mapping[float, int], outcome: Outcome) -> None:
    """Adds the increments of one series to its arm."""
    before = 0
    for point in series.points:
        scrape, value = scrapes[point.time], round(point.value)
        grown = value - before if value >= before else value
        before = value
        arm.seen.add(scrape)
        if outcome is not Outcome.NOT_COUNTED:
            arm.requests[scrape] += grown
            arm.failures[scrape] += grown if outcome is Outcome.FAILED else 0


def total(of: Iterable[Counts]) -> Counts:
    """All counts together."""
    return sum(of, start=NOTHING)
