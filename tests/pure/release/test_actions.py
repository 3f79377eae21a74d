"""Actions by annotation: done once, for the present release only, and acknowledged."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.spec import Hold, Step
from canary_operator.api.status import Asked, Outcome, State
from canary_operator.release import reasons
from canary_operator.release.actions import VERBS, parse
from canary_operator.release.model import Announce, Decision
from tests.builders import NOW, Situation, finding, labels, release, weights

ENDED = release().ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).deployed("v2")
RUNNING = release().at_step(2, since=60)
HELD = RUNNING.healthy(seconds=30)
BAKING = release().baking(since=60).healthy()
GATED = release().having(steps=(Step(weight=10), Step(weight=50, approval="Required"), Step(weight=100, approval="Required")))
BEFORE_THE_GATE = GATED.at_step(1, since=30).healthy(seconds=30)
AT_THE_GATE = GATED.at_step(1, since=120).healthy(seconds=120)


def told(decision: Decision) -> list[str]:
    """The reasons of the events."""
    return [effect.because.reason for effect in decision.effects if isinstance(effect, Announce)]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("abort/3/1", ("abort", 3, 1), id="an abort"),
        pytest.param("retry/3/12", ("retry", 3, 12), id="a retry"),
        pytest.param("jump/3/1", None, id="a verb that is not known"),
        pytest.param("abort/3", None, id="no n"),
        pytest.param("abort/three/1", None, id="no number"),
        pytest.param("abort/-3/1", None, id="a negative number"),
        pytest.param("", None, id="nothing"),
        pytest.param("abort/3/" + "9" * 9, ("abort", 3, 999_999_999), id="the highest n"),
        pytest.param("abort/3/" + "9" * 20, None, id="a number that status could not hold: no write of it would pass"),
    ],
)
def test_what_an_annotation_says(text: str, meaning: object) -> None:
    assert parse(text) == meaning


def test_an_abort_is_acknowledged_when_it_is_done() -> None:
    assert release().at_step(2).acting("abort/1/1").decide().last_action == "abort/1/1"


def test_an_abort_that_a_dead_process_has_carried_out_is_acknowledged_without_reproach() -> None:
    decision = RUNNING.ending(reasons.ABORTED).acting("abort/1/1").decide()
    assert decision.last_action == "abort/1/1"
    assert reasons.ACTION_IGNORED not in told(decision)


def test_retry_opens_a_new_release_of_the_same_revision() -> None:
    assert ENDED.decide().because.reason == reasons.MORE_FAILURES
    decision = ENDED.acting("retry/1/1").decide()
    assert (decision.state.state, decision.state.number, decision.state.to) == (State.PROGRESSING, 2, "v2@t1")
    assert decision.last_action == "retry/1/1"
    assert labels(decision) == [("v1", "v2")]


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(ENDED.observing(findings=(finding(),)), id="preflight finds something"),
        pytest.param(ENDED.selecting(since=NOW), id="the routing is settling"),
        pytest.param(ENDED.having(suspend=True), id="suspended"),
        pytest.param(RUNNING.ending(reasons.MORE_FAILURES), id="the release is still being rolled back"),
    ],
)
def test_a_retry_that_cannot_begin_yet_is_remembered(situation: Situation) -> None:
    decision = situation.acting("retry/1/1").decide()
    assert (decision.state.asked.retry, decision.state.number, decision.last_action) == (True, 1, "retry/1/1")
    assert replace(ENDED, state=replace(ENDED.state, asked=decision.state.asked)).decide().state.number == 2


def test_another_revision_needs_no_retry() -> None:
    assert ENDED.deployed("v2", template=2).decide().state.number == 2


@pytest.mark.parametrize("reason", [reasons.SUPERSEDED, reasons.RETARGETED])
def test_a_version_that_only_made_way_for_another_needs_no_retry(reason: str) -> None:
    assert release().ended(reasons.OUTCOMES[reason], reason).deployed("v2").decide().state.number == 2


@pytest.mark.parametrize(
    ("situation", "action", "weight"),
    [
        pytest.param(HELD, "skip/1/1", 25, id="skip: the next step, though its hold has not passed"),
        pytest.param(RUNNING.prometheus_down(), "skip/1/1", 25, id="skip while Prometheus is down: a person answers for it"),
        pytest.param(HELD, "promote/1/1", 100, id="promote: everything, whatever steps are left"),
        pytest.param(release().at_step(0).healthy(), "promote/1/1", 100, id="promote before the first step"),
        pytest.param(RUNNING.prometheus_down(), "promote/1/1", 100, id="promote while Prometheus is down"),
        pytest.param(AT_THE_GATE, "approve/1/1", 50, id="approve: through the gate"),
        pytest.param(AT_THE_GATE, "promote/1/1", 100, id="promote: through every gate"),
        pytest.param(HELD.recorded(asked=Asked(n=1, paused=True)), "promote/1/2", 100, id="promote ends a pause"),
        pytest.param(HELD.recorded(asked=Asked(n=1, paused=True)), "skip/1/2", 25, id="skip ends a pause"),
        pytest.param(
            RUNNING.healthy(seconds=600).recorded(asked=Asked(n=1, paused=True)), "resume/1/2", 25, id="resume: what was earned is taken"
        ),
    ],
)
def test_what_lets_the_weight_rise(situation: Situation, action: str, weight: int) -> None:
    decision = situation.acting(action).decide()
    assert weights(decision) == [weight]
    assert decision.last_action == action
    assert decision.state.asked == Asked(n=int(action[-1])), "it is used up with the rise"


@pytest.mark.parametrize("verb", ["skip", "promote"])
@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(RUNNING.failing(0.004, seconds=120), reasons.SUSPECT, id="the canary more likely fails more often"),
        pytest.param(release().at_step(4, since=30).healthy(seconds=30).pods("v2", 1), reasons.CANARY_NOT_READY, id="too few pods"),
        pytest.param(HELD.observing(findings=(finding(),)), "PolicyShadowed", id="preflight finds something"),
        pytest.param(HELD.having(suspend=True), reasons.SUSPENDED, id="suspended in the spec"),
        pytest.param(HELD.pods("v1", 0), reasons.STABLE_GONE, id="stable has had no ready pod for a moment"),
    ],
)
def test_what_no_hand_can_push_aside(situation: Situation, verb: str, reason: str) -> None:
    decision = situation.acting(f"{verb}/1/1").decide()
    assert decision.because.reason == reason
    assert weights(decision) == []
    assert getattr(decision.state.asked, verb), "it is still asked for when the obstacle has gone"


@pytest.mark.parametrize("verb", ["skip", "promote", "approve", "pause", "resume"])
def test_no_action_but_abort_matters_to_a_canary_that_fails(verb: str) -> None:
    decision = RUNNING.failing(1.0).recorded(asked=Asked(paused=verb == "resume")).acting(f"{verb}/1/1").decide()
    assert decision.because.reason == reasons.MORE_FAILURES
    assert weights(decision) == [0]


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.recorded(asked=Asked(n=3, promote=True, approved=25)), id="over a promote that waits"),
        pytest.param(RUNNING.recorded(asked=Asked(n=3, paused=True)), id="over a pause"),
        pytest.param(RUNNING.having(suspend=True), id="over a suspension"),
        pytest.param(AT_THE_GATE, id="over a gate"),
        pytest.param(RUNNING.failing(1.0), id="over a verdict"),
    ],
)
def test_abort_wins_over_everything(situation: Situation) -> None:
    decision = situation.acting("abort/1/9").decide()
    assert decision.because.reason == reasons.ABORTED
    assert weights(decision) == [0]


def test_a_skip_ends_the_bake_but_not_the_drain() -> None:
    baking = release().baking(since=60).healthy(seconds=10)
    assert labels(baking.decide()) == []
    assert labels(baking.acting("skip/1/1").decide()) == [("v2", "v2")]
    assert labels(release().baking(since=10).healthy(seconds=10).acting("skip/1/1").decide()) == []


def test_approval_opens_one_gate_only() -> None:
    decision = GATED.at_step(2, since=120).healthy(seconds=120).recorded(asked=Asked(n=1)).decide()
    assert (decision.because.reason, decision.phase) == (reasons.APPROVAL_REQUIRED, "Waiting")


def test_approval_may_come_before_it_is_asked_for() -> None:
    early = BEFORE_THE_GATE.acting("approve/1/1").decide()
    assert (weights(early), early.state.asked.approved) == ([], 50)
    assert weights(replace(AT_THE_GATE, state=replace(AT_THE_GATE.state, asked=early.state.asked)).decide()) == [50]


def test_a_canary_that_lost_its_weight_asks_again() -> None:
    lost = AT_THE_GATE.recorded(asked=Asked(n=4, approved=50, skip=True, promote=True)).pods("v2", 0).decide()
    assert (lost.because.reason, lost.state.asked) == (reasons.CANARY_LOST, Asked(n=4))


def test_pause_keeps_the_weight_until_resume() -> None:
    decision = RUNNING.healthy(seconds=600).acting("pause/1/1").decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.PAUSED, "Suspended", [])
    assert "annotate canary.rollouts.dev/action=resume/1/2" in decision.because.message


def test_pause_keeps_the_way_back_open_at_the_end_of_the_bake() -> None:
    baked = release().baking(since=600).healthy(seconds=600)
    assert labels(baked.decide()) == [("v2", "v2")]
    assert labels(baked.acting("pause/1/1").decide()) == []
    assert labels(baked.having(suspend=True).decide()) == []


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(ENDED.acting("retry/7/1"), id="of another release"),
        pytest.param(ENDED.acting("retry/1/1").observing(last_action="retry/1/2"), id="older than the last"),
        pytest.param(
            HELD.acting("skip/1/2").recorded(asked=Asked(n=2)).observing(last_action="jump/9/9"), id="used, and another was ignored since"
        ),
        pytest.param(ENDED.acting("jump/1/1"), id="unknown"),
        pytest.param(ENDED.acting("abort/1/1"), id="an abort of what has ended"),
        pytest.param(release().at_step(2).acting("retry/1/1"), id="a retry of what is running"),
        pytest.param(release().at_rest().wanting("v1").acting("retry/0/1"), id="a retry when all is well"),
        pytest.param(release().ended(Outcome.PROMOTED, reasons.PROMOTED).acting("retry/1/1"), id="a retry of what was promoted"),
        pytest.param(HELD.acting("approve/1/1"), id="an approval that nobody asks for"),
        pytest.param(BEFORE_THE_GATE.acting("approve/1/2").recorded(asked=Asked(n=1, approved=50)), id="an approval that was given"),
        pytest.param(HELD.acting("resume/1/1"), id="a resume of what is not paused"),
        pytest.param(HELD.acting("pause/1/2").recorded(asked=Asked(n=1, paused=True)), id="a pause of what is paused"),
        pytest.param(BAKING.acting("promote/1/1"), id="a promote at 100 %"),
        pytest.param(ENDED.acting("skip/1/1"), id="a skip at rest"),
        pytest.param(ENDED.acting("pause/1/1"), id="a pause at rest"),
        pytest.param(BAKING.decided().acting("abort/1/1"), id="an abort of a promotion that is decided"),
        pytest.param(HELD.acting("pause/1/2").recorded(asked=Asked(n=1, abort=True)), id="anything after an abort"),
    ],
)
def test_what_has_no_effect_is_answered_once(situation: Situation) -> None:
    decision = situation.decide()
    assert decision.state.number == situation.state.number
    assert decision.state.asked == situation.state.asked
    assert decision.last_action == situation.seen.action
    assert told(decision).count(reasons.ACTION_IGNORED) == 1
    again = situation.observing(last_action=situation.seen.action).decide()
    assert reasons.ACTION_IGNORED not in told(again)


@pytest.mark.parametrize("verb", VERBS)
def test_an_action_is_done_once(verb: str) -> None:
    situation = ENDED if verb == "retry" else HELD.recorded(asked=Asked(paused=verb == "resume"))
    situation = AT_THE_GATE if verb == "approve" else situation
    decision = situation.acting(f"{verb}/1/1").decide()
    assert told(decision).count(reasons.ACTION_TAKEN) == 1
    after = replace(situation, state=decision.state).observing(last_action=decision.last_action, action=f"{verb}/1/1")
    assert reasons.ACTION_TAKEN not in told(after.decide())


@pytest.mark.parametrize(
    "waiting",
    [
        pytest.param(HELD.recorded(asked=Asked(paused=True)), id="paused"),
        pytest.param(HELD.having(suspend=True), id="suspended"),
        pytest.param(AT_THE_GATE, id="at a gate"),
    ],
)
def test_no_deadline_counts_the_time_in_which_a_person_is_waited_for(waiting: Situation) -> None:
    began = waiting.decide()
    assert began.state.waiting_since == NOW
    late = replace(waiting, state=began.state).observing(now=NOW + timedelta(days=2))
    assert late.decide().state.state is State.PROGRESSING
    over = replace(late, spec=replace(late.spec, suspend=False), state=replace(late.state, asked=Asked())).decide()
    assert over.because.reason != reasons.DEADLINE_EXCEEDED


def test_the_deadline_goes_on_where_it_stood() -> None:
    began = NOW - timedelta(minutes=50)
    waited = RUNNING.prometheus_down().recorded(weight_since=began, waiting_since=NOW - timedelta(minutes=20))
    goes_on = waited.decide()
    assert (goes_on.state.waiting_since, goes_on.state.waited_seconds) == (None, 20 * 60)
    assert goes_on.look_again_in == timedelta(minutes=30)
    later = replace(waited, state=goes_on.state)
    assert later.observing(now=NOW + timedelta(minutes=29)).decide().state.state is State.PROGRESSING
    assert later.observing(now=NOW + timedelta(minutes=30)).decide().because.reason == reasons.DEADLINE_EXCEEDED


def test_a_hold_of_its_own_needs_no_clock_at_100() -> None:
    assert [step.weight for step in GATED.at_step(1).state.plan] == [10, 50, 100]
    short = release().having(steps=(Step(weight=100, approval="Required"),)).at_step(0).healthy().before_a_scrape()
    assert short.decide().because.reason == reasons.APPROVAL_REQUIRED
    assert weights(short.acting("approve/1/1").decide()) == [100]
    assert Step(weight=100).hold == Hold()


def test_a_retry_is_forgotten_when_stable_is_wanted_again() -> None:
    """Else the version that failed would be released once more, unasked, whenever it is named again."""
    asked = ENDED.acting("retry/1/1").having(suspend=True).decide().state
    assert asked.asked.retry
    home = replace(ENDED, state=asked).wanting("v1").decide().state
    assert replace(ENDED, state=home).decide().because.reason == reasons.MORE_FAILURES
