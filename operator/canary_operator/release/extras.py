"""What the routes carry beside the weights while a release runs: requests that always see the canary, and copies that nobody waits for."""

from dataclasses import replace

from canary_operator.api.record import ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.drift import corrected, give_way
from canary_operator.release.homeward import remaining
from canary_operator.release.model import BARE, Because, Decision, Extras, RecordState
from canary_operator.release.scene import Scene, running
from canary_operator.release.wants import HANDBRAKES, blocked, capacity_missing, first, goal

_BEFORE_MIRRORING = (*HANDBRAKES, blocked)


def extras_of(scene: Scene, state: ReleaseRecord) -> Extras:
    """What belongs beside the weight of a state. Nothing is sent to a canary without a ready pod."""
    spec = scene.spec
    if scene.seen.attached or not running(state) or not scene.ready(state.to):
        return BARE
    before = state.state is State.PROGRESSING and not state.step
    mirror = spec.mirror.percent if spec.mirror and before and (state.mirror_since or _may_mirror(scene)) else 0
    return Extras(preview=spec.preview is not None, mirror=mirror)


def _may_mirror(scene: Scene) -> bool:
    """Copies begin when only they are missing before the first weight."""
    weight = goal(scene)
    return weight is not None and first(_BEFORE_MIRRORING, scene) is None and capacity_missing(scene, weight) is None


def furnish(scene: Scene) -> Decision | None:
    """The routes get what they should carry, and lose at once what they should not."""
    route, state = scene.seen.route, scene.state
    wanted = extras_of(scene, state)
    if route is None or route.extras == wanted:
        return None
    adds = (wanted.preview and not route.extras.preview) or wanted.mirror > route.extras.mirror
    subsets = scene.seen.subsets
    left = remaining(subsets.since, scene.spec.settle, scene.seen.now) if subsets is not None else scene.spec.settle
    if adds and left:
        return scene.answer(Because(reasons.SETTLING, "the subsets settle before requests are shown to the canary"), again=left)
    if adds and route.touched_by:
        if decision := give_way(scene, "what the routes carry beside the weights was taken out"):
            return decision
        scene = replace(scene, state=corrected(state))
    mirroring = scene.seen.now if wanted.mirror and not route.extras.mirror else scene.state.mirror_since
    changed = replace(scene.counted(), mirror_since=mirroring if wanted.mirror else None)
    because = Because(reasons.PREPARING, f"the routes carry {_words(wanted)} beside the weights")
    effects = (RecordState(), scene.shift(changed, reasons.PREPARING, state.weight, wanted))
    return scene.answer(because, state=changed, effects=effects, again=scene.spec.settle)


def _words(extras: Extras) -> str:
    parts = ("the preview" if extras.preview else "", f"copies of {extras.mirror} % of the requests" if extras.mirror else "")
    return " and ".join(part for part in parts if part) or "nothing"
