"""What the plan wants next: `Rise | Hold(missing) | Promote`. What may stand in its way is a list, and the first that does is told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from canary_operator.analysis.wording import seconds_text
from canary_operator.release import reasons
from canary_operator.release.actions import how_to
from canary_operator.release.model import Because
from canary_operator.release.pace import Tempo, missing, reasoning
from canary_operator.release.plan import FULL, at_ceiling, gated, next_weight, pods_needed
from canary_operator.release.scene import Scene, minus, step_age
from canary_operator.release.share import told


@dataclass(frozen=True, slots=True)
class Rise:
    """Give the canary this weight: the next step of the plan."""

    step: int
    """From 1."""
    weight: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait: this is missing."""

    missing: Because
    phase: str | None = None
    """The overlay that is printed; None: the state itself."""
    by_hand: bool = False
    """A person is waited for, so no deadline counts this time."""
    again: timedelta | None = None
    """When it is over by itself; None: when something changes."""


@dataclass(frozen=True, slots=True)
class Promote:
    """Give the canary everything."""


Brake = Callable[[Scene], Hold | None]
_TO_BE_MENDED = frozenset((reasons.LATENCY_UNKNOWN, reasons.QUERY_INVALID, reasons.ANALYSIS_FAILED))
"""Reasons for which no samples are accepted that do not go by themselves."""
LONGEST_WAIT = timedelta(minutes=5)
"""A release that is so old does not wait for a good moment any more: a busy operator may miss one after the other."""


def frozen(scene: Scene) -> Hold | None:
    """The canary has failed, and `onFailure: Hold` waits for a person."""
    held, state, seen = scene.state.held, scene.state, scene.seen
    if held is None:
        return None
    words = (
        f"{held.message}; spec.onFailure is Hold, so {_stands(scene)}. All traffic back: {how_to('abort', state, seen)}; or retry, promote"
    )
    return Hold(Because(held.reason, words), "Blocked", by_hand=True)


def suspended(scene: Scene) -> Hold | None:
    """`spec.suspend` is true."""
    if not scene.spec.suspend:
        return None
    return Hold(
        Because(reasons.SUSPENDED, f"spec.suspend is true, so {_stands(scene)}; set it to false to go on"), "Suspended", by_hand=True
    )


def paused(scene: Scene) -> Hold | None:
    """A person has paused the release."""
    if not scene.state.asked.paused:
        return None
    words = f"release {scene.state.number} was paused by hand, so {_stands(scene)}; to go on: {how_to('resume', scene.state, scene.seen)}"
    return Hold(Because(reasons.PAUSED, words), "Suspended", by_hand=True)


def switched_off(scene: Scene) -> Hold | None:
    """`rises: false` in the operator's configuration: nothing goes forward anywhere, but what a person asks for while stable is gone."""
    if scene.seen.rises_off is None:
        return None
    words = f"{reasons.rises_off(scene.seen.rises_off)}; until then {_stands(scene)}"
    return Hold(Because(reasons.RISES_OFF, words), "Suspended", by_hand=True)


def blocked(scene: Scene) -> Hold | None:
    """Preflight has found something that must be mended."""
    return Hold(scene.seen.findings[0], "Blocked") if scene.seen.findings else None


def unread(scene: Scene) -> Hold | None:
    """What surrounds the release was not looked at yet."""
    if scene.seen.unread:
        return Hold(scene.seen.unread, "Waiting")
    stable = scene.serving(scene.state.from_)
    if scene.seen.unknown and not (stable and stable.endpoints):
        words = f"nobody knows the version of {scene.seen.unknown} ready endpoints, nor whether stable serves"
        return Hold(Because(reasons.INSPECTING, words), "Waiting")
    return None


def misrouted(scene: Scene) -> Hold | None:
    """The canary's share of the requests is not what the weight says, at two scrapes in a row: what is counted says nothing of this weight."""
    share = scene.look.share
    if share is None or not share.twice or scene.by_hand or scene.look.reason == reasons.SUSPECT:
        return None
    words = "; ".join(filter(None, (told(share), scene.look.unseen)))
    return Hold(Because(reasons.WEIGHT_NOT_SERVED, f"{words}; to go on all the same: {how_to('skip', scene.state, scene.seen)}"), "Blocked")


