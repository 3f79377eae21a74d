"""A running traffic source, held from the test's side."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.report import Report

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go."""

    path: str
    """How the report names this way: gateway, mesh."""
    service: str
    """How the report names what is asked."""
    address: str
    port: int
    host: str
    request_path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    protocol: str = "http"


class Load:
    """Requests at a constant rate, to all targets in turn, from a process of its own; ends with the lab, or when left."""

    def __init__(self, targets: Sequence[Target], rate: float, *, timeout: float = 5.0) -> None:
        """Starts sending.

        Args:
            targets: Asked in turn.
            rate: Requests per second, over all targets together.
            timeout: Seconds after which a request counts as timed out.
        """
        self._report = Report()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.source"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
            start_new_session=True,
        )
        self._tell({"targets": [asdict(target) for target in targets], "rate": rate, "timeout": timeout})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def report(self) -> Report:
        """A copy of what was counted so far."""
        with self._lock:
            found = self._report
            return Report(found.sent, found.latest_seconds, found.counts.copy(), found.latencies.copy(), found.details.copy())

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    def set_rate(self, rate: float) -> None:
        """Requests per second from now on; 0 pauses."""
        self._tell({"rate": rate})

    def stop(self) -> Report:
        """Sends no more, waits for the answers still to come, and returns everything counted. Again and again if asked."""
        if self._process.poll() is None:
            try:
                self._tell({"stop": True})
                self._process.wait(STOP_SECONDS)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.kill()
        self._close()
        return self.report

    def kill(self) -> None:
        """Ends it at once; answers not yet told are not counted."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(STOP_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _tell(self, order: Mapping[str, object]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._lock:
                self._report.add(json.loads(line))
