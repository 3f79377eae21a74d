"""The operator as a process, and what it says in its log: one statement per pass, with its own time."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab import Lab
from lab.operator import Operator
from lab.part import PartFailed

_PASS = "canary_operator.pass"


@dataclass(frozen=True, slots=True)
class Statement:
    """What the operator said at the end of one pass."""

    at: float
    """Seconds since the epoch."""
    state: str
    step: int
    weight: int
    """The canary's share in the route when the pass began."""
    reason: str
    message: str
    odds: str
    """Empty when no release runs."""

    @property
    def kind(self) -> tuple[str, int, str]:
        """Equal in statements that differ only in numbers."""
        return self.state, self.step, self.reason


class SpeakingOperator(Operator):
    """The operator, and its statements as they come; verbose, so that it says what it sees at every look, not only when it decides."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, lab.prometheus_url, verbose=True)
        self._offset = 0

    def news(self) -> list[Statement]:
        """Statements since the last call, oldest first.

        Raises:
            PartFailed: The operator has ended.
        """
        if not self.alive:
            raise PartFailed(f"the operator has ended\n{self.log_tail()}")
        found = []
        with self.log.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                found += _statements(line)
        return found


def _statements(line: bytes) -> list[Statement]:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return []
    if said.get("logger") != _PASS:
        return []
    return [
        Statement(
            at=datetime.fromisoformat(said["time"]).timestamp(),
            state=said["state"],
            step=said["step"],
            weight=said["weight"] or 0,
            reason=said["reason"],
            message=said["message"],
            odds=said["verdict"] or "",
        )
    ]
