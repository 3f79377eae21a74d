"""When somebody else writes what the operator manages: it is set right, so many times in a release, and then the release gives way.

A correction downwards is never delayed. A rise after a correction waits, and at rest what harms nobody is corrected after a while only, so that two
who disagree never write as fast as they can.
"""

from dataclasses import replace
from datetime import timedelta

from canary_operator.api.record import ReleaseRecord
from canary_operator.release import reasons
from canary_operator.release.model import Because, Decision, Observation
from canary_operator.release.scene import Scene, minus

MOST_CORRECTIONS = 5
"""So often the routing is set right within one release."""
RISE_SPACING = timedelta(seconds=6)
"""After the canary lost weight, or somebody else changed it, no weight rises for so long: 5 s, and one for clocks that differ."""
REST_SPACING = timedelta(seconds=30)
"""For so long what is harmless at rest may stand before it is corrected."""


def meddler(seen: Observation) -> str | None:
    """The field managers that wrote the routing last, when that was not us; None: nobody knows of any."""
    names = {part.touched_by for part in (seen.route, seen.subsets) if part is not None and part.touched_by}
    return " and ".join(sorted(names)) or None


def told(seen: Observation, words: str) -> str:
    """The words, with the one who wrote last, if that is known."""
    name = meddler(seen)
    return f"{words} (written by {name})" if name else words


def corrected(state: ReleaseRecord) -> ReleaseRecord:
    """The state with one more correction."""
    return replace(state, drifts=state.drifts + 1)


def give_way(scene: Scene, words: str) -> Decision | None:
    """Ends the release when the routing has been set right too often; None: once more is well."""
    times = scene.state.drifts
    if times < MOST_CORRECTIONS:
        return None
    name = meddler(scene.seen) or "whoever writes it"
    return scene.end(
        reasons.DRIFT_FIGHT,
        f"{words}; the routing was set right {times} times in this release. Let {name} leave the weights and subsets to the operator: "
        "the lines to write (ignoreDifferences for Argo CD, a patch for Flux) stand in docs/gitops.md",
    )


def too_soon(scene: Scene) -> Decision | None:
    """After a correction or a loss the next rise waits."""
    state = scene.state
    left = RISE_SPACING - minus(scene.seen.now, state.weight_since)
    if not (state.drifts or state.lost) or left <= timedelta(0):
        return None
    return scene.answer(Because(reasons.SETTLING, "the weight was corrected a moment ago; the next rise waits"), again=left)
