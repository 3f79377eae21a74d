"""Private namespaces: a network, a process tree and a scratch directory that vanish together, however they end.

Everything the lab starts lives in a user, network, PID and mount namespace of its own. The first process in there reaps and forwards
signals; when it goes, by SIGKILL too, the kernel kills every other process of the namespace and drops its memory file system. That is the
whole clean-up: nothing is remembered, so nothing can be forgotten. Needs no root and no iproute2; does nothing to the machine outside.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from lab.cache import cache_directory

PODS = "10.244.0.0"
PODS_MASK = "255.255.0.0"
MARK = "LAB_NAMESPACE"
SCRATCH = "LAB_SCRATCH"
GRACE_SECONDS = 2.0

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _IFF_UP = 0x8913, 0x8914, 0x8916, 0x891C, 1
_libc = ctypes.CDLL(None, use_errno=True)


class IsolationForbidden(Exception):
    """This machine does not allow what the lab needs; the message is one sentence for the person at the keyboard."""


def die_with_parent() -> None:
    """Asks the kernel to kill the calling process when the *thread* that forked it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def isolated() -> bool:
    """Whether this process runs in a namespace made by `isolate`."""
    return os.environ.get(MARK) == _network_namespace()


def scratch() -> Path:
    """A directory in memory that vanishes with the namespace. Only inside of one."""
    return Path(os.environ[SCRATCH])


def isolate(command: Sequence[str], *, started: Callable[[int], None] = lambda pid: None) -> int:
    """Runs a command in namespaces of its own and returns its exit code; when it returns, nothing of it is left.

    Args:
        command: The program and its arguments.
        started: Called with the PID (seen from outside) of the namespace's first process.

    Raises:
        IsolationForbidden: User namespaces are switched off here.
    """
    mount_point = (scratch() if isolated() else cache_directory()) / "scratch"  # namespaces nest; the outer one's files stay in sight
    mount_point.mkdir(parents=True, exist_ok=True)
    _unshare()
    first = os.fork()
    if not first:
        die_with_parent()
        _be_first(command, mount_point)
    started(first)
    return _outlive(first, signals=_terminal_signals())


def enter(first: int, command: Sequence[str], environment: dict[str, str]) -> int:
    """Runs a command inside the namespaces whose first process has this PID, and returns its exit code."""
    handles = [os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt", "net", "pid")]
    here = Path.cwd()
    for handle in handles:
        _check(_libc.setns(handle, 0), "enter the lab's namespaces")
    with suppress(OSError):
        os.chdir(here)
    child = os.fork()
    if not child:
        die_with_parent()
        _become(command, environment | {MARK: _network_namespace()})
    return _outlive(child, signals=_terminal_signals())


def _unshare() -> None:
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET):
        raise IsolationForbidden(_sentence(os.strerror(ctypes.get_errno())))
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise IsolationForbidden(_sentence(error.strerror or str(error))) from error


def _sentence(cause: str) -> str:
    return (
        f"The lab needs unprivileged user namespaces and this machine forbids them ({cause}): allow them with "
        "`sysctl user.max_user_namespaces=65536`, on Ubuntu also `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, "
        "in a container by its seccomp profile."
    )


def _be_first(command: Sequence[str], mount_point: Path) -> NoReturn:
    try:
        _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        _mount("lab", str(mount_point), "tmpfs", _MS_NOSUID | _MS_NODEV)
        _bring_up_network()
    except OSError as error:
        os.write(2, (_sentence(str(error)) + "\n").encode())
        os._exit(1)
    with suppress(OSError):  # some containers forbid a fresh /proc; nothing here depends on it
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    environment = dict(os.environ) | {MARK: _network_namespace(), SCRATCH: str(mount_point)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    if not os.environ.get("LAB_KEEP"):
        environment["TMPDIR"] = str(mount_point)
    child = os.fork()
    if not child:
        _become(command, environment)
    os._exit(_outlive(child, signals=_terminal_signals()))


def _become(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environment)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _terminal_signals() -> tuple[signal.Signals, ...]:
    """What to hand on. A terminal sends Ctrl-C to the command itself, and twice would be once too often."""
    if os.isatty(0):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return (signal.SIGTERM, signal.SIGHUP)
    return (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def _outlive(child: int, *, signals: Sequence[signal.Signals]) -> int:
    """Waits for the child, reaps strangers, hands signals on; a child that ignores one for GRACE_SECONDS is killed."""
    deadline: list[float] = []

    def hand_on(number: int, _frame: object) -> None:
        if not deadline and number != signal.SIGINT:
            deadline.append(time.monotonic() + GRACE_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.kill(child, number)

    def give_up(_number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    for number in signals:
        signal.signal(number, hand_on)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _bring_up_network() -> None:
    """Loopback up, and every address of the pods' range local to it, as `ip route add local 10.244.0.0/16 dev lo` would."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for name in ("lo", "lo:pods"):
            if name != "lo":
                for request, address in ((_SIOCSIFADDR, PODS), (_SIOCSIFNETMASK, PODS_MASK)):
                    fcntl.ioctl(
                        handle,
                        request,
                        struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address)),
                    )
            flags = struct.unpack("16xH", fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))[:18])[0]
            fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | _IFF_UP))


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _check(_libc.mount(source.encode(), target.encode(), kind.encode() or None, flags, None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _network_namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())
