"""`rises: false` in the operator's configuration: nothing goes forward, everything else does, and every status says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.model import Announce, EnsureWeights
from canary_operator.release.report import told, worth_writing
from tests.builders import LONG_AGO, NOW, Situation, labels, release, weights

WHERE = "/etc/canary-operator/config.yaml"
AT_10 = release().at_step(2, since=600).healthy(seconds=120)


def off(situation: Situation) -> Situation:
    return situation.observing(rises_off=WHERE)


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(release().at_rest().deployed("v2"), id="no release starts"),
        pytest.param(release().at_step(0).healthy().before_a_scrape(), id="no first weight"),
        pytest.param(AT_10, id="no rise"),
        pytest.param(AT_10.acting("promote/1/1"), id="no rise by hand"),
        pytest.param(AT_10.recorded(weight=25, step=3), id="no rise that is recorded and not written"),
        pytest.param(release().baking(since=600).healthy(seconds=120), id="no end of the bake"),
        pytest.param(release().paced(10, since=600).healthy(seconds=120), id="no rise under a pace"),
    ],
)
def test_nothing_goes_forward(situation: Situation) -> None:
    decision = off(situation).decide()

    assert (decision.because.reason, decision.phase) == (reasons.RISES_OFF, "Suspended")
    assert not [effect for effect in decision.effects if isinstance(effect, EnsureWeights)] and not labels(decision)
    assert f"the operator's configuration ({WHERE}) says `rises: false`" in decision.because.message
    assert "whoever administers it writes `rises: true` there" in decision.because.message


@pytest.mark.parametrize(
    ("situation", "weight"),
    [
        pytest.param(AT_10.failing(0.5), 0, id="a rollback"),
        pytest.param(AT_10.acting("abort/1/1"), 0, id="an abort"),
        pytest.param(AT_10.wanting("v1"), 0, id="a withdrawal"),
        pytest.param(AT_10.routing(weight=60), 10, id="healing"),
        pytest.param(AT_10.observing(deleting=True), None, id="a deletion"),
    ],
)
def test_what_is_no_rise_goes_on(situation: Situation, weight: int | None) -> None:
    decision = off(situation).decide()
    assert decision == off(situation).decide() and decision.because == situation.decide().because
    assert weight is None or weights(decision) == [weight]


# Stable has no ready pod: its requests fail, and a person may end that (ADR 64).
GONE = release().at_step(2, since=600).gone()
GONE_AT_REST = release().at_rest().deployed("v2").gone()


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(GONE, id="in a release"),
        pytest.param(GONE_AT_REST, id="at rest, and the version that serves is wanted"),
        pytest.param(GONE_AT_REST.wanting("v1"), id="at rest, and stable is wanted"),
    ],
)
def test_while_stable_is_gone_nothing_goes_forward_by_itself(situation: Situation) -> None:
    decision = off(situation).decide()

    assert not weights(decision) and not labels(decision) and decision.state.state is situation.state.state
    assert (decision.because.reason, decision.phase) == (reasons.STABLE_GONE, "Blocked")
    assert "says `rises: false`, so nothing goes forward" in decision.because.message
    assert "kubectl canary promote" in decision.because.message, "the way out that works all the same"


def test_a_promote_while_stable_is_gone_is_done_and_told() -> None:
    decision = off(GONE.acting("promote/1/1")).decide()

    assert (weights(decision), decision.state.state, decision.last_action) == ([100], State.PROMOTING, "promote/1/1")
    warning = next(each for each in decision.effects if isinstance(each, Announce) and each.because.reason == reasons.STABLE_GONE)
    assert warning.warning and "though" in warning.because.message and "`rises: false`" in warning.because.message


def test_a_promote_at_rest_while_stable_is_gone_starts_that_release() -> None:
    decision = off(GONE_AT_REST.acting("promote/0/1")).decide()
    assert (decision.state.state, decision.state.to, decision.last_action) == (State.PROGRESSING, "v2@t1", "promote/0/1")
    assert decision.state.stable_gone and decision.state.stable_gone.asked


def test_a_promote_before_stable_went_waits_for_the_switch() -> None:
    asked = AT_10.recorded(asked=replace(AT_10.state.asked, promote=True))
    assert weights(off(asked.gone()).decide()) == []


def test_an_adoption_goes_on() -> None:
    assert off(release()).decide().effects == release().decide().effects


def test_a_promotion_that_is_decided_is_finished() -> None:
    decided = release().baking(since=600).decided()
    assert off(decided).decide().effects == decided.decide().effects


def test_waiting_for_it_counts_for_no_deadline() -> None:
    assert off(AT_10).decide().state.waiting_since == NOW
    late = off(AT_10).recorded(weight_since=LONG_AGO, waiting_since=NOW - timedelta(minutes=115)).decide()
    assert late.because.reason == reasons.RISES_OFF


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(release().at_rest().wanting("v1"), id="at rest"),
        pytest.param(AT_10.failing(0.5), id="rolling back"),
        pytest.param(release().ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).deployed("v2"), id="rolled back"),
        pytest.param(release(), id="being taken over"),
    ],
)
def test_every_status_says_so_and_no_event_is_posted_for_it(situation: Situation) -> None:
    before, after = situation.status(), off(situation).status(situation.status())

    assert [each.reason for each in after.warnings] == [reasons.RISES_OFF]
    assert (after.phase, after.reason) == (before.phase, before.reason)
    assert worth_writing(before, after) and not told(before, after)
    assert worth_writing(after, situation.status(after)) and not situation.status(after).warnings
    assert not worth_writing(after, off(situation).status(after)), "at rest it costs the one write that tells it"