def doubtful(scene: Scene) -> Hold | None:
    """The newest scrape is the first in which the canary's share is not what the weight says: the next one tells."""
    share = scene.look.share
    if share is None or scene.by_hand:
        return None
    # No reason of its own: it takes one scrape, which is not worth a write.
    return Hold(Because(reasons.GATHERING, f"{share.told}; the next scrape is awaited"))


def unproven(scene: Scene) -> Hold | None:
    """The present step is not passed: evidence or time is missing."""
    if not scene.state.step or scene.passed:
        return None
    return Hold(Because(scene.look.reason, _with_reasoning(scene, scene.look.told)), _phase(scene.look.reason))


def too_dear(scene: Scene) -> Hold | None:
    """Under a pace: no higher weight fits the budget by what is known of the canary."""
    choice = None if goal(scene) is not None else scene.choice
    if choice is None:
        return None
    words = missing(choice, choice.following or choice.price.ceiling, scene.known)
    return Hold(Because(reasons.GATHERING, _with_reasoning(scene, words)))


def too_early(scene: Scene) -> Hold | None:
    """Under a pace: the highest weight is reached before `minDuration`."""
    pace, observed = scene.state.pace, timedelta(seconds=scene.look.now.observed)
    if pace is None or not at_ceiling(scene.state) or scene.by_hand or observed >= pace.min_duration:
        return None
    words = f"{seconds_text(observed.total_seconds())} of the {seconds_text(pace.min_duration.total_seconds())} of pace.minDuration are observed"
    return Hold(Because(reasons.GATHERING, _with_reasoning(scene, words)))


def _with_reasoning(scene: Scene, words: str) -> str:
    """The words, and under a pace why the present weight was allowed."""
    pace = scene.state.pace
    if pace is None or not scene.state.step or None in (pace.rate, pace.spacing, pace.risk):
        return words
    tempo = Tempo(pace.rate or 0.0, pace.spacing or 0.0, scene.spec.settle.total_seconds())
    return f"{words}; {reasoning(scene.state.weight, pace.risk or 0.0, pace.failure_budget, tempo)}"


def too_small(scene: Scene) -> Hold | None:
    """The canary has too few ready pods for the weight."""
    weight = goal(scene)
    short = None if weight is None else capacity_missing(scene, weight)
    return Hold(short, "Waiting") if short else None


def mixed(scene: Scene) -> Hold | None:
    """Older pods of a version serve beside its newest template: nobody could say which of them the evidence is about."""
    short = old_pods(scene)
    return Hold(short, "Waiting") if short else None


def mirroring(scene: Scene) -> Hold | None:
    """Requests are copied to the canary first, for `mirror.hold`."""
    mirror, state = scene.spec.mirror, scene.state
    if mirror is None or state.step or scene.by_hand:
        return None
    left = mirror.hold - minus(scene.seen.now, state.mirror_since)
    if state.mirror_since and left <= timedelta(0):
        return None
    words = f"{mirror.percent} % of the requests are copied to the canary, for {mirror.hold.total_seconds():g} s"
    return Hold(Because(reasons.MIRRORING, words), again=left)


def blind(scene: Scene) -> Hold | None:
    """No samples are accepted, so nobody would notice a failure."""
    missing = scene.look.missing
    if missing is None or scene.by_hand:
        return None
    return Hold(missing, _phase(missing.reason))


def unapproved(scene: Scene) -> Hold | None:
    """The step asks for approval, and nobody has given it."""
    state, weight = scene.state, goal(scene)
    if not gated(state, weight) or state.asked.promote or state.asked.approved == weight:
        return None
    words = f"the canary is ready for {weight} %, which needs approval; {how_to('approve', state, scene.seen)}"
    return Hold(Because(reasons.APPROVAL_REQUIRED, words), "Waiting", by_hand=True)


