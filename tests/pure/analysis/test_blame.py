"""When a scrape makes the canary suspect, and when it is blamed: beside stable, and in the bake."""

import pytest

from canary_operator.analysis.evidence import Blame, Evidence, Suspect
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.verdict import Rules, Why
from tests.pure.analysis.worlds import BAD, EPOCH, folded, interval


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
