"""Which fault strikes where: `good:7:lost` is the seventh write of the scenario `good`, applied, its reply lost, the operator killed.

Further faults strike what comes after the one before: `good:7:lost+2:before` kills the next process at its second write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Self

FARTHEST = 4
"""Up to this write of the second life the second fault of a pair strikes: later ones find an operator that has long caught up."""


class Instant(StrEnum):
    """What happens to one write, and whether the operator survives it."""

    BEFORE = "before"
    """Killed: the request never reaches the API server."""
    LOST = "lost"
    """Killed: the API server has carried it out; its reply never reaches the operator."""
    AFTER = "after"
    """Killed: the reply has been sent to the operator."""
    CONFLICT = "conflict"
    """Lives on: the API server answers 409, as if somebody else had written meanwhile."""
    UNAVAILABLE = "unavailable"
    """Lives on: the API server answers 503."""
    CUT = "cut"
    """Lives on: the API server has carried it out, and the connection breaks."""


KILLS = (Instant.BEFORE, Instant.LOST, Instant.AFTER)
REFUSALS = {Instant.CONFLICT: 409, Instant.UNAVAILABLE: 503}
ERRORS = (*REFUSALS, Instant.CUT)


@dataclass(slots=True)
class Write:
    """A write of the operator, as it came to the proxy."""

    number: int
    """From 1 since the proxy was armed; 0 before, and for what is not counted."""
    life: int
    """Which process sent it: 0 is the first, one more after each kill."""
    method: str
    path: str
    at: float
    """Monotonic seconds."""
    status: int = 0
    """What the API server answered; 0: nothing yet."""

    @property
    def kind(self) -> str:
        """Plural of what was written; with `/status` for that."""
        parts = self.path.partition("?")[0].split("/")
        plural = parts[parts.index("namespaces") + 2] if "namespaces" in parts else parts[-1]
        return f"{plural}/status" if parts[-1] == "status" else plural

    def __str__(self) -> str:
        return f"{self.number}. {self.method} {'/'.join(self.path.partition('?')[0].split('/')[-3:])}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kill, or one error."""

    write: int
    """Which write, from 1; after a fault before it, from the write that was struck then."""
    instant: Instant

    def __str__(self) -> str:
        return f"{self.write}:{self.instant}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The fault in `7:lost`."""
        write, _, instant = text.partition(":")
        return cls(int(write), Instant(instant))


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario and the faults that strike in it; none for the run that shows how it should be."""

    scenario: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return f"{self.scenario}:{'+'.join(str(fault) for fault in self.faults)}" if self.faults else self.scenario

    @classmethod
    def parse(cls, text: str) -> Self:
        """The plan in `good:7:lost+2:before`.

        Raises:
            ValueError: It is no plan.
        """
        scenario, _, faults = text.partition(":")
        return cls(scenario, tuple(Fault.parse(fault) for fault in faults.split("+") if fault))


def singles(scenario: str, writes: int) -> list[Plan]:
    """Killed at every write, at every instant."""
    return [Plan(scenario, (Fault(write, instant),)) for write in range(1, writes + 1) for instant in KILLS]


def errors(scenario: str, writes: int) -> list[Plan]:
    """Every write goes wrong once, in one way after the other."""
    return [Plan(scenario, (Fault(write, ERRORS[write % len(ERRORS)]),)) for write in range(1, writes + 1)]


def pairs(scenario: str, writes: int, count: int, seed: int) -> Iterator[Plan]:
    """A second kill while the operator finds its way after the first: a sample, the same for the same seed."""
    chance = Random(f"{scenario}/{seed}")
    every = [
        Plan(scenario, (Fault(first, one), Fault(second, other)))
        for first in range(1, writes)
        for second in range(1, min(FARTHEST, writes - first) + 1)
        for one in KILLS
        for other in KILLS
    ]
    yield from chance.sample(every, min(count, len(every)))
