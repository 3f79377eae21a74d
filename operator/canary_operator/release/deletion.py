"""How a CanaryRelease goes: traffic ends at a version that serves, no request is lost, and nothing that is missing can block it."""

from datetime import timedelta

from canary_operator.release import reasons
from canary_operator.release.absence import PATIENCE, Absence, absence, brief_left
from canary_operator.release.elsewhere import elsewhere, end_of
from canary_operator.release.homeward import Move, Relabel, Shift, Wait, homeward, remaining
from canary_operator.release.model import (
    Announce,
    Because,
    Decision,
    Disown,
    Effect,
    EnsureUnsplit,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
    SubsetsSeen,
)
from canary_operator.release.scene import Scene, version_of


def delete(scene: Scene) -> Decision:
    """The next step of a deletion.

    Several versions serve: without a split they would share the traffic by their number of pods, so both objects stay, pinned to one version. So do
    routes and subsets of the user's. One version left: a route that somebody needs, at a gateway or with more in it than ours, stays and names
    the host without a subset; any other goes, since without it every request reaches that version anyway. After a settle time the subsets go.
    """
    seen = scene.seen
    home = _home(scene)
    because = Because(reasons.DELETING, f"CanaryRelease is being deleted; traffic ends at {_told(scene, home) or 'the only version'}")
    if not seen.finalizer:
        return scene.answer(because, phase=reasons.DELETING)
    if seen.route is None and (seen.subsets is None or (seen.subsets.stays and seen.subsets.mark is None)):
        return scene.answer(because, phase=reasons.DELETING, effects=(ReleaseFinalizer(),))
    if (left := _brief(scene)) is not None:
        words = f"CanaryRelease is being deleted; {_stable(scene)} has no ready pod, and traffic ends elsewhere when that has lasted"
        return scene.answer(Because(reasons.DELETING, f"{words} {PATIENCE.total_seconds():g} s"), phase=reasons.DELETING, again=left)
    pinned = _pinned_because(scene)
    if pinned and home:
        return _pin(scene, because, home, pinned)
    if seen.attached:
        return _give_back(scene, because, "nothing was taken over yet")
    return _let_go(scene, because, home)


def _home(scene: Scene) -> str:
    """The version at which the traffic ends: stable, or where that has no ready pod, the wanted one, or another that has; empty: nobody knows.

    Once the stable subset was pointed at such a version it stays the end, as long as it serves: its traffic does not move a second time.
    """
    subsets, stable, serving = scene.seen.subsets, _stable(scene), _serving(scene)
    chosen = subsets.stable if subsets and subsets.mark and subsets.mark.decision == reasons.DELETING else None
    if chosen in serving:
        return str(chosen)
    stable = stable or (subsets and subsets.stable) or ""
    return end_of(stable, serving, (scene.spec.version, version_of(scene.state.to), subsets.canary if subsets else None))


def _stable(scene: Scene) -> str:
    """The version that is stable, or that was decided to be; empty before the adoption."""
    return version_of(scene.state.to if scene.promoted else scene.stable)


def _serving(scene: Scene) -> list[str]:
    """The versions that have ready pods, those with most of them first; none while some endpoints are not known yet: they may be stable's."""
    versions = scene.seen.versions or {}
    if scene.seen.unknown:
        return []
    return sorted((name for name, each in versions.items() if each.endpoints), key=lambda name: (-versions[name].endpoints, name))


def _brief(scene: Scene) -> timedelta | None:
    """How long stable is waited for: a probe that failed once moves no traffic. None: it serves, is gone, or nothing else serves."""
    subsets, stable, serving = scene.seen.subsets, _stable(scene), _serving(scene)
    decided = subsets is not None and subsets.mark is not None and subsets.mark.decision == reasons.DELETING and subsets.stable != stable
    if not serving or stable in serving or decided or absence(scene.seen, stable) is not Absence.BRIEF:
        return None
    return brief_left(scene.seen, stable)


def _told(scene: Scene, home: str) -> str:
    stable = _stable(scene)
    return f"{home}, since {stable} has no ready pod" if home and stable and home != stable else home


