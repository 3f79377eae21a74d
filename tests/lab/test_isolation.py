"""Nothing is left running or lying about, however a lab ends; several run side by side.

Namespaces nest, so these run inside and outside of one.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cache import cache_directory
from lab.waiting import until

ROOT = Path(__file__).parents[2]
LAB = (sys.executable, "-m", "lab")
CLUSTER = "import sys, time; from lab import Cluster\nwith Cluster() as lab: print('up', flush=True); time.sleep(600)"


@pytest.fixture
def mark() -> Iterator[str]:
    """A word that every process started by the test has in its environment."""
    mark = uuid.uuid4().hex
    os.environ["LAB_TEST_MARK"] = mark
    yield mark
    for pid in _marked(mark):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after(number: signal.Signals, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = {*cache_directory().iterdir()}
    with _start(CLUSTER) as outer:
        assert len(_marked(mark)) > 5
        begun = time.monotonic()
        outer.send_signal(number)
        outer.wait(10)
        until(lambda: not _marked(mark), "every process is gone", 3)
        assert time.monotonic() - begun < 3
    assert {*cache_directory().iterdir()} == before
    assert not [*tmp_path.iterdir()]


def test_nothing_is_left_when_a_lab_dies_inside_a_namespace_that_lives_on(mark: str) -> None:
    """A shell in the namespace, the lab started from it and killed: its programs and backends go all the same."""
    workload = "lab.namespace('shop'); lab.workload(lab.service('web', 'shop'), 'v1').wait_ready()"
    python = f"from lab import Cluster; import time\nwith Cluster() as lab: {workload}; print('up', flush=True); time.sleep(600)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {python!r}]); print('dead', flush=True); sys.stdin.read()"
    with _start(script) as outer:
        inner = next(pid for pid in _marked(mark) if python.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        os.kill(inner, signal.SIGKILL)
        assert outer.stdout and outer.stdout.readline() == "dead\n"
        until(lambda: len(_marked(mark)) <= 3, "only the shell and its two guardians are left", 5)
        outer.kill()


def test_two_labs_run_side_by_side(mark: str) -> None:
    with _start(CLUSTER) as one, _start(CLUSTER) as other:
        assert (one.poll(), other.poll()) == (None, None)
        one.kill()
        one.wait()
        assert _marked(mark) and other.poll() is None
        other.terminate()
        other.wait(3)


def test_a_second_lab_in_the_same_namespace_is_refused(mark: str) -> None:
    script = "from lab import Cluster\nwith Cluster(): Cluster().start()"
    done = subprocess.run(
        [*LAB, "isolated", "--cluster", "--", sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "a lab runs in this namespace already" in done.stderr
    assert not _marked(mark)


def test_the_exit_code_is_the_command_s(mark: str) -> None:
    assert subprocess.run([*LAB, "isolated", "--cluster", "--", "sh", "-c", "exit 7"], cwd=ROOT, check=False).returncode == 7


def test_without_user_namespaces_it_says_so_in_one_sentence(mark: str) -> None:
    forbid = f"echo 0 > /proc/sys/user/max_user_namespaces; exec {' '.join(LAB)} isolated --cluster -- true"
    done = subprocess.run([*LAB, "isolated", "--cluster", "--", "sh", "-c", forbid], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lab: The lab needs unprivileged user namespaces and this machine forbids them")
    assert len(done.stderr.splitlines()) == 1


def test_up_in_and_down_by_hand(mark: str, tmp_path: Path) -> None:
    handle = tmp_path / "lab"
    subprocess.run([*LAB, "up", "--cluster", str(handle)], cwd=ROOT, check=True, capture_output=True)
    asked = subprocess.run(
        [*LAB, "in", str(handle), "--", "kubectl", "get", "nodes"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "lab" in asked.stdout
    again = subprocess.run([*LAB, "up", "--cluster", str(handle)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "runs already" in again.stderr
    subprocess.run([*LAB, "down", str(handle)], cwd=ROOT, check=True)
    assert not handle.exists()
    assert not _marked(mark)
    gone = subprocess.run([*LAB, "in", str(handle), "--", "true"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert gone.returncode == 1 and "no lab with the handle" in gone.stderr


def _start(script: str) -> "subprocess.Popen[str]":
    """Runs Python inside a namespace and returns when it says that its lab is up."""
    command = [*LAB, "isolated", "--cluster", "--", sys.executable, "-c", script]
    outer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert outer.stdout and outer.stdout.readline() == "up\n"
    return outer


def _marked(mark: str) -> list[int]:
    """The processes that carry the mark, this one left out; zombies have no environment any more."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if int(place.name) != os.getpid() and f"LAB_TEST_MARK={mark}".encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found
