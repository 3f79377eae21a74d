"""The operator is killed before, after and instead of the reply to its writes, or the write fails, and each time the story ends the same.

Here: every kill of a good release, of each other story every third write at one instant, some errors, and what diverged once. All of them, and
pairs: `make faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.faults.plans import Plan, errors, singles
from tests.faults.rig import Rig
from tests.faults.runs import Model, Run, models, run_all
from tests.faults.scenarios import FROZEN, SCENARIOS

APART = 10
"""Of the crash points of a story every tenth is tried: each third write, and each instant in turn."""

FEW = 3
"""The last writes of a story, which it may be told without."""


@dataclass(frozen=True, slots=True)
class Told:
    """A story without faults, and with them."""

    usual: Model
    runs: tuple[Run, ...]


@pytest.fixture(scope="module")
def told(rig: Rig, request: pytest.FixtureRequest) -> Mapping[str, Told]:
    """All stories that are asked for, side by side."""
    items = (item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    wanted = [item.callspec.params["scenario"] for item in items if "scenario" in item.callspec.params]
    usual = models(rig, wanted, 1)
    plans = [plan for name in wanted for plan in some(name, usual[name].writes)]
    runs = tuple(run_all(rig, plans))
    return {name: Told(usual[name], tuple(one for one in runs if one.plan.scenario == name)) for name in wanted}


def some(scenario: str, writes: int) -> list[Plan]:
    every = singles(scenario, writes)
    frozen = [plan for text in FROZEN if (plan := Plan.parse(text)).scenario == scenario]
    return [*frozen, *(every if scenario == "good" else every[2::APART]), *errors(scenario, writes)[1::APART]]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_story_ends_the_same_wherever_the_operator_dies(told: Mapping[str, Told], scenario: str) -> None:
    usual, runs = told[scenario].usual, told[scenario].runs
    assert not usual.faulty, "\n".join((*usual.faulty, usual.first.log))
    diverged = [(run, lines) for run in runs if (lines := run.against(usual.first))]
    assert not diverged, "\n\n".join(f"{run.plan}:\n" + "\n".join(lines) + f"\n{run.log}" for run, lines in diverged)
    # On a busy machine a story is told with a write or two less, so that a plan for its last writes finds nothing to strike.
    missed = [str(run.plan) for run in runs if not run.counts and not _too_late(run, usual.writes)]
    assert not missed, f"these faults did not strike: {missed}"


def _too_late(run: Run, usual: int) -> bool:
    """The story had fewer writes than usual, and none was left for the fault."""
    write = run.plan.faults[0].write
    return write > usual - FEW and write > len(run.writes)
