"""The end of a release: the bake at 100 percent, the way home after promotion, rollback or withdrawal, and the record of it."""

from dataclasses import replace

from canary_operator.api.status import Asked, Ending, EvidenceRecord, Outcome, PastRelease, State
from canary_operator.release import reasons
from canary_operator.release.absence import UNREADY, Chosen, asked_by_hand, chosen, made_stable_by_hand, pods
from canary_operator.release.extras import furnish
from canary_operator.release.homeward import Relabel, Shift, Wait, homeward, remaining
from canary_operator.release.model import Announce, Because, Decision, RecordState
from canary_operator.release.scene import Scene, version_of
from canary_operator.release.steps import held, labels, unserved
from canary_operator.release.wants import BAKE_BRAKES, Hold, doubtful, first


def promote(scene: Scene) -> Decision:
    """At 100 percent: bake, then home. Once the stable subset selects the new version there is no way back."""
    if scene.promoted:
        by_hand = made_stable_by_hand(scene.state)
        words = f"{scene.state.to} {'was promoted by hand, as stable was gone' if by_hand else 'passed all steps and the bake'}"
        return go_home(scene, Ending(outcome=Outcome.PROMOTED, reason=reasons.PROMOTED, message=words), scene.state.to)
    decision = labels(scene) or unserved(scene) or furnish(scene) or _bake(scene)
    wanted, canary = scene.spec.version, version_of(scene.state.to)
    if wanted in (canary, version_of(scene.state.from_)):
        return decision
    because = decision.because
    return replace(
        decision, because=replace(because, message=f"{because.message}; version {wanted} waits until {canary} is stable, or aborted")
    )


def _bake(scene: Scene) -> Decision:
    seen, spec, route = scene.seen, scene.spec, scene.seen.route
    by_hand = made_stable_by_hand(scene.state)
    if not by_hand and (hold := first(BAKE_BRAKES, scene)):
        return held(scene, hold)
    if not by_hand and not scene.passed:
        return held(scene, Hold(Because(reasons.BAKING if not scene.look.missing else scene.look.reason, scene.look.told)))
    if not by_hand and (hold := doubtful(scene)):
        return held(scene, replace(hold, missing=Because(reasons.BAKING, hold.missing.message)))
    left = remaining(route.since, max(spec.settle, spec.drain), seen.now) if route else spec.settle
    if left:
        return scene.answer(Because(reasons.BAKING, "the old version is being drained"), state=scene.checked(), again=left)
    state, version = replace(scene.checked(), seq=scene.state.seq + 1), version_of(scene.state.to)
    how = (
        f"was promoted by hand, as stable {scene.state.from_} was gone" if by_hand else f"passed all steps and the bake: {scene.look.told}"
    )
    because = Because(reasons.PROMOTED, f"{scene.state.to} {how}")
    effects = (scene.relabel(state, reasons.PROMOTED, version, version), Announce(because))
    return scene.answer(Because(reasons.FINISHING, because.message), state=state, effects=effects, again=spec.settle)


def go_home(scene: Scene, ending: Ending, revision: str | None) -> Decision:
    """One write nearer to "every request goes to this revision"; the record of the release once that is so."""
    spec, home = scene.spec, version_of(revision)
    because = Because(reasons.FINISHING if ending.outcome is Outcome.PROMOTED else ending.reason, ending.message)
    if ending.outcome is not Outcome.PROMOTED and _chosen_by_hand(scene):
        return _finish(scene, ending)  # a person has chosen the version that serves: the next release gives it the traffic at once
    if scene.weight > 0 and ending.outcome is not Outcome.PROMOTED and scene.seen.versions is not None and not scene.serves(revision):
        return scene.stable_gone(f"{ending.message}; but ")
    match homeward(scene.seen, home, spec.settle, spec.drain):
        case Wait(time):
            return scene.answer(because, again=time)
        case Shift(canary):
            state = replace(scene.counted(), weight=canary)
            return scene.answer(because, state=state, effects=(scene.shift(state, ending.reason, canary),), again=spec.settle)
        case Relabel(stable, canary):
            state = scene.counted()
            return scene.answer(because, state=state, effects=(scene.relabel(state, ending.reason, stable, canary),), again=spec.settle)
        case None:
            return _finish(scene, ending)


def _chosen_by_hand(scene: Scene) -> bool:
    """A person promotes while stable has no ready pod, and what has the traffic now is not taken away for it."""
    if not asked_by_hand(scene.state) or scene.absence not in UNREADY:
        return False
    choice = chosen(scene.spec, scene.state, scene.seen, version_of(scene.stable), by_hand=True)
    return isinstance(choice, Chosen) and (not scene.weight or choice.serving.version == version_of(scene.state.to))


def _finish(scene: Scene, ending: Ending) -> Decision:
    state, promoted = scene.state, ending.outcome is Outcome.PROMOTED
    past = PastRelease(
        number=state.number,
        revision=state.to or "",
        outcome=ending.outcome,
        reason=ending.reason,
        message=ending.message,
        ended=scene.seen.now,
    )
    rest = replace(
        state,
        state=State.STABLE,
        from_=None,
        to=None,
        plan=(),
        pace=None,
        step=0,
        weight=0,
        weight_since=None,
        waiting_since=None,
        waited_seconds=0,
        mirror_since=None,
        observed_seconds=0,
        lost=False,
        drifts=0,
        held=None,
        asked=Asked(n=state.asked.n, retry=state.asked.retry),
        evidence=EvidenceRecord(),
        incident_since=None,
        baseline=None,
        ending=None,
        stable_gone=state.stable_gone if not promoted and asked_by_hand(state) else None,
        stable_pods=pods(scene.serving(state.to)) if promoted else state.stable_pods,
    )
    decision = scene.answer(Because(ending.reason, ending.message), state=rest, effects=(RecordState(),))
    stable = state.to if promoted else state.from_
    # Look again at once: what was asked for in the meantime (another version) starts now.
    return replace(decision, stable=stable, last_release=past, look_again_in=scene.spec.settle * 0)
