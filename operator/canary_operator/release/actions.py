"""What a person asks for by annotation: `<verb>/<release number>/<n>`, done once, acknowledged in status.

An action changes what the record says is asked for, and is acknowledged in the same write: neither a crash nor a second process can do it twice or
lose it. Only an abort is carried out before it is recorded, by the drop; its mark carries it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from canary_operator.analysis.evidence import restart
from canary_operator.api.names import ACTION
from canary_operator.api.record import Asked, Outcome, ReleaseRecord, StableGone, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.absence import UNREADY, Nobody, absence, chosen
from canary_operator.release.model import Announce, Because, Observation
from canary_operator.release.plan import gated, next_weight
from canary_operator.release.record import evidence_of, record_of
from canary_operator.release.scene import anew, promoted, running, version_of

LONGEST = 120
"""Characters of an annotation that are looked at: a longer one is no action."""
_DIGITS = 9
"""Of a number and an n. Status holds no number of 20: a record of it would be refused, and so would all that follow."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that has no effect, and why."""

    why: str


Obeyed = ReleaseRecord | Refused
_NOTHING_RUNS = Refused("no release is running")


@dataclass(frozen=True, slots=True)
class Heard:
    """The record and the look after an action was heard."""

    state: ReleaseRecord
    seen: Observation
    told: tuple[Announce, ...] = ()


def _asked(state: ReleaseRecord, **changes: object) -> ReleaseRecord:
    return replace(state, asked=replace(state.asked, **changes))  # type: ignore[arg-type]


def _abort(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """All traffic goes back to stable, whatever else is under way; the release ends."""
    past = seen.last_release
    if reasons.ABORTED in (state.ending and state.ending.reason, past and past.number == state.number and past.reason):
        return state  # done by a process that died before it could say so
    if not running(state) or promoted(state, seen):
        return Refused("there is nothing that could be taken back")
    return _asked(state, abort=True)


def _approve(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Opens the gate before the next weight, and no other."""
    if state.state is not State.PROGRESSING:
        return _NOTHING_RUNS
    weight = next_weight(state)
    if weight is None or not gated(state, weight) or state.asked.approved == weight:
        return Refused(f"no approval is asked for before {'the next weight' if weight is None else f'{weight} %'}")
    return _asked(state, approved=weight)


def _skip(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Ends the hold of the present step, or the bake; a verdict against the canary, too few pods and a gate still hold it."""
    if not running(state) or promoted(state, seen):
        return _NOTHING_RUNS
    if state.held:
        return Refused("the canary has failed and is held; write abort, retry or promote")
    return _asked(state, skip=True, paused=False)


def _promote(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Leaves out the steps, holds and gates that are left: 100 % next, then the bake. Verdict, pods and preflight still guard it.

    While stable has no ready pod, at rest too: the version that serves gets all traffic and becomes stable, and no verdict stands against it, only a
    finding that the routes are somebody else's.
    """
    instead = _instead(spec, state, seen)
    if state.state is State.PROGRESSING:
        state = state if isinstance(instead, Refused) else instead
        return _asked(replace(state, held=None), promote=True, paused=False)
    return instead


def _instead(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """The version that serves is to become stable, because stable does not."""
    gone, stable = state.stable_gone, version_of(state.from_ or seen.stable)
    stands = gone is not None and gone.moved
    if state.state is State.INITIALIZING or promoted(state, seen) or not (stands or absence(seen, stable) in UNREADY):
        return _NOTHING_RUNS
    choice = chosen(spec, state, seen, stable, by_hand=True)
    if isinstance(choice, Nobody) and not running(state):
        return Refused(choice.why)
    return replace(state, stable_gone=replace(gone or StableGone(since=seen.now), asked=True))


def _pause(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Nothing goes forward in this release until `resume`."""
    if not running(state) or promoted(state, seen):
        return _NOTHING_RUNS
    return Refused("the release is paused already") if state.asked.paused else _asked(state, paused=True)


def _resume(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Ends a pause."""
    return _asked(state, paused=False) if state.asked.paused else Refused("the release is not paused")


def _retry(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    """Releases a version once more that was rolled back or withdrawn, as a release of its own; judges a canary that is held anew, on new evidence."""
    past = seen.last_release
    if state.held and running(state):
        fresh = record_of(restart(evidence_of(state)))
        state = replace(anew(state, seen.now), held=None, evidence=fresh)
        return _asked(state, paused=False)
    ended = past is not None and past.outcome in (Outcome.ROLLED_BACK, Outcome.WITHDRAWN) and version_of(past.revision) == spec.version
    if state.state in (State.ROLLING_BACK, State.WITHDRAWING) or (state.state is State.STABLE and ended):
        return _asked(state, retry=True)
    return Refused("no release has failed that could be tried again")


VERBS: Mapping[str, Callable[[CanaryReleaseSpec, ReleaseRecord, Observation], Obeyed]] = {
    "abort": _abort,
    "approve": _approve,
    "pause": _pause,
    "promote": _promote,
    "resume": _resume,
    "retry": _retry,
    "skip": _skip,
}
"""What each action asks for. The docs print it."""


def parse(text: str) -> tuple[str, int, int] | None:
    """Verb, release number and n; None when the text is no action."""
    verb, _, rest = text.partition("/")
    number, _, n = rest.partition("/")
    if verb not in VERBS or not all(each.isdecimal() and len(each) <= _DIGITS for each in (number, n)):
        return None
    return verb, int(number), int(n)


def last_n(state: ReleaseRecord, seen: Observation) -> int:
    """The highest n that was used in the present release; 0: none."""
    done = parse(seen.last_action or "")
    return max(state.asked.n, done[2] if done and done[1] == state.number else 0)


def how_to(verb: str, state: ReleaseRecord, seen: Observation) -> str:
    """What a person writes for an action."""
    return f"`kubectl canary {verb} {seen.name}`, or annotate {ACTION}={verb}/{state.number}/{last_n(state, seen) + 1}"


def heed(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Heard:
    """Hears the action that waits to be done, if there is one. What has no effect is answered once, by an event."""
    text = (seen.action or "")[:LONGEST]
    if not text or text == seen.last_action or seen.deleting:
        return Heard(state, seen)
    obeyed, seen = _obey(text, spec, state, seen), replace(seen, last_action=text)
    if isinstance(obeyed, Refused):
        return Heard(state, seen, (Announce(Because(reasons.ACTION_IGNORED, f"action {text!r} was ignored: {obeyed.why}"), warning=True),))
    verb, _, n = parse(text) or ("", 0, 0)
    return Heard(_asked(obeyed, n=n), seen, (Announce(Because(reasons.ACTION_TAKEN, f"action {text!r} was heard: {verb}")),))


def _obey(text: str, spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation) -> Obeyed:
    asked = parse(text)
    if asked is None:
        return Refused(f"write one of {', '.join(VERBS)}, as <verb>/{state.number}/{last_n(state, seen) + 1}")
    verb, number, n = asked
    if number != state.number:
        return Refused(f"the present release is {state.number}")
    if n <= last_n(state, seen):
        return Refused(f"n must be higher than {last_n(state, seen)}")
    if state.asked.abort and verb != "abort":
        return Refused("the release was aborted")
    return VERBS[verb](spec, state, seen)


def taken(asked: Asked) -> Asked:
    """What is still asked for when a step begins: a gate was passed, a hold was skipped, once."""
    return replace(asked, approved=0, skip=False, promote=False)
