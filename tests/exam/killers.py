"""The tests that have to notice a mutant: those of pytest in a process of their own, those of the fault tests in a laboratory that all share."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.faults.plans import Plan
from tests.faults.rig import Rig
from tests.faults.runs import Model, models, run

ROOT = Path(__file__).resolve().parents[2]
BENCHES = 6
PATIENCE = 25
"""Seconds for a story: a mutant that never comes to an end need not be waited for as long as the operator itself."""
RED = 1
"""What pytest answers when tests failed; anything else is no answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one test said."""

    red: bool
    told: str
    seconds: float


class Laboratory:
    """A rig, if one is needed, with the stories as they go without faults and without mutants."""

    def __init__(self, needed: bool) -> None:
        self._rig = Rig(BENCHES) if needed else None
        self._usual: dict[str, Model] = {}

    def __enter__(self) -> Self:
        if self._rig:
            self._rig.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._rig:
            self._rig.__exit__(kind, error, trace)

    @property
    def rig(self) -> Rig:
        """The one that all share."""
        assert self._rig, "no laboratory was asked for"
        return self._rig

    def usual(self, scenario: str) -> Model:
        """How a story goes."""
        if scenario not in self._usual:
            self._usual[scenario] = models(self.rig, [scenario], 1)[scenario]
        return self._usual[scenario]


class Killer(Protocol):
    """A test that goes red when something is broken."""

    needs_lab: bool

    def run(self, tree: Path, lab: Laboratory) -> Outcome:
        """Over the operator in `tree`/operator."""


@dataclass(frozen=True, slots=True)
class Pytest:
    """A test that needs no API server."""

    name: str
    needs_lab: bool = False

    def run(self, tree: Path, lab: Laboratory) -> Outcome:
        began = time.monotonic()
        paths = [str(tree / "operator"), str(ROOT)]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={' '.join(paths)}", self.name]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode not in (0, RED):
            raise RuntimeError(f"{self.name} gave no answer: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        return Outcome(ended.returncode == RED, ended.stdout[-2000:], time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Story:
    """A plan of the fault tests."""

    plan: Plan
    needs_lab: bool = True

    def run(self, tree: Path, lab: Laboratory) -> Outcome:
        began, usual = time.monotonic(), lab.usual(self.plan.scenario)
        with lab.rig.staffed(tree / "operator") as rig:
            lines = run(rig, self.plan, PATIENCE).against(usual.first)
        return Outcome(bool(lines), "\n".join(lines), time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class OnRig:
    """A test of the fault tests that is no plan: a function of the rig."""

    module: str
    function: str
    needs_lab: bool = True

    def run(self, tree: Path, lab: Laboratory) -> Outcome:
        began = time.monotonic()
        test: Callable[[Rig], None] = getattr(import_module(self.module), self.function)
        with lab.rig.staffed(tree / "operator") as rig:
            try:
                test(rig)
            except (AssertionError, TimeoutError) as error:
                return Outcome(True, str(error)[-2000:], time.monotonic() - began)
        return Outcome(False, "", time.monotonic() - began)


def killer(text: str) -> Killer:
    """The test of a name, or of a plan."""
    file, _, name = text.partition("::")
    if not name:
        return Story(Plan.parse(text))
    if file.startswith("tests/faults/"):
        return OnRig(file.removesuffix(".py").replace("/", "."), name)
    return Pytest(text)
