"""Progressing: the canary subset is pointed at the new version, then the weight rises, one passed step at a time."""

from dataclasses import replace

from canary_operator.analysis.evidence import restart, start_step
from canary_operator.api.status import ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.actions import taken
from canary_operator.release.drift import MOST_CORRECTIONS, corrected, give_way, told, too_soon
from canary_operator.release.extras import extras_of, furnish
from canary_operator.release.homeward import remaining
from canary_operator.release.loss import lose
from canary_operator.release.model import Announce, Because, Decision, Observation, RecordState, RouteSeen, SubsetsSeen
from canary_operator.release.pace import reasoning
from canary_operator.release.plan import FULL, risen, rungs
from canary_operator.release.record import record_of
from canary_operator.release.scene import Scene, anew, clocked, version_of
from canary_operator.release.wants import HANDBRAKES, Hold, Promote, Rise, capacity_missing, first, old_pods, wants


def progress(scene: Scene) -> Decision:
    """The next move of a release that is on its way."""
    return _stable_changed(scene) or labels(scene) or unserved(scene) or furnish(scene) or _climb(scene)


def _stable_changed(scene: Scene) -> Decision | None:
    """Evidence is never shared between revisions: a stable that was deployed anew starts it again.

    What is known from before the release is kept: it only makes the odds more careful, and tells an incident from how the service usually is.
    """
    state, serving = scene.state, scene.serving(scene.state.from_)
    if serving is None or serving.revision == state.from_:
        return None
    because = Because(reasons.STABLE_CHANGED, f"stable {state.from_} was deployed anew as {serving.revision}; evidence starts again")
    evidence = record_of(restart(scene.look.committed))
    fresh = replace(scene.checked(), from_=serving.revision, observed_seconds=0, evidence=evidence, incident_since=None)
    decision = scene.answer(because, state=fresh, effects=(RecordState(), Announce(because)), again=scene.spec.settle)
    return replace(decision, stable=serving.revision)


def labels(scene: Scene) -> Decision | None:
    """The subsets must select the two versions, and that must have settled; labels change only at weight 0."""
    seen, state, spec = scene.seen, scene.state, scene.spec
    stable, canary = version_of(state.from_), version_of(state.to)
    subsets, route = seen.subsets, seen.route
    if subsets is None or subsets.stable is None or subsets.canary is None:
        # One that is there keeps its label, even a wrong one: it may be serving.
        return _relabel(scene, reasons.DRIFT, "a subset was missing; it was put back", stable, (subsets and subsets.canary) or canary)
    if not subsets.exported:
        reason = reasons.PREPARING if subsets.former or not subsets.touched_by else reasons.DRIFT
        return _relabel(scene, reason, "the DestinationRule is exported as the Service is", subsets.stable, subsets.canary)
    if route is None:
        return _no_route(scene, subsets)
    if subsets.stable != stable:
        # Nearly everything goes to the wrong version: mended at once, before the canary's label, which waits for weight 0.
        return _relabel(scene, reasons.DRIFT, f"subset stable selected {subsets.stable}; it was put right", stable, subsets.canary)
    if subsets.canary == canary:
        left = remaining(subsets.since, spec.settle, seen.now)
        if state.weight or not left:
            return None
        return scene.answer(
            Because(reasons.PREPARING, f"subset canary selects {canary} now; proxies are given {spec.settle.total_seconds():g} s"),
            again=left,
        )
    return _point(scene, route, subsets)


def _no_route(scene: Scene, subsets: SubsetsSeen) -> Decision:
    if scene.seen.attached:
        return scene.answer(missing_route(scene.seen), phase="Blocked")
    left = remaining(subsets.since, scene.spec.settle, scene.seen.now)
    if left:
        return scene.answer(Because(reasons.SETTLING, "the DestinationRule was put back; the VirtualService follows"), again=left)
    return lose(scene, reasons.DRIFT, "the VirtualService was missing", lost=False)


