"""Requests that callers gave up: compared between the arms, by a witness of their own with a bar of its own."""

from random import Random

import pytest

from canary_operator.analysis.baseline import baseline
from canary_operator.analysis.counters import untold
from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.samples import Samples
from canary_operator.analysis.sentence import sentence
from canary_operator.analysis.verdict import Rules, Why, Word, judge, judge_bake
from canary_operator.analysis.witnesses import excess
from tests.pure.analysis.worlds import CANARY, STABLE, canary, folded, interval, read, stable


def gave_up(since: float, until: float, canary: int, stable: int = 0, answered: tuple[int, int] = (0, 950)):
    """An interval in which callers gave up so many requests to each arm, and each answered so many."""
    each = interval(since, until, (answered[0], 0), (answered[1], 0))
    return each._replace(canary_given_up=canary, stable_given_up=stable)


def test_requests_that_were_given_up_are_counted_beside_those_that_were_answered():
    hung = canary({0: 0, 5: 10, 10: 30}, code="0", response_flags="DC")
    left = stable({0: 0, 5: 1, 10: 1}, code="200", response_flags="DR")
    found = read(hung, left, canary({0: 0, 5: 0, 10: 0}), stable({0: 0, 5: 90, 10: 180}))
    assert [(each.canary_given_up, each.stable_given_up, each.canary, each.stable) for each in found] == [
        (10, 1, Counts(), Counts(90)),
        (20, 0, Counts(), Counts(90)),
    ]


def test_a_canary_that_hangs_is_rolled_back_at_the_first_scrape_when_it_is_plain():
    now = folded(gave_up(0, 5, 50)).now
    assert (judge(now, Rules()).word, now.blame.why) == (Word.WORSE, Why.GIVEN_UP)


def test_a_canary_of_which_every_tenth_request_hangs_is_rolled_back_at_the_second_scrape():
    first, second = gave_up(0, 5, 5, answered=(45, 950)), gave_up(5, 10, 5, answered=(45, 950))
    assert judge(folded(first).now, Rules()).word is Word.SUSPECT
    now = folded(first, second).now
    assert now.blame.why is Why.GIVEN_UP
    assert sentence(judge(now, Rules()), now).startswith(
        "callers gave up 10 of 100 requests to the canary, 0 of 1900 to stable in the same 10s; odds "
    )


def test_a_canary_that_hangs_at_full_weight_is_rolled_back():
    before = Segment(50, Counts(5000), Counts(5000))
    evidence = Evidence(weight=100, segments=(before,), reached=None)
    hangs = [gave_up(since, since + 5, 90, answered=(10, 0)) for since in (0, 5)]
    now = folded(*hangs, evidence=evidence, weight=100).now
    assert judge_bake(now, None, Rules()).word is Word.WORSE


def test_callers_who_leave_both_arms_alike_speak_against_neither():
    alike = [gave_up(5 * n, 5 * n + 5, 5, 95, answered=(45, 855)) for n in range(60)]
    assert judge(folded(*alike).now, Rules()).word is Word.NOT_WORSE


def test_it_takes_ten_times_the_odds_that_failures_take():
    assert Rules().ln_given_up_bar - Rules().ln_bar == pytest.approx(2.302585)
    assert Rules(limit=0.1).ln_given_up_bar == Rules().ln_given_up_bar


def test_streams_that_all_end_by_the_caller_speak_against_neither():
    streams = [gave_up(5 * n, 5 * n + 5, 5, 95, answered=(0, 0)) for n in range(30)]
    now = folded(*streams).now
    assert judge(now, Rules()).word is Word.GATHERING
    assert now.blame is None


def test_what_is_given_up_costs_budget_and_counts_as_slow():
    segment = Segment(5, Counts(40), Counts(950), canary_given_up=10, canary_timed=Counts(40, 2), stable_timed=Counts(950))
    assert excess([segment]) == 10
    assert segment.timed.canary == Counts(50, 12)


def test_how_clumpy_callers_leave_stable_is_known_before_the_release():
    clumps = [gave_up(5 * n, 5 * n + 5, 0, 60 if n % 10 == 0 else 0, answered=(0, 940)) for n in range(60)]
    assert baseline(clumps).given_up_noise > 20
    assert baseline(clumps).given_up == 360


def test_a_label_that_tells_how_a_request_ended_is_missed_by_name():
    whole = canary({0: 0, 5: 10})
    bare = stable({0: 0, 5: 10})
    bare = type(bare)({key: value for key, value in bare.labels.items() if key != "response_code"}, bare.points)
    failing = FailureCodes()
    assert untold(Samples((whole, bare)), CANARY | STABLE, failing) == {"response_code"}
    assert untold(Samples((whole, bare)), CANARY, failing) == frozenset()


@pytest.mark.parametrize(("share", "clump"), [(0.01, 1), (0.05, 1), (0.05, 20), (0.1, 40)])
def test_good_canaries_are_not_blamed_for_callers_who_leave_in_clumps(share: float, clump: int):
    """100 healthy releases of 2 minutes at 5 % and 100 requests/s, after 5 minutes of stable alone; seed 7."""
    chance, blamed = Random(7), 0
    for _ in range(100):
        before = [_leaving(chance, 5 * n, 0, 500, share, clump) for n in range(60)]
        noise = baseline(before).given_up_noise
        found = [_leaving(chance, 5 * n, 25, 475, share, clump) for n in range(24)]
        blamed += folded(*found, rules=Rules(given_up_noise=noise)).now.blame is not None
    assert blamed <= 1


def _leaving(chance: Random, since: float, canary: int, stable: int, share: float, clump: int):
    """Callers leave both arms in clumps of so many, each clump's requests spread over the arms by their weight."""
    clumps = sum(chance.random() < share / clump for _ in range(canary + stable))
    ours = sum(chance.random() < canary / (canary + stable) for _ in range(clumps * clump))
    ours, theirs = min(ours, canary), min(clumps * clump - ours, stable)
    return gave_up(since, since + 5, ours, theirs, answered=(canary - ours, stable - theirs))
