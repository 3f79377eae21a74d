"""At rest: the route is taken over once, kept as it should be, and left when a new version is wanted."""

from dataclasses import replace

from canary_operator.api.status import Outcome, PastRelease, State
from canary_operator.release import reasons
from canary_operator.release.absence import pods, serving_beside
from canary_operator.release.drift import REST_SPACING, told
from canary_operator.release.forsaken import forsaken
from canary_operator.release.homeward import Move, Relabel, Shift, Wait, harmless, homeward, remaining
from canary_operator.release.model import Announce, Because, Decision, EnsureFinalizer, RecordState, Serving
from canary_operator.release.scene import Scene, version_of
from canary_operator.release.start import kept_from_starting, start
from canary_operator.release.steps import missing_route


def adopt(scene: Scene) -> Decision:
    """Takes the route over: finalizer, subsets, route, in this order, without moving a request."""
    seen, spec = scene.seen, scene.spec
    if barred := scene.barred():
        return barred
    stable = _first_stable(scene)
    if isinstance(stable, Because):
        return scene.answer(stable, phase="Blocked")
    because = Because(reasons.ADOPTING, f"the route of Service {spec.service.name} is taken over; {stable.revision} serves")
    finalizer = () if seen.finalizer else (EnsureFinalizer(),)
    state = scene.counted()
    move = homeward(seen, stable.version, spec.settle, spec.drain)
    if seen.attached and isinstance(move, Shift) and harmless(seen, stable.version):
        move = None
    if (move is None or isinstance(move, Shift)) and _subsets_are_nobodys(scene):
        # They are right already. They are written all the same, so that they bear our mark: it says whose they are, to a deletion and an uninstall.
        # Their labels stay: the canary's may have weight still.
        subsets = seen.subsets
        move = Relabel(stable.version, (subsets and subsets.canary) or stable.version)
    match move:
        case Wait(time):
            return scene.answer(because, again=time)
        case Shift(canary):
            return scene.answer(because, state=state, effects=(*finalizer, scene.shift(state, reasons.ADOPTING, canary)), again=spec.settle)
        case Relabel(one, other):
            return scene.answer(
                because, state=state, effects=(*finalizer, scene.relabel(state, reasons.ADOPTING, one, other)), again=spec.settle
            )
        case None if seen.route is None:  # the subsets come first: a route that names them before would answer 503
            return scene.answer(missing_route(seen), phase="Blocked")
        case None:
            beside = _beside(scene, stable.version)
            words = f"the route is taken over; {stable.revision} is stable" + (f"; {beside}" if beside else "")
            known = replace(scene.state, stable_pods=pods(stable), stable_version=spec.stable_version or "")
            rest, adopted = replace(known, state=State.STABLE), Announce(Because(reasons.ADOPTED, words), warning=bool(beside))
            effects = (*finalizer, RecordState(), adopted)
            decision = scene.answer(Because(reasons.AT_REST, words), state=rest, effects=effects, again=spec.settle * 0)
            return replace(decision, stable=stable.revision)


def _beside(scene: Scene, stable: str) -> str:
    """What served beside stable until the adoption, whose requests stable gets from now on; empty: nothing."""
    others = {} if scene.seen.attached else serving_beside(scene.seen, stable)
    ready = sum(each.endpoints for each in others.values())
    return f"the requests that {', '.join(others)} answered with {ready} ready pods until now go to stable too" if others else ""


def _subsets_are_nobodys(scene: Scene) -> bool:
    """No write of this CanaryRelease is on the subsets: an earlier one of its name left them, or a user wrote them."""
    subsets = scene.seen.subsets
    return subsets is not None and (subsets.mark is None or subsets.mark.uid != scene.seen.uid)


def _first_stable(scene: Scene) -> Serving | Because:
    """Which version is stable before anything was recorded, or why nobody knows."""
    versions, spec, subsets = scene.seen.versions or {}, scene.spec, scene.seen.subsets
    serving = {version: each for version, each in versions.items() if each.endpoints}
    # What the subsets select comes first: requests go there now. If it serves no more, the spec may name another.
    named = [version for version in (subsets.stable if subsets else None, spec.stable_version) if version]
    if known := next((version for version in named if version in serving), None):
        return serving[known]
    if not serving:
        return Because(
            reasons.NOTHING_SERVES,
            f"Service {spec.service.name} has no ready pod with label {spec.version_label}; deploy the version that should serve now",
        )
    if named:
        return Because(
            reasons.STABLE_UNKNOWN,
            f"version {named[0]} should be stable but has no ready pod behind Service {spec.service.name}; serving: "
            f"{', '.join(sorted(serving))}; bring it back, or write the one that is stable now in spec.stableVersion",
        )
    if len(serving) > 1:
        versions_text = ", ".join(sorted(serving))
        return Because(
            reasons.STABLE_UNKNOWN, f"several versions serve ({versions_text}); write the one that is stable now in spec.stableVersion"
        )
    return next(iter(serving.values()))


def rest(scene: Scene) -> Decision:
    """Keeps the route, and starts a release when another revision is wanted."""
    before = scene.seen.stable
    serving = scene.serving(before)
    if serving is not None and serving.revision != before:
        # Stable deployed anew is no release: the version stays, its revision is what serves, and everything that is said names that one.
        scene = replace(scene, seen=replace(scene.seen, stable=serving.revision))
    decision = _rest(scene)
    if scene.seen.stable == before or decision.state.state is not State.STABLE:
        return decision
    news = Announce(Because(reasons.STABLE_CHANGED, f"stable {before} was deployed anew as {scene.seen.stable}; the version is the same"))
    return replace(decision, effects=(*decision.effects, RecordState(), news))


