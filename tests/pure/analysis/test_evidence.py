"""How one more scrape changes what is known."""

from dataclasses import replace

import pytest

from canary_operator.analysis.evidence import Blame, Evidence, Folded, restart, start_step
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.verdict import Rules, Why
from tests.pure.analysis.worlds import BAD, EPOCH, GOOD, folded, interval


# ------------------------------------------------------------------------------------------------ what is counted
def test_a_scrape_is_counted_at_the_present_weight():
    now = folded(interval(0, 15, *GOOD)).now
    assert now.segments == (Segment(5, Counts(50, 0), Counts(950, 0)),)


def test_without_a_weight_nothing_counts_but_time_moves_on():
    now = folded(interval(0, 15, *BAD), weight=0, since=None).now
    assert (now.segments, now.reached) == ((), EPOCH + 15)


def test_what_is_counted_once_is_not_counted_again():
    once = folded(interval(0, 15, *GOOD)).committed
    assert folded(interval(0, 15, *GOOD), evidence=once).committed == once


def test_no_news_changes_nothing():
    assert folded() == Folded(Evidence(5), Evidence(5))


def test_a_scrape_that_ended_before_the_first_weight_does_not_count():
    assert folded(interval(0, 15, *BAD), since=15).now.segments == ()


def test_a_scrape_across_the_write_counts_for_worse():
    assert folded(interval(0, 15, *BAD), since=14).now.segments[0].canary == Counts(50, 3)


def test_a_scrape_of_the_last_weight_that_comes_late_is_counted_there():
    earlier = folded(interval(0, 15, *GOOD)).committed
    now = folded(interval(14, 29, (7, 1), target="late"), evidence=earlier, weight=10, since=30).now
    assert [(one.weight, one.canary) for one in now.segments] == [(5, Counts(57, 1))]


def test_a_scrape_across_the_write_is_not_settled():
    now = folded(interval(0, 15, *GOOD), settled_at=5).now
    assert now.step == Segment(5)


def test_what_is_not_settled_yet_counts_for_worse_only():
    now = folded(interval(0, 15, *GOOD), settled_at=None).now
    assert (now.segments[0].canary, now.step) == (Counts(50, 0), Segment(5))


def test_a_scrape_after_settling_counts_for_not_worse():
    assert folded(interval(5, 20, *GOOD), settled_at=5).now.step == Segment(5, Counts(50, 0), Counts(950, 0))


# ------------------------------------------------------------------------------------------------ steps, segments
def test_a_new_weight_starts_a_step():
    first = folded(interval(0, 15, *GOOD)).committed
    now = folded(interval(15, 30, (90, 0), (900, 0)), evidence=first, weight=10, since=15).now
    assert ([one.weight for one in now.segments], now.step.canary, now.covered) == ([5, 10], Counts(90, 0), 15)


def test_a_step_starts_without_counts_cover_or_suspicion():
    before = replace(folded(interval(0, 15, *BAD)).now, blame=Blame(1.0, Why.ODDS))
    expected = Evidence(10, before.segments, reached=before.reached, observed=15.0)
    assert (before.suspect is not None, start_step(before, 10)) == (True, expected)


def test_a_restart_forgets_everything_but_how_far_it_read():
    assert restart(folded(interval(0, 15, *BAD)).now) == Evidence(5, reached=EPOCH + 15)


@pytest.mark.parametrize(
    ("minutes", "opened"),
    [
        pytest.param(0.25, 1, id="the first"),
        pytest.param(5, 1, id="ends at 5 minutes"),
        pytest.param(5.25, 2, id="the second"),
        pytest.param(10, 2, id="ends at 10 minutes"),
        pytest.param(11, 3, id="the third"),
        pytest.param(21, 4, id="the fourth"),
        pytest.param(60 * 24 * 100, 12, id="the twelfth does not end"),
    ],
)
def test_segments_grow_inside_a_long_step(minutes, opened):
    until = 60 * minutes
    now = folded(interval(until - 15, until, *GOOD)).now
    assert (now.opened, len(now.segments), now.segments[-1].canary) == (opened, opened, Counts(50, 0))


