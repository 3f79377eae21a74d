"""How the requests are really shared between the two versions, and whether that is what the weight says."""

from fractions import Fraction
from math import comb, exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.served import LN_BAR, NOISE, Judged, NotServed, Pool, allowed, log_odds_outside, not_served
from tests.pure.analysis.worlds import EPOCH, canary, few, interval, read, series, stable

SCRAPE = 15


def scrapes(*counts: tuple[float, float], target: str = "gateway", lost: int = 0, begin: float = 0.0) -> tuple[Interval, ...]:
    """Requests of canary and stable at scrapes in a row, the first of which begins when the weight has settled."""
    return tuple(
        interval(begin + n * SCRAPE, begin + (n + 1) * SCRAPE, (round(ours), 0), (round(theirs), 0), target)._replace(lost=lost)
        for n, (ours, theirs) in enumerate(counts)
    )


def shared(share: float, requests: float = 1500, times: int = 2) -> tuple[Interval, ...]:
    """The same share at each of so many scrapes."""
    return scrapes(*[(share * requests, (1 - share) * requests)] * times)


def judge(
    found: tuple[Interval, ...], weight: float, settled: float | None = 0.0, step: tuple[int, int] = (0, 0), **judged: bool
) -> NotServed | None:
    return not_served(found, weight, None if settled is None else EPOCH + settled, Judged(**judged), Pool(*step))


@pytest.mark.parametrize(
    ("weight", "share", "held"),
    [
        pytest.param(0.05, 0.5, True, id="half of the requests at weight 5"),
        pytest.param(0.5, 0.05, True, id="a twentieth at weight 50"),
        pytest.param(0.1, 0.0, True, id="none at weight 10"),
        pytest.param(0.0, 0.03, True, id="three points at weight 0"),
        pytest.param(1.0, 0.97, True, id="three points of stable's at weight 100"),
        pytest.param(1.0, 0.51, True, id="half of them on stable at weight 100"),
        pytest.param(0.01, 0.03, True, id="three times weight 1"),
        pytest.param(0.001, 0.01, True, id="ten times a tenth of a percent"),
        pytest.param(0.05, 0.05, False, id="weight 5 as it is written"),
        pytest.param(0.05, 0.03, False, id="a little less than weight 5"),
        pytest.param(0.05, 0.09, False, id="nearly twice weight 5"),
        pytest.param(0.5, 0.99, False, id="nearly all at weight 50: not more than twice"),
        pytest.param(0.0, 0.0, False, id="none at weight 0"),
        pytest.param(0.0, 0.008, False, id="less than a point at weight 0"),
        pytest.param(1.0, 1.0, False, id="all at weight 100"),
        pytest.param(1.0, 0.995, False, id="half a point of stable's at weight 100"),
    ],
)
def test_a_share_is_held_when_it_lies_outside_half_to_twice_the_weight(weight: float, share: float, held: bool) -> None:
    found = judge(shared(share, 15_000, times=4), weight)
    assert (found is not None and found.twice) is held


def test_the_second_scrape_in_a_row_says_it() -> None:
    first, second = judge(shared(0.5, times=1), 0.05), judge(shared(0.5), 0.05)
    assert first and second
    assert (first.twice, second.twice) == (False, True)


def test_two_scrapes_that_say_the_opposite_confirm_nothing() -> None:
    found = judge(scrapes((0, 15_000), (6_000, 9_000)), 0.1)
    assert found and not found.twice


def test_only_scrapes_that_began_after_settle_count() -> None:
    wrong = shared(0.5, times=3)
    assert judge(wrong, 0.05, settled=None) is None
    assert judge(wrong, 0.05, settled=31) is None
    late = judge(wrong, 0.05, settled=30)
    assert late and not late.twice


def test_what_was_mended_counts_soon() -> None:
    """Much traffic: the newest scrape has enough requests to speak for itself."""
    assert judge((*shared(0.5, 15_000, times=4), *scrapes((750, 14_250), begin=60)), 0.05) is None


def test_little_traffic_is_judged_over_a_minute() -> None:
    """Eight requests a second: one scrape alone proves nothing, four of them do."""
    seldom = [(2, 118)] * 8
    assert judge(scrapes(*seldom[:1]), 0.5) is None
    found = judge(scrapes(*seldom), 0.5)
    assert found and found.twice and found.requests == 480 and found.seconds == 60


def test_with_very_little_traffic_the_whole_step_helps_to_be_sure() -> None:
    """One request a second: a minute of them is no proof, five minutes are."""
    minute = [(1, 14), (0, 15), (1, 14), (1, 14)]
    assert judge(scrapes(*minute), 0.5, step=(3, 57)) is None
    found = judge(scrapes(*minute), 0.5, step=(15, 285))
    assert found and found.twice and found.requests == 60


def test_what_a_step_had_before_it_was_mended_holds_it_no_longer() -> None:
    assert judge(scrapes((7, 8), (7, 8), (8, 7), (6, 9)), 0.5, step=(43, 457)) is None


def test_an_old_fault_says_nothing_of_the_other_way() -> None:
    """Too many before, a few too few now."""
    assert judge(scrapes((0, 15), (0, 15)), 0.1, step=(250, 250)) is None


def test_requests_whose_end_is_unknown_are_requests_all_the_same() -> None:
    """A canary that hangs: its callers leave (code 0). The weight is served."""
    given_up, answered = canary({0: 0, 15: 150, 30: 300}, "0"), stable({0: 0, 15: 1350, 30: 2700})
    found = read(given_up, answered)
    assert [each.canary.requests for each in found] == [0, 0]
    assert judge(found, 0.1) is None