def _rest(scene: Scene) -> Decision:
    move = _move(scene)
    decision = forsaken(scene, move) or _keep(scene, move) or _wanted(scene, move)
    if isinstance(move, Wait) and (decision.look_again_in is None or decision.look_again_in > move.time):
        decision = replace(decision, look_again_in=move.time)
    # What would block a release may keep callers from their answers now: a rule that hides the subsets, a route to one that does not exist.
    hurting = tuple(each for each in scene.seen.findings if each.reason != decision.because.reason)
    decision = replace(decision, warnings=(*decision.warnings, *hurting))
    return decision


def _move(scene: Scene) -> Move | Wait | None:
    """The next write at rest. Weights that harm nobody are left alone in the user's routes, and corrected after a while in ours."""
    seen, spec, home = scene.seen, scene.spec, version_of(scene.seen.stable)
    move = homeward(seen, home, spec.settle, spec.drain)
    if not isinstance(move, Shift) or seen.route is None or seen.subsets is None or not harmless(seen, home):
        return move
    if seen.attached or spec.version != home:
        # The start of a release takes the weight to 0; only the subsets must have settled.
        left = remaining(seen.subsets.since, spec.settle, seen.now)
        return Wait(left) if left else None
    left = remaining(max(seen.route.since, seen.subsets.since), REST_SPACING, seen.now)
    return Wait(left) if left else move


def _keep(scene: Scene, move: Move | Wait | None) -> Decision | None:
    spec, state = scene.spec, scene.counted()
    match move:
        case Shift(canary) if scene.seen.route is not None and scene.seen.route.unfinished:
            because = Because(reasons.SETTLING, "the VirtualService is written as the spec has it now")
            return scene.answer(because, state=state, effects=(scene.shift(state, reasons.SETTLING, canary),), again=spec.settle)
        case Shift(canary):
            because = Because(reasons.DRIFT, told(scene.seen, "the VirtualService was not as it should be at rest; it was set right"))
            return scene.answer(
                because,
                state=state,
                effects=(scene.shift(state, reasons.DRIFT, canary), Announce(because, warning=True)),
                again=spec.settle,
            )
        case Relabel(stable, canary) if _only_exports(scene):
            because = Because(reasons.SETTLING, "the DestinationRule is exported as the Service is now")
            effects = (scene.relabel(state, reasons.SETTLING, stable, canary),)
            return scene.answer(because, state=state, effects=effects, again=spec.settle)
        case Relabel(stable, canary):
            because = Because(reasons.DRIFT, told(scene.seen, "the DestinationRule was not as it should be at rest; it was set right"))
            return scene.answer(
                because,
                state=state,
                effects=(scene.relabel(state, reasons.DRIFT, stable, canary), Announce(because, warning=True)),
                again=spec.settle,
            )
        case Wait() | None:
            return None


def _only_exports(scene: Scene) -> bool:
    """The DestinationRule is as we left it, and is to reach other callers than then."""
    subsets = scene.seen.subsets
    return subsets is not None and not subsets.exported and (subsets.former or not subsets.touched_by)


def _wanted(scene: Scene, move: Move | Wait | None) -> Decision:
    seen, spec, past = scene.seen, scene.spec, scene.seen.last_release
    if seen.attached and seen.route is None:
        return scene.answer(missing_route(seen), phase="Blocked")
    if spec.version == version_of(seen.stable):
        if seen.versions is None:
            words = f"Service {spec.service.name} does not exist; create it, or delete this CanaryRelease"
            return scene.answer(next(iter(seen.findings), Because(reasons.NOTHING_SERVES, words)), phase="Blocked")
        if not scene.serves(seen.stable):
            return scene.stable_gone()
        # A retry that was not taken up is over: of the version that failed nothing is wanted any more.
        state = replace(scene.state, asked=replace(scene.state.asked, retry=False))
        return scene.answer(Because(reasons.AT_REST, f"{seen.stable} serves everything"), state=state)
    canary = scene.serving(spec.version + "@")
    if canary is None or not (canary.endpoints or canary.desired):
        if seen.findings:  # such as a selector that leaves its pods out
            return scene.answer(seen.findings[0], phase="Blocked")
        words = f"no pod behind Service {spec.service.name} carries the label {spec.version_label}={spec.version}; deploy that version"
        return scene.answer(Because(reasons.CANARY_NOT_DEPLOYED, words), phase="Waiting")
    if past and past.revision == canary.revision and _stands_in_the_way(past) and not scene.state.asked.retry:
        return scene.answer(Because(past.reason, past.message))
    if held := kept_from_starting(scene, canary.revision):
        return scene.answer(held, phase="Suspended")
    if barred := scene.barred():
        return barred
    return replace(_set_out(scene, canary, move), inspect=True)


def _set_out(scene: Scene, canary: Serving, move: Move | Wait | None) -> Decision:
    """Starts the release once the routes are home and stable serves."""
    spec = scene.spec
    if not scene.serves(scene.seen.stable):
        return scene.stable_gone()
    if move is not None:
        return scene.answer(Because(reasons.SETTLING, "the routing is settling before the release starts"), again=spec.settle)
    return start(scene, canary)


def _stands_in_the_way(past: PastRelease) -> bool:
    """How the last release ended says something of its revision: not so if only something else was wanted meanwhile."""
    return past.outcome in (Outcome.ROLLED_BACK, Outcome.WITHDRAWN) and past.reason != reasons.RETARGETED
