"""What to believe when the mark on the routing is newer than the record."""

from dataclasses import replace

import pytest

from canary_operator.api.status import Outcome, ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.belief import believe, outranked
from canary_operator.release.model import EnsureWeights, Mark
from tests.builders import UID, Situation, release, weights

RUNNING = release().at_step(2, since=60)  # number 1, seq 9


def marked(decision: str, *, seq: int = 10, number: int = 1, weight: int = 0, uid: str = UID) -> Situation:
    return RUNNING.routing(weight=weight, mark=Mark(uid, number, seq, weight, decision))


def believed(situation: Situation) -> ReleaseRecord:
    return believe(situation.state, situation.seen)


@pytest.mark.parametrize("reason", sorted(reasons.OUTCOMES))
def test_an_end_that_was_written_but_not_recorded_is_an_end(reason: str) -> None:
    state = believed(marked(reason))
    outcome = reasons.OUTCOMES[reason]
    assert state.state is (State.ROLLING_BACK if outcome is Outcome.ROLLED_BACK else State.WITHDRAWING)
    assert (state.weight, state.seq) == (0, 10)
    assert state.ending and (state.ending.outcome, state.ending.reason) == (outcome, reason)


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(marked(reasons.STEP_PASSED, seq=9, weight=10), id="the mark of the record's own write"),
        pytest.param(marked(reasons.MORE_FAILURES, seq=8), id="an older mark"),
        pytest.param(marked(reasons.MORE_FAILURES, uid="another"), id="the mark of another CanaryRelease"),
        pytest.param(RUNNING.routing(mark=None), id="no mark"),
    ],
)
def test_what_does_not_outrank_the_record_is_not_believed(situation: Situation) -> None:
    assert not outranked(situation.state, situation.seen)
    assert believed(situation) == situation.state


@pytest.mark.parametrize("reason", sorted((*reasons.OUTCOMES, reasons.CANARY_LOST, reasons.CANARY_NOT_ANSWERING, reasons.DRIFT)))
def test_a_drop_wins_over_a_rise_of_the_same_rank(reason: str) -> None:
    """Two processes decided at the same instant from one record: one wrote its drop, the other recorded its rise."""
    state = believed(marked(reason, seq=9))
    assert state.weight == 0
    assert state.state is (State.PROGRESSING if reason not in reasons.OUTCOMES else state.state)
    assert reason not in reasons.OUTCOMES or (state.ending and state.ending.reason == reason)


def test_of_two_decisions_at_one_instant_the_drop_counts() -> None:
    passed = release().at_step(1, since=120).healthy(seconds=120)
    rise, drop = passed.decide(), passed.acting("abort/1/1").decide()
    marks = [next(each.mark for each in one.effects if isinstance(each, EnsureWeights)) for one in (rise, drop)]
    assert marks[0].rank == marks[1].rank

    after = replace(passed, state=rise.state).routing(weight=0, mark=marks[1]).decide()
    assert (after.state.state, after.state.ending and after.state.ending.reason) == (State.WITHDRAWING, reasons.ABORTED)
    assert weights(after) == []


@pytest.mark.parametrize("reason", [reasons.CANARY_LOST, reasons.CANARY_NOT_ANSWERING])
def test_a_loss_that_was_not_recorded_counts(reason: str) -> None:
    state = believed(marked(reason))
    assert (state.state, state.step, state.weight, state.lost) == (State.PROGRESSING, 0, 0, True)


def test_a_mark_of_a_later_release_withdraws_the_older_record() -> None:
    assert believed(marked(reasons.STEP_PASSED, number=2, seq=1, weight=5)).state is State.WITHDRAWING


def test_a_weight_that_was_written_again_begins_its_step_now() -> None:
    situation = marked(reasons.STEP_PASSED, weight=10).recorded(observed_seconds=40.0)
    state = believed(situation)
    assert (state.weight, state.weight_since, state.observed_seconds) == (10, situation.seen.now, 0)


def test_a_promotion_on_its_way_home_is_decided() -> None:
    baking = release().baking(since=60)
    assert baking.seen.route
    home = baking.routing(weight=0, mark=Mark(UID, 1, 11, 0, reasons.PROMOTED)).observing(subsets=None)
    assert home.decide().because.reason == reasons.FINISHING


def test_believing_twice_is_believing_once() -> None:
    for reason in (*reasons.OUTCOMES, reasons.CANARY_LOST, reasons.DRIFT, reasons.STEP_PASSED):
        situation = marked(reason)
        once = believed(situation)
        assert believe(once, situation.seen) == once


def test_a_mark_says_itself_and_is_read_again() -> None:
    mark = Mark(UID, 3, 17, 25, reasons.STEP_PASSED)
    assert Mark.parse(str(mark)) == mark
    assert Mark.parse(None) is None
    assert Mark.parse("somebody/else") is None
    assert Mark.parse(f"{UID}/1/x/25/StepPassed") is None
    assert replace(mark, seq=18).rank > mark.rank
