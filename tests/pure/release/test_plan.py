"""What the plan wants: rise, hold, promote; and what a rise writes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.record import BaselineRecord, State, Tally
from canary_operator.api.spec import Hold, Step
from canary_operator.release import reasons
from canary_operator.release.model import Announce
from canary_operator.release.plan import plan_of
from tests.builders import NOW, Situation, finding, labels, release, weights

READY = release().at_step(0)


@pytest.mark.parametrize(
    ("situation", "weight"),
    [
        pytest.param(READY.healthy().before_a_scrape(), 5, id="prepared: step 1"),
        pytest.param(release().at_step(1, since=120).healthy(seconds=120), 10, id="a minute of good evidence: the next step"),
        pytest.param(release().at_step(3, since=120).healthy(seconds=120), 50, id="step 3 passed: step 4"),
        pytest.param(release().at_step(4, since=120).healthy(seconds=120), 100, id="the last step passed: everything"),
        pytest.param(
            release().at_step(1, since=400).healthy(seconds=300, rate=20), 10, id="too few requests to be sure, but the clock has run out"
        ),
    ],
)
def test_the_weight_rises(situation: Situation, weight: int) -> None:
    decision = situation.decide()
    assert weights(decision) == [weight]
    assert decision.state.weight == weight
    assert decision.state.state is (State.PROMOTING if weight == 100 else State.PROGRESSING)
    assert (decision.state.weight_since, decision.state.observed_seconds) == (situation.seen.now, 0)


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(READY.pods("v2", 0).healthy(), reasons.CANARY_NOT_READY, id="the canary has no ready pod"),
        pytest.param(
            release().at_step(4, since=120).pods("v2", 1).healthy(seconds=120), reasons.CANARY_NOT_READY, id="one pod is too few for 100 %"
        ),
        pytest.param(READY.prometheus_down(), reasons.METRICS_UNAVAILABLE, id="Prometheus is down"),
        pytest.param(READY, reasons.GATHERING, id="Prometheus was not asked yet"),
        pytest.param(READY.healthy().observing(findings=(finding(),)), "PolicyShadowed", id="preflight found something"),
        pytest.param(release().at_step(1, since=40).healthy(seconds=40), reasons.GATHERING, id="hold.min has not passed"),
        pytest.param(release().at_step(1, since=120).healthy(seconds=30), reasons.GATHERING, id="only observed seconds count"),
        pytest.param(
            release().at_step(1, since=120).healthy(seconds=120).observing(now=NOW + timedelta(minutes=3)),
            reasons.METRICS_UNAVAILABLE,
            id="the newest sample is old",
        ),
        pytest.param(
            release().at_step(2, since=120).failing(0.004, seconds=120), reasons.SUSPECT, id="more likely worse than not: no more traffic"
        ),
        pytest.param(
            release().at_step(1, since=120).healthy(seconds=120).selecting(since=NOW - timedelta(seconds=2)),
            reasons.SETTLING,
            id="the subsets have not settled",
        ),
    ],
)
def test_the_weight_holds(situation: Situation, reason: str) -> None:
    decision = situation.decide()
    assert decision.because.reason == reason
    assert weights(decision) == []
    assert decision.state.weight == situation.state.weight


def test_the_first_weight_is_written_shortly_before_the_next_scrape() -> None:
    early = READY.healthy()  # 100 requests a second, scraped just now and every 5 s: the canary has had 15 requests after 3 s
    decision = early.decide()
    assert (weights(decision), decision.because.reason, decision.look_again_in) == ([], reasons.PREPARING, timedelta(seconds=2))
    assert weights(early.observing(now=NOW + timedelta(seconds=2)).decide()) == [5]


def test_a_scrape_that_is_late_is_not_waited_for() -> None:
    assert weights(READY.healthy().observing(now=NOW + timedelta(seconds=12)).decide()) == [5]


def test_a_person_who_skips_the_start_waits_for_no_scrape() -> None:
    assert weights(READY.healthy().acting("promote/1/1").decide()) == [100]


def test_a_rise_is_recorded_before_it_is_written() -> None:
    kinds = [type(effect).__name__ for effect in READY.healthy().before_a_scrape().decide().effects]
    assert kinds == ["RecordState", "EnsureWeights", "Announce"]


def test_the_write_of_a_rise_carries_the_recorded_rank() -> None:
    decision = READY.healthy().before_a_scrape().decide()
    mark = next(effect.mark for effect in decision.effects if type(effect).__name__ == "EnsureWeights")  # type: ignore[union-attr]
    assert mark.rank == (decision.state.number, decision.state.seq)


def test_insufficient_data_may_hold_instead() -> None:
    situation = release().at_step(1, since=400).healthy(seconds=300, rate=20)
    holding = situation.having(analysis=replace(situation.spec.analysis, insufficient_data="Hold"))
    assert weights(holding.decide()) == []


def test_a_recorded_rise_that_is_missing_is_written_and_the_step_begins_then() -> None:
    late = release().at_step(2, since=60).routing(weight=5, mark=replace(READY.seen.route.mark, weight=5)).healthy()  # type: ignore[union-attr]
    decision = late.decide()
    assert weights(decision) == [10]
    assert (decision.state.weight_since, decision.state.observed_seconds) == (NOW, 0)


@pytest.mark.parametrize("weight", [0, 1, 9])
def test_a_canary_that_lost_weight_rises_again_from_step_1(weight: int) -> None:
    decision = release().at_step(2, since=60).routing(weight=weight).decide()
    assert decision.because.reason == reasons.DRIFT
    assert weights(decision) == [0]
    assert decision.state.step == 0


def test_a_canary_that_was_given_more_is_set_right_and_the_step_begins_anew() -> None:
    decision = release().at_step(2, since=60).routing(weight=90).healthy().decide()
    assert weights(decision) == [10]
    assert (decision.state.step, decision.state.weight_since, decision.state.observed_seconds) == (2, NOW, 0)


@pytest.mark.parametrize(
    ("situation", "written"),
    [
        pytest.param(READY.selecting(canary="v1", since=NOW - timedelta(hours=1)), [("v1", "v2")], id="at weight 0, settled: relabelled"),
        pytest.param(READY.selecting(canary="v1").routing(since=NOW), [], id="weight 0 has not settled: not yet"),
        pytest.param(release().at_step(2, since=60).selecting(canary=None), [("v1", "v2")], id="missing: put back under traffic"),
        pytest.param(
            release().at_step(2, since=60).selecting(stable="v3"), [("v1", "v2")], id="stable's is wrong: put right under traffic"
        ),
        pytest.param(
            release().at_step(2, since=60).selecting(stable=None, canary="v3"), [("v1", "v3")], id="stable's is missing: the canary's waits"
        ),
        pytest.param(release().at_step(2, since=60).selecting(canary="v3"), [], id="wrong under traffic: the traffic goes first"),
    ],
)
def test_labels_change_only_where_nothing_is_served(situation: Situation, written: list[tuple[str, str]]) -> None:
    assert labels(situation.decide()) == written


def test_evidence_starts_again_when_stable_is_deployed_anew() -> None:
    decision = release().at_step(2, since=60).healthy().deployed("v1", template=2).decide()
    assert decision.because.reason == reasons.STABLE_CHANGED
    assert (decision.state.from_, decision.stable, decision.state.observed_seconds) == ("v1@t2", "v1@t2", 0)
    assert decision.state.evidence.segments == ()


def test_what_is_known_from_before_the_release_outlives_a_new_stable_revision() -> None:
    before = BaselineRecord(stable=Tally(requests=6000, failures=60), noise=4)
    decision = release().at_step(2, since=60).recorded(baseline=before).healthy().deployed("v1", template=2).decide()
    assert (decision.because.reason, decision.state.baseline) == (reasons.STABLE_CHANGED, before)


def test_the_default_plan_is_5_10_25_50() -> None:
    assert [step.weight for step in plan_of(release().spec)] == [5, 10, 25, 50]
    assert [step.weight for step in plan_of(release().having(steps=(Step(weight=30),)).spec)] == [30]


@pytest.mark.parametrize(
    ("step", "steps", "plan"),
    [
        pytest.param(0, (7, 70), [7, 70], id="before the first step: the new list"),
        pytest.param(2, (10, 20, 60), [5, 10, 20, 60], id="what was taken stays, what comes is new"),
        pytest.param(2, (20, 60), [5, 10, 20, 60], id="the present weight is not in the new list"),
        pytest.param(3, (1, 25), [5, 10, 25], id="the present weight is the last: 100 follows"),
        pytest.param(3, (1, 2), [5, 10, 25, 100], id="all are below the present weight: a person is asked before 100"),
        pytest.param(2, (5, 10, 25, 50, 100), [5, 10, 25, 50, 100], id="100 is written out"),
    ],
)
def test_steps_that_are_edited_count_from_the_present_weight_on(step: int, steps: tuple[int, ...], plan: list[int]) -> None:
    running = release().at_step(step, since=30).healthy(seconds=30)
    decision = running.having(steps=tuple(Step(weight=weight) for weight in steps)).decide()
    assert [each.weight for each in decision.state.plan] == plan
    assert decision.state.step in (step, step + (step == 0))
    assert [effect.because.reason for effect in decision.effects if isinstance(effect, Announce)][-1] == reasons.PLAN_CHANGED


def test_an_edit_is_no_pass() -> None:
    held = release().at_step(2, since=30).healthy(seconds=30).having(steps=(Step(weight=2),))
    assert weights(held.decide()) == []
    assert weights(replace(held, spec=replace(held.spec, steps=(Step(weight=2), Step(weight=60)))).decide()) == []


def test_a_shorter_hold_of_the_present_step_counts_at_once() -> None:
    short = Step(weight=10, hold=Hold(min=timedelta(seconds=20), max=timedelta(seconds=25)))
    assert weights(release().at_step(2, since=30).healthy(seconds=30).having(steps=(short, Step(weight=60))).decide()) == [60]
