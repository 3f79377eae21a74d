"""How a release begins."""

from dataclasses import replace

from canary_operator.api.status import Asked, EvidenceRecord, State
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Because, Decision, Effect, RecordState, Serving
from canary_operator.release.plan import pace_of, plan_of
from canary_operator.release.scene import Scene, version_of


def start(scene: Scene, canary: Serving, *, home: bool = True, why: str = "") -> Decision:
    """Starts a release: it is recorded, and the canary subset is pointed at the version, at weight 0. No request moves.

    Args:
        scene: At rest.
        canary: What is to be released.
        home: The routing is as it should be at rest, and has settled.
        why: What else is to be said of it.
    """
    seen, stable = scene.seen, scene.serving(scene.seen.stable)
    state = replace(
        scene.counted(),
        number=scene.state.number + 1,
        state=State.PROGRESSING,
        from_=stable.revision if stable else seen.stable,
        to=canary.revision,
        plan=plan_of(scene.spec),
        pace=pace_of(scene.spec, None, seen.now),
        step=0,
        weight=0,
        weight_since=seen.now,
        waiting_since=None,
        waited_seconds=0,
        mirror_since=None,
        observed_seconds=0,
        lost=False,
        drifts=0,
        held=None,
        asked=Asked(),
        evidence=EvidenceRecord(),
    )
    because = Because(reasons.RELEASE_STARTED, f"release {state.number} moves {state.from_} to {state.to}{why}")
    subsets = seen.subsets
    if scene.weight > 0 and subsets is not None and subsets.canary == canary.version:
        # A release that ended while stable had no ready pod has left it the traffic: it keeps it.
        return scene.answer(
            because, state=replace(state, weight=scene.weight), effects=(RecordState(), Announce(because)), again=scene.spec.settle
        )
    if not home:  # what serves nobody yet is pointed at the version when it has settled
        return scene.answer(because, state=state, effects=(RecordState(), Announce(because)), again=scene.spec.settle * 0)
    if scene.weight > 0:
        first: Effect = scene.shift(state, reasons.RELEASE_STARTED, 0)
    else:
        first = scene.relabel(state, reasons.RELEASE_STARTED, version_of(state.from_), canary.version)
    preparing = Because(reasons.PREPARING, because.message)
    return scene.answer(preparing, state=state, effects=(RecordState(), first, Announce(because)), again=scene.spec.settle)


def kept_from_starting(scene: Scene, revision: str) -> Because | None:
    """Somebody has said that no release starts: of this CanaryRelease, or at all. None: nobody has.

    Args:
        scene: At rest.
        revision: What would be released.
    """
    if scene.spec.suspend:
        return Because(reasons.SUSPENDED, f"spec.suspend is true, so no release of {revision} starts; set it to false to go on")
    if scene.seen.rises_off is not None:
        return Because(reasons.RISES_OFF, f"no release of {revision} starts: {reasons.rises_off(scene.seen.rises_off)}")
    return None
