"""A played release in words: one line for each pass that wrote something a reader wants to know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from canary_operator.simulation.process import Pass


@dataclass(frozen=True, slots=True)
class Line:
    """One pass."""

    time: float
    """Unix seconds."""
    phase: str
    weight: int | None
    """The canary's, percent; None: there is no route."""
    reason: str
    message: str

    @property
    def words(self) -> tuple[str, int | None, str, str]:
        """All but the time."""
        return self.phase, self.weight, self.reason, self.message


def told(passes: Iterable[Pass], last: Line | None = None) -> Iterator[Line]:
    """What the passes have to tell. A checkpoint of the evidence, which says what `last` or the line before it said, is no news."""
    for one in passes:
        line = Line(one.time, one.after.phase or "", one.after.weight, one.decision.because.reason, one.decision.because.message)
        if one.wrote and (one.decision.effects or last is None or last.words != line.words):
            last = line
            yield line
