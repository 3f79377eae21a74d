"""Actions by annotation: done once, for the present release only, and acknowledged."""

import pytest

from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.actions import parse
from canary_operator.release.model import Announce
from tests.builders import Situation, labels, release

ENDED = release().ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).deployed("v2")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("abort/3/1", ("abort", 3, 1), id="an abort"),
        pytest.param("retry/3/12", ("retry", 3, 12), id="a retry"),
        pytest.param("promote/3/1", None, id="a verb that is not known yet"),
        pytest.param("abort/3", None, id="no n"),
        pytest.param("abort/three/1", None, id="no number"),
        pytest.param("abort/-3/1", None, id="a negative number"),
        pytest.param("", None, id="nothing"),
        pytest.param("abort/3/" + "9" * 50, None, id="a number that nobody writes"),
    ],
)
def test_what_an_annotation_says(text: str, meaning: object) -> None:
    assert parse(text) == meaning


def test_an_abort_is_acknowledged_when_it_is_done() -> None:
    assert release().at_step(2).acting("abort/1/1").decide().last_action == "abort/1/1"


def test_retry_opens_a_new_release_of_the_same_revision() -> None:
    assert ENDED.decide().because.reason == reasons.MORE_FAILURES
    decision = ENDED.acting("retry/1/1").decide()
    assert (decision.state.state, decision.state.number, decision.state.to) == (State.PROGRESSING, 2, "v2@t1")
    assert decision.last_action == "retry/1/1"
    assert labels(decision) == [("v1", "v2")]


def test_another_revision_needs_no_retry() -> None:
    assert ENDED.deployed("v2", template=2).decide().state.number == 2


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(ENDED.acting("retry/7/1"), id="of another release"),
        pytest.param(ENDED.acting("retry/1/1").observing(last_action="retry/1/2"), id="older than the last"),
        pytest.param(ENDED.acting("jump/1/1"), id="unknown"),
        pytest.param(ENDED.acting("abort/1/1"), id="an abort of what has ended"),
        pytest.param(release().at_step(2).acting("retry/1/1"), id="a retry of what is running"),
        pytest.param(release().at_rest().wanting("v1").acting("retry/0/1"), id="a retry when all is well"),
    ],
)
def test_what_has_no_effect_is_answered_once(situation: Situation) -> None:
    decision = situation.decide()
    assert decision.state.number == situation.state.number
    assert decision.last_action == situation.seen.action
    told = [effect for effect in decision.effects if isinstance(effect, Announce) and effect.because.reason == reasons.ACTION_IGNORED]
    assert len(told) == 1
    again = situation.observing(last_action=situation.seen.action).decide()
    assert not [effect for effect in again.effects if isinstance(effect, Announce)]
