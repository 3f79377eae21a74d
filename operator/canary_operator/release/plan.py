"""What the plan wants next, if nothing stands in its way: `Rise | Hold(missing) | Promote`."""

from dataclasses import dataclass
from math import ceil

from canary_operator.api.spec import CanaryReleaseSpec, Step
from canary_operator.api.status import PlannedHold, PlannedStep
from canary_operator.release import reasons
from canary_operator.release.model import Because
from canary_operator.release.scene import Scene

DEFAULT_WEIGHTS = (5, 10, 25, 50)
FULL = 100


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


@dataclass(frozen=True, slots=True)
class Promote:
    """All steps are passed: give the canary everything."""


def plan_of(spec: CanaryReleaseSpec) -> tuple[PlannedStep, ...]:
    """The steps as a release will take them, defaults filled in."""
    steps = spec.steps or tuple(Step(weight=weight) for weight in DEFAULT_WEIGHTS)
    return tuple(PlannedStep(weight=step.weight, hold=PlannedHold(min=step.hold.min, max=step.hold.max)) for step in steps)


def capacity_missing(scene: Scene, weight: int) -> Because | None:
    """Why the canary's ready pods are too few for a weight; None: they are enough."""
    stable = scene.ready(scene.state.from_)
    ready = scene.ready(scene.state.to)
    needed = max(1, ceil(round(scene.spec.capacity * weight / 100 * stable, 9)))
    if ready >= needed:
        return None
    return Because(
        reasons.CANARY_NOT_READY,
        f"canary {scene.state.to} has {ready} ready pods of the {needed} needed for {weight} % (stable has {stable})",
    )


def wants(scene: Scene) -> Rise | Hold | Promote:
    """What the plan wants at this look."""
    state, look = scene.state, scene.look
    last = state.step >= len(state.plan)
    weight = FULL if last else state.plan[state.step].weight
    short = capacity_missing(scene, weight)
    if scene.seen.findings:
        return Hold(scene.seen.findings[0])
    if state.step and not look.passed:
        return Hold(Because(look.reason, look.told))
    if short:
        return Hold(short)
    if look.missing:
        return Hold(look.missing)
    return Promote() if last else Rise(state.step + 1, weight)