def missing_route(seen: Observation) -> Because:
    """A route of the user's is not there: nothing is created in its place. Preflight may know which."""
    known = next((each for each in seen.findings if each.reason == reasons.ROUTE_MISSING), None)
    return known or Because(
        reasons.ROUTE_MISSING, "a VirtualService or route of spec.traffic.attach does not exist; apply it, or correct the spec"
    )


def _point(scene: Scene, route: RouteSeen, subsets: SubsetsSeen) -> Decision:
    """The canary subset selects another version than the one under test: it is pointed at it, without traffic."""
    state, spec, canary = scene.state, scene.spec, version_of(scene.state.to)
    if route.weight > 0 and state.weight == 0 and subsets.canary == subsets.stable:
        # Both select stable, so any weight was right until now; a release begins at 0.
        preparing, begun = Because(reasons.PREPARING, f"the canary's weight goes from {route.weight} % to 0 before"), scene.counted()
        return scene.answer(preparing, state=begun, effects=(scene.shift(begun, reasons.PREPARING, 0),), again=spec.settle)
    if route.weight > 0:
        words = f"subset canary selects {subsets.canary} instead of {canary}"
        return lose(scene, reasons.DRIFT, words, lost=False)
    if scene.exposed:
        bare = replace(scene.counted(), mirror_since=None)
        because = Because(reasons.PREPARING, "nothing is shown to the canary before its subset changes")
        return scene.answer(because, state=bare, effects=(scene.shift(bare, reasons.PREPARING, 0),), again=spec.settle)
    left = remaining(route.since, max(spec.settle, spec.drain), scene.seen.now)
    if left:
        return scene.answer(Because(reasons.PREPARING, "weight 0 is settling before the canary subset changes"), again=left)
    mark, stable = subsets.mark, version_of(state.from_)
    if mark is not None and mark.uid == scene.seen.uid and mark.release == state.number:
        words = f"subset canary selected {subsets.canary} instead of {canary}; it was put right"
        return _relabel(scene, reasons.DRIFT, words, stable, canary)
    # Without a mark nobody knows whether it was pointed there before: it counts, so that it cannot go on for ever.
    known = scene if mark is not None else replace(scene, state=corrected(state))
    return _relabel(known, reasons.PREPARING, f"subset canary is pointed at {canary}", stable, canary)


def _relabel(scene: Scene, reason: str, words: str, stable: str, canary: str) -> Decision:
    if reason != reasons.DRIFT and scene.state.drifts <= MOST_CORRECTIONS:
        state = scene.counted()
        return scene.answer(
            Because(reason, words), state=state, effects=(scene.relabel(state, reason, stable, canary),), again=scene.spec.settle
        )
    if decision := give_way(scene, words):
        return decision
    because, state = Because(reason, told(scene.seen, words)), corrected(scene.counted())
    effects = (scene.relabel(state, reason, stable, canary), RecordState(), Announce(because, warning=True))
    return scene.answer(because, state=state, effects=effects, again=scene.spec.settle)


def unserved(scene: Scene) -> Decision | None:
    """The route does not have the weight that was decided: the write is missing, or somebody else changed it."""
    route, state = scene.seen.route, scene.state
    if route is None or (route.weight == state.weight and route.intact):
        return None
    if route.unfinished and route.mark is not None and route.weight >= state.weight:
        whole = (
            "reached some of the VirtualServices only"
            if scene.seen.attached
            else "stands in a VirtualService that the spec has otherwise now"
        )
        words = f"the weight {state.weight} % {whole}; it is written again"
        return _begin_again(scene, Because(route.mark.decision, words))
    if route.weight >= state.weight:
        words = f"the route gave the canary {route.weight} % instead of {state.weight} %, or led elsewhere; it was set right"
        because = Because(reasons.DRIFT, told(scene.seen, words))
        return give_way(scene, words) or _begin_again(replace(scene, state=corrected(state)), because, Announce(because, warning=True))
    if not _is_due(scene, route):
        words = f"the route gave the canary {route.weight} % instead of {state.weight} %"
        return lose(scene, reasons.DRIFT, words, lost=False)
    if hold := first(HANDBRAKES, scene):
        return held(scene, hold)
    if decision := too_soon(scene) or _unsettled(scene):
        return decision
    if short := old_pods(scene) or capacity_missing(scene, state.weight):
        return scene.answer(short)
    again = scene
    if route.touched_by:  # it looks as if it had never been written, but somebody else has written there
        if decision := give_way(scene, f"the route gave the canary {route.weight} % again"):
            return decision
        again = replace(scene, state=corrected(state))
    return _begin_again(again, Because(reasons.STEP_PASSED, f"the recorded weight {state.weight} % is written"))