@pytest.mark.parametrize(("weight", "found"), [(0.5, (0, 500)), (0.25, (500, 0))])
def test_requests_that_reached_nobody_never_speak_against_the_weight(weight: float, found: tuple[int, int]) -> None:
    """One version has no endpoint: whose requests were lost is unknown, and either may be meant."""
    alone = scrapes(found, found)
    assert judge(alone, weight) is not None
    assert judge(tuple(each._replace(lost=800) for each in alone), weight) is None


def test_what_cannot_be_told_is_not_judged() -> None:
    assert judge(shared(0.5), 0.05, more=False) is None
    assert judge(shared(0.0), 0.5, less=False) is None
    assert judge(shared(0.5), 0.05, less=False) is not None
    assert judge(shared(0.0), 0.5, more=False) is not None


def test_nothing_is_known_without_requests() -> None:
    assert judge((), 0.5) is None
    assert judge(scrapes((0, 0), (0, 0)), 0.5) is None


def test_all_proxies_are_taken_together_and_the_one_that_deviates_most_is_named() -> None:
    obeys = scrapes((5, 95), (5, 95), target="pod='gateway-0' instance='a:15020'")
    ignores = scrapes((700, 700), (700, 700), target="pod='web-7' instance='b:15020'")
    found = judge((*obeys, *ignores), 0.05)
    assert found and found.twice
    assert (found.proxy, found.canary, found.requests) == ("web-7", 1410, 3000)


def test_a_single_proxy_needs_no_name() -> None:
    found = judge(shared(0.5), 0.05)
    assert found and found.proxy is None


def test_a_proxy_that_is_scraped_once_more_than_the_others_confirms() -> None:
    """Two of them, scraped at times of their own: the newest scrape of each against the one before."""
    a, b = scrapes((50, 50), (50, 50), target="a"), scrapes((50, 50), target="b", begin=7)
    found = judge(tuple(sorted((*a, *b), key=lambda each: each.until)), 0.05)
    assert found and found.twice and found.requests == 300


def test_the_words_hold_the_counts_the_weight_and_the_odds() -> None:
    found = judge(scrapes((1203, 1195), (600, 602)), 0.05)
    assert found
    assert found.told.startswith("the canary got 1803 of 3600 requests (50.1 %) in 30s at weight 5 %; odds 10^")
    assert found.told.endswith(":1 (needed 100:1) that its share is not 2.5 to 10 %")
    none, most = judge(shared(0.03), 0.0), judge(shared(0.9), 1.0)
    assert none and none.told.endswith("that its share is not at most 1 %")
    assert most and most.told.endswith("that its share is not at least 99 %")


@pytest.mark.parametrize(
    ("c", "n", "low", "high"),
    [(0, 10, 0.25, 1.0), (7, 15, 0.025, 0.1), (3, 40, 0.0, 0.01), (90, 100, 0.99, 1.0), (4, 9, 0.4, 0.5)],
)
def test_the_odds_are_the_average_chance_of_the_counts_over_the_best_allowed_one(c: int, n: int, low: float, high: float) -> None:
    average = Fraction(1, (n + 1) * comb(n, c))  # the integral of q^c (1 - q)^(n - c) over all shares q
    best = max(q**c * (1 - q) ** (n - c) for q in (low + (high - low) * step / 20_000 for step in range(20_001)))
    assert log_odds_outside(c, n, low, high) == pytest.approx(log(average) - log(best), rel=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_for_every_allowed_share_the_odds_are_one_at_most_on_average(weight: float, n: int) -> None:
    """What makes them odds: 100:1 comes in one of 100 cases at most."""
    low, high = allowed(weight)
    for share in (low, high, (low + high) / 2):
        mean = sum(comb(n, c) * share**c * (1 - share) ** (n - c) * exp(log_odds_outside(c, n, low, high)) for c in range(n + 1))
        assert mean <= 1 + 1e-9


@few
@given(st.integers(0, 100), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 50), st.booleans(), st.booleans())
def test_it_never_speaks_against_a_share_that_is_allowed(weight: int, ours: int, theirs: int, lost: int, more: bool, less: bool) -> None:
    found = judge(scrapes((ours, theirs), (ours, theirs), lost=lost), weight / 100, more=more, less=less)
    if found is None:
        return
    low, high = allowed(weight / 100)
    assert not low <= found.share <= high
    assert more if found.more else less
    assert found.ln_odds >= LN_BAR


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("rate", [1, 10, 100, 1000])
def test_a_healthy_service_is_never_held(rate: int, together: int) -> None:
    """An hour at each weight, also where three requests always go together."""
    random = Random(f"{rate} {together}")
    for weight in (1, 5, 10, 25, 50, 90):
        counts = [_drawn(random, rate * SCRAPE // together, weight / 100, together) for _ in range(240)]
        found = scrapes(*counts)
        assert not any(judge(found[max(0, last - 6) : last], weight / 100) for last in range(1, 240))


def _drawn(random: Random, groups: int, share: float, together: int) -> tuple[int, int]:
    """By the normal distribution where there are many."""
    mean, deviation = groups * share, (groups * share * (1 - share)) ** 0.5
    ours = round(random.gauss(mean, deviation)) if mean > 60 else sum(random.random() < share for _ in range(groups))
    ours = max(0, min(groups, ours))
    return ours * together, (groups - ours) * together


def test_callers_without_a_proxy_are_no_proof() -> None:
    from canary_operator.analysis.counters import through_proxies
    from canary_operator.analysis.samples import Samples

    inside = series("reviews-v1", {0: 1}, reporter="destination", source_workload="web")
    outside = series("reviews-v2", {0: 1}, reporter="destination", source_workload="unknown")
    gateway = series("reviews-v2", {0: 1}, reporter="source", source_workload="unknown")
    assert through_proxies(Samples((inside, outside, gateway))).series == (inside, gateway)
    assert NOISE >= 1
