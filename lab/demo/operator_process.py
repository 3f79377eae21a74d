"""The operator as a process, and what it says in its log: one statement per pass, with its own time."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.demo.setting import PROBE_PORT, environment
from lab.part import answers
from lab.waiting import until

STOP_SECONDS = 10.0
_PASS = "canary_operator.pass"


class OperatorEnded(Exception):
    """The operator's process is gone; the message ends with its log."""


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


class OperatorProcess:
    """Runs while entered; with --verbose, so that it says what it sees at every look, not only when it decides."""

    def __init__(self, config: Path, kubeconfig: Path, log: Path) -> None:
        self.log = log
        self._offset = 0
        self._command = [sys.executable, "-m", "canary_operator.cli.main", "run", "--verbose"]
        self._command += ["--config", str(config), "--kubeconfig", str(kubeconfig)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), start_new_session=True
            )
        try:
            until(self._is_ready, "the operator is ready", 60)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, as a cluster does."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raises OperatorEnded if it does not run."""
        if self._process is None or self._process.poll() is not None:
            end = self.log.read_text(errors="replace").splitlines()[-10:]
            raise OperatorEnded("\n".join(["the operator has ended", *end]))

    def news(self) -> list[Statement]:
        """Statements since the last call, oldest first."""
        self.check()
        found = []
        with self.log.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                found += _statements(line)
        return found

    def _is_ready(self) -> bool:
        self.check()
        return answers(PROBE_PORT, "/readyz")


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
