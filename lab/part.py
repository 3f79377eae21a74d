"""One program of the lab as an object: start, kill, pause, restart it alone, and wait until it serves."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from lab.isolation import die_with_parent

READY_SECONDS = 90.0
LOOK_AGAIN_SECONDS = 0.03
LOG_LINES = 20

# The kernel's parent-death signal is sent when the *thread* that forked ends: all programs are forked by one thread that lives as
# long as Python. Between fork and exec it only makes one system call, so the warning about threads and preexec_fn does not apply.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-forker")


class PartFailed(Exception):
    """A part ended or did not become ready; the message carries the end of its log."""


class Part(ABC):
    """A program that can be killed, paused and restarted alone.

    It runs in a session of its own: the kernel's autogroups share the processor out by session, and in one session with the rest the
    gateway would stall whenever the machine is busy, which looks like lost requests.
    """

    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments; may write the files that it needs."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it serves now."""

    def environment(self) -> Mapping[str, str]:
        """What is added to the lab's own environment."""
        return {}

    def standard_input(self) -> int:
        """A file descriptor; nothing to read by default."""
        return subprocess.DEVNULL

    @property
    def log(self) -> Path:
        """What it writes to standard output and standard error."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The running program's."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the program runs (or is paused)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the program and returns at once."""
        if self.alive:
            return
        command = [str(word) for word in self.command()]
        with self.log.open("ab") as log:
            self._process = _forker.submit(
                lambda: subprocess.Popen(
                    command,
                    stdin=self.standard_input(),
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self.environment()},
                    cwd=self.directory,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509
                )
            ).result()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Blocks until the part serves.

        Raises:
            PartFailed: It ended, or the time is over.
        """
        begun = time.monotonic()
        while True:
            if not self.alive:
                raise PartFailed(f"{self.name} ended with code {self._process.returncode if self._process else None}\n{self.log_tail()}")
            if self.is_ready():
                return
            if time.monotonic() - begun > seconds:
                raise PartFailed(f"{self.name} is not ready after {seconds:.0f} s\n{self.log_tail()}")
            time.sleep(LOOK_AGAIN_SECONDS)

    def kill(self) -> None:
        """SIGKILL, and waits until the program is gone."""
        self._end(signal.SIGKILL)

    def terminate(self, seconds: float = 10.0) -> None:
        """SIGTERM, and SIGKILL for a program that stays longer than that."""
        self._end(signal.SIGTERM, seconds)

    def pause(self) -> None:
        """Stops it without ending it (SIGSTOP): connections stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused program go on."""
        self._running().send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kills it, starts it again with what it had stored, and waits until it serves."""
        self.kill()
        self.start()
        self.wait_ready()

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The end of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _end(self, number: signal.Signals, seconds: float = 10.0) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        if number is not signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            raise PartFailed(f"{self.name} is not running\n{self.log_tail()}")
        return self._process


def answers(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Whether an HTTP GET is answered with 200 within a second."""
    connection = HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
