"""What comes before any plan: a list read from top to bottom, the first answer wins. The docs print it in this order."""

from collections.abc import Callable
from dataclasses import replace

from canary_operator.analysis.witnesses import plainly_down
from canary_operator.api.status import Ending, State
from canary_operator.release import reasons
from canary_operator.release.absence import made_stable_by_hand
from canary_operator.release.actions import taken
from canary_operator.release.deletion import delete
from canary_operator.release.failover import all_scaled_down, fail_over
from canary_operator.release.loss import lose
from canary_operator.release.model import Announce, Because, Decision, EnsureFinalizer, RecordState
from canary_operator.release.plan import hold_of
from canary_operator.release.scene import Scene, clocked, running, step_age, version_of, way_age
from canary_operator.release.wants import Hold, wants

Guard = Callable[[Scene], Decision | None]


def deleted(scene: Scene) -> Decision | None:
    """The user deletes the resource: traffic to stable, then what is ours goes or is given away."""
    return delete(scene) if scene.seen.deleting else None


def abort(scene: Scene) -> Decision | None:
    """A person aborts the release. While stable is gone the record keeps the wish."""
    if not scene.state.asked.abort or not running(scene.state) or scene.promoted:
        return None
    return scene.end(reasons.ABORTED, f"release {scene.state.number} was aborted by hand at {scene.weight} %")


def stable_gone(scene: Scene) -> Decision | None:
    """Stable has no ready pod: traffic moves to the canary as far as its pods carry it, wholly by a person, and goes back when stable serves."""
    if not running(scene.state) or scene.seen.versions is None or scene.promoted:
        return None
    return fail_over(scene)


def canary_failed(scene: Scene) -> Decision | None:
    """The canary cannot serve, or serves worse than stable; `onFailure` says whether the latter takes it back or keeps it where it is."""
    state = scene.state
    if state.state not in (State.PROGRESSING, State.PROMOTING) or scene.promoted or scene.seen.versions is None:
        return None
    if scene.weight > 0 and not scene.serves(state.to) and not scene.is_stables:
        words = f"canary {state.to} has no ready pod behind Service {scene.spec.service.name} at {scene.weight} %"
        if all_scaled_down(scene):
            return lose(scene, reasons.CANARY_LOST, f"{words}, as stable had none or has none to stay", lost=False)
        if state.lost or state.state is State.PROMOTING:
            return scene.end(reasons.CANARY_UNAVAILABLE, words + (", for the second time" if state.lost else ""))
        return lose(scene, reasons.CANARY_LOST, words, lost=True)
    serving = scene.serving(state.to)
    if made_stable_by_hand(state):
        return None
    if scene.look.worse and serving and serving.revision == state.to:
        words = f"at {scene.weight} % {scene.look.worse}"
        if scene.spec.on_failure == "RollBack" or _beyond_doubt(scene):
            return scene.end(scene.look.blamed_for, words)
        return None if state.held else _hold(scene, scene.look.blamed_for, words)
    if state.held and scene.spec.on_failure == "RollBack":
        return scene.end(state.held.reason, state.held.message)
    return None


def canary_silent(scene: Scene) -> Decision | None:
    """The canary ends none of its requests while stable does: all traffic goes back, blamed only where what callers gave up accounts for it."""
    state, silent = scene.state, scene.look.silent
    if state.state is not State.PROGRESSING or silent is None or scene.look.missing or scene.by_hand or scene.promoted or scene.is_stables:
        return None
    words = f"at {scene.weight} % {silent.told}"
    if silent.explained and scene.look.incident_since is None:
        return scene.end(reasons.GIVEN_UP, words)
    if silent.spoke or state.lost:
        return scene.end(reasons.CANARY_SILENT, words + ("" if silent.spoke else ", for the second time"))
    return lose(scene, reasons.CANARY_NOT_ANSWERING, words, lost=True)


def _beyond_doubt(scene: Scene) -> bool:
    """It is to be blamed whatever stable does: it fails more than the limit, or most of what one scrape counted."""
    now, verdict = scene.look.now, scene.look.verdict
    return plainly_down(now.last, now.coming) or (verdict.ln_limit is not None and verdict.ln_limit >= verdict.rules.ln_bar)


