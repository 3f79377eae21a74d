"""A release whose stable version has no ready pod: traffic moves to the canary as far as its pods carry it, or wholly by a person, and back.

The one exception to "weight rises only after a passed step" (rule 8). Like every rise it is recorded before it is written; like every drop the way
back is written before it is recorded. `docs/adr/0052` has the table.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from canary_operator.analysis.evidence import start_step
from canary_operator.analysis.verdict import Word
from canary_operator.api.record import ReleaseRecord, StableGone, State
from canary_operator.preflight.finding import WORKLOAD_SHARED
from canary_operator.release import reasons
from canary_operator.release.absence import (
    MOVABLE,
    PATIENCE,
    UNREADY,
    Absence,
    Chosen,
    asked_by_hand,
    blamed,
    chosen,
    made_stable_by_hand,
    named_by_hand,
    not_ours,
    pods,
)
from canary_operator.release.actions import taken
from canary_operator.release.drift import RISE_SPACING, too_soon
from canary_operator.release.homeward import remaining
from canary_operator.release.model import Announce, Because, Decision, EnsureFinalizer, RecordState
from canary_operator.release.plan import FULL, carried, pods_needed
from canary_operator.release.record import record_of
from canary_operator.release.scene import Scene, anew, clocked, minus, version_of
from canary_operator.release.steps import labels
from canary_operator.release.wants import HANDBRAKES, first
from canary_operator.release.ways_out import replaced, ways

MOST_RETURNS = 2
"""So often within `RETURNS_WITHIN` traffic goes back to a stable version by itself; then a person decides."""
RETURNS_WITHIN = timedelta(minutes=10)


def fail_over(scene: Scene) -> Decision | None:
    """What is done while stable does not serve, or until traffic is back on it; None: it serves, and the plan goes on."""
    scene = _heard(scene)
    state, absence = scene.state, scene.absence
    if made_stable_by_hand(state):
        return _by_hand_to_the_end(scene)
    if absence is Absence.SERVES:
        return _over(scene) if state.stable_gone else None
    by_hand = asked_by_hand(state) and absence in MOVABLE and pods(scene.serving(state.to)) > 0
    if state.state is State.PROMOTING:
        return _at_full(scene, absence, by_hand=by_hand)
    if absence is Absence.LEAVING and (scene.look.worse or not scene.serves(state.to)):
        return None  # there is still a way back, and it is taken
    if decision := _put_off(scene, absence):
        return decision
    if by_hand:
        return _not_by_hand(scene) or _ready_to_move(scene) or _promoted_by_hand(scene)
    if absence not in (Absence.GONE, Absence.LEAVING):
        return scene.stable_gone(why=_not_gone(scene, absence))
    if (why := _kept_back(scene, absence)) is not None:
        return _stay(scene, absence, why) if absence is Absence.GONE or _moved(state) else _leaving(scene, why)
    weight = carried(scene.spec.capacity, pods(scene.serving(state.to)), state.stable_pods)
    if weight <= state.weight:
        short = state.weight < FULL and f"that is all that its pods carry by spec.capacity, as stable had {state.stable_pods}"
        return _written(scene) or _stay(scene, absence, short or "")
    return _ready_to_move(scene) or _move(scene, weight, absence)


def _at_full(scene: Scene, absence: Absence, *, by_hand: bool) -> Decision | None:
    """The canary has everything already; what is left is the way back, which is gone. None: the canary serves, and the plan goes on."""
    if by_hand:
        return _not_by_hand(scene) or _promoted_by_hand(scene)
    return _stay(scene, absence, "") if absence is Absence.GONE and not scene.serves(scene.state.to) else None


def all_scaled_down(scene: Scene) -> bool:
    """The canary has lost its pods together with stable, as when a namespace is scaled to 0 for the night: nobody is to blame for that.

    Stable was gone until now, or its pods that are left are being taken away because none is asked for.
    """
    stable, canary = scene.serving(scene.state.from_), scene.serving(scene.state.to)
    going = stable is not None and stable.leaving and (canary is None or not canary.desired)
    return going or scene.state.stable_gone is not None


def _moved(state: ReleaseRecord) -> bool:
    return state.stable_gone is not None and state.stable_gone.moved


def _leaving(scene: Scene, why: str) -> Decision | None:
    """Stable still serves: the plan goes on, unless it would end a release that is only there to take the traffic."""
    if scene.weight or scene.spec.version == version_of(scene.state.to):
        return None
    told = replaced(scene.seen, version_of(scene.stable))
    because = Because(reasons.STABLE_REPLACED, f"{told.message if told else f'stable {scene.stable} is losing its pods'}; {why}")
    return scene.answer(because, state=clocked(scene.checked(), scene.seen.now, by_hand=True), phase="Waiting")


def _heard(scene: Scene) -> Scene:
    """The scene with what a person wrote into `spec.stableVersion` while stable was gone: it counts like `promote`."""
    stable, state = version_of(scene.stable), scene.state
    if scene.absence not in UNREADY or state.state is not State.PROGRESSING:
        return scene
    if not named_by_hand(scene.spec, state, stable) or scene.spec.stable_version != version_of(state.to):
        return scene
    gone = replace(_noted(scene), asked=True)
    return replace(scene, state=replace(state, stable_version=scene.spec.stable_version, stable_gone=gone))


def _not_gone(scene: Scene, absence: Absence) -> str:
    if absence is Absence.ANSWERS:
        return "but callers count answers of it, so nothing moves by itself"
    return f"traffic moves when that has lasted {PATIENCE.total_seconds():g} s"


def _put_off(scene: Scene, absence: Absence) -> Decision | None:
    """Another version is to take the traffic, and nothing is on this one yet: it goes first."""
    state, stable = scene.state, version_of(scene.stable)
    serving = scene.serving(state.to)
    if scene.weight or state.weight or absence is Absence.LEAVING or (asked_by_hand(state) and pods(serving)):
        return None
    if serving and serving.revision != state.to:
        return scene.end(reasons.SUPERSEDED, f"version {serving.version} was deployed anew as {serving.revision}")
    if absence is Absence.BRIEF:
        return None
    choice = chosen(scene.spec, state, scene.seen, stable, by_hand=bool(named_by_hand(scene.spec, state, stable)))
    if isinstance(choice, Chosen) and choice.serving.version != version_of(state.to):
        return scene.end(reasons.SUPERSEDED, f"stable {scene.stable} has no ready pod, and {choice.serving.revision} serves")
    if scene.spec.version not in (version_of(state.to), stable) and not pods(serving):
        return scene.end(reasons.SUPERSEDED, f"spec.version is {scene.spec.version} now")
    return None


def _kept_back(scene: Scene, absence: Absence) -> str | None:
    """Why no traffic moves to the canary by itself, in words; None: nothing stands in the way."""
    state, canary = scene.state, version_of(scene.state.to)
    if not pods(scene.serving(state.to)):
        return ""
    if absence is Absence.LEAVING and scene.spec.version != canary:
        return f"traffic moves to {canary} when it has none"
    if hold := first(HANDBRAKES, scene):
        return f"nothing rises by itself: {hold.missing.message}"
    if stop := _stop(scene, absence):
        return f"nothing rises by itself: {stop.message}"
    if blamed(scene.seen, state.to or ""):
        return f"{canary} was rolled back or aborted before, so no traffic moves there by itself"
    evidence, word = state.evidence, scene.look.verdict.word
    if evidence.suspect or evidence.suspect_slow or word in (Word.SUSPECT, Word.WORSE) or scene.look.hearing.outside:
        return f"{canary} is suspect, so no traffic moves there by itself"
    if not state.stable_pods:
        return "nobody knows how many pods carried its load, so nothing moves by itself"
    return None


def _stop(scene: Scene, absence: Absence) -> Because | None:
    """A finding that keeps traffic from moving: while requests fail anyway, only one that says that the routing is not ours to write."""
    if absence is Absence.GONE:
        return not_ours(scene.seen)
    return next((each for each in scene.seen.findings if each.reason != WORKLOAD_SHARED), None)  # which is what is about to end


# ------------------------------------------------------------------------------------------------------------------------- moving


def _ready_to_move(scene: Scene) -> Decision | None:
    """What comes before a rise of any kind: the subsets are right and settled, and no drop was a moment ago."""
    if not scene.seen.finalizer:
        because = Because(reasons.DRIFT, "the finalizer was missing; it was put back")
        return scene.answer(because, effects=(EnsureFinalizer(),), again=scene.spec.settle * 0)
    if decision := labels(scene) or too_soon(scene):
        return _told(scene, decision)
    subsets = scene.seen.subsets
    left = remaining(subsets.since, scene.spec.settle, scene.seen.now) if subsets else scene.spec.settle
    return _told(scene, scene.answer(Because(reasons.SETTLING, "the subsets settle"), again=left)) if left else None


def _told(scene: Scene, waiting: Decision) -> Decision:
    """A wait, told as what it is for; that stable is gone is recorded meanwhile."""
    decision = _stay(scene, scene.absence, waiting.because.message)
    if waiting.effects:  # a subset is pointed at the canary, or the like
        return replace(waiting, because=decision.because, phase=decision.phase)
    return replace(decision, look_again_in=waiting.look_again_in)


def _noted(scene: Scene, *, moved: bool = False, by_hand: bool = False) -> StableGone:
    known = scene.state.stable_gone or StableGone(since=scene.seen.now)
    return replace(known, moved=known.moved or moved, by_hand=by_hand)


def _move(scene: Scene, weight: int, absence: Absence) -> Decision:
    """Recorded, then written."""
    state = _at(scene, weight, stable_gone=_noted(scene, moved=True))
    how = "has no ready pod" if absence is Absence.GONE else "is losing its pods"
    words = (
        f"stable {scene.stable} {how}; {scene.state.to} gets {weight} % of the traffic"
        f"{'' if weight == FULL else ', as much as its pods carry by spec.capacity'}"
    )
    because = Because(
        reasons.STABLE_GONE, f"{words}; {ways(scene.spec, state, scene.seen, version_of(scene.stable), back=absence is Absence.GONE)}"
    )
    effects = (RecordState(), scene.shift(state, reasons.STABLE_GONE, weight), Announce(because, warning=True))
    return scene.answer(
        because, state=clocked(state, scene.seen.now, by_hand=True), effects=effects, again=scene.spec.settle, phase="Blocked"
    )


def _promoted_by_hand(scene: Scene) -> Decision:
    """A person makes the canary stable, whatever else speaks against it."""
    state = _at(scene, FULL, state=State.PROMOTING, held=None, stable_gone=_noted(scene, moved=True, by_hand=True))
    against = f", though {reasons.rises_off(scene.seen.rises_off)}" if scene.seen.rises_off is not None else ""
    words = f"stable {scene.stable} has no ready pod; by hand {scene.state.to} gets all traffic and becomes stable{against}"
    because = Because(reasons.STABLE_GONE, words)
    shift = scene.shift(state, reasons.STABLE_GONE, FULL)
    effects = (RecordState(), shift, Announce(because, warning=True))
    return scene.answer(because, state=state, effects=effects, again=scene.spec.settle)


def _at(scene: Scene, weight: int, **changes: object) -> ReleaseRecord:
    """The record of another weight, with one more routing write; what was seen before counts for nothing at it."""
    evidence = record_of(start_step(scene.look.committed, weight))
    state = replace(
        anew(scene.counted(), scene.seen.now), weight=weight, evidence=evidence, asked=taken(scene.state.asked), mirror_since=None
    )
    return replace(state, **changes)  # type: ignore[arg-type]


def _not_by_hand(scene: Scene) -> Decision | None:
    """A person has asked, and the routing is somebody else's: the wish is kept, and nothing is written."""
    theirs = not_ours(scene.seen)
    return _stay(scene, scene.absence, f"it is not promoted: {theirs.message}") if theirs else None


