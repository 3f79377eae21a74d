"""What a service did, as Prometheus has recorded it: requests per second and the share that failed, over time."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from canary_operator.analysis.counters import Interval, counted_by, intervals, spacing
from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.promql import NOWHERE
from canary_operator.analysis.samples import NoData, QueryFailed, Samples, parse


class NoRecording(Exception):
    """The document holds nothing that could be played; the message says what is wrong with it, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some seconds of the recording."""

    rate: float
    """Requests per second."""
    share: float
    """The share (0 to 1) of them that failed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording, from its beginning; it begins anew when it is over."""

    length: float
    """Seconds of one stretch, above 0."""
    stretches: tuple[Stretch, ...]
    """At least one."""
    proxies: int
    """Targets that counted."""

    def at(self, seconds: float) -> Stretch:
        """What was going on so many seconds after its beginning; before it, what was going on at its end."""
        return self.stretches[int(seconds // self.length) % len(self.stretches)]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.length * len(self.stretches)


def recording(document: object, failing: FailureCodes, reporter: str = "Auto") -> Recorded:
    """Reads the answer of Prometheus to `istio_requests_total`, as a range: what `/api/v1/query_range` or `/api/v1/query` answers.

    Args:
        document: The JSON document, read.
        failing: What counts as failed.
        reporter: Whose count is taken, where several have counted the same requests: a key of `promql.REPORTERS`.

    Raises:
        NoRecording: It is no such answer, or nothing happened in it.
    """
    match parse(document):
        case NoData(why) | QueryFailed(why):
            raise NoRecording(why)
        case Samples() as samples:
            workloads = frozenset(series.labels.get("destination_workload", "") for series in samples.series) - {"", NOWHERE}
            if not workloads:
                raise NoRecording("no series has the label destination_workload: ask for istio_requests_total itself, without sum or rate")
            counted = {series.labels.get("reporter", "") for series in samples.series}
            samples = counted_by(reporter, samples, workloads)
            if not samples.series:
                who = " and ".join(sorted(counted))
                raise NoRecording(
                    f"it was counted by reporter {who}, and spec.analysis.reporter is {reporter}: record that one, or change the field"
                )
            return _of(intervals(samples, canary=frozenset(), stable=workloads, failing=failing))


def _of(found: Sequence[Interval]) -> Recorded:
    length = spacing(found)
    if length is None or not any(each.stable.requests for each in found):
        raise NoRecording("it has no two samples between which a request was counted: ask for a longer time")
    start = min(each.since for each in found)
    ends = sorted({each.until for each in found})
    steps = int((ends[-1] - start) // length) or 1
    edges = [start + length * number for number in range(steps + 1)]
    buckets = [[0, 0] for _ in range(steps)]
    places = ((min(steps, max(1, bisect_right(edges, each.until - length / 2))) - 1, each) for each in found)
    for place, members in groupby(sorted(places, key=lambda pair: pair[0]), lambda pair: pair[0]):
        for _, each in members:
            buckets[place][0] += each.stable.requests
            buckets[place][1] += each.stable.failures
    stretches = tuple(Stretch(requests / length, failures / requests if requests else 0.0) for requests, failures in buckets)
    return Recorded(length, stretches, len({each.target for each in found}))
