"""Failed requests that reached no workload: whose were they?"""

import pytest

from canary_operator.analysis.evidence import Blame, Evidence
from canary_operator.analysis.nobody import attributed, left_over
from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.analysis.verdict import Rules, Why, Word, judge
from tests.pure.analysis.worlds import EPOCH, folded, interval, read, stable


def lost(number: int, canary: int, others: int, weight: int = 5) -> Segment:
    return Segment(weight, Counts(canary, 0), Counts(others, 0), lost=number)


def test_a_request_without_a_healthy_endpoint_is_lost_and_nobodys():
    found = read(
        stable({0: 100, 15: 200}),
        stable({0: 0, 15: 7}, "503", destination_workload="unknown", response_flags="UH"),
        stable({0: 0, 15: 5}, "500", destination_workload="unknown"),
    )
    assert [(each.lost, each.canary, each.stable) for each in found] == [(7, NOTHING, Counts(100, 0))]


@pytest.mark.parametrize(
    ("segment", "canarys"),
    [
        pytest.param(lost(50, 0, 950), True, id="the canary lacks just these"),
        pytest.param(lost(40, 60, 1900), True, id="it has lost its endpoints on the way"),
        pytest.param(lost(50, 50, 900), False, id="the canary has its share"),
        pytest.param(lost(900, 50, 50), False, id="nearly everything is lost"),
        pytest.param(lost(900, 0, 100), False, id="more is lost than the canary should have got"),
        pytest.param(lost(3, 48, 950), False, id="a few are lost, and the canary lacks two by chance"),
        pytest.param(lost(3, 0, 20), False, id="too few requests to tell"),
        pytest.param(lost(5, 95, 0, 100), True, id="at full weight nobody else is asked"),
    ],
)
def test_lost_requests_are_the_canarys_only_if_it_lacks_them(segment, canarys):
    told = attributed(segment)
    assert (told.lost, told.canary.failures) == ((0, segment.lost) if canarys else (segment.lost, 0))


def test_nothing_lost_changes_nothing():
    assert attributed(lost(0, 0, 950)) == lost(0, 0, 950)


def test_what_is_left_over_counts_among_all_requests():
    assert left_over([lost(5, 50, 945)]) == [Counts(1000, 5)]


def test_a_canary_without_endpoints_is_rolled_back_though_it_shows_no_traffic():
    found = [interval(15 * n, 15 * n + 15, (0, 0), (950, 0))._replace(lost=50) for n in range(2)]
    assert folded(*found).now.blame == Blame(EPOCH + 30, Why.ODDS)


def test_requests_that_anybody_may_have_lost_blame_nobody():
    found = [interval(15 * n, 15 * n + 15, (50, 0), (900, 0))._replace(lost=50) for n in range(4)]
    now = folded(*found).now
    assert (now.blame, now.suspect) == (None, None)


def known(lost: int) -> Evidence:
    arms = Counts(900, 0), Counts(17100, 17)
    return Evidence(5, (Segment(5, *arms, lost),), 1, *arms, covered=300.0, observed=300.0, settled_lost=lost)


def test_no_weight_rises_while_requests_are_lost():
    verdict = judge(known(100), Rules())
    assert (verdict.word, verdict.missing) == (
        Word.GATHERING,
        "100 requests found no healthy endpoint, and nobody can tell whose they were",
    )


def test_as_many_lost_requests_as_before_the_release_hold_nothing_up():
    assert judge(known(100), Rules(lost_before=0.006)).word is Word.UNOPPOSED


def test_in_doubt_what_is_lost_speaks_against_a_rise():
    assert judge(known(9), Rules(lost_before=0.01)).ln_not_worse < judge(known(0), Rules()).ln_not_worse
