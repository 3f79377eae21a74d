"""What users do, step by step, each step when the one before has had its effect; and when all is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.waiting import until
from tests.faults.bench import Bench

LONG = {"min": "10m", "max": "20m"}
SHORT = {"min": "0s", "max": "20s"}


def steps(*holds: Mapping[str, str]) -> list[dict[str, Any]]:
    """A plan of weights 20, 40..."""
    return [{"weight": 20 * number, "hold": dict(hold)} for number, hold in enumerate(holds, 1)]


def _at_rest(bench: Bench, outcome: str) -> bool:
    if bench.release is None:
        return False
    metadata, status = bench.release["metadata"], bench.status
    past, release = status.get("lastRelease") or {}, status.get("release") or {}
    answered = status.get("observedGeneration") == metadata["generation"]
    return answered and past.get("outcome") == outcome and release.get("state") == "Stable"


def _good(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})


def _adoption(bench: Bench) -> None:
    bench.create(version="v2", stableVersion="v1", steps=steps(SHORT, SHORT))


def _abort(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    until(lambda: bench.weight == 20, "weight 20", 30)
    bench.change({"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})


def _deleted(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    until(lambda: bench.weight == 40, "weight 40", 30)
    bench.delete()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story."""

    story: Callable[[Bench], None]
    """What is done while faults may strike."""
    over: Callable[[Bench], bool]
    """Nothing more is to come."""
    service: str = "reviews"
    steps: list[dict[str, Any]] = field(default_factory=lambda: steps(SHORT, SHORT))
    adopted: bool = True
    """The route has been taken over before the story begins."""
    failing: Mapping[str, float] = field(default_factory=dict)
    """Share of failed requests per version, 0 to 1."""
    forgetful: bool = False
    """Once traffic has left the failing versions, Prometheus remembers nothing of it: only what was written says why."""

    def prepare(self, bench: Bench) -> None:
        """What is there before the operator starts."""
        if self.adopted:
            bench.create(version="v1", stableVersion="v1", steps=self.steps)

    def begun(self, bench: Bench) -> bool:
        """Whether the story may begin."""
        return not self.adopted or bench.status.get("phase") == "Stable"


SCENARIOS: Mapping[str, Scenario] = {
    "good": Scenario(_good, lambda bench: _at_rest(bench, "Promoted")),
    "bad": Scenario(_good, lambda bench: _at_rest(bench, "RolledBack"), failing={"v2": 0.5}),
    "forgotten": Scenario(_good, lambda bench: _at_rest(bench, "RolledBack"), failing={"v2": 0.5}, forgetful=True),
    "deleted": Scenario(_deleted, lambda bench: bench.release is None, steps=steps(SHORT, LONG)),
    "removed": Scenario(lambda bench: bench.delete(), lambda bench: bench.release is None, service="ratings"),
    "adoption": Scenario(_adoption, lambda bench: _at_rest(bench, "Promoted"), adopted=False),
    "abort": Scenario(_abort, lambda bench: _at_rest(bench, "Withdrawn"), steps=steps(LONG, LONG)),
}
