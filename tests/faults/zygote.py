"""Starts real operator processes in milliseconds: a process that has imported the operator forks one for each line it reads.

The fork comes before any event loop or thread, so each child is as fresh as a process that was started from the command line.
"""

import contextlib
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lab.isolation import die_with_parent

END_SECONDS = 10


class Operator:
    """One operator process; ended only by `kill`, `pause` and `resume` of this object."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._handle = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """Whether it runs, or is paused."""
        return not self._ended(0)

    def kill(self) -> None:
        """SIGKILL; returns at once."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM; returns at once."""
        signal.pidfd_send_signal(self._handle, signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP."""
        signal.pidfd_send_signal(self._handle, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        signal.pidfd_send_signal(self._handle, signal.SIGCONT)

    def wait(self) -> None:
        """Returns when it has ended.

        Raises:
            TimeoutError: It lives on.
        """
        if not self._ended(END_SECONDS):
            raise TimeoutError(f"operator {self.pid} did not end within {END_SECONDS} s")

    def close(self) -> None:
        """Kills it if it still runs, and forgets it."""
        self.kill()
        self.wait()
        os.close(self._handle)

    def _ended(self, seconds: float) -> bool:
        """A process handle is readable, or invalid after `close`, once the process has ended."""
        end = select.poll()
        end.register(self._handle, select.POLLIN)
        return bool(end.poll(seconds * 1000))


class Zygote:
    """The process that forks; threads may share it.

    Args:
        source: Where the operator's package lies; where this process has it from, when left out.
    """

    def __init__(self, source: Path | None = None) -> None:
        self._lock = threading.Lock()
        command = [sys.executable, "-m", "tests.faults.zygote"]
        paths = os.pathsep.join(path for path in (*([str(source)] if source else []), *sys.path) if path)
        environment = os.environ | {"PYTHONPATH": paths}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._answer()

    def start(self, log: Path, **settings: Any) -> Operator:
        """A new operator.

        Args:
            log: Where its output is appended.
            **settings: config, kubeconfig, namespace, prometheus; as on the command line. identity: the name of its pod.
        """
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"log": str(log), **settings}) + "\n")
            self._process.stdin.flush()
            return Operator(int(self._answer()), log)

    def close(self) -> None:
        """Ends it, and with it all operators that it forked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(END_SECONDS)
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the zygote ended with code {self._process.wait(END_SECONDS)}")
        return line


def main() -> None:
    """Imports the operator, then forks until its standard input ends."""
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by themselves
    import canary_operator.cli.run
    import canary_operator.clients.prometheus
    import canary_operator.handlers
    import canary_operator.reconcile  # noqa: F401

    assert threading.active_count() == 1, "a fork takes one thread along"
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _operate(json.loads(line))
        print(pid, flush=True)


def _operate(wanted: Mapping[str, Any]) -> NoReturn:
    from canary_operator.cli.run import start
    from canary_operator.settings import assemble

    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    os.environ["POD_NAME"] = wanted["identity"]
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    settings = assemble(
        wanted["config"], kubeconfig=wanted["kubeconfig"], namespaces=(wanted["namespace"],), prometheus=wanted["prometheus"]
    )
    code = 1
    try:
        code = start(settings)
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
