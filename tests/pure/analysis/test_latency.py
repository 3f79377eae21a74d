"""Slow answers, judged by the same odds."""

from dataclasses import replace
from datetime import timedelta
from math import log

import pytest

from canary_operator.analysis.counters import FailureCodes, intervals
from canary_operator.analysis.evidence import Blame, Evidence, Suspect
from canary_operator.analysis.latency import cannot_tell, lacks_bound, with_bounds
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.samples import NoData, QueryFailed, Samples
from canary_operator.analysis.sentence import sentence
from canary_operator.analysis.verdict import Rules, Why, Word, judge
from canary_operator.analysis.witnesses import Slowness
from tests.pure.analysis.worlds import CANARY, EPOCH, STABLE, canary, folded, interval, series, stable

THRESHOLD = timedelta(milliseconds=250)
TIMED = Rules(slowness=Slowness(warmup=0.0))


def timed(*members, slow_above=250.0):
    return intervals(Samples(members), canary=CANARY, stable=STABLE, failing=FailureCodes(), slow_above=slow_above)


def histogram(kind, fast, every, **labels):
    return kind(fast, le="250", **labels), kind(every, le="+Inf", **labels)


# ------------------------------------------------------------------------------------------------ counting
def test_what_is_above_the_bound_is_slow():
    found = timed(canary({0: 0, 15: 10}), *histogram(canary, {0: 0, 15: 7}, {0: 0, 15: 10}))
    assert [(each.canary, each.canary_timed, each.stable_timed) for each in found] == [(Counts(10, 0), Counts(10, 3), Counts(0, 0))]


def test_the_time_of_a_failure_is_not_counted():
    found = timed(stable({0: 0, 15: 5}, "503"), *histogram(stable, {0: 0, 15: 5}, {0: 0, 15: 5}, code="503"))
    assert [(each.stable, each.stable_timed) for each in found] == [(Counts(5, 5), Counts(0, 0))]


def test_a_histogram_without_the_bound_times_nothing():
    found = timed(stable({0: 0, 15: 5}), stable({0: 0, 15: 5}, le="+Inf"))
    assert found[0].stable_timed == Counts(0, 0)


def test_a_histogram_that_is_not_asked_for_changes_no_count():
    members = stable({0: 0, 15: 5}), *histogram(stable, {0: 0, 15: 5}, {0: 0, 15: 5})
    assert timed(*members, slow_above=None) == timed(members[0], slow_above=None)


def test_a_proxy_that_starts_anew_counts_from_nothing():
    found = timed(canary({0: 100, 15: 9}), *histogram(canary, {0: 90, 15: 6}, {0: 100, 15: 9}))
    assert found[0].canary_timed == Counts(9, 3)


# ------------------------------------------------------------------------------------------------ the verdict
def slow(since, until, canary_timed, stable_timed):
    counts = (canary_timed[0], 0), (stable_timed[0], 0)
    return interval(since, until, *counts)._replace(canary_timed=Counts(*canary_timed), stable_timed=Counts(*stable_timed))


def test_a_canary_that_is_slow_more_often_is_blamed_when_the_next_scrape_confirms_it():
    found = [slow(15 * n, 15 * n + 15, (50, 20), (950, 10)) for n in range(2)]
    first, both = folded(found[0], rules=TIMED).now, folded(*found, rules=TIMED).now
    assert (first.suspect_slow is not None, first.blame, both.blame) == (True, None, Blame(EPOCH + 30, Why.SLOW))


STRAY = interval(-15, 0, (2000, 1), (38_000, 0))
"""A failure that made nobody suspicious."""


@pytest.mark.parametrize("before", [pytest.param((), id="nothing before"), pytest.param((STRAY,), id="a stray failure before")])
def test_slow_answers_do_not_confirm_failures(before):
    """A little slow at the first scrape, a clump of failures at the second: the failures wait for a scrape of their own."""
    a_little_slow = slow(0, 15, (50, 4), (950, 10))
    failing = [interval(15, 30, (50, 12), (950, 0)), interval(30, 45, (50, 1), (950, 0))]
    found = [folded(*before, a_little_slow, *failing[:number], since=-15, rules=TIMED).now for number in range(3)]
    assert [each.blame for each in found] == [None, None, Blame(EPOCH + 45, Why.ODDS)]
    assert (found[0].suspect, found[0].suspect_slow is not None, found[1].suspect.at) == (None, True, EPOCH + 30)


def test_failures_do_not_confirm_slow_answers():
    found = [interval(0, 15, (50, 1), (950, 0)), *(slow(15 * n, 15 * n + 15, (50, 20), (950, 10)) for n in (1, 2))]
    failing, once, twice = (folded(*found[:number], rules=TIMED).now for number in (1, 2, 3))
    assert (failing.suspect is not None, once.suspect_slow.at, once.blame) == (True, EPOCH + 30, None)
    assert twice.blame == Blame(EPOCH + 45, Why.SLOW)


def test_a_next_scrape_without_a_slow_answer_confirms_nothing():
    found = slow(0, 15, (50, 20), (950, 10)), slow(15, 30, (5, 0), (95, 0))
    now = folded(*found, rules=TIMED).now
    assert (now.blame, now.suspect_slow) == (None, Suspect(EPOCH + 15, 20))


def test_a_canary_as_slow_as_stable_is_not_suspect():
    found = [slow(15 * n, 15 * n + 15, (500, 100), (9500, 1900)) for n in range(4)]
    assert folded(*found, rules=TIMED).now.suspect_slow is None


