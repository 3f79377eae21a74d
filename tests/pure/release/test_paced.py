"""A release under `spec.pace`: what `decide` makes of the rule, and everything that may stand in its way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.pace import Pace
from canary_operator.api.spec import Step
from canary_operator.api.status import Outcome, ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Decision
from tests.builders import NOW, Situation, release, weights

READY = release().paced()
ALREADY = release().paced(1, 3, 7, 20, 50, since=400)
"""At the highest weight, for longer than `minDuration`."""


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def path(state: ReleaseRecord) -> list[int]:
    return [step.weight for step in state.plan]


def observed(situation: Situation, seconds: float) -> Situation:
    """So much of the release was observed before the samples at hand."""
    return situation.recorded(evidence=replace(situation.state.evidence, seconds=seconds))


def events(decision: Decision) -> list[str]:
    return [effect.because.reason for effect in decision.effects if isinstance(effect, Announce)]


# ------------------------------------------------------------------------------------------------------------------------------------- rises


@pytest.mark.parametrize(
    ("situation", "weight"),
    [
        pytest.param(READY.healthy(rate=100).before_a_scrape(), 1, id="100 requests/s: the first weight"),
        pytest.param(READY.healthy(rate=10).before_a_scrape(), 10, id="10 requests/s: a larger first weight"),
        pytest.param(release().paced(1, since=30).healthy(seconds=30), 3, id="30 good requests"),
        pytest.param(release().paced(1, 3, since=30).healthy(seconds=30), 7, id="90 good requests"),
        pytest.param(release().paced(25, since=60).healthy(), 50, id="the highest weight"),
        pytest.param(release().paced(20, since=60, max_weight=30).healthy(), 30, id="a highest weight of the user's"),
        pytest.param(ALREADY.healthy(seconds=400), 100, id="the highest weight, for long enough"),
        pytest.param(release().paced(1, since=30, failure_budget=1).healthy(seconds=30), 1, id="a small budget"),
    ],
)
def test_the_weight_rises_as_far_as_the_budget_goes(situation: Situation, weight: int) -> None:
    decision, before = situation.decide(), situation.state.weight
    assert decision.state.weight == weight
    assert weights(decision) == ([weight] if weight > before else [])


@pytest.mark.parametrize(("age", "rises"), [(4, []), (6, [1])])
def test_the_moment_before_a_scrape_is_not_waited_for_for_ever(age: int, rises: list[int]) -> None:
    waiting = READY.healthy(rate=100).recorded(weight_since=NOW - minutes(age))
    assert weights(waiting.decide()) == rises


def test_a_rise_records_its_weight_its_path_and_what_it_was_chosen_by() -> None:
    state = release().paced(1, since=30).healthy(seconds=30).decide().state
    assert (path(state), state.step, state.weight) == ([1, 3], 2, 3)
    assert state.pace
    # None of 30 failed: 0.05 = (1 - risk)^30.
    assert (state.pace.rate, state.pace.spacing, state.pace.risk) == (100, 5, round(1 - 0.05 ** (1 / 30), 5))
    assert [(each.weight, each.canary.requests) for each in state.evidence.segments] == [(1, 30)]


@pytest.mark.parametrize(
    ("situation", "reason", "words"),
    [
        pytest.param(release().paced(1, since=30).healthy(seconds=10), "Gathering", "the canary had 10 of 11 requests", id="min requests"),
        pytest.param(release().paced(10, since=30).healthy(seconds=2), "Gathering", "first samples", id="nothing is seen yet"),
        pytest.param(release().paced(1, since=30).failing(0.034, seconds=30), "Suspect", "odds", id="odds of 2 against it"),
        pytest.param(
            release().paced(10, since=60, failure_budget=1).healthy(seconds=20, rate=1000),
            "Gathering",
            "weight 15 may cost",
            id="the budget allows no more",
        ),
        pytest.param(
            release().paced(50, since=200).healthy(seconds=200), "Gathering", "3m20s of the 5m of pace.minDuration", id="minDuration"
        ),
        pytest.param(
            observed(release().paced(50, since=60), 300).healthy(seconds=60, rate=2),
            "Gathering",
            "odds that it is not worse are",
            id="the highest weight has too little evidence",
        ),
        pytest.param(READY.prometheus_down(), "MetricsUnavailable", "Prometheus cannot be asked", id="Prometheus is down"),
        pytest.param(READY.pods("v2", 0).healthy(), "CanaryNotReady", "needed for 1 %", id="no pods"),
        pytest.param(READY.healthy().having(suspend=True), "Suspended", "spec.suspend", id="suspended"),
    ],
)
def test_the_weight_stays_and_status_says_what_is_missing(situation: Situation, reason: str, words: str) -> None:
    if words.startswith("the canary had"):
        situation = situation.having(analysis=replace(situation.spec.analysis, min_requests=11))
    decision = situation.decide()
    assert weights(decision) == []
    assert decision.because.reason == reason
    if words != "first samples":
        assert words in decision.because.message


def test_requests_before_the_weight_has_settled_do_not_let_it_rise() -> None:
    unsettled = release().paced(1, since=9).healthy(seconds=60)
    assert weights(unsettled.decide()) == []


def test_status_says_why_the_weight_was_allowed() -> None:
    reasoning = "weight 3: at most 5 failures (of 20) at 100 requests/s if the canary fails up to 9.5 %"
    rise = release().paced(1, since=30).healthy(seconds=30)
    assert reasoning in (rise.status().message or "")
    after = replace(rise, state=rise.decide().state).routing(weight=3).healthy(seconds=5)
    assert reasoning in (after.status().message or "")


def test_the_column_step_counts_the_rises() -> None:
    assert [READY.status().step, release().paced(1, 3, since=1).status().step, ALREADY.status().step] == ["0", "2", "5"]


@pytest.mark.parametrize(("rate", "more"), [(100, None), (1000, "80 more than pace.failureBudget 20")])
def test_a_lowest_weight_that_may_exceed_the_budget_is_a_warning(rate: int, more: str | None) -> None:
    warnings = READY.healthy(rate=rate).before_a_scrape().status().warnings
    assert [each.reason for each in warnings] == ([reasons.BUDGET_TOO_SMALL] if more else [])
    assert more is None or more in warnings[0].message


def test_the_warning_stands_still_while_the_rate_moves() -> None:
    risen = READY.healthy(rate=1000).before_a_scrape()
    first = risen.status()
    later = replace(risen, state=risen.decide().state).routing(weight=1).healthy(seconds=20, rate=990)
    assert later.status(first).warnings == first.warnings


# ------------------------------------------------------------------------------------------------------------------ when the price is paid


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(release().paced(35, since=5), reasons.MORE_FAILURES, id="35 of 175 failed: another scrape would cost as many again"),
        pytest.param(release().paced(35, since=5, failure_budget=200), reasons.SUSPECT, id="a budget that another scrape does not exceed"),
        pytest.param(release().having(steps=(Step(weight=35),)).at_step(1, since=5), reasons.SUSPECT, id="steps have no price"),
    ],
)
def test_a_confirmation_that_would_cost_more_than_the_budget_is_not_waited_for(situation: Situation, reason: str) -> None:
    decision = situation.failing(0.2, seconds=5).decide()
    assert decision.because.reason == reason
    assert weights(decision) == ([0] if reason == reasons.MORE_FAILURES else [])


def test_failures_like_stables_cost_nothing_however_many() -> None:
    both = release().paced(35, since=60).failing(0.2, stable=0.2)
    assert weights(both.decide()) == [50]


# ----------------------------------------------------------------------------------------------------------------------- the highest weight


@pytest.mark.parametrize(("answer", "rises"), [("Advance", [100]), ("Hold", [])])
def test_after_five_minutes_at_the_highest_weight_the_clock_speaks_as_insufficient_data_says(answer: str, rises: list[int]) -> None:
    waiting = release().paced(50, since=320)
    analysis = replace(waiting.spec.analysis, insufficient_data=answer)
    assert weights(waiting.having(analysis=analysis).healthy(seconds=320, rate=2).decide()) == rises


@pytest.mark.parametrize("answer", ["Advance", "Hold"])
def test_below_the_highest_weight_the_budget_alone_decides(answer: str) -> None:
    rising = release().paced(1, since=30)
    analysis = replace(rising.spec.analysis, insufficient_data=answer)
    assert weights(rising.having(analysis=analysis).healthy(seconds=30).decide()) == [3]


def test_a_gate_before_the_promotion_waits_for_a_person() -> None:
    gated = release().paced(50, since=400, approval="BeforePromotion").healthy(seconds=400)
    waiting = gated.decide()
    assert (weights(waiting), waiting.because.reason, waiting.phase) == ([], reasons.APPROVAL_REQUIRED, "Waiting")
    assert waiting.state.waiting_since == NOW
    assert weights(gated.acting("approve/1/1").decide()) == [100]


def test_there_is_nothing_to_approve_below_the_highest_weight() -> None:
    below = release().paced(7, since=10, approval="BeforePromotion").healthy(seconds=10).acting("approve/1/1").decide()
    assert reasons.ACTION_IGNORED in events(below)
    assert below.state.asked.approved == 0


# ----------------------------------------------------------------------------------------------------------------------------------- deadline


def on_its_way(since: timedelta, waited: float = 0, **changes: object) -> Situation:
    situation = release().paced(7, since=60).healthy(seconds=60)
    pace = situation.state.pace
    assert pace
    return situation.recorded(pace=replace(pace, since=NOW - since, waited_seconds=waited), **changes)


def test_a_release_that_takes_longer_than_its_pace_allows_is_withdrawn_without_blame() -> None:
    decision = on_its_way(minutes(121)).decide()
    assert decision.because.reason == reasons.DEADLINE_EXCEEDED
    assert decision.state.ending
    assert decision.state.ending.outcome is Outcome.WITHDRAWN
    assert "took longer than 7200 s" in decision.because.message


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(on_its_way(minutes(119)), id="not yet"),
        pytest.param(on_its_way(minutes(180), waited=3660), id="a person was waited for at an earlier weight"),
        pytest.param(on_its_way(minutes(180), waited_seconds=3660), id="a person was waited for at this weight"),
        pytest.param(on_its_way(minutes(180), waiting_since=NOW - minutes(62)), id="a person is waited for"),
        pytest.param(
            on_its_way(minutes(100), weight_since=NOW - minutes(90)), id="analysis.deadline of one hour belongs to steps, not to a pace"
        ),
    ],
)
def test_it_is_not_withdrawn(situation: Situation) -> None:
    assert situation.decide().state.state is State.PROGRESSING


def test_time_that_a_person_was_waited_for_is_kept_for_the_whole_way() -> None:
    waited = on_its_way(minutes(10), waited=30, waited_seconds=20, waiting_since=NOW - minutes(1)).decide()
    assert waited.state.step == 2
    assert waited.state.pace
    assert (waited.state.pace.waited_seconds, waited.state.waited_seconds, waited.state.waiting_since) == (110, 0, None)


# ------------------------------------------------------------------------------------------------------------------------- people, pods, drift


def test_skip_takes_the_next_weight_whatever_the_budget_says() -> None:
    dear = release().paced(10, since=60, failure_budget=1).healthy(seconds=20, rate=1000)
    assert weights(dear.acting("skip/1/1").decide()) == [15]


def test_skip_at_the_highest_weight_is_the_promotion() -> None:
    assert weights(release().paced(50, since=20).healthy(seconds=20).acting("skip/1/1").decide()) == [100]


def test_promote_leaves_out_the_weights_that_are_left() -> None:
    decision = release().paced(3, since=20, approval="BeforePromotion").healthy(seconds=20).acting("promote/1/1").decide()
    assert (weights(decision), decision.state.state) == ([100], State.PROMOTING)


def test_pause_keeps_the_weight() -> None:
    assert weights(release().paced(1, since=30).healthy(seconds=30).acting("pause/1/1").decide()) == []


@pytest.mark.parametrize(("pods", "weight"), [(4, 50), (2, 50), (1, 25)])
def test_the_weight_is_what_budget_and_pods_both_allow(pods: int, weight: int) -> None:
    few = release().paced(20, since=60).healthy().having(capacity=1.0)
    assert weights(few.pods("v2", pods).decide()) == [weight]


def test_too_few_pods_for_any_higher_weight_are_what_is_missing() -> None:
    few = release().paced(25, since=60).healthy().having(capacity=1.0).pods("v2", 1).decide()
    assert (weights(few), few.because.reason) == ([], reasons.CANARY_NOT_READY)
    assert "needed for 35 %" in few.because.message


def test_a_canary_that_lost_its_pods_begins_again_as_if_nothing_were_known() -> None:
    lost = release().paced(1, 3, 7, since=60).healthy().pods("v2", 0)
    after = lost.decide()
    assert (weights(after), after.state.step) == ([0], 0)
    back = replace(lost, state=after.state).routing(weight=0, since=NOW - minutes(1)).pods("v2", 4)
    back = back.recorded(weight_since=NOW - minutes(1)).healthy().before_a_scrape()
    again = back.decide()
    assert (weights(again), path(again.state), again.state.step) == ([1], [1], 1)


def test_a_rise_that_was_recorded_and_not_written_is_written() -> None:
    rise = release().paced(1, since=30).healthy(seconds=30)
    recorded = replace(rise, state=rise.decide().state)
    again = recorded.decide()
    assert (weights(again), again.because.reason, again.state.drifts) == ([3], reasons.STEP_PASSED, 0)


def test_a_weight_that_fell_behind_its_record_is_drift() -> None:
    decision = release().paced(1, 3, since=30).routing(weight=2).healthy(seconds=30).decide()
    assert (weights(decision), decision.because.reason) == ([0], reasons.DRIFT)


# -------------------------------------------------------------------------------------------------------------------------------------- edits


def test_a_pace_that_is_edited_counts_at_once() -> None:
    running = release().paced(1, 3, since=3).healthy(seconds=10).having(pace=Pace(failure_budget=500, max_weight=5))
    decision = running.decide()
    assert decision.state.pace
    assert (decision.state.pace.failure_budget, decision.state.pace.max_weight, decision.state.pace.since) == (
        500,
        5,
        NOW - timedelta(seconds=63),
    )
    assert events(decision) == [reasons.PLAN_CHANGED]
    assert (path(decision.state), weights(decision)) == ([1, 3], [])


def test_a_highest_weight_below_the_present_one_takes_nothing_away() -> None:
    running = release().paced(1, 3, 7, 20, since=30).healthy(seconds=10).having(pace=Pace(failure_budget=20, max_weight=10))
    assert weights(running.decide()) == []
    assert weights(observed(running, 300).recorded(weight_since=NOW - minutes(2)).healthy(seconds=100).decide()) == [100]


def test_a_step_that_was_held_is_held_no_longer_under_a_pace() -> None:
    edited = release().at_step(2, since=30).healthy(seconds=30).having(pace=Pace(failure_budget=20))
    assert weights(edited.decide()) == [25]


def test_a_gate_can_be_added_and_taken_away() -> None:
    running = release().paced(1, since=3).healthy(seconds=10)
    gated = running.having(pace=Pace(failure_budget=20, approval="BeforePromotion")).decide().state
    assert [(step.weight, step.approval) for step in gated.plan] == [(1, False), (100, True)]
    bare = replace(running, state=gated).decide().state
    assert [(step.weight, step.approval) for step in bare.plan] == [(1, False)]


def test_from_steps_to_a_pace_the_weights_that_were_taken_stay() -> None:
    decision = release().at_step(2, since=3).healthy(seconds=10).having(pace=Pace(failure_budget=20)).decide()
    assert (path(decision.state), decision.state.step) == ([5, 10], 2)
    assert decision.state.pace
    assert decision.state.pace.since == NOW
    assert events(decision) == [reasons.PLAN_CHANGED]


def test_from_a_pace_to_steps_the_present_weight_is_held_like_any_step() -> None:
    edited = release().paced(1, 3, 7, since=30).healthy(seconds=30).having(pace=None, steps=(Step(weight=5), Step(weight=40)))
    decision = edited.decide()
    assert (path(decision.state), decision.state.step, decision.state.pace) == ([1, 3, 7, 40], 3, None)
    assert decision.state.plan[2].hold.min == minutes(1)
    assert weights(decision) == []


def test_nothing_is_said_of_a_pace_that_was_not_edited() -> None:
    lost = release().paced(1, 3, 7, since=60).healthy().pods("v2", 0)
    after = replace(lost, state=lost.decide().state).routing(weight=0)
    assert reasons.PLAN_CHANGED not in events(after.decide())


def test_a_release_begins_with_its_pace_and_nothing_taken() -> None:
    started = release().at_rest().deployed("v2").having(pace=Pace(failure_budget=20)).decide()
    assert started.state.pace
    assert (started.state.pace.since, started.state.plan, started.state.step) == (NOW, (), 0)
