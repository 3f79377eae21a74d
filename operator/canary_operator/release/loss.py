"""The canary loses its weight inside a release, and rises again from step 1."""

from dataclasses import replace

from canary_operator.analysis.evidence import start_step
from canary_operator.api.status import State
from canary_operator.release import reasons
from canary_operator.release.actions import taken
from canary_operator.release.drift import corrected, give_way, told
from canary_operator.release.model import Announce, Because, Decision, RecordState
from canary_operator.release.record import record_of
from canary_operator.release.scene import Scene, anew


def lose(scene: Scene, reason: str, words: str, *, lost: bool) -> Decision:
    """Takes the weight away inside a release: the canary rises again from step 1."""
    if scene.weight > 0 and not scene.serves(scene.state.from_):
        return scene.stable_gone(f"{words}; but nothing can go back: ")
    if reason == reasons.DRIFT and (decision := give_way(scene, words)):
        return decision
    state = replace(
        anew(scene.counted() if reason != reasons.DRIFT else corrected(scene.counted()), scene.seen.now),
        state=State.PROGRESSING,
        step=0,
        weight=0,
        lost=scene.state.lost or lost,
        asked=taken(scene.state.asked),
        mirror_since=None,
        evidence=record_of(start_step(scene.look.committed, 0)),
        stable_gone=None,
    )
    if reason == reasons.DRIFT:
        words = f"{told(scene.seen, words)}; all traffic is on stable, and the canary rises again from step 1"
    because = Because(reason, words)
    effects = (scene.shift(state, reason, 0), RecordState(), Announce(because, warning=True))
    return scene.answer(because, state=state, effects=effects, again=scene.spec.settle)
