"""The operator is killed before, after and instead of the reply to its writes, and each time the story ends the same.

Here: every point of a good release, and of each other story one instant per write. All of them, and pairs: `make faults`.
"""

import pytest

from tests.faults.plans import Instant, Plan, singles
from tests.faults.rig import Rig
from tests.faults.runs import Run, model, run_all
from tests.faults.scenarios import SCENARIOS


def some(plans: list[Plan]) -> list[Plan]:
    """One instant per write, in turn."""
    size = len(Instant)
    return [plan for number, plan in enumerate(plans) if number % size == number // size % size]


def told(diverged: list[tuple[Run, tuple[str, ...]]]) -> str:
    return "\n\n".join(f"{run.plan}:\n" + "\n".join(lines) + f"\n{run.log}" for run, lines in diverged)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_story_ends_the_same_wherever_the_operator_dies(rig: Rig, scenario: str) -> None:
    usual = model(rig, scenario)
    assert not usual.faulty, "\n".join((*usual.faulty, usual.first.log, usual.second.log))
    plans = singles(scenario, usual.writes)
    runs = list(run_all(rig, plans if scenario == "good" else some(plans)))
    diverged = [(run, lines) for run in runs if (lines := run.against(usual.first))]
    assert not diverged, told(diverged)
    missed = [str(run.plan) for run in runs if not run.counts]
    assert len(missed) <= len(runs) // 20, f"these faults did not strike: {missed}"
