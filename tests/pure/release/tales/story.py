"""A world, and what a reader sees of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.simulation.telling import Line, told
from canary_operator.simulation.world import EPOCH, World

HOLD = Hold(min=timedelta(seconds=30), max=timedelta(minutes=2))
SPEC = CanaryReleaseSpec(
    service=ServiceRef(name="reviews"),
    version="v1",
    steps=tuple(Step(weight=weight, hold=HOLD) for weight in (5, 25, 50)),
    bake=timedelta(minutes=1),
)


class Story:
    """A world, and what a reader sees of it."""

    def __init__(self, *, fails: float = 0.0, attached: int | None = None, **spec: object) -> None:
        self.world = World(replace(SPEC, **spec), attached=attached)  # type: ignore[arg-type]
        self.lines: list[str] = []
        self._told = 0
        self._last: Line | None = None
        self.world.deploy("v1")
        self.play(20)
        self.world.deploy("v2", fails=fails)
        self.world.edit(version="v2")
        self.tell(f"v2 is deployed and wanted; {100 * fails:g} % of its requests fail")

    def tell(self, what: str) -> None:
        """Something happens."""
        self._passes()
        self.lines.append(f"{self.world.now:8.1f} s  -- {what}")
        self._last = None

    def play(self, seconds: float, until: Callable[[World], bool] | None = None) -> None:
        """Time passes."""
        self.world.run(seconds, until)
        self._passes()

    def reach(self, weight: int) -> None:
        """Time passes until the canary has this weight."""
        self.play(900, lambda world: world.weight == weight)

    def _passes(self) -> None:
        for line in told(self.world.passes[self._told :], self._last):
            weight = "-" if line.weight is None else f"{line.weight} %"
            self.lines.append(f"{line.time - EPOCH:8.1f} s  {line.phase:<12} {weight:>5}  {line.reason:<18} {line.message}")
            self._last = line
        self._told = len(self.world.passes)