def between_scrapes(scene: Scene) -> Hold | None:
    """The first weight is given only shortly before the next scrape: nobody could see a failure earlier."""
    weight, beat = goal(scene), scene.look.beat
    if weight is None or beat is None or scene.by_hand or scene.state.step or step_age(scene.state, scene.seen.now) > LONGEST_WAIT:
        return None
    left = timedelta(seconds=beat.wait(weight, scene.seen.now.timestamp()))
    if not left:
        return None
    # No reason of its own: it takes less than a scrape, which is not worth a write.
    return Hold(
        Because(reasons.PREPARING, f"the canary is ready for {weight} %, which is written shortly before the next scrape"), again=left
    )


BRAKES: tuple[Brake, ...] = (
    frozen,
    suspended,
    paused,
    switched_off,
    blocked,
    unread,
    misrouted,
    unproven,
    too_dear,
    too_early,
    mixed,
    too_small,
    mirroring,
    blind,
    doubtful,
    unapproved,
    between_scrapes,
)
"""What keeps the weight from rising, read from top to bottom. The docs print it in this order."""
HANDBRAKES: tuple[Brake, ...] = (frozen, suspended, paused, switched_off)
"""What also stops a rise that is recorded and not written yet."""
BAKE_BRAKES: tuple[Brake, ...] = (*HANDBRAKES, misrouted)
"""What keeps the bake from its end, before its evidence is asked."""


def first(brakes: tuple[Brake, ...], scene: Scene) -> Hold | None:
    """The first that stands in the way."""
    return next((hold for brake in brakes if (hold := brake(scene))), None)


def _phase(reason: str) -> str | None:
    return "Blocked" if reason in _TO_BE_MENDED else None


def _stands(scene: Scene) -> str:
    return f"the canary stays at {scene.weight} %"


def old_pods(scene: Scene) -> Because | None:
    """Why a version does not serve by its newest template alone; None: both versions do."""
    for role, revision in (("canary", scene.state.to), ("stable", scene.state.from_)):
        serving = scene.serving(revision)
        if serving is not None and serving.old:
            words = (
                f"{serving.old} ready pods of {role} {serving.version} are of an older template than {serving.revision}, which has "
                f"{serving.ready}; the weight does not rise before its rollout is done"
            )
            return Because(reasons.OLD_PODS_SERVE, words)
    return None


def capacity_missing(scene: Scene, weight: int) -> Because | None:
    """Why the canary's ready pods are too few for a weight; None: they are enough.

    Measured by the most pods that stable had in this release: an autoscaler takes pods from it as its traffic goes.
    """
    serving, ready = scene.serving(scene.state.from_), scene.ready(scene.state.to)
    stable = serving.endpoints if serving else 0
    most = max(stable, scene.state.stable_pods)
    needed = pods_needed(scene.spec.capacity, weight, most)
    if ready >= needed:
        return None
    beside = f"stable has {stable}" if most == stable else f"stable has {stable}, and had {most}"
    return Because(
        reasons.CANARY_NOT_READY, f"canary {scene.state.to} has {ready} ready pods of the {needed} needed for {weight} % ({beside})"
    )


def goal(scene: Scene) -> int | None:
    """The weight that comes next, in percent; None: a budget chooses it, and allows none above the present one yet.

    Under a pace the canary's pods bound the choice too: of the weights that fit the budget the largest that they can bear, or the lowest.
    """
    state = scene.state
    known = next_weight(state)
    choice = None if known is not None else scene.choice
    if choice is None:
        return known
    weight = state.weight if state.step else 0
    above = [each for each in choice.price.ladder if each > weight]
    fitting = [each for each in above if each <= choice.weight] or (above[:1] if state.asked.skip else [])
    borne = [each for each in fitting if capacity_missing(scene, each) is None]
    return borne[-1] if borne else next(iter(fitting), None)


def wants(scene: Scene) -> Rise | Hold | Promote:
    """What the plan wants at this look."""
    if hold := first(BRAKES, scene):
        return hold
    weight = goal(scene)
    if weight is None:  # a brake has said so already; no weight is ever taken for "everything"
        return Hold(Because(scene.look.reason, scene.look.told))
    return Promote() if weight == FULL else Rise(scene.state.step + 1, weight)
