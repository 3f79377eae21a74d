"""Counters that are there twice count once; sums over proxies that fall count for nobody."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.counters import FailureCodes, intervals
from canary_operator.analysis.duplicates import merged
from canary_operator.analysis.samples import Point, Samples, Series
from tests.pure.analysis.worlds import CANARY, EPOCH, STABLE, few, worlds

LABELS = {"destination_workload": "reviews-v2", "response_code": "200", "response_flags": "-", "job": "envoy", "instance": "10.0.0.1:15020"}


def counter(values: list[float], every: float = 5.0, begin: float = 0.0, **labels: str | None) -> Series:
    """A counter that is scraped like this; None: without the label."""
    kept = {key: value for key, value in {**LABELS, **labels}.items() if value is not None}
    return Series(kept, tuple(Point(EPOCH + begin + every * number, value) for number, value in enumerate(values)))


def line(begin: float = 0.0, rate: float = 20.0, scrapes: int = 12, every: float = 5.0, **labels: str | None) -> Series:
    """A counter that grows by so much a second, as it is read at these times."""
    return counter([round(rate * (begin + every * number)) for number in range(scrapes)], every, begin, **labels)


ONE = line()


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(line(1.7, job="istio-proxies", instance="10.0.0.1:15090"), id="another job, at another port of the pod"),
        pytest.param(line(0.2, job="istio-proxies", instance="10.0.0.1:15090"), id="another job, at the same time"),
        pytest.param(line(2.5, prometheus_replica="b"), id="another replica of Prometheus"),
        pytest.param(line(2.5, monitor="eu-2"), id="an external label that nobody knows"),
    ],
)
def test_a_copy_counts_once(copy: Series):
    first = Series({**ONE.labels, "monitor": "eu-1"}, ONE.points) if "monitor" in copy.labels else ONE
    assert len(merged(Samples((first, copy))).series) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(line(1.7, rate=3, instance="10.0.0.2:15020"), id="another proxy"),
        pytest.param(line(1.7, instance="10.0.0.2:15020"), id="another proxy with the same traffic"),
        pytest.param(line(1.7, rate=3, job="istio-proxies", instance="10.0.0.1:15090"), id="another proxy behind the same address"),
        pytest.param(line(0.0, rate=3, request_method="POST"), id="a tag of the user's own"),
        pytest.param(line(1.7, response_code="500"), id="another code"),
        pytest.param(line(1.7, source_workload="gateway"), id="another caller"),
    ],
)
def test_what_counts_something_else_stays(other: Series):
    first = Series({**ONE.labels, "request_method": "GET"}, ONE.points) if "request_method" in other.labels else ONE
    assert merged(Samples((first, other))).series == (first, other)


def test_of_copies_that_begin_anew_one_is_kept():
    values = [100.0, 200.0, 300.0, 40.0, 140.0, 240.0]
    later = counter([value + 30 for value in values], begin=1.5, job="other", instance="10.0.0.1:15090")
    assert len(merged(Samples((counter(values), later))).series) == 1


def test_too_few_samples_tell_nothing():
    short = (line(scrapes=2), line(1.7, scrapes=2, job="other"))
    assert merged(Samples(short)).series == short


def doubled(samples: Samples, label: Mapping[str, str], by: float) -> Samples:
    """Each series a second time, read a little later."""
    copies = tuple(
        Series({**each.labels, **label}, tuple(Point(point.time + by, point.value) for point in each.points)) for each in samples.series
    )
    return Samples(samples.series + copies)


@few
@given(worlds(), st.sampled_from([{"job": "other"}, {"prometheus_replica": "b"}]))
def test_whatever_is_scraped_a_second_job_or_replica_changes_no_count(world, label) -> None:
    once = world.answer(world.end)
    counted = {"canary": CANARY, "stable": STABLE, "failing": FailureCodes()}
    found = intervals(merged(doubled(once, label, 0.7)), **counted)
    plain, twice = intervals(merged(once), **counted), intervals(doubled(once, label, 0.7), **counted)
    requests = [sum(each.canary.requests + each.stable.requests for each in of) for of in (plain, found, twice)]
    grown = any(len(one.points) >= 3 and one.points[0].value != one.points[-1].value for one in once.series)
    assert requests[1] == requests[0] if grown else requests[1] in (requests[0], requests[2])


def test_a_sum_over_proxies_that_falls_counts_for_nobody_until_it_has_risen_again():
    bare = {"instance": None, "job": None}
    series = (
        counter([100, 200, 50, 150], **bare),
        counter([1000, 2000, 500, 1500], **bare, destination_workload="reviews-v1"),
    )
    found = intervals(Samples(series), canary=CANARY, stable=STABLE, failing=FailureCodes())
    assert [(each.until - EPOCH, each.canary.requests, each.stable.requests) for each in found] == [(5.0, 100, 1000), (15.0, 100, 1000)]


def test_a_counter_that_comes_back_below_its_last_value_begins_at_0_and_one_at_or_above_it_goes_on():
    steady = counter([0, 0, 0, 0, 0, 0], response_code="404")
    points = (Point(EPOCH + 5, 7.0), Point(EPOCH + 20, 2.0), Point(EPOCH + 25, 3.0))
    late = (Point(EPOCH + 5, 7.0), Point(EPOCH + 20, 9.0))
    read = lambda *more: intervals(Samples((steady, *more)), canary=CANARY, stable=STABLE, failing=FailureCodes())  # noqa: E731
    assert [each.canary.failures for each in read(Series({**LABELS, "response_code": "500"}, points))] == [7, 0, 0, 2, 1]
    assert [each.canary.failures for each in read(Series({**LABELS, "response_code": "500"}, late))] == [7, 0, 0, 2, 0]