def _hold(scene: Scene, reason: str, words: str) -> Decision:
    """The weight stays where it is until a person says what is to be done."""
    ending = Ending(outcome=reasons.OUTCOMES[reason], reason=reason, message=words)
    state = replace(scene.checked(), held=ending, asked=taken(scene.state.asked))
    state = clocked(state, scene.seen.now, by_hand=True)
    because = Because(reason, f"{words}; spec.onFailure is Hold, so the canary stays at {scene.weight} %")
    return scene.answer(because, state=state, effects=(RecordState(), Announce(because, warning=True)), phase="Blocked")


def superseded(scene: Scene) -> Decision | None:
    """Another revision is wanted than the one under test. At 100 percent the running release is finished before another version starts."""
    state, wanted = scene.state, scene.spec.version
    if state.state not in (State.PROGRESSING, State.PROMOTING) or scene.promoted or made_stable_by_hand(state):
        return None
    if wanted == version_of(state.from_):
        return scene.end(reasons.RETARGETED, f"spec.version names the stable version {wanted} again")
    serving = scene.serving(state.to)
    if serving and serving.revision != state.to:
        return scene.end(reasons.SUPERSEDED, f"version {serving.version} was deployed anew as {serving.revision}")
    if state.state is State.PROGRESSING and wanted != version_of(state.to):
        return scene.end(reasons.SUPERSEDED, f"spec.version is {wanted} now")
    return None


def incident(scene: Scene) -> Decision | None:
    """Stable itself fails far more often than before the release: nobody can tell, and after three minutes traffic goes back without blame."""
    if scene.state.state is not State.PROGRESSING or scene.state.held or not scene.look.patience_is_over:
        return None
    return scene.end(
        reasons.GLOBAL_INCIDENT,
        f"stable {scene.state.from_} itself has failed far more often than before the release since {scene.look.incident_since}",
    )


def deadline(scene: Scene) -> Decision | None:
    """A step, the bake, or under a pace the whole way has taken too long, or there were no samples for as long as it may take.

    Waiting for a person does not count. The bake has `analysis.deadline` after the time that it lasts anyway.
    """
    state, spec, bakes = scene.state, scene.spec, scene.state.state is State.PROMOTING
    if state.state not in (State.PROGRESSING, State.PROMOTING) or scene.promoted or made_stable_by_hand(state):
        return None
    age = step_age(state, scene.seen.now)
    longest = spec.bake if bakes else hold_of(state).max
    nothing_seen = not state.observed_seconds or scene.look.hearing.unvalued
    if spec.analysis.no_data == "Withdraw" and scene.look.missing and nothing_seen and age >= longest:
        return scene.end(reasons.NO_DATA, f"no sample was accepted for {int(age.total_seconds())} s: {scene.look.missing.message}")
    pace, end, what = state.pace, spec.analysis.deadline, f"step {state.step}"
    if bakes:
        end, what = spec.bake + end, "the bake"
    elif pace is not None:
        age, end, what = way_age(state, scene.seen.now), pace.max_duration, f"the way to 100 %, now at {scene.weight} %,"
    if age >= end:
        plan = None if bakes else wants(scene)
        missing = plan.missing.message if isinstance(plan, Hold) else scene.look.told
        return scene.end(reasons.DEADLINE_EXCEEDED, f"{what} took longer than {int(end.total_seconds())} s; missing: {missing}")
    return None


def unheld(scene: Scene) -> Decision | None:
    """Somebody took the finalizer off: it is put back before anything but a drop is written. Without it a deletion leaves the traffic as it is."""
    if scene.seen.finalizer or scene.state.state is State.INITIALIZING:
        return None
    because = Because(reasons.DRIFT, "the finalizer was missing; it was put back")
    return scene.answer(because, effects=(EnsureFinalizer(),), again=scene.spec.settle * 0)


GUARDS: tuple[Guard, ...] = (deleted, abort, stable_gone, canary_failed, canary_silent, superseded, incident, deadline, unheld)
