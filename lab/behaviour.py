"""How a backend behaves: what its container's environment says, changed at run time by small files that the lab writes.

Standard library only: every pod's process imports it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

CONTROL = "LAB_CONTROL"
"""Environment variable of a backend: the files that change its behaviour, separated by colons, later ones win."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What one backend does. Shares are 0 to 1."""

    error_share: float = 0.0
    """The share of requests answered with `error_status` (gRPC: `grpc_status`)."""
    error_status: int = 500
    grpc_status: str = "UNAVAILABLE"
    """The name of the code that failing gRPC calls end with."""
    hang_share: float = 0.0
    """The share of requests that are never answered."""
    cut_share: float = 0.0
    """The share of HTTP answers that break off after their headers and a part of the body."""
    latency_ms: float = 0.0
    start_delay: float = 0.0
    """Seconds before it listens."""
    ready: bool = True
    """False: the kubelet stand-in's readiness probe fails while it goes on serving."""
    crashing: bool = False
    """True: it ends, and ends again whenever it is restarted."""

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Behaviour":
        """Reads ERROR_SHARE, ERROR_STATUS, LATENCY_MS and START_DELAY."""
        return cls(
            error_share=float(environment.get("ERROR_SHARE") or 0),
            error_status=int(environment.get("ERROR_STATUS") or 500),
            latency_ms=float(environment.get("LATENCY_MS") or 0),
            start_delay=float(environment.get("START_DELAY") or 0),
        )


class Control:
    """The behaviour now: the environment's, changed by the control files. Asking costs one `stat` per file."""

    def __init__(self, base: Behaviour, files: tuple[Path, ...]) -> None:
        self._base = base
        self._files = files
        self._seen: tuple[object, ...] = ()
        self._now = base

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Control":
        """The control of a backend with this environment."""
        names = filter(None, environment.get(CONTROL, "").split(":"))
        return cls(Behaviour.of_environment(environment), tuple(Path(name) for name in names))

    @property
    def now(self) -> Behaviour:
        """The behaviour at this moment."""
        seen = tuple(_state(file) for file in self._files)
        if seen != self._seen:
            changes: dict[str, Any] = {}
            for file in self._files:
                changes |= read(file)
            self._now = replace(self._base, **changes)
            self._seen = seen
        return self._now


def read(file: Path) -> dict[str, Any]:
    """The changes in a control file; none if it does not exist."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    return content


def write(file: Path, changes: Mapping[str, object]) -> None:
    """Adds changes to a control file, atomically: a reader sees the old or the new ones.

    Raises:
        TypeError: There is no such behaviour.
    """
    unknown = set(changes) - {field.name for field in fields(Behaviour)}
    if unknown:
        raise TypeError(f"no such behaviour: {', '.join(sorted(unknown))}")
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(read(file) | dict(changes)))
    unfinished.replace(file)


def version_file(directory: Path, namespace: str, app: str, version: str) -> Path:
    """The control file for all pods of one version."""
    return directory / "control" / namespace / app / f"{version}.json"


def pod_file(directory: Path, namespace: str, pod: str) -> Path:
    """The control file for one pod."""
    return directory / "control" / namespace / f"{pod}.json"


def _state(file: Path) -> object:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
