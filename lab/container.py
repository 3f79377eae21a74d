"""A pod's backend process as the kubelet stand-in holds it: started or taken over, watched through a PID file descriptor, ended."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """What a restarted kubelet stand-in, and the lab, must know about a running backend."""

    namespace: str
    pod: str
    app: str
    version: str
    address: str
    pid: int
    restarts: int


class Container:
    """One backend process, maybe not this process's child."""

    def __init__(self, pid: int, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self.pid = pid
        self._child = child
        self._handle = os.pidfd_open(pid)
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._handle, self._has_ended)

    @classmethod
    def start(cls, address: str, port: int, environment: Mapping[str, str], log: Path) -> "Container":
        """A session of its own, and the lab's lifeline as standard input; no parent-death signal, since it shall outlive this program."""
        isolated = [] if environment.get("PROTOCOL") == "grpc" else ["-S"]
        command = [sys.executable, "-s", *isolated, "-m", "lab.backend", address, str(port)]
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=0,
                stdout=output,
                stderr=output,
                env={"PYTHONPATH": os.environ["PYTHONPATH"], **environment},
                start_new_session=True,
            )
        return cls(child.pid, child)

    @classmethod
    def adopt(cls, record: Record) -> "Container | None":
        """The process of this record if it still runs (and is not another one with its PID)."""
        try:
            command = Path(f"/proc/{record.pid}/cmdline").read_bytes().split(b"\0")
            return cls(record.pid) if record.address.encode() in command else None
        except OSError:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; fine if the process is gone."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    async def end(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL."""
        if self.ended.is_set():
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            await asyncio.wait_for(self.ended.wait(), seconds)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.ended.wait()

    def _has_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        if self._child:
            self._child.wait()
        self.ended.set()


class Records:
    """The backends that run, one small file each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "pods"
        self._directory.mkdir(exist_ok=True)

    def write(self, uid: str, record: Record) -> None:
        """Notes a backend that runs."""
        unfinished = self._directory / f"{uid}.part"
        unfinished.write_text(json.dumps(asdict(record)))
        unfinished.replace(self._directory / f"{uid}.json")

    def read(self, uid: str) -> Record | None:
        """The backend of the pod with this UID, if one was noted."""
        try:
            return Record(**json.loads((self._directory / f"{uid}.json").read_text()))
        except FileNotFoundError:
            return None

    def remove(self, uid: str) -> None:
        """Forgets a backend."""
        (self._directory / f"{uid}.json").unlink(missing_ok=True)

    def all(self) -> list[Record]:
        """All that were noted."""
        found = (self.read(file.stem) for file in self._directory.glob("*.json"))
        return [record for record in found if record]
