"""The plan: the weights on the way to 100 percent, and which of them a person is asked for. Under a pace only those that were taken are known."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil

from canary_operator.api.record import PaceRecord, PlannedHold, PlannedStep, ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec, Hold, Step
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Because
from canary_operator.release.pace import Tempo

DEFAULT_WEIGHTS = (5, 10, 25, 50)
FULL = 100
PACED = PlannedHold(min=timedelta(0), max=timedelta(minutes=5))
"""Under a pace no weight is held for its own sake; at the highest one, and where no sample is accepted, the clock speaks after 5 minutes."""


def plan_of(spec: CanaryReleaseSpec) -> tuple[PlannedStep, ...]:
    """The steps as a release will take them, defaults filled in. Under a pace: what is known before the first weight, a gate before 100."""
    if spec.pace is not None:
        return (PlannedStep(weight=FULL, hold=PACED, approval=True),) if spec.pace.approval else ()
    return _planned(spec.steps)


@lru_cache(maxsize=1024)  # asked at every look, and the same until somebody edits the steps
def _planned(steps: tuple[Step, ...] | None) -> tuple[PlannedStep, ...]:
    return tuple(
        PlannedStep(weight=step.weight, hold=PlannedHold(min=step.hold.min, max=step.hold.max), approval=step.approval == "Required")
        for step in steps or tuple(Step(weight=weight) for weight in DEFAULT_WEIGHTS)
    )


def pace_of(spec: CanaryReleaseSpec, known: PaceRecord | None, now: datetime) -> PaceRecord | None:
    """The pace as a release will keep it; None: it goes by steps. What is known of it stays."""
    if spec.pace is None:
        return None
    wanted = PaceRecord(
        failure_budget=spec.pace.failure_budget,
        min_duration=spec.pace.min_duration,
        max_duration=spec.pace.max_duration,
        max_weight=spec.pace.max_weight,
        since=now,
    )
    if known is None:
        return wanted
    measured = {"rate": known.rate, "spacing": known.spacing, "risk": known.risk}
    return replace(wanted, since=known.since, waited_seconds=known.waited_seconds, **measured)  # type: ignore[arg-type]


def replanned(spec: CanaryReleaseSpec, state: ReleaseRecord) -> tuple[PlannedStep, ...]:
    """The plan after an edit: what was taken stays, and what comes is what the spec says above the present weight.

    Where all steps of the spec are below it a person is asked before 100 percent.
    """
    wanted = plan_of(spec)
    if state.state is not State.PROGRESSING:
        return state.plan
    if spec.pace is not None:
        return (*rungs(state.plan if state.pace else state.plan[: state.step]), *wanted)
    if not state.step:
        return wanted
    present = state.plan[state.step - 1]
    if state.pace is not None:  # chosen by a budget, it had no hold of its own
        present = replace(present, hold=PlannedHold(min=Hold().min, max=Hold().max))
    now = next((step for step in wanted if step.weight == present.weight), present)
    coming = tuple(step for step in wanted if step.weight > present.weight)
    if not coming and all(step.weight < present.weight for step in wanted):
        # Whoever lowers all steps below the present weight does not ask for 100 percent next.
        coming = (PlannedStep(weight=FULL, hold=now.hold, approval=True),)
    return (*state.plan[: state.step - 1], now, *coming)


def edited(spec: CanaryReleaseSpec, state: ReleaseRecord, now: datetime) -> tuple[ReleaseRecord, tuple[Announce, ...]]:
    """The record with steps or pace as the spec has them now, and what is to be said of it."""
    if state.state is not State.PROGRESSING:
        return state, ()
    plan, pace = replanned(spec, state), pace_of(spec, state.pace, now)
    if (plan, pace) == (state.plan, state.pace):
        return state, ()
    if pace is not None:
        words = f"the release goes on from {state.weight} % by pace: at most {pace.failure_budget} failures, up to {pace.max_weight} %"
    else:
        coming = ", ".join(f"{step.weight} %" for step in rungs(plan)[state.step :])
        words = f"the steps were edited; the release goes on from {state.weight} % with {coming + ', then ' if coming else ''}100 %"
        if state.step and all(step.weight < state.weight for step in plan_of(spec)):
            words = f"all steps are below the present weight of {state.weight} % now; the release waits there, and asks before 100 %"
    return replace(state, plan=plan, pace=pace), (Announce(Because(reasons.PLAN_CHANGED, words)),)


def rungs(plan: tuple[PlannedStep, ...]) -> tuple[PlannedStep, ...]:
    """The steps below 100 percent; 100 follows them, written or not."""
    return tuple(step for step in plan if step.weight < FULL)


def risen(state: ReleaseRecord, step: int, weight: int, tempo: Tempo | None, risk: float) -> ReleaseRecord:
    """The record with the next step taken. Under a pace the plan learns of it only now.

    Args:
        state: Before the rise.
        step: Its number, from 1.
        weight: Percent, below 100.
        tempo: What the weight was chosen by under a pace; None: nobody knew.
        risk: The share (0 to 1) that the canary could fail beyond stable, by what was known.
    """
    if state.pace is None:
        return replace(state, step=step, weight=weight)
    gate = tuple(each for each in state.plan if each.weight == FULL)
    taken = (*rungs(state.plan)[: step - 1], PlannedStep(weight=weight, hold=PACED))
    rate, spacing = (tempo.rate, tempo.spacing) if tempo else (None, None)
    pace = replace(state.pace, rate=rate, spacing=spacing, risk=float(f"{risk:.4g}"))
    return replace(state, step=step, weight=weight, plan=(*taken, *gate), pace=pace)


def hold_of(state: ReleaseRecord) -> PlannedHold:
    """The hold of the present step; before the first, of the one that comes. Under a pace it is the same everywhere."""
    place = max(state.step - 1, 0)
    return state.plan[place].hold if state.pace is None and place < len(state.plan) else PACED


def at_ceiling(state: ReleaseRecord) -> bool:
    """Under a pace: the highest weight before 100 is reached, or passed."""
    return state.pace is not None and state.step > 0 and state.weight >= state.pace.max_weight


def next_weight(state: ReleaseRecord) -> int | None:
    """The weight that comes after the present step, in percent; None: a budget chooses it."""
    if state.asked.promote or at_ceiling(state):
        return FULL
    if state.pace is not None:
        return None
    left = rungs(state.plan)[state.step :]
    return left[0].weight if left else FULL


def gated(state: ReleaseRecord, weight: int | None) -> bool:
    """A person is to be asked before this weight."""
    return any(step.weight == weight and step.approval for step in state.plan)


def pods_needed(capacity: float, weight: int, stable: int) -> int:
    """Ready canary pods before this weight, beside so many of stable."""
    return max(1, ceil(round(capacity * weight / 100 * stable, 9)))


def carried(capacity: float, ready: int, stable: int) -> int:
    """The highest weight, in percent, for which so many ready pods are enough, beside so many of stable; 0: not even for the lowest."""
    return next((weight for weight in range(FULL, 0, -1) if pods_needed(capacity, weight, stable) <= ready), 0)
