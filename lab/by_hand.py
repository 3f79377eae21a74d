"""A lab that stays up for a person or a script: `up`, `in` and `down` share a small directory as its handle.

The directory holds a lock, which the running lab keeps (so a stale one is recognised, whatever its PID means today), and what `in` needs to
enter. Everything else lives in the lab's own memory file system.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import programs
from lab.addresses import GATEWAY_PORT
from lab.cluster import Cluster
from lab.isolation import enter, isolate
from lab.laboratory import Lab
from lab.parts.envoy import Gateway

DOWN_SECONDS = 3.0
_FILES = ("lab.lock", "lab.json", "lab.log")


class NoLab(Exception):
    """No lab runs with this directory as its handle, or one does already."""


@dataclass(frozen=True, slots=True)
class Handle:
    """What a lab writes about itself once it is up."""

    outer: int
    """The process to end, as seen from outside."""
    first: int
    """The namespace's first process, as seen from outside."""
    files: str
    """The lab's directory, as seen from inside."""

    @property
    def kubeconfig(self) -> str:
        """The administrator's, as seen from inside."""
        return f"{self.files}/kubeconfig"


def up(directory: Path, options: Sequence[str]) -> int:
    """Starts a lab in the background and returns when it is up; its exit code and the end of its log if it does not come up."""
    directory.mkdir(parents=True, exist_ok=True)
    _expect_none(directory)
    log = directory / "lab.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "lab", "up", "--foreground", *options, str(directory)]
        lab = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        while lab.poll() is None and not _is_up(directory, lab.pid):
            time.sleep(0.05)
    except BaseException:
        lab.terminate()
        raise
    print(log.read_text(), end="", flush=True)
    return lab.returncode or 0


def up_in_foreground(directory: Path, options: Sequence[str]) -> int:
    """Runs a lab until Ctrl-C, SIGTERM, `down`, or the end of the terminal."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lab.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NoLab(f"a lab with the handle {directory} runs already") from error
        inside = [sys.executable, "-m", "lab", "serve", *options, str(directory)]

        def note(first: int) -> None:
            lock.write(json.dumps({"outer": os.getpid(), "first": first}))
            lock.flush()

        try:
            return isolate(inside, started=note)
        finally:
            (directory / "lab.json").unlink(missing_ok=True)


def serve(directory: Path, make: Callable[[], Cluster]) -> int:
    """The inside of `up`: brings the lab up, says how to reach it, and waits for its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), make() as lab:
        who: dict[str, Any] = json.loads((directory / "lab.lock").read_text())
        handle = Handle(outer=who["outer"], first=who["first"], files=str(lab.directory))
        unfinished = directory / "lab.json.part"
        unfinished.write_text(json.dumps(asdict(handle)))
        unfinished.replace(directory / "lab.json")
        print(_how_to_reach(lab, directory), flush=True)
        while True:
            signal.pause()
    return 0


def enter_lab(directory: Path, command: Sequence[str]) -> int:
    """Runs a command inside the lab, with KUBECONFIG and PATH set."""
    handle = _find(directory)
    path = os.pathsep.join((str(programs.kubectl().parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    environment = dict(os.environ) | {"KUBECONFIG": handle.kubeconfig, "PATH": path, "LAB_FILES": handle.files}
    return enter(handle.first, command or [os.environ.get("SHELL", "/bin/sh")], environment)


def down(directory: Path) -> int:
    """Ends the lab and removes its handle; fine if it is gone already."""
    with suppress(NoLab, ProcessLookupError):
        outer = os.pidfd_open(_find(directory).outer)
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(outer, number)
            if select.select([outer], [], [], DOWN_SECONDS)[0]:
                break
        os.close(outer)
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    with suppress(OSError):  # other files in there are not ours
        directory.rmdir()
    return 0


def _find(directory: Path) -> Handle:
    if not _locked(directory):
        raise NoLab(f"no lab with the handle {directory} runs: start one with `python -m lab up {directory}`")
    try:
        return Handle(**json.loads((directory / "lab.json").read_text()))
    except FileNotFoundError:
        who = json.loads((directory / "lab.lock").read_text() or "{}")
        if not who:
            raise NoLab(f"the lab with the handle {directory} is only just starting") from None
        return Handle(outer=who["outer"], first=who["first"], files="")


def _is_up(directory: Path, outer: int) -> bool:
    try:
        return bool(json.loads((directory / "lab.json").read_text())["outer"] == outer)
    except FileNotFoundError:
        return False


def _expect_none(directory: Path) -> None:
    if _locked(directory):
        raise NoLab(f"a lab with the handle {directory} runs already")


def _locked(directory: Path) -> bool:
    try:
        with (directory / "lab.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _how_to_reach(lab: Cluster, directory: Path) -> str:
    inside = f"python -m lab in {directory} --"
    lines = [
        f"The lab is up after {lab.started_in:.1f} s. It has a network of its own; go in with:",
        f"  {inside} kubectl get pods -A",
        f"  {inside} bash",
    ]
    if isinstance(lab, Lab):
        client = next(iter(lab.mesh_clients.values()))
        lines += [
            f"  gateway      http://{Gateway.address}:{GATEWAY_PORT}/   (Gateway infra/public; ask for a service by its host name:",
            "               curl -H 'Host: SERVICE.NAMESPACE.svc.cluster.local' ...)",
            f"  mesh client  http://{client.address}:PORT/   (the same; its ports are in the Sidecar of namespace {client.namespace})",
            f"  Prometheus   {lab.prometheus.url}",
        ]
    return "\n".join([*lines, f"  logs         {lab.directory}", f"End it with: python -m lab down {directory}"])
