"""Series that are there twice: two scrape jobs of one proxy, or two replicas of Prometheus that nobody has merged.

Counted twice, every failure is two, and a good canary is taken for a bad one far more often than promised. Refuses to guess: two series are one
only if they differ in labels of the scrape alone, and what both counted is one rising line.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from canary_operator.analysis.samples import Samples, Series

SCRAPE = frozenset({"job", "instance", "endpoint", "container", "service", "node", "prometheus", "scrape_job", "metrics_path"})
"""Labels by which two scrape jobs of one pod differ, as the usual configurations and Prometheus' operator write them."""
_COUNTED = frozenset(
    {"__name__", "le", "reporter", "response_code", "response_flags", "grpc_response_status", "request_protocol"}
    | {"connection_security_policy", "subset", "cluster", "namespace", "pod"}
)
"""Labels that tell requests, or proxies, apart."""
_ENDS = ("source_", "destination_")
LEAST = 3
"""Samples that both series need: of fewer nobody can tell whether they are one line."""
AT_ONCE = 1.0
"""Seconds between two scrapes that may be answered in the other order."""
LEAST_FALL, SMALL_FALL = 10, 0.05
"""By so many requests, or by such a share of them, a copy may then seem to fall."""


def merged(samples: Samples) -> Samples:
    """Each counter once. What is not there twice stays as it is."""
    kept = samples.series
    for labels in _suspects(kept):
        kept = _without(kept, labels)
    return samples if kept is samples.series else Samples(kept)


def _suspects(series: Sequence[Series]) -> Iterator[frozenset[str]]:
    """Sets of labels in which copies may differ: all of the scrape at once, and each label that Istio does not write."""
    if all("pod" in each.labels for each in series):
        yield SCRAPE
    else:
        yield SCRAPE - {"instance"}
    others = {label for each in series for label in each.labels if not (label in _COUNTED or label in SCRAPE or label.startswith(_ENDS))}
    yield from (frozenset((label,)) for label in sorted(others) if len({each.labels.get(label) for each in series}) > 1)


def _without(series: tuple[Series, ...], labels: frozenset[str]) -> tuple[Series, ...]:
    """The series without copies that differ in these labels alone; all of them, if some that differ in nothing else count other things."""
    groups: dict[frozenset[tuple[str, str]], list[Series]] = {}
    for each in series:
        groups.setdefault(_rest(each.labels, labels), []).append(each)
    several = [group for group in groups.values() if len(group) > 1]
    if not several or not any(map(_tells, several)) or not all(map(_is_one_line, several)):
        return series
    kept = {id(max(group, key=lambda each: len(each.points))) for group in groups.values()}
    return tuple(each for each in series if id(each) in kept)


def _rest(labels: Mapping[str, str], without: frozenset[str]) -> frozenset[tuple[str, str]]:
    """The labels that are left; of `instance` the host, without the port."""
    found = {label: value for label, value in labels.items() if label not in without}
    if "instance" in found and "job" in without:
        found["instance"] = found["instance"].rpartition(":")[0] or found["instance"]
    return frozenset(found.items())


def _tells(group: Sequence[Series]) -> bool:
    """All have grown, at several samples, so that it can be told whether they are one line."""
    return all(len(each.points) >= LEAST and each.points[-1].value != each.points[0].value for each in group)


def _is_one_line(group: Sequence[Series]) -> bool:
    """In order of time the samples of all of them rise as those of a single counter do. A copy that begins anew does so in all."""
    points = sorted((point.time, number, point.value) for number, each in enumerate(group) for point in each.points)
    falls = sum(_falls(*pair) for pair in pairwise(points))
    own = max(sum(later.value < earlier.value for earlier, later in pairwise(each.points)) for each in group)
    return falls <= own


def _falls(earlier: tuple[float, int, float], later: tuple[float, int, float]) -> bool:
    """The counter begins anew between two samples. The time of a sample is that of the question: of two at once either may be answered first."""
    fall, at_once = earlier[2] - later[2], earlier[1] != later[1] and later[0] - earlier[0] < AT_ONCE
    return fall > (max(LEAST_FALL, SMALL_FALL * earlier[2]) if at_once else 0)