def _by_hand_to_the_end(scene: Scene) -> Decision | None:
    """A person has made the canary stable: the bake is left out, and nothing that is found out now is held against it."""
    if pods(scene.serving(scene.state.to)):
        return _not_by_hand(scene) or _written(scene)
    return None if scene.serves(scene.state.from_) else scene.stable_gone()


def _written(scene: Scene) -> Decision | None:
    """A weight that was recorded and is not in the route is written again, not as fast as somebody else takes it away."""
    route, state = scene.seen.route, scene.state
    if not _moved(state) or route is None or (route.weight == state.weight and route.intact):
        return None
    if decision := _ready_to_move(scene):
        return decision
    left = RISE_SPACING - minus(scene.seen.now, state.weight_since)
    words = f"the weight {state.weight} % that was decided is written"
    written = route.mark is not None and route.mark.uid == scene.seen.uid and route.mark.rank >= (state.number, state.seq)
    if (written or route.touched_by) and left > timedelta(0):
        return replace(_stay(scene, scene.absence, words), look_again_in=left)
    again = _at(scene, state.weight, asked=state.asked)
    effects = (scene.shift(again, reasons.STABLE_GONE, state.weight), RecordState())
    return scene.answer(Because(reasons.STABLE_GONE, words), state=again, effects=effects, again=scene.spec.settle, phase="Blocked")


