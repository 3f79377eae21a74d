"""The rule of the pace: a price in, a weight out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.release.pace import GROWTH, Choice, Price, Spent, Tempo, choose, cost, measured, missing, reasoning, spent, too_dear

PRICE = Price(20, 50)
NOTHING_YET = Spent()
RATES = st.floats(0.01, 100_000)
COUNTS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda pair: Counts(max(pair), min(pair)))


def tempo(rate: float, spacing: float = 5) -> Tempo:
    return Tempo(rate, spacing, 5)


def good(requests: int) -> Spent:
    return Spent(Counts(requests, 0), Counts(99 * requests, 0))


def chosen(weight: int, known: Spent, of: Tempo | None, price: Price = PRICE) -> int:
    return choose(price, weight, known, of).weight


@pytest.mark.parametrize(
    ("rate", "weight"),
    [
        pytest.param(1, 10, id="little traffic: the largest first weight"),
        pytest.param(13, 10, id="20 failures in 15 s at 10 %"),
        pytest.param(14, 7, id="a little more traffic: a little less weight"),
        pytest.param(50, 2, id="50 requests/s"),
        pytest.param(100, 1, id="100 requests/s"),
        pytest.param(100_000, 1, id="the lowest weight is the floor, whatever it costs"),
    ],
)
def test_the_first_weight_reckons_with_a_version_that_fails_everything(rate: float, weight: int) -> None:
    assert chosen(0, NOTHING_YET, tempo(rate)) == weight


@pytest.mark.parametrize(
    ("now", "known", "rate", "weight"),
    [
        pytest.param(1, good(5), 100, 2, id="five good requests: at most 45 % fail, so 2 %"),
        pytest.param(1, good(20), 100, 3, id="at most 14 % fail: 9 % would fit, three times 1 % is the most"),
        pytest.param(10, good(20), 100, 10, id="the next weight does not fit"),
        pytest.param(5, good(1000), 10, 15, id="three times the present weight, however good"),
        pytest.param(5, good(1000), 100, 10, id="two and a half times, where a fifth of 15 % would cost more than 20"),
        pytest.param(20, good(10_000), 10, 50, id="the highest weight"),
        pytest.param(50, good(10_000), 100, 50, id="never above it"),
        pytest.param(3, Spent(Counts(500, 2), Counts(9500, 0)), 100, 7, id="two failures more than stable make it careful"),
        pytest.param(3, Spent(Counts(500, 25), Counts(9500, 0)), 100, 3, id="the budget is spent"),
        pytest.param(3, Spent(Counts(5000, 50), Counts(95_000, 950)), 100, 7, id="as many failures as stable cost nothing"),
        pytest.param(3, Spent(Counts(5000, 0), Counts(95_000, 950)), 1, 7, id="fewer than stable"),
    ],
)
def test_the_next_weight_fits_what_is_left_of_the_budget(now: int, known: Spent, rate: float, weight: int) -> None:
    assert chosen(now, known, tempo(rate)) == weight


@pytest.mark.parametrize(
    ("canary", "stable", "certain"),
    [
        pytest.param(Counts(30, 30), Counts(1000, 0), 28.5, id="all of 30 failed, where stable fails none"),
        pytest.param(Counts(200, 4), Counts(3800, 0), 2.5, id="4 of 200"),
        pytest.param(Counts(40_000, 480), Counts(40_000, 400), 0, id="80 more than stable of 40,000: it may all be chance"),
        pytest.param(Counts(40_000, 520), Counts(40_000, 400), 29.7, id="120 more than stable: not all of it"),
        pytest.param(Counts(40_000, 480), Counts(4_000_000, 40_000), 16.4, id="80 more than stable, whose share is well known"),
        pytest.param(Counts(97_271, 1_005), Counts(291_800, 2_809), 0, id="seen: a good canary at 25 % for six minutes"),
        pytest.param(Counts(40_000, 400), Counts(40_000, 440), 0, id="fewer than stable"),
        pytest.param(Counts(0, 0), Counts(0, 0), 0, id="nothing"),
        pytest.param(Counts(100, 10), Counts(0, 0), 8.6, id="stable had no request: as if it failed none"),
    ],
)
def test_of_the_budget_only_that_is_spent_which_is_no_chance(canary: Counts, stable: Counts, certain: float) -> None:
    assert Spent(canary, stable).excess == pytest.approx(certain, abs=0.1)


def test_failures_that_come_in_clumps_tell_less_and_cost_less_for_certain() -> None:
    one_by_one, in_clumps = (Spent(Counts(2000, 60), Counts(98_000, 980), noise) for noise in (1.0, 10.0))
    assert in_clumps.risk > one_by_one.risk
    assert (in_clumps.excess, one_by_one.excess > 0) == (0, True)


def test_slower_scrapes_make_it_more_careful() -> None:
    assert [chosen(0, NOTHING_YET, tempo(20, spacing)) for spacing in (5, 15, 30)] == [5, 2, 1]


def test_who_does_not_know_the_rate_begins_at_the_lowest_weight_and_stays() -> None:
    assert chosen(0, NOTHING_YET, None) == 1
    assert chosen(1, good(1000), None) == 1
    assert chosen(1, good(1000), tempo(0)) == 1


def test_the_highest_weight_is_one_of_the_ladder() -> None:
    assert Price(20, 30).ladder == (1, 2, 3, 5, 7, 10, 15, 20, 25, 30)
    assert Price(20, 1).ladder == (1,)
    assert Price(20, 99).ladder[-2:] == (70, 99)


@settings(deadline=None)
@given(st.sampled_from(PRICE.ladder), COUNTS, COUNTS, RATES, st.floats(0.5, 120))
def test_a_rise_never_risks_more_than_what_is_left(weight: int, canary: Counts, stable: Counts, rate: float, spacing: float) -> None:
    choice = choose(PRICE, weight, Spent(canary, stable), tempo(rate, spacing))
    assert weight <= choice.weight <= max(weight, GROWTH * weight)
    if choice.weight > weight:
        assert rate * choice.weight / 100 * (2 * spacing + 5) * choice.risk <= choice.left + 1e-6
        assert choice.left <= PRICE.budget


@settings(deadline=None)
@given(st.sampled_from((0, *PRICE.ladder)), COUNTS, RATES)
def test_a_larger_budget_is_never_slower_and_more_traffic_never_faster(weight: int, canary: Counts, rate: float) -> None:
    known = Spent(canary, Counts(1000, 10))
    assert chosen(weight, known, tempo(rate)) <= chosen(weight, known, tempo(rate), Price(40, 50))
    assert chosen(weight, known, tempo(2 * rate)) <= chosen(weight, known, tempo(rate))


# ----------------------------------------------------------------------------------------------------------------- what it is reckoned with


def test_what_is_spent_leaves_out_the_bake_and_counts_lost_requests_for_the_canary_that_lacks_them() -> None:
    segments = (
        Segment(5, Counts(40, 1), Counts(960, 2)),
        Segment(50, Counts(0, 0), Counts(500, 3), lost=500),
        Segment(100, Counts(900, 9)),
    )
    assert spent(segments) == Spent(Counts(540, 501), Counts(1460, 5))


def scrape(target: str, until: float, canary: int, stable: int, length: float = 5) -> Interval:
    return Interval(target, until - length, until, Counts(canary, 0), Counts(stable, 0), True, True)


def test_the_rate_is_what_all_callers_sent_to_both_versions_in_the_last_three_scrapes() -> None:
    old = [scrape("a", float(until), 0, 5000) for until in range(5, 985, 5)]
    new = [scrape("a", float(until), 10, 240) for until in range(985, 1001, 5)]
    other = [scrape("b", until - 2.5, 1, 99) for until in range(945, 1001, 5)]
    assert measured([*old, *new, *other], 3) == Tempo(70, 5, 3)


def test_without_intervals_nobody_knows_the_rate() -> None:
    assert measured([], 5) is None


def test_a_rate_is_told_in_three_digits() -> None:
    assert measured([scrape("a", 1000, 1234, 4321)], 5) == Tempo(1110, 5, 5)


# ------------------------------------------------------------------------------------------------------------------------------------- words


def test_the_reasoning_names_weight_price_rate_and_risk() -> None:
    words = "weight 7: at most 14 failures (of 20) at 100 requests/s if the canary fails up to 13 %"
    assert reasoning(7, 0.13, 20, tempo(100)) == words
    assert cost(7, 0.13, tempo(100), 15) == 14


@pytest.mark.parametrize(
    ("rate", "spacing", "words"),
    [
        pytest.param(100, 5, None, id="10 failures at most"),
        pytest.param(200, 5, None, id="20: just within"),
        pytest.param(
            100, 30, "costs 35 failures before the first look, even at weight 1: 15 more than pace.failureBudget 20", id="slow scrapes"
        ),
        pytest.param(1000, 5, "costs 100 failures before the first look, even at weight 1: 80 more", id="much traffic"),
    ],
)
def test_by_how_much_the_lowest_weight_exceeds_the_budget_is_told(rate: float, spacing: float, words: str | None) -> None:
    told = too_dear(PRICE, tempo(rate, spacing))
    assert told is None if words is None else words in (told or "")


def test_what_keeps_the_next_weight_away_is_told_with_its_numbers() -> None:
    known = Spent(Counts(200, 4), Counts(3800, 0))
    choice = choose(PRICE, 10, known, tempo(1000))
    assert choice == Choice(10, choice.risk, choice.left, PRICE, tempo(1000))
    assert missing(choice, 15, known) == (
        "weight 15 may cost 102 failures of 20, of which 17.5 are left: the canary may fail up to 4.5 % (it failed 4 of 200) at 1000 requests/s"
    )


def test_a_rate_that_nobody_knows_is_what_is_missing() -> None:
    choice = choose(PRICE, 1, good(100), None)
    assert "needs to know how many requests come in" in missing(choice, 2, good(100))


def test_lost_requests_that_are_nobodys_cost_nothing() -> None:
    assert spent((Segment(50, Counts(500, 0), Counts(500, 0), lost=3),)) == Spent(Counts(500, 0), Counts(500, 0))
    assert spent(()) == Spent(NOTHING, NOTHING)