def test_without_a_latency_rule_slow_answers_are_no_evidence():
    assert folded(*(slow(15 * n, 15 * n + 15, (50, 50), (950, 0)) for n in range(2))).now.suspect_slow is None


def test_a_suspicion_of_slowness_ends_where_latency_is_no_longer_judged():
    found = [slow(15 * n, 15 * n + 15, (50, number), (950, 10)) for n, number in enumerate((20, 0, 1))]
    suspected = folded(*found[:1], rules=TIMED).now
    not_judged = folded(*found[:2], evidence=suspected).now
    judged_again = folded(*found, evidence=not_judged, rules=TIMED).now
    assert (suspected.suspect_slow, not_judged.suspect_slow) == (Suspect(EPOCH + 15, 20), None)
    assert (judged_again.suspect_slow, judged_again.blame) == (Suspect(EPOCH + 45, 21), None)


def test_answers_are_not_timed_before_the_canary_is_warm():
    rules = Rules(slowness=Slowness(warmup=20.0))
    now = folded(*(slow(15 * n, 15 * n + 15, (50, 50), (950, 0)) for n in range(3)), rules=rules).now
    assert (now.segments[0].canary, now.segments[0].canary_timed) == (Counts(150, 0), Counts(50, 50))


def test_a_bake_is_judged_by_how_slow_stable_was_beside_it():
    before = Evidence(50, (Segment(50, Counts(6000, 0), Counts(6000, 0), 0, Counts(6000, 60), Counts(6000, 60)),))
    found = [slow(15 * n, 15 * n + 15, (1500, 300), (0, 0)) for n in range(2)]
    assert folded(*found, evidence=before, weight=100, rules=TIMED).now.blame == Blame(EPOCH + 30, Why.SLOW)


def test_each_witness_raises_the_bar():
    assert (TIMED.ln_bar, replace(TIMED, limit=0.05).ln_bar) == pytest.approx((log(200), log(300)))


def known(canary_timed, stable_timed, **more):
    arms, times = (Counts(900, 0), Counts(17100, 17)), (Counts(*canary_timed), Counts(*stable_timed))
    segment = Segment(5, *arms, 0, *times)
    more = {"settled_canary_timed": times[0], "settled_stable_timed": times[1], **more}
    return Evidence(5, (segment,), 1, *arms, covered=60.0, observed=60.0, **more)


@pytest.mark.parametrize(
    ("evidence", "word", "missing"),
    [
        pytest.param(known((900, 9), (17100, 171)), Word.NOT_WORSE, None, id="as fast as stable"),
        pytest.param(known((0, 0), (0, 0)), Word.GATHERING, "no answer of this step is timed for both versions yet", id="nothing is timed"),
        pytest.param(
            known((20, 0), (380, 4)),
            Word.GATHERING,
            "odds that it is not worse are 2.2:1 of 20:1, or 1m of the 5m are observed",
            id="too little is timed",
        ),
    ],
)
def test_a_step_ends_early_only_when_both_witnesses_are_content(evidence, word, missing):
    verdict = judge(evidence, TIMED)
    assert (verdict.word, verdict.missing) == (word, missing)


def test_tells_that_it_is_slow():
    evidence = known((900, 90), (17100, 171), blame=Blame(EPOCH, Why.SLOW))
    text = sentence(judge(evidence, replace(TIMED, slowness=Slowness(noise=3.0))), evidence)
    assert text == (
        "canary was slow in 90 of 900 answers, stable in 171 of 17100 in the same 1m; odds 60 million:1 (needed 200:1) that it is slow more "
        "often, by more than 1 point; stable's own come in clumps of 3, so as many count as one"
    )


# ------------------------------------------------------------------------------------------------ bounds
def bounded(*bounds):
    return Samples((stable({0: 1}, le="+Inf"), *(series("reviews-v1", {0: 1}, le=each) for each in bounds)))


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        pytest.param(bounded("250"), False, id="as Prometheus 2 writes it"),
        pytest.param(bounded("250.0"), False, id="as Prometheus 3 writes it"),
        pytest.param(bounded(), True, id="another bound"),
        pytest.param(Samples((stable({0: 1}),)), False, id="no histogram at all"),
        pytest.param(NoData("nothing"), False, id="no data"),
        pytest.param(QueryFailed("down"), False, id="no answer"),
    ],
)
def test_finds_out_that_a_bound_is_missing(answer, lacks):
    assert lacks_bound(answer, THRESHOLD) is lacks


@pytest.mark.parametrize(
    ("milliseconds", "advice"),
    [
        pytest.param(300, "write 250ms or 500ms", id="between two bounds"),
        pytest.param(2000, "write 500ms", id="above all"),
        pytest.param(1, "write 250ms", id="below all"),
    ],
)
def test_a_threshold_that_is_no_bound_is_answered_with_the_nearest(milliseconds, advice):
    answer = with_bounds(bounded(), Samples((replace(stable({0: 1}), labels={"le": "500"}), replace(stable({0: 1}), labels={"le": "250"}))))
    assert str(cannot_tell(answer, timedelta(milliseconds=milliseconds))).endswith(advice)


def test_without_any_histogram_says_which_series_is_missing():
    assert "no series of istio_request_duration_milliseconds_bucket match" in str(cannot_tell(Samples((stable({0: 1}),)), THRESHOLD))


def test_a_threshold_that_is_a_bound_can_be_told():
    assert cannot_tell(bounded("250"), THRESHOLD) is None