def _pinned_because(scene: Scene) -> str | None:
    """Why both objects stay and the subsets with them; None: they need not."""
    seen = scene.seen
    if seen.attached:
        return "the routes are yours"
    present = sorted(name for name, serving in (seen.versions or {}).items() if serving.endpoints or serving.desired)
    if len(present) > 1:
        return f"several versions serve ({', '.join(present)})"
    if present and (seen.strangers or seen.unknown):
        return f"endpoints without the label {scene.spec.version_label} serve beside {present[0]}"
    if seen.route is not None and seen.subsets is not None and seen.subsets.policies:
        return "somebody gave a subset a policy of its own"
    return None


def _let_go(scene: Scene, because: Because, home: str) -> Decision:
    """One version alone serves, or none: no route has to name a subset."""
    seen, route, subsets = scene.seen, scene.seen.route, scene.seen.subsets
    if route is not None and not route.stays:
        return scene.answer(because, phase=reasons.DELETING, effects=(RemoveRoute(),), again=scene.spec.settle)
    if route is not None and not route.unsplit:
        state = scene.counted()
        effects = (EnsureUnsplit(scene.mark(reasons.DELETING, 0, state)),)
        return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
    left = remaining(route.since if route else seen.route_gone_since or seen.now, scene.spec.settle, seen.now)
    if left:
        return scene.answer(because, phase=reasons.DELETING, again=left)
    if subsets is not None and subsets.named_by is not None:
        return _pin_subsets(scene, because, subsets, home)
    if route is None:
        return scene.answer(because, phase=reasons.DELETING, effects=(RemoveSubsets(), ReleaseFinalizer()))
    words = "the VirtualService stays for those who need it, its route names the host without a subset, and it is yours now"
    effects_last = (RemoveSubsets(), Disown(), Announce(Because(reasons.RELEASED, words)), ReleaseFinalizer())
    return scene.answer(because, phase=reasons.DELETING, effects=effects_last)


def _pin_subsets(scene: Scene, because: Because, subsets: SubsetsSeen, home: str) -> Decision:
    if home and (subsets.stable, subsets.canary) != (home, home):
        state = scene.counted()
        effects = (scene.relabel(state, reasons.DELETING, home, home),)
        return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
    pinned = home or "what they select"
    words = f"{subsets.named_by} sends to the subsets, so they stay, pinned to {pinned}; the DestinationRule is yours now"
    return _give_back(scene, because, _with_care(words, home), warning=bool(home))


def _pin(scene: Scene, because: Because, home: str, why: str) -> Decision:
    move = _move(scene, home)
    state = scene.counted()
    match move:
        case Wait(time):
            return scene.answer(because, phase=reasons.DELETING, again=time)
        case Shift(canary):
            shift = scene.shift(state, reasons.DELETING, canary)
            # Only towards a version that serves, where stable does not, does the weight rise: then the record comes first.
            effects: tuple[Effect, ...] = (RecordState(), shift) if canary > scene.weight else (shift,)
            return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
        case Relabel(stable, canary):
            effects = (scene.relabel(state, reasons.DELETING, stable, canary),)
            return scene.answer(because, phase=reasons.DELETING, state=state, effects=effects, again=scene.spec.settle)
        case None:
            words = f"{why}, so VirtualService and DestinationRule stay, pinned to {_told(scene, home)}; they are yours now"
            return _give_back(scene, because, _with_care(words, home), warning=True)


def _move(scene: Scene, home: str) -> Move | Wait | None:
    """The next write of a routing that stays."""
    serving, spec = _serving(scene), scene.spec
    if home in serving and _stable(scene) not in (home, ""):
        return elsewhere(scene.seen, home, serving, spec.settle, spec.drain)
    return homeward(scene.seen, home, spec.settle, spec.drain)


def _with_care(words: str, home: str) -> str:
    return (
        f"{words}. Do not rename or remove version {home} as long as a route names the subsets: "
        "before that, let the routes name the host without a subset, wait 5 s, and take the subsets out"
    )


def _give_back(scene: Scene, because: Because, words: str, *, warning: bool = False) -> Decision:
    effects = (Disown(), Announce(Because(reasons.RELEASED, words), warning=warning), ReleaseFinalizer())
    return scene.answer(because, phase=reasons.DELETING, effects=effects)
