"""At rest without a ready pod of stable: the version that serves is released, so that traffic can move to it (`failover.py`).

The start moves no request: it points the canary subset, which has no weight, at that version. So it is made early, before anything is certain.
"""

from dataclasses import replace

from canary_operator.api.record import StableGone
from canary_operator.preflight.finding import WORKLOAD_SHARED
from canary_operator.release import reasons
from canary_operator.release.absence import (
    MOVABLE,
    PATIENCE,
    UNREADY,
    Absence,
    Chosen,
    Nobody,
    asked_by_hand,
    chosen,
    named_by_hand,
    not_ours,
    pods,
)
from canary_operator.release.homeward import Move, Wait, remaining
from canary_operator.release.model import Announce, Because, Decision, RecordState, Serving
from canary_operator.release.scene import Scene, version_of
from canary_operator.release.start import kept_from_starting, start


def forsaken(scene: Scene, move: Move | Wait | None) -> Decision | None:
    """What is done at rest while stable does not serve, or is about to serve no more; None: it serves."""
    stable, absence = version_of(scene.stable), scene.absence
    if scene.seen.versions is None or not stable or (scene.seen.attached and scene.seen.route is None):
        return None
    if absence is Absence.SERVES:
        return _over(scene)
    by_hand = absence in MOVABLE and (asked_by_hand(scene.state) or bool(named_by_hand(scene.spec, scene.state, stable)))
    choice = _choice(scene, stable, absence, by_hand=by_hand)
    if by_hand and isinstance(choice, Chosen):
        if (stop := _stop(scene, absence)) is None:
            return _start(scene, choice.serving, by_hand=True, home=move is None)
        return _stay(scene, absence, stop.message)
    if isinstance(move, Wait) or move is None:
        if isinstance(choice, Nobody):
            return _stay(scene, absence, choice.why) if absence in UNREADY else None
        stop = _stop(scene, absence) or scene.seen.unread
        if kept := kept_from_starting(scene, choice.serving.revision):
            return _stay(scene, absence, kept.message) if absence in UNREADY else None
        if stop is not None:
            return replace(_stay(scene, absence, stop.message), inspect=True) if absence in UNREADY else None
        if move is None:
            return replace(_start(scene, choice.serving, by_hand=False, home=True), inspect=True)
        return _stay(scene, absence, "the routing settles") if absence in UNREADY else None
    return None  # the routing is set right first


def _choice(scene: Scene, stable: str, absence: Absence, *, by_hand: bool) -> Chosen | Nobody:
    """The version to release: the one that serves, or early the one that is about to, if it is the wanted one or replaces stable."""
    spec, versions = scene.spec, scene.seen.versions or {}
    choice = chosen(spec, scene.state, scene.seen, stable, by_hand=by_hand)
    if absence is Absence.GONE or by_hand:
        coming = versions.get(spec.version)
        # The wanted one is on its way: its subset settles meanwhile.
        early = isinstance(choice, Nobody) and not by_hand and coming is not None and coming.desired and spec.version != stable
        return _unblamed(scene, coming) if early and coming is not None else choice
    serving = versions.get(stable)
    following = spec.version if spec.version != stable else (serving.replaced_by if serving else None) or ""
    coming = versions.get(following)
    if coming is None or not (pods(coming) or coming.desired):
        return Nobody(f"nothing moves before that has lasted {PATIENCE.total_seconds():g} s")
    return _unblamed(scene, coming)


def _unblamed(scene: Scene, serving: Serving) -> Chosen | Nobody:
    from_history = (*((scene.seen.last_release,) if scene.seen.last_release else ()), *scene.seen.history)
    past = next((each for each in from_history if each.revision == serving.revision), None)
    if past is not None and past.reason in reasons.OUTCOMES and past.reason not in (reasons.RETARGETED, reasons.SUPERSEDED):
        return Nobody(f"the last release of {serving.revision} ended with {past.reason}")
    return Chosen(serving)


def _stop(scene: Scene, absence: Absence) -> Because | None:
    """A finding that keeps the release from starting. While requests fail anyway: only one that says that the routing is not ours to write."""
    if absence in UNREADY:
        return not_ours(scene.seen)
    return next((each for each in scene.seen.findings if each.reason != WORKLOAD_SHARED), None)


def _start(scene: Scene, serving: Serving, *, by_hand: bool, home: bool) -> Decision:
    """The release of the version that serves. What is known of stable being gone goes with it."""
    state = scene.state
    if by_hand:
        gone = replace(state.stable_gone or StableGone(since=scene.seen.now), asked=True)
        state = replace(state, stable_version=scene.spec.stable_version or "", stable_gone=gone)
        why = f", by hand, as stable {scene.stable} has no ready pod"
        return start(replace(scene, state=state), serving, home=home, why=why)
    how = "is losing its pods" if pods(scene.serving(scene.stable)) else "has no ready pod"
    return start(scene, serving, home=home, why=f", as stable {scene.stable} {how}")


def _stay(scene: Scene, absence: Absence, why: str) -> Decision:
    decision = scene.stable_gone(why=why)
    if decision.effects or scene.state.stable_gone is not None or absence is not Absence.GONE:
        return decision
    state = replace(scene.state, stable_gone=StableGone(since=scene.seen.now))
    return replace(decision, state=state, effects=(RecordState(), Announce(decision.because, warning=True)))


def _over(scene: Scene) -> Decision | None:
    """Stable serves again, and nothing had moved."""
    if scene.state.stable_gone is None:
        return None
    presence = scene.seen.presence.get(version_of(scene.stable))
    left = remaining(presence.since if presence else scene.seen.now, scene.spec.settle, scene.seen.now)
    because = Because(reasons.STABLE_BACK, f"stable {scene.stable} serves again; no traffic had moved")
    if left:
        return scene.answer(because, again=left)
    state = replace(scene.state, stable_gone=None)
    return scene.answer(because, state=state, effects=(RecordState(), Announce(because, warning=True)), again=scene.spec.settle * 0)
