"""How a CanaryRelease goes: traffic ends at stable, no request is lost, and nothing that is missing can block it."""

from canary_operator.api.status import State
from canary_operator.release import reasons
from canary_operator.release.homeward import Relabel, Shift, Wait, homeward, remaining
from canary_operator.release.model import Announce, Because, Decision, Disown, ReleaseFinalizer, RemoveRoute, RemoveSubsets, SubsetsSeen
from canary_operator.release.scene import Scene, version_of


def delete(scene: Scene) -> Decision:
    """The next step of a deletion.

    One version left: the VirtualService goes, and after a settle time the DestinationRule, since without a route every request reaches that version
    anyway. Several left: without a route they would share the traffic by their number of pods, so both objects stay, pinned to stable. So do
    routes and subsets that somebody else needs, whatever serves.
    """
    seen = scene.seen
    because = Because(reasons.DELETING, f"CanaryRelease is being deleted; traffic ends at {_home(scene) or 'the only version'}")
    if not seen.finalizer:
        return scene.answer(because, phase=reasons.DELETING)
    if seen.route is None and (seen.subsets is None or (seen.subsets.stays and seen.subsets.mark is None)):
        return scene.answer(because, phase=reasons.DELETING, effects=(ReleaseFinalizer(),))
    if seen.attached or (seen.route is not None and seen.route.stays):
        return _pin(scene, because) if _home(scene) else _give_back(scene, because, "nothing was taken over yet")
    present = [serving for serving in (seen.versions or {}).values() if serving.endpoints or serving.desired]
    if (len(present) <= 1 and not seen.strangers and not seen.unknown) or not _home(scene):
        return _remove(scene, because)
    return _pin(scene, because)


def _home(scene: Scene) -> str:
    """The version at which the traffic ends; empty when none was ever known."""
    if scene.promoted:
        return version_of(scene.state.to)
    return version_of(scene.stable) or (scene.seen.subsets.stable or "" if scene.seen.subsets else "")


def _remove(scene: Scene, because: Because) -> Decision:
    seen = scene.seen
    if seen.route is not None:
        return scene.answer(because, phase=reasons.DELETING, effects=(RemoveRoute(),), again=scene.spec.settle)
    left = remaining(seen.route_gone_since or seen.now, scene.spec.settle, seen.now)
    if left:
        return scene.answer(because, phase=reasons.DELETING, again=left)
    if seen.subsets is not None and seen.subsets.named_by is not None:
        return _pin_subsets(scene, because, seen.subsets)
    return scene.answer(because, phase=reasons.DELETING, effects=(RemoveSubsets(), ReleaseFinalizer()))


def _pin_subsets(scene: Scene, because: Because, subsets: SubsetsSeen) -> Decision:
    home = _home(scene)
    if home and (subsets.stable, subsets.canary) != (home, home):
        state = scene.counted()
        effects = (scene.relabel(state, reasons.DELETING, home, home),)
        return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
    words = (
        f"{subsets.named_by} sends to the subsets, so they stay, pinned to {home or 'what they select'}; the DestinationRule is yours now"
    )
    return _give_back(scene, because, words)


def _pin(scene: Scene, because: Because) -> Decision:
    home = _home(scene)
    only_canary = scene.serves(scene.state.to) and not scene.serves(scene.stable)  # where nothing serves, nothing is lost
    if scene.weight > 0 and not scene.promoted and only_canary and scene.state.state is not State.STABLE:
        return scene.stable_gone("the CanaryRelease is being deleted; but ")
    state = scene.counted()
    match homeward(scene.seen, home, scene.spec.settle, scene.spec.drain):
        case Wait(time):
            return scene.answer(because, phase=reasons.DELETING, again=time)
        case Shift(canary):
            return scene.answer(
                because,
                phase=reasons.DELETING,
                state=state,
                effects=(scene.shift(state, reasons.DELETING, canary),),
                again=scene.spec.settle,
            )
        case Relabel(stable, canary):
            effects = (scene.relabel(state, reasons.DELETING, stable, canary),)
            return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
        case None:
            stays = scene.seen.route is not None and scene.seen.route.stays
            why = "the routes are yours" if scene.seen.attached else "a root of yours delegates here" if stays else "several versions serve"
            return _give_back(scene, because, f"{why}, so VirtualService and DestinationRule stay, pinned to {home}; they are yours now")


def _give_back(scene: Scene, because: Because, words: str) -> Decision:
    effects = (Disown(), Announce(Because(reasons.RELEASED, words)), ReleaseFinalizer())
    return scene.answer(because, phase=reasons.DELETING, effects=effects)