def _stay(scene: Scene, absence: Absence, why: str) -> Decision:
    """Nothing moves now. The first time it is recorded and announced."""
    decision = scene.stable_gone(why=why)
    if decision.effects:  # a subset is put back
        return decision
    begins = scene.state.stable_gone is None and absence is Absence.GONE
    state = clocked(scene.checked(), scene.seen.now, by_hand=True)
    if not begins:
        return replace(decision, state=state)
    effects = (RecordState(), Announce(decision.because, warning=True))
    # A canary that went a moment before stable did, and has not come back, was scaled down with it.
    lost = state.lost and scene.serves(state.to)
    return replace(decision, state=replace(state, stable_gone=_noted(scene), lost=lost), effects=effects)


# ---------------------------------------------------------------------------------------------------------------------- and back


def _over(scene: Scene) -> Decision | None:
    """Stable serves again: once it has been ready for `settle` and carries its load, traffic goes back to it."""
    state, seen, spec = scene.state, scene.seen, scene.spec
    gone = state.stable_gone or _noted(scene)
    if scene.weight > 0 and not scene.serves(state.to):
        return None  # there is a way back, and it is taken at once
    if scene.weight > 0 and scene.look.worse:
        return scene.end(scene.look.blamed_for, f"at {scene.weight} % {scene.look.worse}")
    presence = seen.presence.get(version_of(scene.stable))
    left = remaining(presence.since if presence else seen.now, spec.settle, seen.now)
    if left and gone.moved:
        return _wait(scene, left, f"it goes back when {version_of(scene.stable)} has been ready for {spec.settle.total_seconds():g} s")
    if not gone.moved:
        because = Because(reasons.STABLE_BACK, f"stable {scene.stable} serves again; no traffic had moved")
        clear = replace(clocked(scene.checked(), seen.now, by_hand=False), stable_gone=None)
        return scene.answer(because, state=clear, effects=(RecordState(), Announce(because, warning=True)), again=spec.settle * 0)
    if asked_by_hand(state) and pods(scene.serving(state.to)) and not not_ours(seen):
        return _ready_to_move(scene) or _promoted_by_hand(scene)
    needed = pods_needed(spec.capacity, FULL, state.stable_pods)
    if pods(scene.serving(state.from_)) < needed:
        words = f"it goes back when {version_of(scene.stable)} has {needed} ready pods, its share of the {state.stable_pods} that carried its load"
        return _wait(scene, None, words)
    lately = returns(state, seen.now)
    if len(lately) >= MOST_RETURNS:
        words = f"it went back {MOST_RETURNS} times in {RETURNS_WITHIN.total_seconds() / 60:g} minutes, so it stays for a while"
        return _wait(scene, remaining(lately[0], RETURNS_WITHIN, seen.now), words)
    back = _at(scene, 0, step=0, stable_gone=None, returned=(*lately, seen.now))
    because = Because(reasons.STABLE_BACK, f"stable {scene.stable} serves again; all traffic goes back to it")
    effects = (scene.shift(back, reasons.STABLE_BACK, 0), RecordState(), Announce(because, warning=True))
    return scene.answer(because, state=back, effects=effects, again=spec.settle)


def _wait(scene: Scene, left: timedelta | None, words: str) -> Decision:
    """Stable serves again, and the traffic stands where it is for now."""
    decision = scene.stable_gone(why=words)
    state = clocked(scene.checked(), scene.seen.now, by_hand=True)
    again = _written(scene)
    return again or (decision if decision.effects else replace(decision, state=state, look_again_in=left))


def returns(state: ReleaseRecord, now: datetime) -> tuple[datetime, ...]:
    """When traffic went back to a stable version that had been gone, within `RETURNS_WITHIN`, oldest first."""
    return tuple(each for each in state.returned if now - each < RETURNS_WITHIN)[-MOST_RETURNS:]
