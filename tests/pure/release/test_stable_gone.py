"""Rule 8: while stable has no ready pod its traffic goes to the version that serves, as far as that carries it, and comes back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.api.record import BaselineRecord, StableGone, SuspectMark, Tally
from canary_operator.api.status import Outcome, PastRelease, State
from canary_operator.release import reasons
from canary_operator.release.absence import Absence, absence
from canary_operator.release.model import Announce, Decision, EnsureSubsets, Mark, RecordState
from tests.builders import NOW, UID, Situation, finding, labels, release, weights

RUNNING = release().at_step(2, since=60)
FIRST = release().at_step(0).deployed("v2")
BAKING = release().baking(since=60)
REST = release().wanting("v1").at_rest().deployed("v2")
MOVED = RUNNING.gone().recorded(weight=100, stable_gone=StableGone(since=NOW, moved=True))
MOVED = MOVED.routing(weight=100, mark=Mark(UID, 1, 9, 100, reasons.STABLE_GONE))
SUSPECT = SuspectMark(at=NOW, failures=3)


def warned(decision: Decision) -> list[str]:
    """The reasons of the Warning events."""
    return [effect.because.reason for effect in decision.effects if isinstance(effect, Announce) and effect.warning]


# ---------------------------------------------------------------------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(RUNNING, Absence.SERVES, id="ready pods"),
        pytest.param(RUNNING.observing(versions=None), Absence.SERVES, id="the Service is missing: nobody knows"),
        pytest.param(RUNNING.pods("v1", 0), Absence.BRIEF, id="seen for the first time"),
        pytest.param(RUNNING.gone(seconds=4.9), Absence.BRIEF, id="none for 4.9 s"),
        pytest.param(RUNNING.gone(seconds=5), Absence.GONE, id="none for 5 s"),
        pytest.param(RUNNING.gone(seconds=0, desired=0), Absence.GONE, id="asked for 0: at once"),
        pytest.param(RUNNING.observing(versions={"v2": RUNNING.seen.versions["v2"]}), Absence.GONE, id="its workloads are gone: at once"),  # type: ignore[index]
    ],
)
def test_when_stable_is_gone(situation: Situation, expected: Absence) -> None:
    assert absence(situation.seen, "v1") is expected


@pytest.mark.parametrize(
    ("answered", "failed", "lost", "since", "expected"),
    [
        pytest.param(100, 0, 0, 0, Absence.ANSWERS, id="callers count its answers"),
        pytest.param(100, 0, 0, -1, Absence.GONE, id="that interval began before its endpoints went"),
        pytest.param(3, 3, 97, 0, Absence.GONE, id="pods that are going end what they had begun"),
        pytest.param(100, 100, 0, 0, Absence.GONE, id="all of it failed"),
        pytest.param(0, 0, 0, 0, Absence.GONE, id="nobody calls"),
    ],
)
def test_telemetry_may_say_that_it_answers(answered: int, failed: int, lost: int, since: float, expected: Absence) -> None:
    began = NOW.timestamp() - 60 + since
    found = (Interval("gateway", began, began + 5, NOTHING, Counts(answered, failed), canary_seen=True, stable_seen=True, lost=lost),)
    assert absence(RUNNING.gone(seconds=60).seen, "v1", found) is expected


# ---------------------------------------------------------------------------------------------------------------------- by itself


@pytest.mark.parametrize("weight", [20, 100])
def test_requests_that_found_no_pod_of_stable_are_not_the_canarys(weight: int) -> None:
    """The operator died between the record of the move and the write, or some proxies have not got the route yet."""
    known = MOVED.recorded(baseline=BaselineRecord(stable=Tally(requests=5000)))
    between = known.routing(weight=weight, since=NOW - timedelta(seconds=60)).reaching_nobody(0.8)
    decision = between.decide()
    assert weights(decision) == ([100] if weight == 20 else [])
    assert "suspect" not in decision.because.message
    assert decision.verdict is not None
    assert decision.verdict.startswith("1:1.8 worse"), "it is judged, and nothing speaks against it"
    back = between.back().decide()
    assert back.because.reason == reasons.STABLE_BACK, back.because


@pytest.mark.parametrize(
    ("situation", "weight"),
    [
        pytest.param(RUNNING.gone(), 100, id="4 pods carry what 4 had"),
        pytest.param(RUNNING.gone(had=8), 100, id="4 pods are the 50 % of 8"),
        pytest.param(RUNNING.gone(had=16), 50, id="4 pods carry half of what 16 had"),
        pytest.param(RUNNING.gone(had=40), 20, id="4 pods carry a fifth of what 40 had: an autoscaler's leftovers are no measure"),
        pytest.param(RUNNING.gone(desired=0, seconds=0), 100, id="scaled to 0: at once"),
        pytest.param(FIRST.gone(), 100, id="before the first weight"),
        pytest.param(RUNNING.gone().prometheus_down(), 100, id="Prometheus is down"),
        pytest.param(RUNNING.gone().observing(findings=(finding(),)), 100, id="a finding that is no worse than no answer at all"),
    ],
)
def test_traffic_moves_as_far_as_the_canarys_pods_carry_it(situation: Situation, weight: int) -> None:
    decision = situation.decide()
    assert weights(decision) == [weight]
    assert (decision.state.weight, decision.state.step) == (weight, situation.state.step)
    assert decision.state.stable_gone and decision.state.stable_gone.moved
    kinds = [type(effect).__name__ for effect in decision.effects]
    assert kinds.index("RecordState") < kinds.index("EnsureWeights"), "rule 7: recorded first"
    assert warned(decision) == [reasons.STABLE_GONE]


@pytest.mark.parametrize(
    ("situation", "told"),
    [
        pytest.param(RUNNING.gone(seconds=1), "when that has lasted 5 s", id="a blip of a second"),
        pytest.param(RUNNING.gone(had=0), "nobody knows how many pods", id="nothing is known of its load"),
        pytest.param(RUNNING.gone().pods("v2", 0), "no other version has a ready pod", id="nothing serves: nothing moves"),
        pytest.param(RUNNING.gone().recorded(evidence=replace(RUNNING.state.evidence, suspect=SUSPECT)), "suspect", id="suspect"),
        pytest.param(RUNNING.failing(1.0).gone(seconds=0, desired=0), "suspect", id="it fails every request"),
        pytest.param(RUNNING.healthy().gone(), "callers count answers of it", id="telemetry shows that it answers"),
        pytest.param(RUNNING.gone().having(suspend=True), "suspend", id="suspended"),
        pytest.param(RUNNING.gone().acting("pause/1/1"), "paused", id="paused"),
        pytest.param(RUNNING.gone().acting("abort/1/1"), "aborted", id="aborted"),
        pytest.param(RUNNING.gone(had=40).recorded(weight=25).routing(weight=25), "all that its pods carry", id="no more than is there"),
        pytest.param(
            RUNNING.gone().observing(findings=(finding("Conflict"),)), "DestinationRule other", id="the routes are somebody else's"
        ),
        pytest.param(
            RUNNING.gone().observing(
                history=(PastRelease(number=0, revision="v2@t1", outcome=Outcome.ROLLED_BACK, reason="MoreFailures"),)
            ),
            "rolled back or aborted before",
            id="it was rolled back before",
        ),
    ],
)
def test_nothing_moves_by_itself(situation: Situation, told: str) -> None:
    decision = situation.decide()
    assert weights(decision) == []
    assert (decision.because.reason, decision.phase) == (reasons.STABLE_GONE, "Blocked")
    assert told in decision.because.message


def test_no_weight_rises_before_the_subset_has_settled() -> None:
    decision = FIRST.gone().selecting(since=NOW - timedelta(seconds=1)).decide()
    assert weights(decision) == []
    assert decision.look_again_in == timedelta(seconds=4)


def test_it_is_announced_once_and_recorded() -> None:
    first = RUNNING.gone().having(suspend=True).decide()
    assert warned(first) == [reasons.STABLE_GONE]
    assert first.state.stable_gone == StableGone(since=NOW)
    assert replace(RUNNING.gone().having(suspend=True), state=first.state).decide().effects == ()


def test_the_message_names_every_way_out() -> None:
    message = RUNNING.gone(had=40).deployed("v3").decide().because.message
    for way in ("v2@t1 gets 20 %", "bring v1 back", "kubectl canary promote", "promote/1/1"):
        assert way in message
    at_rest = REST.gone().deployed("v3").decide().because.message
    for way in ("v2 has 4 ready pods and v3 has 4 ready pods", "bring v1 back", "v2 or v3 into spec.stableVersion", "into spec.version"):
        assert way in at_rest


# ------------------------------------------------------------------------------------------------------------------------ by hand


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.gone(), id="on its way"),
        pytest.param(RUNNING.gone(had=400), id="its pods do not carry it"),
        pytest.param(RUNNING.failing(0.2).gone(), id="it was found worse"),
        pytest.param(RUNNING.gone().having(suspend=True), id="suspended"),
        pytest.param(RUNNING.gone().observing(findings=(finding(),)), id="preflight finds something"),
        pytest.param(BAKING.gone().failing(0.5), id="found worse at 100 %"),
        pytest.param(MOVED.back(pods=1), id="stable is back with too few pods"),
    ],
)
def test_promote_moves_everything_and_makes_it_stable(situation: Situation) -> None:
    heard = situation.acting("promote/1/1").decide()
    assert heard.state.weight == 100
    assert heard.state.state is State.PROMOTING
    assert heard.state.stable_gone and heard.state.stable_gone.by_hand
    after = replace(situation, state=heard.state).observing(last_action="promote/1/1", action="promote/1/1")
    served = after.routing(weight=100, mark=Mark(UID, 1, heard.state.seq, 100, reasons.STABLE_GONE)).decide()
    assert labels(served) == [("v2", "v2")], "no bake, no verdict: it becomes stable as soon as the old version is drained"


@pytest.mark.parametrize("reason", sorted(reasons.NOT_OURS))
@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(RUNNING.gone().acting("promote/1/1"), id="in a release"),
        pytest.param(RUNNING.healthy().gone().acting("promote/1/1"), id="callers count answers of stable"),
        pytest.param(BAKING.gone().acting("promote/1/1"), id="at 100 %"),
        pytest.param(REST.gone().acting("promote/0/1"), id="at rest"),
        pytest.param(RUNNING.gone().having(stable_version="v2"), id="by spec.stableVersion"),
        pytest.param(
            RUNNING.gone().recorded(
                weight=100, state=State.PROMOTING, stable_gone=StableGone(since=NOW, moved=True, asked=True, by_hand=True)
            ),
            id="recorded before and not written",
        ),
    ],
)
def test_nobody_promotes_on_routes_that_are_somebody_elses(situation: Situation, reason: str) -> None:
    decision = situation.observing(findings=(finding(), finding(reason))).decide()
    assert (weights(decision), labels(decision)) == ([], [])
    assert (decision.because.reason, decision.phase) == (reasons.STABLE_GONE, "Blocked")
    message = decision.because.message
    assert finding(reason).message in message
    assert "promote" not in message.partition("ways out")[2], "what would not be done is no way out"


def test_a_promote_is_done_when_the_routes_are_ours_again() -> None:
    theirs = RUNNING.gone().observing(findings=(finding("Conflict"),)).acting("promote/1/1").decide()
    assert theirs.last_action == "promote/1/1"
    later = replace(RUNNING.gone(), state=theirs.state).observing(last_action="promote/1/1").decide()
    assert (weights(later), later.state.state) == ([100], State.PROMOTING)


def test_traffic_goes_back_to_stable_also_on_routes_that_are_somebody_elses() -> None:
    asked = StableGone(since=NOW, moved=True, asked=True)
    back = MOVED.back().recorded(stable_gone=asked).observing(findings=(finding("Conflict"),)).decide()
    assert weights(back) == [0]


def test_promote_works_at_rest_also_for_a_version_that_was_rolled_back() -> None:
    ended = release().deployed("v2").ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).wanting("v2")
    assert weights(ended.gone().decide()) == []
    heard = ended.gone().acting("promote/1/1").decide()
    assert (heard.state.state, heard.state.to, heard.last_action) == (State.PROGRESSING, "v2@t1", "promote/1/1")
    assert heard.state.stable_gone and heard.state.stable_gone.asked


def test_promote_before_stable_went_is_no_promote_because_of_it() -> None:
    asked = RUNNING.failing(0.2).recorded(asked=replace(RUNNING.state.asked, promote=True)).gone().decide()
    assert weights(asked) == []


def test_an_abort_blocks_every_rise_and_is_acknowledged() -> None:
    aborted = RUNNING.gone().acting("abort/1/1").decide()
    assert (weights(aborted), aborted.last_action, aborted.state.asked.abort) == ([], "abort/1/1", True)
    later = replace(RUNNING.gone(), state=aborted.state).observing(last_action="abort/1/1").acting("promote/1/2").decide()
    assert weights(later) == []
    back = replace(RUNNING.back(), state=aborted.state).observing(last_action="abort/1/1", action="abort/1/1").decide()
    assert (weights(back), back.because.reason) == ([0], reasons.ABORTED)


@pytest.mark.parametrize(
    ("known", "wish", "to"),
    [
        pytest.param("", "v2", "v2@t1", id="written while it is gone"),
        pytest.param("v1", "v3", "v3@t1", id="changed while it is gone, to one that is not wanted"),
        pytest.param("v3", "v3", "v2@t1", id="in Git since before: the wanted one by itself"),
        pytest.param(None, "v3", "v2@t1", id="nobody knows whether it was changed"),
    ],
)
def test_stable_version_counts_when_it_was_changed_while_stable_is_gone(known: str | None, wish: str, to: str) -> None:
    situation = REST.wanting("v2").deployed("v3").gone().having(stable_version=wish).recorded(stable_version=known)
    decision = situation.decide()
    assert (decision.state.state, decision.state.to) == (State.PROGRESSING, to)
    asked = decision.state.stable_gone is not None and decision.state.stable_gone.asked
    assert asked is (wish != known and known is not None)


# ------------------------------------------------------------------------------------------------------------------------ at rest


def test_at_rest_only_the_subset_without_weight_is_relabelled() -> None:
    decision = REST.gone().decide()
    assert (labels(decision), weights(decision)) == ([("v1", "v2")], [])
    assert [type(each) for each in decision.effects][:2] == [RecordState, EnsureSubsets]


def test_the_wanted_version_is_pointed_at_before_stable_is_known_to_be_gone() -> None:
    """It moves no request, and its subset settles meanwhile."""
    decision = REST.wanting("v2").gone(seconds=1).decide()
    assert (labels(decision), weights(decision)) == ([("v1", "v2")], [])


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(REST.gone(seconds=1), id="a blip, and the wanted version is stable"),
        pytest.param(REST.gone().deployed("v3"), id="several serve, none is wanted"),
        pytest.param(REST.gone().pods("v2", 0), id="nothing serves"),
        pytest.param(REST.gone().having(suspend=True), id="suspended"),
        pytest.param(release().deployed("v2").ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).gone(), id="it was rolled back"),
        pytest.param(release().deployed("v2").ended(Outcome.WITHDRAWN, reasons.ABORTED).gone(), id="it was aborted"),
    ],
)
def test_at_rest_nothing_happens_by_itself(situation: Situation) -> None:
    decision = situation.decide()
    assert (labels(decision), weights(decision)) == ([], [])
    assert (decision.because.reason, decision.phase) == (reasons.STABLE_GONE, "Blocked")


# --------------------------------------------------------------------------------------------------------------------------- back


def test_traffic_goes_back_when_stable_has_been_ready_for_settle() -> None:
    waiting = MOVED.back(seconds=2).decide()
    assert (weights(waiting), waiting.look_again_in) == ([], timedelta(seconds=3))
    back = MOVED.back(seconds=5).decide()
    assert (weights(back), back.because.reason) == ([0], reasons.STABLE_BACK)
    assert (back.state.step, back.state.stable_gone, back.state.returned) == (0, None, (NOW,))
    assert warned(back) == [reasons.STABLE_BACK]


def test_traffic_does_not_go_back_to_pods_that_do_not_carry_it() -> None:
    decision = MOVED.back(pods=1).decide()
    assert weights(decision) == []
    assert "when v1 has 2 ready pods" in decision.because.message


def test_it_goes_back_at_most_twice_in_ten_minutes() -> None:
    earlier = tuple(NOW - timedelta(minutes=each) for each in (8, 3))
    stays = MOVED.back().recorded(returned=earlier).decide()
    assert (weights(stays), stays.look_again_in) == ([], timedelta(minutes=2))
    assert weights(MOVED.back().recorded(returned=(NOW - timedelta(minutes=11), earlier[1])).decide()) == [0]


def test_a_canary_that_loses_its_pods_gives_everything_back_at_once() -> None:
    decision = MOVED.back(seconds=0, pods=1).pods("v2", 0).decide()
    assert (weights(decision), decision.because.reason) == ([0], reasons.CANARY_LOST)


def test_the_plan_goes_on_where_it_stood_if_nothing_had_moved() -> None:
    over = RUNNING.healthy().recorded(stable_gone=StableGone(since=NOW)).decide()
    assert (weights(over), over.state.stable_gone, over.state.step) == ([], None, 2)
    assert warned(over) == [reasons.STABLE_BACK]


# ----------------------------------------------------------------------------------------------------------------------- leaving


def replaced(situation: Situation, ready: int = 3) -> Situation:
    versions = dict(situation.seen.versions or {})
    versions["v1"] = replace(versions["v1"], replaced_by="v2", ready=ready, desired=ready)
    return situation.observing(versions=versions).recorded(stable_pods=4, stable_version="")


def test_traffic_moves_before_the_last_pod_of_stable_goes() -> None:
    assert weights(replaced(FIRST).decide()) == [100]
    assert weights(replaced(FIRST).pods("v2", 1).decide()) == [50]


def test_a_deployment_that_carries_another_version_is_warned_of_at_rest() -> None:
    warnings = replaced(REST).decide().warnings
    assert [each.reason for each in warnings] == [reasons.STABLE_REPLACED]
    assert "kubectl rollout undo deployment app-v1" in warnings[0].message


def test_its_successor_is_pointed_at_early_and_gets_nothing_while_stable_serves() -> None:
    """Nobody wants it, so it takes over only when stable is gone; by then its subset has settled."""
    started = replaced(REST).decide()
    assert (labels(started), weights(started)) == ([("v1", "v2")], [])
    waits = replaced(FIRST.wanting("v1")).decide()
    assert (weights(waits), waits.state.state, waits.because.reason) == ([], State.PROGRESSING, reasons.STABLE_REPLACED)


def test_the_load_is_the_most_pods_that_stable_had_in_this_release() -> None:
    shrunk = release().at_step(3, since=200).recorded(stable_pods=40).pods("v1", 2).healthy(seconds=200).decide()
    assert shrunk.because.reason == reasons.CANARY_NOT_READY
    assert "of the 10 needed for 50 % (stable has 2, and had 40)" in shrunk.because.message
