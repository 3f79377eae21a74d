"""The guards, from top to bottom: what comes before any plan."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.record import BaselineRecord, Tally
from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.model import EnsureFinalizer, Mark, RecordState
from tests.builders import UID, Situation, finding, labels, release, weights

RUNNING = release().at_step(2, since=60)
BAKING = release().baking(since=60)


@pytest.mark.parametrize(
    ("situation", "reason", "state"),
    [
        pytest.param(RUNNING.failing(0.2), reasons.MORE_FAILURES, State.ROLLING_BACK, id="20 % fail: rolled back"),
        pytest.param(RUNNING.failing(1.0), reasons.MORE_FAILURES, State.ROLLING_BACK, id="every request fails: the clearest failure"),
        pytest.param(BAKING.failing(0.3), reasons.MORE_FAILURES, State.ROLLING_BACK, id="30 % fail at 100 %: rolled back"),
        pytest.param(RUNNING.acting("abort/1/1"), reasons.ABORTED, State.WITHDRAWING, id="abort: withdrawn"),
        pytest.param(BAKING.acting("abort/1/1"), reasons.ABORTED, State.WITHDRAWING, id="abort at 100 %: withdrawn"),
        pytest.param(
            RUNNING.prometheus_down().acting("abort/1/1"),
            reasons.ABORTED,
            State.WITHDRAWING,
            id="abort while Prometheus is down: withdrawn",
        ),
        pytest.param(
            RUNNING.failing(1.0).acting("abort/1/1"), reasons.ABORTED, State.WITHDRAWING, id="abort of a failing canary: the abort wins"
        ),
        pytest.param(
            RUNNING.acting("abort/1/1").observing(findings=(finding(),)),
            reasons.ABORTED,
            State.WITHDRAWING,
            id="abort while blocked: withdrawn",
        ),
        pytest.param(RUNNING.wanting("v1"), reasons.RETARGETED, State.WITHDRAWING, id="the stable version is wanted again: withdrawn"),
        pytest.param(BAKING.wanting("v1"), reasons.RETARGETED, State.WITHDRAWING, id="the stable version is wanted at 100 %: withdrawn"),
        pytest.param(RUNNING.wanting("v3"), reasons.SUPERSEDED, State.WITHDRAWING, id="a third version is wanted: superseded"),
        pytest.param(
            RUNNING.deployed("v2", template=2), reasons.SUPERSEDED, State.WITHDRAWING, id="the canary was deployed anew: superseded"
        ),
        pytest.param(
            BAKING.deployed("v2", template=2),
            reasons.SUPERSEDED,
            State.WITHDRAWING,
            id="deployed anew at 100 %: an untested revision never bakes",
        ),
        pytest.param(
            RUNNING.recorded(lost=True).pods("v2", 0),
            reasons.CANARY_UNAVAILABLE,
            State.ROLLING_BACK,
            id="the canary loses its pods for the second time: rolled back",
        ),
        pytest.param(BAKING.pods("v2", 0), reasons.CANARY_UNAVAILABLE, State.ROLLING_BACK, id="no pods at 100 %: rolled back"),
        pytest.param(
            release().at_step(1, since=3600).without_samples(), reasons.DEADLINE_EXCEEDED, State.WITHDRAWING, id="the deadline: withdrawn"
        ),
    ],
)
def test_the_release_ends_with_all_traffic_back_in_one_pass(situation: Situation, reason: str, state: State) -> None:
    decision = situation.decide()
    assert decision.because.reason == reason
    assert decision.state.state is state
    assert weights(decision) == [0]
    assert decision.state.ending and decision.state.ending.outcome is reasons.OUTCOMES[reason]
    # The drop comes first: neither a broken status nor anything else can stand in its way.
    kinds = [type(effect).__name__ for effect in decision.effects]
    assert kinds.index("EnsureWeights") < kinds.index("RecordState")


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.prometheus_down(), id="Prometheus is down"),
        pytest.param(RUNNING.without_samples(), id="Prometheus has nothing"),
        pytest.param(RUNNING, id="Prometheus was not asked yet"),
        pytest.param(RUNNING.failing(0.01, stable=0.01), id="both fail alike"),
        pytest.param(BAKING.wanting("v3"), id="a third version is wanted at 100 %: the release is finished first"),
        pytest.param(RUNNING.observing(versions=None), id="the Service is missing"),
        pytest.param(release().at_step(1, since=3599).without_samples(), id="a second before the deadline"),
        pytest.param(RUNNING.acting("abort/7/1"), id="an abort of another release"),
        pytest.param(RUNNING.acting("abort/1/1").observing(last_action="abort/1/1"), id="an abort that was done already"),
        pytest.param(RUNNING.acting("abort/1"), id="an abort without a number"),
    ],
)
def test_nothing_ends_a_release_that_is_not_known_to_be_bad(situation: Situation) -> None:
    decision = situation.decide()
    assert decision.state.state is situation.state.state
    assert weights(decision) == []


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.failing(1.0), id="the canary fails"),
        pytest.param(RUNNING.acting("abort/1/1"), id="abort"),
        pytest.param(RUNNING.wanting("v1"), id="the stable version is wanted"),
        pytest.param(BAKING.failing(1.0), id="the canary fails at 100 %"),
        pytest.param(BAKING.pods("v2", 0), id="nothing serves at all"),
        pytest.param(RUNNING.ending(reasons.ABORTED, weight=40), id="the abort was recorded, not written"),
    ],
)
def test_traffic_stays_while_stable_has_no_pods(situation: Situation) -> None:
    decision = situation.pods("v1", 0).decide()
    assert decision.because.reason == reasons.STABLE_GONE
    assert decision.phase == "Blocked"
    assert weights(decision) == []


def test_a_missing_subset_is_put_back_even_while_stable_is_gone() -> None:
    decision = RUNNING.pods("v1", 0).selecting(canary=None).decide()
    assert decision.because.reason == reasons.STABLE_GONE
    assert labels(decision) == [("v1", "v2")]


def test_an_abort_that_stable_gone_stops_is_remembered_and_wins_over_what_is_asked_later() -> None:
    stopped = RUNNING.pods("v1", 0).acting("abort/1/1").decide()
    assert (stopped.last_action, stopped.state.asked.abort, weights(stopped)) == ("abort/1/1", True, [])

    later = replace(RUNNING, state=stopped.state).acting("promote/1/2").observing(last_action="abort/1/1").decide()
    assert later.because.reason == reasons.ABORTED
    assert weights(later) == [0]


def test_the_canary_goes_to_0_when_it_first_loses_its_pods_and_rises_again_from_step_1() -> None:
    decision = RUNNING.pods("v2", 0).decide()
    assert decision.because.reason == reasons.CANARY_LOST
    assert weights(decision) == [0]
    assert (decision.state.state, decision.state.step, decision.state.lost) == (State.PROGRESSING, 0, True)


def test_no_data_withdraws_only_when_asked_to() -> None:
    situation = release().at_step(1, since=301).without_samples()
    assert situation.decide().because.reason == reasons.METRICS_UNAVAILABLE
    withdrawing = situation.having(analysis=replace(situation.spec.analysis, no_data="Withdraw")).decide()
    assert withdrawing.because.reason == reasons.NO_DATA
    assert weights(withdrawing) == [0]


def test_the_deadline_wakes_the_operator_though_nothing_happens() -> None:
    situation = release().at_step(1, since=3000).prometheus_down()
    assert situation.decide().look_again_in == timedelta(seconds=600)


def test_samples_that_become_stale_wake_the_operator() -> None:
    again = RUNNING.healthy().decide().look_again_in
    assert again is not None and again <= timedelta(seconds=16)


def test_an_incident_of_stable_withdraws_after_three_minutes() -> None:
    situation = RUNNING.failing(0.3, stable=0.3).recorded(baseline=BaselineRecord(stable=Tally(requests=5000)))
    first = situation.decide()
    assert first.state.incident_since == situation.seen.now
    assert first.state.state is State.PROGRESSING
    later = situation.recorded(incident_since=situation.seen.now - timedelta(minutes=3)).decide()
    assert later.because.reason == reasons.GLOBAL_INCIDENT
    assert later.state.ending and later.state.ending.outcome is Outcome.WITHDRAWN


def test_a_decided_promotion_has_no_way_back() -> None:
    promoted = BAKING.decided().failing(1.0).acting("abort/1/1").decide()
    assert promoted.state.state is State.PROMOTING
    assert promoted.because.reason == reasons.FINISHING


def test_whoever_reads_an_old_record_reads_again_and_writes_nothing() -> None:
    newer = RUNNING.recorded(seq=5).observing(fresh=False).failing(1.0)
    decision = newer.decide()
    assert decision.because.reason == reasons.STALE_RECORD
    assert [type(effect).__name__ for effect in decision.effects] == ["ReadAgain"]
    assert not any(isinstance(effect, RecordState) for effect in decision.effects)


@pytest.mark.parametrize(
    "situation",
    [release().at_rest(), release().at_step(0).healthy(), RUNNING.healthy(), BAKING, RUNNING.ending(reasons.MORE_FAILURES)],
    ids=["at rest", "before the first step", "at a step", "during the bake", "on the way home"],
)
def test_a_finalizer_that_somebody_took_off_is_put_back_before_anything_else(situation: Situation) -> None:
    assert situation.observing(finalizer=False).decide().effects == (EnsureFinalizer(),)


def test_traffic_goes_back_without_waiting_for_the_finalizer() -> None:
    assert weights(RUNNING.failing(1.0).observing(finalizer=False).decide()) == [0]


def test_a_release_that_ends_before_its_recorded_rise_was_written_fences_it_off() -> None:
    """The write may still be on its way: refused it is only if the route has changed since it was derived."""
    recorded = release().at_step(1, since=6).routing(weight=0, mark=Mark(UID, 1, 8, 0, reasons.PREPARING))
    assert weights(recorded.acting("abort/1/1").decide()) == [0]
    assert weights(release().at_step(0).acting("abort/1/1").decide()) == []


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.healthy(), id="on its way"),
        pytest.param(RUNNING.failing(0.2), id="rolled back"),
        pytest.param(RUNNING.acting("abort/1/1"), id="aborted"),
        pytest.param(RUNNING.pods("v2", 0), id="without pods"),
        pytest.param(RUNNING.observing(deleting=True), id="deleted"),
        pytest.param(BAKING.healthy(), id="baking: the old version is still the way back"),
        pytest.param(RUNNING.ending(reasons.MORE_FAILURES), id="on the way home"),
    ],
)
def test_the_canary_is_never_called_stable_before_it_is_promoted(situation: Situation) -> None:
    """Rule 12: a deletion, or another process, ends at what status calls stable."""
    assert (situation.decide().stable, situation.status().stable) == ("v1@t1", "v1@t1")


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.pods("v2", 0), id="no ready pods"),
        pytest.param(RUNNING.routing(weight=1), id="somebody took weight away"),
        pytest.param(RUNNING.selecting(canary="v3"), id="its subset selects another version"),
        pytest.param(RUNNING.observing(route=None), id="the route is gone"),
    ],
)
def test_a_canary_that_lost_its_weight_begins_again_at_step_1(situation: Situation) -> None:
    """Rule 1: what was earned before counts for nothing."""
    state = situation.decide().state
    assert (state.state, state.step, state.weight, state.observed_seconds) == (State.PROGRESSING, 0, 0, 0)


WITHDRAWING = release().having(analysis=replace(release().spec.analysis, no_data="Withdraw"))


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(release().baking(since=3600 + 299), None, id="the bake of 5 minutes and the deadline of an hour are not over"),
        pytest.param(release().baking(since=3600 + 301), reasons.DEADLINE_EXCEEDED, id="they are over"),
        pytest.param(WITHDRAWING.baking(since=299), None, id="no sample, for less than the bake"),
        pytest.param(WITHDRAWING.baking(since=301), reasons.NO_DATA, id="no sample for as long as the bake"),
    ],
)
def test_a_bake_without_samples_ends(situation: Situation, reason: str | None) -> None:
    decision = situation.having(bake=timedelta(minutes=5)).without_samples().decide()
    assert weights(decision) == ([0] if reason else [])
    assert reason is None or decision.because.reason == reason


def test_a_promotion_that_is_decided_has_no_deadline() -> None:
    late = release().baking(since=36000).decided().without_samples()
    assert late.decide().state.state is State.PROMOTING


def test_the_version_that_waits_for_the_end_of_the_bake_is_named() -> None:
    assert "version v3 waits until v2 is stable, or aborted" in BAKING.wanting("v3").decide().because.message
    assert "waits" not in BAKING.decide().because.message
