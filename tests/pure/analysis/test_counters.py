"""From raw counters to what happened between two scrapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.counters import counted_by, spacing, total
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.samples import Samples
from tests.pure.analysis.worlds import EPOCH, STABLE, canary, few, interval, read, series, stable, worlds


def canary_counts(*members):
    return [(found.canary.requests, found.canary.failures) for found in read(*members)]


def test_counts_what_each_arm_did_between_two_scrapes():
    found = read(canary({0: 10, 5: 13}), canary({0: 1, 5: 2}, "503"), stable({0: 100, 5: 190}))
    assert [(one.canary, one.stable) for one in found] == [(Counts(4, 1), Counts(90, 0))]


def test_an_interval_lies_between_two_scrapes_of_its_target():
    (found,) = read(canary({0: 10, 5: 13}))
    assert (found.since - EPOCH, found.until - EPOCH, found.length) == (0, 5, 5)


def test_the_first_value_of_a_target_is_its_baseline():
    assert canary_counts(canary({5: 1000}, "503")) == []


def test_a_proxy_that_comes_back_with_old_counters_is_no_failure():
    news = canary({10: 500, 15: 501}, "503", target="other")
    assert canary_counts(canary({0: 1, 5: 1, 10: 1, 15: 1}), news) == [(0, 0), (0, 0), (0, 0), (1, 1)]


def test_a_series_that_appears_at_a_known_target_starts_at_zero():
    assert canary_counts(stable({0: 9, 5: 9, 10: 9}), canary({10: 3}, "503")) == [(0, 0), (3, 3)]


def test_a_falling_counter_adds_its_new_value():
    assert canary_counts(canary({0: 10, 5: 4, 10: 6})) == [(4, 0), (2, 0)]


def test_a_series_that_vanishes_keeps_its_last_value():
    assert canary_counts(stable({0: 1, 5: 1, 10: 1}), canary({0: 10, 10: 12})) == [(0, 0), (2, 0)]


def test_targets_are_told_apart_by_pod():
    found = read(canary({0: 1, 5: 2}, pod="a"), canary({1: 7, 6: 9}, pod="b"))
    assert [one.canary.requests for one in found] == [1, 2]


def test_one_waypoint_with_many_callers_is_one_target():
    found = read(canary({0: 1, 5: 2}, source_workload="web"), canary({0: 7, 5: 9}, source_workload="app"))
    assert [one.canary.requests for one in found] == [3]


def test_other_workloads_are_left_out():
    assert read(series("ratings", {0: 1, 5: 2})) == ()


def test_a_client_that_hung_up_is_no_request():
    assert canary_counts(canary({0: 1, 5: 9}, "0")) == [(0, 0)]


def test_both_arms_are_seen_when_both_have_a_sample_at_the_end():
    found = read(canary({0: 1, 5: 1, 15: 1}), stable({0: 1, 5: 1, 10: 1}))
    assert [(one.canary_seen, one.stable_seen, one.both) for one in found] == [
        (True, True, True),
        (False, True, False),
        (True, False, False),
    ]


def test_since_leaves_out_what_ended_by_then():
    found = read(canary({0: 1, 5: 2, 10: 4}), since=5)
    assert [one.canary.requests for one in found] == [2]


def test_since_in_the_middle_of_an_interval_keeps_it_whole():
    assert [one.since - EPOCH for one in read(canary({0: 1, 10: 2}), since=5)] == [0]


def test_spacing_is_the_median_length():
    assert spacing([interval(0, 5), interval(5, 10), interval(10, 70)]) == 5


def test_spacing_of_nothing_is_unknown():
    assert spacing([]) is None


@few
@given(worlds(), st.data())
def test_looks_with_a_moving_since_count_every_interval_exactly_once(world, data):
    looks = sorted(data.draw(st.lists(st.floats(0, world.end), max_size=5)))
    seen, since = [], None
    for look in [*looks, world.end]:
        found = [one for one in world.intervals(look) if since is None or one.until > since]
        seen += found
        since = max((one.until for one in found), default=since)
    assert sorted(seen, key=lambda one: (one.until, one.target)) == list(world.intervals(world.end))


@few
@given(worlds())
def test_nothing_that_was_counted_is_lost(world):
    expected = sum(sum(scrape) for target in world.scrapes for scrape in target[1:])
    found = world.intervals(world.end)
    assert total(count for one in found for count in (one.canary, one.stable)).requests == expected


@few
@given(worlds(), st.data())
def test_a_reset_of_a_counter_changes_no_count(world, data):
    """From some scrape on every counter has lost what it held before; a fall can be seen only if it is one."""
    members = world.series()
    cut = data.draw(st.integers(1, len(world.scrapes[0]) - 1))
    high = 10_000  # Old counters are larger than what one scrape adds.
    before = [{point.time - EPOCH: point.value + high for point in one.points} for one in members]
    after = [dict(points) for points in before]
    for points in after:
        lost = list(points.values())[cut - 1]
        for time in list(points)[cut:]:
            points[time] -= lost

    def replayed(new):
        return read(
            *(
                series(one.labels["destination_workload"], points, one.labels["response_code"], one.labels["instance"])
                for one, points in zip(members, new, strict=True)
            )
        )

    assert replayed(after) == replayed(before)


@few
@given(worlds())
def test_a_series_that_appears_with_its_first_request_changes_no_count(world):
    """Envoy creates a series when it counts for the first time."""
    late = []
    for one in world.series():
        grown = {point.time - EPOCH: point.value - one.points[0].value for point in one.points}
        if one.labels["response_code"] == "503":
            grown = {time: value for time, value in grown.items() if value}
        labels = one.labels
        late.append(series(labels["destination_workload"], grown, labels["response_code"], labels["instance"]))
    assert read(*late) == world.intervals(world.end)


@pytest.mark.parametrize(
    ("reporter", "counted"),
    [
        pytest.param("Source", 0, id="nobody has counted as source"),
        pytest.param("Destination", 10, id="the one that is named"),
        pytest.param("Auto", 10, id="the only one that has counted"),
    ],
)
def test_one_reporter_is_counted(reporter, counted):
    samples = Samples((stable({0: 0, 15: 10}, reporter="destination"),))
    found = read(*counted_by(reporter, samples, STABLE).series)
    assert sum(each.stable.requests for each in found) == counted


def test_two_reporters_are_never_added_up():
    samples = Samples(tuple(stable({0: 0, 15: 10}, reporter=each) for each in ("destination", "source")))
    assert [each.stable for each in read(*counted_by("Auto", samples, STABLE).series)] == [Counts(10, 0)]
