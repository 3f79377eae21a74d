"""The plan: the weights on the way to 100 percent, and which of them a person is asked for."""

from math import ceil

from canary_operator.api.record import PlannedHold, PlannedStep, ReleaseRecord
from canary_operator.api.spec import CanaryReleaseSpec, Step

DEFAULT_WEIGHTS = (5, 10, 25, 50)
FULL = 100


def plan_of(spec: CanaryReleaseSpec) -> tuple[PlannedStep, ...]:
    """The steps as a release will take them, defaults filled in."""
    steps = spec.steps or tuple(Step(weight=weight) for weight in DEFAULT_WEIGHTS)
    return tuple(
        PlannedStep(weight=step.weight, hold=PlannedHold(min=step.hold.min, max=step.hold.max), approval=step.approval == "Required")
        for step in steps
    )


def rungs(plan: tuple[PlannedStep, ...]) -> tuple[PlannedStep, ...]:
    """The steps below 100 percent; 100 follows them, written or not."""
    return tuple(step for step in plan if step.weight < FULL)


def next_weight(state: ReleaseRecord) -> int:
    """The weight that comes after the present step, in percent."""
    left = rungs(state.plan)[state.step :]
    return left[0].weight if left and not state.asked.promote else FULL


def gated(state: ReleaseRecord, weight: int) -> bool:
    """A person is to be asked before this weight."""
    return any(step.weight == weight and step.approval for step in state.plan)


def pods_needed(capacity: float, weight: int, stable: int) -> int:
    """Ready canary pods before this weight, beside so many of stable."""
    return max(1, ceil(round(capacity * weight / 100 * stable, 9)))
