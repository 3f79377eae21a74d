"""Small worlds that Prometheus could have scraped, in the words of the domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st

from canary_operator.analysis.counters import FailureCodes, Interval, intervals
from canary_operator.analysis.evidence import Evidence, Folded, fold
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.samples import Point, Samples, Series
from canary_operator.analysis.verdict import Rules

CANARY, STABLE = frozenset({"reviews-v2"}), frozenset({"reviews-v1"})
few = settings(max_examples=40, deadline=None)
"""Enough to find a mistake within a few runs, few enough for every commit."""
EPOCH = 1_763_847_000.0
"""When all worlds begin: floats of today's size, where seconds are no longer exact."""
BAD = ((50, 3), (950, 0))
"""Requests and failures of canary and stable: enough for 100:1 at 5 %."""
GOOD = ((50, 0), (950, 0))


def series(workload: str, points: Mapping[float, float], code: str = "200", target: str = "gateway", **labels: str):
    """One series; times count from the world's beginning."""
    known = {"destination_workload": workload, "response_code": code, "instance": target, "response_flags": "-"}
    return Series(known | labels, tuple(Point(EPOCH + time, value) for time, value in points.items()))


def canary(points: Mapping[float, float], code: str = "200", target: str = "gateway", **labels: str) -> Series:
    return series("reviews-v2", points, code, target, **labels)


def stable(points: Mapping[float, float], code: str = "200", target: str = "gateway", **labels: str) -> Series:
    return series("reviews-v1", points, code, target, **labels)


def read(*members: Series, since: float | None = None) -> tuple[Interval, ...]:
    start = None if since is None else EPOCH + since
    return intervals(Samples(members), canary=CANARY, stable=STABLE, failing=FailureCodes(), since=start)


def interval(
    since: float,
    until: float,
    canary: tuple[int, int] = (0, 0),
    stable: tuple[int, int] = (0, 0),
    target: str = "gateway",
    canary_seen: bool = True,
    stable_seen: bool = True,
) -> Interval:
    counts = (Counts(*canary), Counts(*stable))
    return Interval(target, EPOCH + since, EPOCH + until, *counts, canary_seen, stable_seen)


def folded(
    *found: Interval,
    evidence: Evidence | None = None,
    weight: int = 5,
    since: float | None = 0.0,
    settled_at: float | None = 0.0,
    rules: Rules | None = None,
    stable: Counts | None = None,
) -> Folded:
    return fold(
        Evidence() if evidence is None else evidence,
        found,
        weight=weight,
        since=None if since is None else EPOCH + since,
        settled_at=None if settled_at is None else EPOCH + settled_at,
        rules=Rules() if rules is None else rules,
        stable=stable,
    )


@dataclass(frozen=True)
class World:
    """What every target counted at its regular scrapes: cumulated from first to last."""

    spacing: float
    offsets: tuple[float, ...]
    """When each target was first scraped."""
    scrapes: tuple[tuple[tuple[int, int, int, int], ...], ...]
    """Per target, per scrape: canary succeeded and failed, stable succeeded and failed since the last scrape."""

    @property
    def end(self) -> float:
        return self.spacing * max(len(target) for target in self.scrapes) + self.spacing

    def answer(self, until: float, since: float = -1.0) -> Samples:
        """What Prometheus answers at `until` to a range that starts at `since`."""
        members = (self._cut(one, since, until) for one in self.series())
        return Samples(tuple(one for one in members if one.points))

    def series(self) -> list[Series]:
        return [one for target in range(len(self.offsets)) for one in self._of(target)]

    def intervals(self, until: float, since: float = -1.0) -> tuple[Interval, ...]:
        answer = self.answer(until, since)
        return intervals(answer, canary=CANARY, stable=STABLE, failing=FailureCodes())

    def _of(self, target: int) -> list[Series]:
        times = [self.offsets[target] + self.spacing * number for number in range(len(self.scrapes[target]))]
        columns = zip(*self.scrapes[target], strict=True)
        kinds = ((canary, "200"), (canary, "503"), (stable, "200"), (stable, "503"))
        return [
            kind(dict(zip(times, cumulated(column), strict=True)), code, f"proxy-{target}")
            for (kind, code), column in zip(kinds, columns, strict=True)
        ]

    def _cut(self, one: Series, since: float, until: float) -> Series:
        return replace(one, points=tuple(p for p in one.points if EPOCH + since < p.time <= EPOCH + until))


def cumulated(increments: Sequence[int]) -> list[float]:
    total, sums = 0, []
    for increment in increments:
        total += increment
        sums.append(float(total))
    return sums


def worlds(max_targets: int = 3) -> st.SearchStrategy[World]:
    scrape = st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 0, 1, 3, 30]), st.integers(0, 900), st.integers(0, 5))

    def of(targets: int) -> st.SearchStrategy[World]:
        return st.integers(3, 14).flatmap(
            lambda length: st.builds(
                World,
                st.sampled_from([5.0, 15.0]),
                st.just(tuple(1.25 * number for number in range(targets))),
                st.tuples(*[st.lists(scrape, min_size=length, max_size=length).map(tuple)] * targets),
            )
        )

    return st.integers(1, max_targets).flatmap(of)
