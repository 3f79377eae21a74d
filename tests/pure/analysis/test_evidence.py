"""How one more scrape changes what is known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.evidence import Blame, Evidence, Folded, Suspect, fold, restart, start_step
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.verdict import Rules, Why, judge
from tests.pure.analysis.worlds import EPOCH, few, folded, interval, worlds

BAD = ((50, 3), (950, 0))
"""Enough for 100:1 at 5 %."""
GOOD = ((50, 0), (950, 0))


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


# ------------------------------------------------------------------------------------------------ suspicion, blame
def test_odds_of_two_to_one_raise_a_suspicion():
    now = folded(interval(0, 15, (50, 1), (950, 0))).now
    assert (now.suspect, now.blame) == (Suspect(EPOCH + 15, 1), None)


def test_odds_over_the_bar_at_one_scrape_blame_nobody():
    now = folded(interval(0, 15, *BAD)).now
    assert (now.suspect, now.blame) == (Suspect(EPOCH + 15, 3), None)


def test_a_failure_at_the_next_scrape_confirms_it():
    now = folded(interval(0, 15, *BAD), interval(15, 30, (10, 1), (190, 0))).now
    assert now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_the_scrape_that_passes_the_bar_confirms_what_was_suspicious_before():
    now = folded(interval(0, 15, (50, 1), (950, 0)), interval(15, 30, (50, 2), (950, 0))).now
    assert now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_failures_in_one_scrape_are_not_confirmed_by_one_long_before_that_was_no_suspicion():
    stray = interval(0, 15, (2000, 1), (38_000, 0))
    first, clump = folded(stray).now, folded(stray, interval(15, 30, (50, 6), (950, 0))).now
    assert (first.suspect, clump.suspect, clump.blame) == (None, Suspect(EPOCH + 30, 7), None)


def test_a_next_scrape_without_a_failure_confirms_nothing():
    now = folded(interval(0, 15, *BAD), interval(15, 30, (1, 0), (19, 0))).now
    assert (now.blame, now.suspect) == (None, Suspect(EPOCH + 15, 3))


def test_odds_that_fall_below_two_to_one_end_the_suspicion():
    now = folded(interval(0, 15, *BAD), interval(15, 30, (5000, 0), (95_000, 0))).now
    assert now.suspect is None


@pytest.mark.parametrize(
    ("second", "blamed"),
    [
        pytest.param(interval(0, 15, (5, 1), target="b"), False, id="scraped at the same time"),
        pytest.param(interval(3, 18, (5, 1), target="b"), False, id="mostly before the suspicion"),
        pytest.param(interval(13.5, 28.5, (5, 1), target="b"), True, id="nine tenths after it"),
        pytest.param(interval(-60, 20, (5, 1), target="b"), False, id="a proxy that was away brings old failures"),
    ],
)
def test_another_target_confirms_only_what_happened_later(second, blamed):
    now = folded(interval(0, 15, (50, 4), (950, 0)), second, since=-100).now
    assert (now.blame is not None) == blamed


def test_a_canary_that_is_plainly_down_is_blamed_at_once():
    now = folded(interval(0, 15, (40, 24), (760, 0))).now
    assert now.blame == Blame(EPOCH + 15, Why.PLAINLY_DOWN)


@pytest.mark.parametrize(
    "counts",
    [pytest.param((100, 49), id="less than half of the requests"), pytest.param((14, 14), id="less than 15 failures")],
)
def test_a_canary_that_is_not_plainly_down_waits_for_the_next_scrape(counts):
    assert folded(interval(0, 15, counts, (2000, 0))).now.blame is None


def test_failures_spread_over_many_proxies_are_plainly_down_too():
    proxies = [interval(number, number + 15, (5, 5), (95, 0), target=f"p{number}") for number in range(4)]
    assert folded(*proxies).now.blame == Blame(EPOCH + 17, Why.PLAINLY_DOWN)


def test_the_first_scrape_after_a_write_speaks_for_the_time_until_the_next():
    now = folded(interval(0, 15, (10, 10), (190, 0)), since=10).now
    assert (now.coming, now.blame) == (30.0, Blame(EPOCH + 15, Why.PLAINLY_DOWN))


@pytest.mark.parametrize(
    ("failures", "since", "coming"),
    [
        pytest.param(4, 14, 12.0, id="never more than three times what was seen"),
        pytest.param(14, 0, 14.0, id="a whole interval counts as it is"),
        pytest.param(14, -30, 14.0, id="a weight that was written long ago"),
    ],
)
def test_waits_for_the_next_scrape_when_that_costs_less_than_15_failures(failures, since, coming):
    now = folded(interval(0, 15, (failures, failures), (2000, 0)), since=since).now
    assert (now.coming, now.suspect is not None, now.blame) == (coming, True, None)


def test_counts_of_earlier_scrapes_do_not_make_it_plainly_down():
    found = [interval(15 * n, 15 * n + 15, (30, 7 if n else 14), (570, 0)) for n in range(2)]
    assert folded(*found).now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_arms_scraped_apart_are_never_plainly_down_at_once():
    apart = Rules(same_scrape=False)
    assert folded(interval(0, 15, (40, 24), (760, 0)), rules=apart).now.blame is None


def test_blame_stays_when_the_odds_fall():
    found = [interval(0, 15, *BAD), interval(15, 30, (10, 1), (190, 0)), interval(30, 45, (5000, 0), (95000, 0))]
    assert folded(*found).now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_blame_keeps_its_first_time():
    found = [interval(0, 15, *BAD), *(interval(n, n + 15, (10, 1), (190, 0)) for n in (15, 30))]
    assert folded(*found).now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_a_proxy_that_is_gone_is_not_part_of_the_newest_scrape():
    now = folded(interval(0, 15, (15, 15), target="gone"), interval(15, 30, (10, 2)), interval(30, 45, (10, 3))).now
    assert now.last == Counts(10, 3)


def test_a_limit_accuses_whatever_stable_does():
    both_fail = [interval(15 * n, 15 * n + 15, (300, 60), (5700, 1140)) for n in range(2)]
    assert folded(*both_fail, rules=Rules(limit=0.05)).now.blame == Blame(EPOCH + 30, Why.LIMIT)


def test_with_two_witnesses_the_bar_is_twice_as_high():
    found = interval(0, 15, (43, 2), (623, 0)), interval(15, 30, (22, 1), (312, 0))
    alone, beside_a_limit = (folded(*found, rules=Rules(limit=limit)).now for limit in (None, 0.99))
    assert (alone.blame is not None, beside_a_limit.blame) == (True, None)


# ------------------------------------------------------------------------------------------------ bake
RELEASED = Evidence(50, (Segment(50, Counts(6000, 6), Counts(6000, 6)),))


def baked(*found, rules=None, stable=None, evidence=RELEASED):
    return folded(*found, evidence=evidence, weight=100, rules=rules, stable=stable).now


def test_a_bake_is_judged_by_the_share_of_stable_during_the_release():
    now = baked(interval(0, 15, (600, 12)), interval(15, 30, (600, 3)))
    assert now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_a_bake_that_fails_like_stable_did_is_not_suspect():
    assert baked(interval(0, 15, (6000, 8))).suspect is None


def test_a_bake_can_be_judged_by_given_counts():
    assert baked(interval(0, 15, (600, 12)), stable=Counts(1000, 20)).suspect is None


def test_a_bake_over_the_limit_is_blamed_at_once():
    assert baked(interval(0, 15, (600, 90)), rules=Rules(limit=0.05)).blame == Blame(EPOCH + 15, Why.LIMIT)


def test_a_bake_that_is_plainly_down_is_blamed_though_nothing_is_known_of_stable():
    assert baked(interval(0, 15, (30, 30)), evidence=Evidence()).blame == Blame(EPOCH + 15, Why.PLAINLY_DOWN)


def test_a_bake_without_a_known_stable_is_not_blamed_for_less():
    assert baked(interval(0, 15, (300, 30)), evidence=Evidence()).suspect is None


def test_a_bake_that_fails_as_badly_as_stable_did_is_not_plainly_down():
    broken = Evidence(50, (Segment(50, Counts(600, 400), Counts(600, 400)),))
    assert baked(interval(0, 15, (30, 20)), evidence=broken).blame is None


# ------------------------------------------------------------------------------------------------ many looks or one
def fold_world(world, evidence, until, since=-1.0):
    found = world.intervals(until, since)
    return fold(evidence, found, weight=5, since=EPOCH, settled_at=EPOCH + 7, rules=Rules())


looks = st.lists(st.floats(0.0, 1.0), max_size=6)


@few
@given(worlds(), looks)
def test_many_looks_store_the_same_as_one(world, times):
    evidence = Evidence()
    for look in (*sorted(times), 1.0):
        evidence = fold_world(world, evidence, look * world.end).committed
    assert evidence == fold_world(world, Evidence(), world.end).committed


@few
@given(worlds(), st.floats(0.0, 1.0))
def test_a_restart_that_asks_from_the_checkpoint_on_judges_the_same(world, crash):
    stored = fold_world(world, Evidence(), crash * world.end).committed
    since = (stored.reached or EPOCH) - EPOCH - 3 * world.spacing
    assert fold_world(world, stored, world.end, since) == fold_world(world, Evidence(), world.end)


@few
@given(worlds(1), looks)
def test_every_look_at_one_proxy_ends_in_the_same_verdict(world, times):
    evidence = Evidence()
    for look in (*sorted(times), 1.0):
        step = fold_world(world, evidence, look * world.end)
        evidence = step.committed
    assert judge(step.now, Rules()) == judge(fold_world(world, Evidence(), world.end).now, Rules())


@few
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_intervals_does_not_matter(world, random):
    found = list(world.intervals(world.end))
    shuffled = random.sample(found, len(found))
    rules = {"weight": 5, "since": EPOCH, "settled_at": EPOCH, "rules": Rules()}
    assert fold(Evidence(), shuffled, **rules) == fold(Evidence(), found, **rules)


@few
@given(worlds())
def test_every_count_after_the_write_is_in_a_segment(world):
    found = world.intervals(world.end)
    now = fold_world(world, Evidence(), world.end).now
    assert sum(one.canary.requests for one in now.segments) == sum(one.canary.requests for one in found)


@few
@given(worlds())
def test_covered_time_never_exceeds_the_time_that_passed(world):
    now = fold_world(world, Evidence(), world.end).now
    assert 0.0 <= now.covered <= (now.reached or EPOCH) - EPOCH + 0.001
