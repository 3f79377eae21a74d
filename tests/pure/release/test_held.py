"""`onFailure: Hold`: a canary that failed beside stable stays where it is until a person says more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.status import Ending, Outcome, State
from canary_operator.release import reasons
from canary_operator.release.model import Announce
from tests.builders import NOW, Situation, release, weights

HOLDING = release().having(on_failure="Hold")
RUNNING = HOLDING.at_step(2, since=60)
WORSE = RUNNING.failing(0.2)
HELD = WORSE.recorded(held=Ending(outcome=Outcome.ROLLED_BACK, reason=reasons.MORE_FAILURES, message="it failed"), waiting_since=NOW)


def test_the_weight_stays_and_the_release_stalls() -> None:
    decision = WORSE.decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.MORE_FAILURES, "Blocked", [])
    assert decision.state.held and decision.state.held.reason == reasons.MORE_FAILURES
    assert {each.type: each.status for each in WORSE.status().conditions}["Stalled"] == "True"


def test_it_is_said_once_and_the_hint_names_the_way_out() -> None:
    assert [effect for effect in WORSE.decide().effects if isinstance(effect, Announce)]
    again = HELD.decide()
    assert not again.effects
    assert "abort/1/1" in again.because.message


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(RUNNING.failing(1.0, rate=600), reasons.MORE_FAILURES, id="it fails most of what one scrape counted"),
        pytest.param(HELD.pods("v2", 0), reasons.CANARY_LOST, id="it has no ready pod"),
        pytest.param(HELD.acting("abort/1/1"), reasons.ABORTED, id="a person aborts"),
        pytest.param(HELD.wanting("v3"), reasons.SUPERSEDED, id="another version is wanted"),
        pytest.param(HELD.wanting("v1"), reasons.RETARGETED, id="stable is wanted again"),
        pytest.param(replace(HELD, spec=replace(HELD.spec, on_failure="RollBack")), reasons.MORE_FAILURES, id="the field is edited"),
    ],
)
def test_what_takes_it_back_all_the_same(situation: Situation, reason: str) -> None:
    decision = situation.decide()
    assert decision.because.reason == reason
    assert weights(decision) == [0]


def test_the_limit_is_the_emergency_brake() -> None:
    errors = replace(WORSE.spec.analysis.errors, limit=0.05)
    limited = replace(WORSE, spec=replace(WORSE.spec, analysis=replace(WORSE.spec.analysis, errors=errors)))
    assert weights(limited.decide()) == [0]


def test_it_stays_held_when_the_verdict_softens_and_no_clock_ends_it() -> None:
    later = HELD.healthy().observing(now=NOW + timedelta(days=3)).decide()
    assert (later.because.reason, later.state.state, weights(later)) == (reasons.MORE_FAILURES, State.PROGRESSING, [])


def test_retry_judges_the_step_anew_on_new_evidence() -> None:
    decision = HELD.recorded(observed_seconds=55).acting("retry/1/1").decide()
    assert (decision.state.number, decision.state.step, decision.state.held) == (1, 2, None)
    assert (decision.state.weight_since, decision.state.observed_seconds, decision.state.evidence.segments) == (NOW, 0, ())


def test_promote_does_not_push_the_verdict_aside() -> None:
    assert weights(HELD.acting("promote/1/1").decide()) == []
    assert HELD.acting("promote/1/1").decide().state.held
    assert weights(HELD.healthy(seconds=120).acting("promote/1/1").decide()) == [100]


def test_the_bake_is_held_too() -> None:
    decision = replace(release().baking(since=60), spec=HOLDING.spec).failing(0.3, rate=20).decide()
    assert (decision.phase, weights(decision)) == ("Blocked", [])


def test_a_retry_while_a_held_canary_is_taken_back_after_all_opens_the_next_release() -> None:
    taken_back = HELD.ending(reasons.MORE_FAILURES, weight=20)
    decision = taken_back.acting("retry/1/1").decide()
    assert decision.state.asked.retry
    assert decision.state.state is State.ROLLING_BACK