def _begin_again(scene: Scene, because: Because, *announce: Announce) -> Decision:
    """Writes the weight that is recorded already. The step begins only now: nothing that was seen before counts for it."""
    state = _begun(scene, scene.state)
    write = scene.shift(state, because.reason, state.weight, extras_of(scene, state))
    return scene.answer(because, state=state, effects=(write, RecordState(), *announce))


def _is_due(scene: Scene, route: RouteSeen) -> bool:
    """The recorded rise was not written yet: the route still is what it was before."""
    state = scene.state
    passed = rungs(state.plan)[: state.step if state.state is State.PROMOTING else max(state.step - 1, 0)]
    before = passed[-1].weight if passed else 0
    mark = route.mark
    return route.weight == before and mark is not None and (mark.weight != state.weight or mark.uid != scene.seen.uid)


def _unsettled(scene: Scene) -> Decision | None:
    """A subset changed a moment ago, for all that this process knows: no weight rises before that is served everywhere."""
    subsets, spec = scene.seen.subsets, scene.spec
    left = remaining(subsets.since, spec.settle, scene.seen.now) if subsets is not None else spec.settle
    because = Because(reasons.SETTLING, f"the subsets are given {spec.settle.total_seconds():g} s before the weight rises")
    return scene.answer(because, again=left) if left else None


def held(scene: Scene, hold: Hold) -> Decision:
    """The weight stays, for this reason."""
    state = clocked(scene.checked(), scene.seen.now, by_hand=hold.by_hand)
    return scene.answer(hold.missing, state=state, phase=hold.phase, again=hold.again)


def _climb(scene: Scene) -> Decision:
    match wants(scene):
        case Hold() as hold:
            return held(scene, hold)
        case Rise(step, weight):
            return too_soon(scene) or _unsettled(scene) or _rise(scene, _chosen(scene, step, weight))
        case Promote():
            return too_soon(scene) or _unsettled(scene) or _rise(scene, replace(scene.checked(), state=State.PROMOTING, weight=FULL))


def _begun(scene: Scene, state: ReleaseRecord) -> ReleaseRecord:
    """A step that begins now, with one more routing write."""
    evidence = record_of(start_step(scene.look.committed, state.weight))
    return replace(anew(state, scene.seen.now), evidence=evidence, asked=taken(state.asked), seq=state.seq + 1)


def _chosen(scene: Scene, step: int, weight: int) -> ReleaseRecord:
    """The record with the next step, and under a pace what it was chosen by."""
    choice = scene.choice
    return risen(scene.checked(), step, weight, scene.look.tempo, choice.risk if choice else 1.0)


def _rise(scene: Scene, earned: ReleaseRecord) -> Decision:
    """The record precedes the write: whoever comes later knows that this weight was earned."""
    told = scene.look.told if scene.state.step else f"canary {earned.to} is ready"
    told = f"by hand; {told}" if scene.by_hand else told
    choice, tempo = scene.choice, scene.look.tempo
    if choice and tempo and earned.weight < FULL:
        told = f"{told}; {reasoning(earned.weight, choice.risk, choice.price.budget, tempo)}"
    state, because = _begun(scene, earned), Because(reasons.STEP_PASSED, f"canary gets {earned.weight} %: {told}")
    effects = (RecordState(), scene.shift(state, reasons.STEP_PASSED, state.weight, extras_of(scene, state)), Announce(because))
    return scene.answer(because, state=state, effects=effects, again=scene.spec.settle)
