"""The plan: the weights on the way to 100 percent, and which of them a person is asked for."""

from dataclasses import replace
from math import ceil

from canary_operator.api.record import PlannedHold, PlannedStep, ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec, Step
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Because

DEFAULT_WEIGHTS = (5, 10, 25, 50)
FULL = 100


def plan_of(spec: CanaryReleaseSpec) -> tuple[PlannedStep, ...]:
    """The steps as a release will take them, defaults filled in."""
    steps = spec.steps or tuple(Step(weight=weight) for weight in DEFAULT_WEIGHTS)
    return tuple(
        PlannedStep(weight=step.weight, hold=PlannedHold(min=step.hold.min, max=step.hold.max), approval=step.approval == "Required")
        for step in steps
    )


def replanned(spec: CanaryReleaseSpec, state: ReleaseRecord) -> tuple[PlannedStep, ...]:
    """The plan after an edit of the steps: what was taken stays, and what comes is what the spec says above the present weight."""
    wanted = plan_of(spec)
    if state.state is not State.PROGRESSING or not state.step:
        return wanted if state.state is State.PROGRESSING else state.plan
    present = state.plan[state.step - 1]
    now = next((step for step in wanted if step.weight == present.weight), present)
    return (*state.plan[: state.step - 1], now, *(step for step in wanted if step.weight > present.weight))


def edited(spec: CanaryReleaseSpec, state: ReleaseRecord) -> tuple[ReleaseRecord, tuple[Announce, ...]]:
    """The record with the steps as the spec has them now, and what is to be said of it."""
    plan = replanned(spec, state)
    if plan == state.plan:
        return state, ()
    coming = ", ".join(f"{step.weight} %" for step in rungs(plan)[state.step :])
    words = f"the steps were edited; the release goes on from {state.weight} % with {coming + ', then ' if coming else ''}100 %"
    return replace(state, plan=plan), (Announce(Because(reasons.PLAN_CHANGED, words)),)


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