def test_a_weight_that_is_written_again_opens_no_segment_twice():
    first = folded(interval(400, 415, *GOOD)).committed
    again = folded(interval(430, 445, *GOOD), evidence=first, since=420).now
    assert (again.opened, again.segments[-1].canary) == (2, Counts(100, 0))


# ------------------------------------------------------------------------------------------------ covered time
@pytest.mark.parametrize(
    ("found", "covered"),
    [
        pytest.param([interval(0, 15)], 15, id="one scrape"),
        pytest.param([interval(0, 15), interval(1, 16, target="b")], 16, id="two targets: the union"),
        pytest.param([interval(0, 15), interval(0, 15, target="b")], 15, id="two targets at once"),
        pytest.param([interval(5, 15), interval(0, 15, target="b")], 15, id="two targets at once, one of them rarer"),
        pytest.param([interval(-5, 10)], 10, id="from the write on"),
        pytest.param([interval(0, 15, canary_seen=False)], 0, id="no sample of the canary"),
        pytest.param([interval(0, 15, stable_seen=False)], 0, id="no sample of stable"),
        pytest.param([interval(0, 120)], 120, id="two minutes without a sample"),
        pytest.param([interval(0, 121)], 0, id="longer than two minutes: a gap"),
        pytest.param([interval(0, 15), interval(30, 45)], 30, id="a hole between two"),
        pytest.param([interval(0, 15), interval(2, 12, target="b")], 13, id="out of order: once, and never too much"),
    ],
)
def test_covers_the_time_of_both_arms(found, covered):
    assert folded(*found).now.covered == covered


def test_a_gap_covers_no_hold_but_its_counts_count():
    assert folded(interval(0, 500, *GOOD)).now.segments[-1].canary == Counts(50, 0)


def test_at_full_weight_the_canary_alone_covers():
    assert folded(interval(0, 15, stable_seen=False), weight=100).now.covered == 15


def test_arms_that_are_counted_apart_cover_together():
    own = interval(2, 17, canary=(5, 0), target="own", stable_seen=False)
    found = [interval(0, 15, canary_seen=False), own, interval(15, 30, canary_seen=False)]
    assert [folded(*found, rules=Rules(same_scrape=same)).now.covered for same in (True, False)] == [0, 28]


def test_sixty_seconds_are_sixty_seconds_in_floats():
    assert folded(interval(0, 15.6), interval(20.9, 65.3)).now.covered == 60.0  # 59.99999976 without rounding


def test_observed_time_runs_through_all_steps():
    first = folded(interval(0, 15)).committed
    assert folded(interval(15, 30), evidence=first, weight=10, since=15).now.observed == 30


# ------------------------------------------------------------------------------------------------ the cut
def test_a_target_that_is_ahead_is_judged_but_not_stored():
    both = folded(interval(0, 15, (1, 0)), interval(3, 18, (2, 0), target="ahead"))
    assert (both.committed.reached, both.now.reached) == (EPOCH + 15, EPOCH + 18)


def test_what_was_ahead_is_counted_once_when_the_others_follow():
    ahead = interval(3, 18, (2, 0), target="ahead")
    first = folded(interval(0, 15, (1, 0)), ahead)
    second = folded(interval(0, 15, (1, 0)), ahead, interval(15, 30, (4, 0)), evidence=first.committed)
    assert second.now.segments[0].canary == Counts(7, 0)


def test_a_target_without_news_still_holds_up_the_cut():
    known = [interval(2, 7, target="silent"), interval(0, 5), interval(5, 10)]
    stored = folded(*known).committed
    again = folded(*known, interval(10, 15), evidence=stored).committed
    assert (stored.reached, again.reached) == (EPOCH + 7, EPOCH + 7)


def test_a_dead_target_holds_up_nobody():
    living = [interval(5 * n, 5 * n + 5) for n in range(5)]
    assert folded(interval(2, 7, target="dead"), *living).committed.reached == EPOCH + 25


def test_a_target_that_comes_back_is_counted():
    living = [interval(5 * n, 5 * n + 5) for n in range(6)]
    stored = folded(interval(2, 7, target="away"), *living[:5]).committed
    back = interval(7, 30, (3, 0), target="away")
    assert folded(*living, back, evidence=stored).committed.segments[0].canary == Counts(3, 0)
