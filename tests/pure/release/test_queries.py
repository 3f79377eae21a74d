"""Queries of the user's own in a release: what they hold, what they blame, and that a wrong one moves nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.value import QueryAsk, Refused, Value
from canary_operator.api.analysis import Query
from canary_operator.api.status import State
from canary_operator.release import reasons
from canary_operator.release.model import Announce
from canary_operator.release.record import evidence_of
from canary_operator.release.report import worth_writing
from tests.builders import NOW, Situation, release, serving, weights

DEPTH = Query(name="depth", query='max(depth{version="{{canary.version}}"})', max="100", consecutive_failures=2)
TEXT = 'max(depth{version="v2"})'
HALF_MINUTE = timedelta(seconds=30)
ASK = QueryAsk("depth", TEXT, HALF_MINUTE)
AT = NOW.timestamp()


def judged(situation: Situation, *queries: Query) -> Situation:
    analysis = replace(situation.spec.analysis, queries=queries or (DEPTH,))
    return situation.having(analysis=analysis)


RUNNING = judged(release()).at_step(2, since=120).healthy(seconds=120)
PASSING = judged(release()).at_step(2, since=400).healthy(seconds=400)
BAKING = judged(release()).baking(since=400).healthy(seconds=400)
GOOD, BAD = Value(AT, 42.0), Value(AT, 120.0)


def answered(situation: Situation, answer: object, ask: QueryAsk = ASK) -> Situation:
    return situation.observing(queries={ask: answer})


def outside(situation: Situation, count: int = 1) -> Situation:
    """So many looks outside the bounds are recorded, the last a minute ago."""
    once = answered(situation, BAD).decide().state
    (row,) = once.evidence.queries or ()
    row = replace(row, outside=count, at=NOW - timedelta(seconds=60))
    return situation.recorded(evidence=replace(situation.state.evidence, queries=(row,)))


def test_without_queries_nothing_is_asked_and_nothing_is_recorded() -> None:
    decision = release().at_step(2, since=60).healthy().decide()
    assert decision.queries == () and decision.state.evidence.queries is None


def test_it_is_asked_again_and_again_while_a_release_runs() -> None:
    assert RUNNING.decide().queries == (ASK,)
    assert BAKING.decide().queries == (ASK,)


def test_at_rest_it_is_asked_once_to_see_whether_it_is_a_query() -> None:
    assert judged(release()).at_rest().wanting("v1").decide().queries == (QueryAsk("depth", 'max(depth{version="v1"})', None),)


@pytest.mark.parametrize("ending", [RUNNING.ending(reasons.MORE_FAILURES), RUNNING.observing(deleting=True)])
def test_on_the_way_home_nothing_is_asked(ending: Situation) -> None:
    assert ending.decide().queries == ()


def test_a_value_within_the_bounds_lets_the_step_pass_and_is_told() -> None:
    decision = answered(PASSING, GOOD).decide()
    assert weights(decision) == [25]
    assert "depth 42 (max 100)" in decision.because.message
    assert "depth 42 (max 100)" in (decision.verdict or "")


HOLDING = [
    pytest.param(None, reasons.GATHERING, "query depth is being asked for the first time", id="not asked yet"),
    pytest.param(NoData("no series match it"), reasons.METRICS_UNAVAILABLE, f"no series match it: {TEXT}", id="no data"),
    pytest.param(QueryFailed("connection refused"), reasons.METRICS_UNAVAILABLE, "cannot be asked: connection refused", id="failed"),
    pytest.param(Refused("no PromQL"), reasons.QUERY_INVALID, "spec.analysis.queries[0].query (depth): no PromQL", id="refused"),
    pytest.param(BAD, reasons.SUSPECT, "query depth is 120, above its max of 100, for 1 of 2 looks in a row", id="outside"),
    pytest.param(Value(AT - 390, 42.0), reasons.GATHERING, "no value yet that rests on this weight alone", id="before it settled"),
]


@pytest.mark.parametrize(("answer", "reason", "said"), HOLDING)
def test_without_a_good_value_the_next_step_waits_and_says_for_what(answer: object, reason: str, said: str) -> None:
    decision = PASSING.decide() if answer is None else answered(PASSING, answer).decide()
    assert (decision.because.reason, weights(decision)) == (reason, [])
    assert said in decision.because.message


@pytest.mark.parametrize(("answer", "reason", "said"), HOLDING)
def test_the_bake_waits_for_it_too(answer: object, reason: str, said: str) -> None:
    decision = BAKING.decide() if answer is None else answered(BAKING, answer).decide()
    assert decision.state.state is State.PROMOTING and not decision.effects
    assert said in decision.because.message


def test_a_good_value_ends_the_bake() -> None:
    assert answered(BAKING, GOOD).decide().because.reason == reasons.FINISHING


@pytest.mark.parametrize("situation", [RUNNING, BAKING], ids=["a step", "the bake"])
def test_too_many_looks_outside_in_a_row_roll_back(situation: Situation) -> None:
    decision = answered(outside(situation), BAD).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.QUERY_OUT_OF_BOUNDS, [0])
    assert (
        f"query depth was 120, above its max of 100, for 2 looks in a row, 30s apart (2 are too many): {TEXT}" in decision.because.message
    )
    assert any(isinstance(effect, Announce) and effect.warning for effect in decision.effects)


NOT_BLAMED = [
    pytest.param(answered(outside(RUNNING), Value(AT - 31, 120.0)), id="a look that rests on samples of the last one"),
    pytest.param(answered(outside(RUNNING), GOOD), id="within the bounds again"),
    pytest.param(answered(outside(RUNNING), NoData("no series match it")), id="no data"),
    pytest.param(answered(outside(RUNNING), QueryFailed("down")), id="failed"),
    pytest.param(answered(outside(RUNNING), Refused("no PromQL")), id="refused"),
    pytest.param(answered(outside(RUNNING).prometheus_down(), BAD), id="nobody knows whether Prometheus scrapes"),
    pytest.param(answered(outside(RUNNING).recorded(weight=0).routing(weight=0), BAD), id="the canary has no weight"),
    pytest.param(answered(judged(outside(RUNNING), replace(DEPTH, max="110")), BAD), id="the bound was edited: it is judged anew"),
]


@pytest.mark.parametrize("situation", NOT_BLAMED)
def test_nobody_is_blamed_for(situation: Situation) -> None:
    decision = situation.decide()
    assert decision.because.reason != reasons.QUERY_OUT_OF_BOUNDS
    assert 0 not in weights(decision)


def test_an_old_sample_of_the_proxies_proves_no_look() -> None:
    """A frozen Prometheus answers expressions over a range for long: what is known of its scrapes does not move."""
    frozen = outside(RUNNING).failing(0.0, seconds=120)
    late = answered(frozen.observing(now=NOW + timedelta(seconds=14)), Value(AT + 14, 120.0)).decide()
    assert late.because.reason == reasons.QUERY_OUT_OF_BOUNDS, "one look after the last scrape"
    again = replace(frozen, state=late.state).recorded(
        state=State.PROGRESSING, weight=10, ending=None, weight_since=RUNNING.state.weight_since
    )
    row = replace((late.state.evidence.queries or ())[0], outside=1)
    again = again.recorded(evidence=replace(late.state.evidence, queries=(row,)))
    assert (
        answered(again.observing(now=NOW + timedelta(seconds=14.9)), Value(AT + 44.9, 120.0)).decide().because.reason
        != reasons.QUERY_OUT_OF_BOUNDS
    )


def test_the_same_look_twice_counts_once() -> None:
    once = answered(RUNNING, BAD)
    state = once.decide().state
    assert answered(RUNNING.recorded(evidence=state.evidence), BAD).decide().state.evidence.queries == state.evidence.queries


def test_counts_outlive_a_restart_in_status() -> None:
    state = answered(RUNNING, BAD).decide().state
    assert evidence_of(state).rows == evidence_of(replace(state)).rows
    (row,) = state.evidence.queries or ()
    assert (row.outside, row.value, row.at) == (1, 120.0, NOW)


def test_the_second_look_outside_is_written_at_once_too() -> None:
    patient = judged(RUNNING, replace(DEPTH, consecutive_failures=3))
    first = answered(patient, BAD).status()
    second = answered(outside(patient), BAD).status(first)
    assert second.reason == first.reason == reasons.SUSPECT
    assert worth_writing(first, second)


def test_a_look_outside_is_written_at_once_and_a_good_one_with_the_next_checkpoint() -> None:
    before = RUNNING.status()
    assert worth_writing(before, answered(RUNNING, BAD).status(before))
    good = answered(RUNNING, GOOD)
    calm = good.status(good.status(before))
    later = replace(good.seen.queries[ASK], value=43.0)  # type: ignore[type-var]
    assert not worth_writing(calm, answered(RUNNING, later).status(calm))


def test_while_stable_itself_fails_nobody_is_blamed() -> None:
    incident = outside(RUNNING).recorded(incident_since=NOW - timedelta(seconds=10))
    known = replace(RUNNING.failing(0.4, stable=0.4, seconds=120).seen.samples)  # type: ignore[type-var]
    from canary_operator.api.record import BaselineRecord, Tally  # noqa: PLC0415

    calm = BaselineRecord(stable=Tally(requests=100_000))
    decision = answered(incident.recorded(baseline=calm).observing(samples=known), BAD).decide()
    assert decision.because.reason != reasons.QUERY_OUT_OF_BOUNDS


def test_held_by_on_failure() -> None:
    decision = answered(outside(RUNNING.having(on_failure="Hold")), BAD).decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.QUERY_OUT_OF_BOUNDS, "Blocked", [])
    assert decision.state.held and decision.state.held.reason == reasons.QUERY_OUT_OF_BOUNDS


def test_no_hand_pushes_a_query_aside_that_is_outside() -> None:
    asked = PASSING.recorded(asked=replace(PASSING.state.asked, skip=True))
    assert weights(answered(asked, BAD).decide()) == []
    assert weights(answered(outside(asked), NoData("no series match it")).decide()) == []
    assert weights(answered(asked, NoData("no series match it")).decide()) == [25], "what is merely missing holds nobody's hand"


def test_a_query_that_never_answers_withdraws_where_no_data_says_so() -> None:
    policy = replace(PASSING.spec.analysis, no_data="Withdraw")
    silent = answered(PASSING.having(analysis=policy), NoData("no series match it"))
    assert silent.recorded(observed_seconds=390).decide().because.reason == reasons.NO_DATA


def test_before_the_first_weight_a_value_may_be_missing_but_the_query_must_be_one() -> None:
    waiting = judged(release()).at_step(0, since=60).healthy(seconds=60).before_a_scrape()
    assert weights(answered(waiting, NoData("no series match it")).decide()) == [5]
    assert weights(waiting.decide()) == [], "not asked yet"
    refused = answered(waiting, Refused("no PromQL")).decide()
    assert (refused.because.reason, refused.phase, weights(refused)) == (reasons.QUERY_INVALID, "Blocked", [])


@pytest.mark.parametrize(
    ("answer", "rise"),
    [
        pytest.param(GOOD, [50], id="good"),
        pytest.param(BAD, [], id="outside"),
        pytest.param(NoData("no series match it"), [], id="no data"),
    ],
)
def test_under_a_pace_the_next_weight_needs_a_good_value_too(answer: object, rise: list[int]) -> None:
    assert weights(answered(judged(release().paced(25, since=60).healthy()), answer).decide()) == rise


def test_a_canary_without_a_workload_is_not_asked_about_and_what_was_counted_is_remembered() -> None:
    known = outside(RUNNING)
    gone = answered(known.observing(versions={"v1": serving("v1")}), BAD).decide()
    (before,), (after,) = (state.evidence.queries or () for state in (known.state, gone.state))
    assert gone.queries == ()
    assert after == replace(before, outside=0), "the canary has lost its weight; nothing that was counted counts once more"


WRONG = replace(DEPTH, query='max(depth{version="{{canary.name}}"})')
AT_REST = judged(release(), WRONG).at_rest()


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(judged(release(), WRONG), id="the first time it is seen"),
        pytest.param(AT_REST.deployed("v2"), id="when a release would start"),
        pytest.param(judged(release(), WRONG).at_step(0, since=60).healthy(seconds=60), id="before the first weight"),
    ],
)
def test_a_wrong_template_blocks_and_names_the_field(situation: Situation) -> None:
    decision = situation.decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.QUERY_INVALID, "Blocked", [])
    assert "spec.analysis.queries[0].query (depth) holds the unknown placeholder {{canary.name}}" in decision.because.message


def test_at_rest_it_is_a_warning() -> None:
    status = AT_REST.wanting("v1").status()
    assert (status.reason, [each.reason for each in status.warnings]) == (reasons.AT_REST, [reasons.QUERY_INVALID])


@pytest.mark.parametrize(
    ("workloads", "said"),
    [(("app-v2",), None), (("app-v2", "two"), "there are app-v2, two; write =~ (or !~)")],
)
def test_several_workloads_need_a_regular_expression(workloads: tuple[str, ...], said: str | None) -> None:
    query = replace(DEPTH, query='max(depth{workload="{{canary.workload}}"})')
    running = judged(release(), query).at_step(2, since=400).healthy(seconds=400)
    versions: dict[str, Any] = {"v1": serving("v1"), "v2": replace(serving("v2"), workloads=workloads)}
    message = running.observing(versions=versions).decide().because.message
    assert (said or "asked for the first time") in message


def test_of_several_queries_what_speaks_against_the_canary_is_told_first() -> None:
    other = replace(DEPTH, name="age", query="age")
    both = judged(PASSING, other, DEPTH).observing(queries={QueryAsk("age", "age", HALF_MINUTE): Value(AT - 390, 1.0), ASK: BAD})
    assert both.decide().because.reason == reasons.SUSPECT
    assert "query depth is 120" in both.decide().because.message
