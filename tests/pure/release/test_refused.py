"""A write that is refused: status says it in the server's words, and claims nothing that is not so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from canary_operator.api.record import LONGEST_MESSAGE
from canary_operator.api.status import CanaryReleaseStatus, State
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Decision, EnsureFinalizer, EnsureSubsets, EnsureWeights, RemoveRoute
from canary_operator.release.refusal import LONGEST_SAID, REMEDIES, Cause, Refusal, printable, refused
from canary_operator.release.report import status_of, told, worth_writing
from canary_operator.simulation.world import World
from tests.builders import NOW, Situation, finding, release
from tests.pure.release.scenarios import begin, reaches

SAID = "patch VirtualService shop/reviews: ValidatingAdmissionPolicy 'freeze' denied request: change freeze until Monday"
AT_25 = release().at_step(3, since=60)
RECORDED = release().at_step(4).routing(weight=25, mark=AT_25.seen.route.mark if AT_25.seen.route else None)
"""The rise to 50 % is recorded, and the route still has 25."""
ABORTED = AT_25.healthy().acting("abort/1/1")


def refusal(decision: Decision, cause: Cause = Cause.ADMISSION, said: str = SAID) -> Refusal:
    """The first write of a decision was refused."""
    effect = next(each for each in decision.effects if isinstance(each, EnsureWeights | EnsureSubsets | EnsureFinalizer | RemoveRoute))
    return Refusal(effect, cause, said)


def status(situation: Situation, before: CanaryReleaseStatus | None = None, **options: Any) -> CanaryReleaseStatus:
    """What a pass leaves whose first routing write was refused."""
    decision = situation.decide()
    told_instead = refused(decision, refusal(decision, **options), situation.seen)
    return status_of(situation.spec, before or CanaryReleaseStatus(), told_instead, situation.seen)


def condition(found: CanaryReleaseStatus, kind: str) -> tuple[str, str, str]:
    return next((each.status, each.reason, each.message) for each in found.conditions if each.type == kind)


def test_a_rise_that_is_refused_is_told_with_the_weight_of_the_route() -> None:
    found = status(RECORDED)

    assert (found.phase, found.reason, found.weight) == ("Blocked", reasons.WRITE_REFUSED, 25)
    assert found.message == (
        f"the canary is to get 50 % and has 25 %; but {SAID}. It is tried again; lift the policy or quota that it names, or exempt the "
        "operator's ServiceAccount from it"
    )
    assert condition(found, "Stalled")[:2] == ("True", reasons.WRITE_REFUSED)
    assert condition(found, "Reconciling")[0] == "False"
    assert condition(found, "TrafficShifted") == ("True", reasons.WRITE_REFUSED, "the canary has 25 % of the traffic")


def test_what_was_earned_stays_recorded() -> None:
    """Rule 7: whoever comes later, also after a crash, may write the rise as soon as it is allowed."""
    found = status(RECORDED)

    assert found.release is not None
    assert (found.release.weight, found.release.step, found.release.state) == (50, 4, State.PROGRESSING)


def test_an_abort_is_acknowledged_though_its_drop_is_refused() -> None:
    found = status(ABORTED)

    assert found.last_action == "abort/1/1"
    assert (found.reason, found.weight) == (reasons.WRITE_REFUSED, 25)
    assert "the canary is to go to 0 % and still has 25 %: release 1 was aborted by hand at 25 %; but patch" in (found.message or "")
    assert [each.because.reason for each in ABORTED.decide().told] == [reasons.ACTION_TAKEN]


@pytest.mark.parametrize(
    ("situation", "state", "reason"),
    [
        pytest.param(ABORTED, State.WITHDRAWING, reasons.ABORTED, id="aborted"),
        pytest.param(AT_25.failing(0.5), State.ROLLING_BACK, reasons.MORE_FAILURES, id="failing"),
    ],
)
def test_the_end_of_a_release_stays_decided_though_its_drop_is_refused(situation: Situation, state: State, reason: str) -> None:
    """Rule 2: a canary that looks better again while nothing can be written does not rise in this release."""
    record = status(situation).release
    assert record is not None and record.ending is not None
    assert (record.state, record.ending.reason, record.weight) == (state, reason, 0)

    later = replace(situation.observing(last_action=situation.seen.action).healthy(), state=record).decide()
    assert [effect.canary for effect in later.effects if isinstance(effect, EnsureWeights)] == [0]


def test_a_loss_that_is_refused_does_not_end_the_release() -> None:
    found = status(AT_25.healthy().pods("v2", 0))
    assert found.release is not None
    assert (found.release.state, found.release.weight, found.weight) == (State.PROGRESSING, 25, 25)


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        pytest.param(release(), "the CanaryRelease is to get the operator's finalizer; but", id="adoption"),
        pytest.param(release().at_rest().selecting(canary="v9"), "the subsets are to select stable=v1 and canary=v1; but", id="healing"),
        pytest.param(release().at_rest().observing(deleting=True), "the VirtualService is to be deleted; but", id="deletion"),
    ],
)
def test_every_end_is_named(situation: Situation, words: str) -> None:
    assert (status(situation).message or "").startswith(words)


def test_a_deletion_says_that_it_is_one() -> None:
    found = status(release().at_rest().observing(deleting=True))
    assert (found.phase, found.reason, condition(found, "Stalled")[0]) == (reasons.DELETING, reasons.WRITE_REFUSED, "True")


def test_an_adoption_that_is_refused_is_none() -> None:
    found = status(release())
    assert found.stable is None and found.release is not None and found.release.state is State.INITIALIZING


def test_it_is_written_and_told_once() -> None:
    """Rule 10: the same refusal a moment later is no news, whatever the ports and times in it."""
    silent = {"cause": Cause.SILENT, "said": "patch VirtualService shop/reviews: read tcp 10.0.0.1:40001: i/o timeout"}
    first = status(RECORDED, **silent)
    again = status(RECORDED, first, **{**silent, "said": silent["said"].replace("40001", "40002")})
    other = status(RECORDED, first)

    assert [(each.because.reason, each.warning) for each in told(CanaryReleaseStatus(), first)] == [(reasons.WRITE_REFUSED, True)]
    assert not worth_writing(first, again) and not told(first, again)
    assert worth_writing(first, other) and told(first, other)


def test_when_it_is_allowed_again_the_reason_goes() -> None:
    before = status(RECORDED)
    assert before.release is not None
    after = replace(RECORDED, state=before.release).status(before)

    assert (after.phase, after.reason, after.weight) == ("Progressing", reasons.GATHERING, 50)
    assert worth_writing(before, after)


def test_findings_do_not_hide_it() -> None:
    assert status(ABORTED.observing(findings=(finding(),))).reason == reasons.WRITE_REFUSED


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_says_what_to_do_within_what_status_keeps(cause: Cause) -> None:
    found = status(AT_25.failing(0.5), cause=cause, said=printable("x" * 5000))
    assert (found.message or "").endswith(REMEDIES[cause]) and len(found.message or "") <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("denied\r\n\x1b[31mby\x00 policy\t now ", "denied [31mby policy now"),
        ("right\u202eto\u200bleft\u2028", "right to left"),
        ("", ""),
        ("x" * LONGEST_SAID, "x" * LONGEST_SAID),
        ("x" * (LONGEST_SAID + 1), "x" * (LONGEST_SAID - 3) + "..."),
    ],
)
def test_a_servers_words_are_one_printable_line(text: str, line: str) -> None:
    assert printable(text) == line


# ------------------------------------------------------------------------------------------------------------------ whole releases


def frozen_at(weight: int) -> World:
    """From this weight on no write of the route is allowed."""
    world = begin()
    reaches(world, weight)
    world.api.broken = {"route"}
    return world


def said(world: World) -> CanaryReleaseStatus:
    resource = world.cluster.now.resource
    assert resource is not None and resource.status is not None
    return resource.status


def test_after_a_freeze_of_half_an_hour_the_release_goes_on() -> None:
    world = frozen_at(10)
    world.run(120)
    assert (said(world).reason, said(world).weight, world.weight) == (reasons.WRITE_REFUSED, 10, 10)
    before = len([each for each in world.api.writes if each == "status"])
    world.run(1800)
    assert (said(world).reason, said(world).weight, world.weight) == (reasons.WRITE_REFUSED, 10, 10)
    # A checkpoint of the evidence once a minute, as ever; none for a try.
    assert len([each for each in world.api.writes if each == "status"]) - before <= 31
    world.api.broken = set()
    assert world.run(300, until=lambda each: each.weight == 100)
    world.run(100)
    assert world.phase == "Stable" and said(world).reason in (reasons.PROMOTED, reasons.AT_REST)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"analysis": {"deadline": "5m"}}, id="the deadline of a step"),
        pytest.param({"steps": None, "pace": {"failureBudget": 50, "minDuration": "1m", "maxDuration": "5m"}}, id="maxDuration of a pace"),
    ],
)
def test_a_freeze_that_is_longer_than_the_deadline_ends_no_release(spec: dict[str, Any]) -> None:
    """Nobody says anything against the canary, and a withdrawal would have to be started again by a person when the freeze is over."""
    world = begin(**spec)
    assert world.run(300, until=lambda each: each.weight > 0)
    world.api.broken = {"route"}
    world.run(900)
    assert (said(world).reason, world.weight > 0) == (reasons.WRITE_REFUSED, True)
    world.api.broken = set()
    assert world.run(900, until=lambda each: each.weight == 100)


def test_while_writes_are_refused_the_deadline_stands_still() -> None:
    record = status(RECORDED).release
    assert record is not None and record.waiting_since == NOW
    days_later = replace(RECORDED, state=record).observing(now=NOW + timedelta(days=3)).decide()
    assert days_later.because.reason == reasons.STEP_PASSED
    begun = [effect for effect in days_later.effects if isinstance(effect, EnsureWeights)]
    assert [effect.canary for effect in begun] == [50]
    assert (days_later.state.waiting_since, days_later.state.waited_seconds) == (None, 0), "the step begins with the write"


def test_what_ends_a_release_waits_for_nothing() -> None:
    record = status(ABORTED).release
    assert record is not None and record.waiting_since is None


def test_an_abort_under_a_freeze_is_heard_at_once_and_carried_out_when_it_can_be() -> None:
    world = frozen_at(40)
    world.act("abort/1/1")
    world.run(1)
    assert (said(world).last_action, said(world).reason, said(world).weight) == ("abort/1/1", reasons.WRITE_REFUSED, 40)
    assert world.process is not None
    heard = [each for each in world.process.events if each.reason == reasons.ACTION_TAKEN]
    world.run(60)
    world.api.broken = set()
    world.run(100)
    past = said(world).last_release
    assert world.weight == 0 and past is not None and past.reason == reasons.ABORTED
    assert len(heard) <= 1


def test_the_announcements_of_a_refused_drop_are_not_posted_before_it() -> None:
    decision = ABORTED.decide()
    assert [effect.because.reason for effect in decision.effects if isinstance(effect, Announce)] == [reasons.ABORTED, reasons.ACTION_TAKEN]
    assert not [effect for effect in refused(decision, refusal(decision), ABORTED.seen).effects]
