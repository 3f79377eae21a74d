"""The decision: guards first, then what the state asks for. Reads values, returns a value; never the clock, the cluster or Prometheus."""

from dataclasses import replace
from typing import assert_never

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import Ending, Outcome, ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.absence import remembered
from canary_operator.release.actions import heed
from canary_operator.release.belief import believe, outranked
from canary_operator.release.ending import go_home, promote
from canary_operator.release.evidence import look
from canary_operator.release.guards import GUARDS
from canary_operator.release.model import Announce, Because, Decision, Observation, ReadAgain, RecordState
from canary_operator.release.plan import edited
from canary_operator.release.queries import with_findings
from canary_operator.release.rest import adopt, rest
from canary_operator.release.scene import Scene, running, version_of
from canary_operator.release.steps import progress


def decide(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Decision:
    """What one pass does.

    Args:
        spec: The wish.
        state: The record in status, as this process has it.
        seen: Everything that may be looked at, with the time.
    """
    if not seen.fresh and outranked(state, seen):
        scene = Scene(spec, state, seen, look(spec, state, seen))
        return scene.answer(Because(reasons.STALE_RECORD, "the routing is newer than the record at hand"), effects=(ReadAgain(),))
    known = believe(state, seen)
    known = remembered(spec, known, seen, version_of(known.from_ or seen.stable))
    believed, told = edited(spec, known, seen.now)
    heard = heed(spec, believed, seen)
    scene = Scene(spec, heard.state, with_findings(spec, heard.state, heard.seen), look(spec, heard.state, seen))
    answers = (answer for guard in GUARDS if (answer := guard(scene)))
    decision = next(answers, None) or _follow(scene)
    return _tell(replace(decision, standing=_standing(scene, decision)), (*told, *heard.told))


def _standing(scene: Scene, decision: Decision) -> ReleaseRecord:
    """What is recorded even when every effect is refused: the wish of a person, and the end of a release. No later look takes that end back."""
    if decision.state.ending is not None and scene.state.ending is None:
        return decision.state
    return scene.checked() if running(scene.state) else scene.state


def _tell(decision: Decision, announcements: tuple[Announce, ...]) -> Decision:
    """The decision with what else is to be said: after it is recorded, so that it is said once."""
    if not announcements:
        return decision
    return replace(decision, effects=(*decision.effects, RecordState(), *announcements), told=announcements)


def _follow(scene: Scene) -> Decision:
    """What the state asks for, when no guard has spoken."""
    state = scene.state
    match state.state:
        case State.INITIALIZING:
            return adopt(scene)
        case State.STABLE:
            return rest(scene)
        case State.PROGRESSING:
            return progress(scene)
        case State.PROMOTING:
            return promote(scene)
        case State.ROLLING_BACK | State.WITHDRAWING:
            lost = Ending(outcome=Outcome.WITHDRAWN, reason=reasons.RECORD_LOST, message="the record of the release was lost")
            return go_home(scene, state.ending or lost, state.from_ or scene.seen.stable)
        case _:
            assert_never(state.state)
