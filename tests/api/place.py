"""A namespace with services in two versions and their CanaryReleases: the words in which the tests of this folder speak."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab import Cluster
from lab.programs import kubectl
from lab.waiting import until

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "/apis/canary.rollouts.dev/v1beta1/namespaces/{}/canaryreleases"
LONG = [{"weight": weight, "hold": {"min": "30m", "max": "40m"}} for weight in (20, 40)]
Document = dict[str, Any]


class Place:
    """Pods are ready without a process; nothing counts what they serve."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.api, self.namespace = cluster, cluster.api, namespace
        cluster.namespace(namespace, injection=False)

    def close(self) -> None:
        """Deletes the CanaryReleases, then the namespace."""
        if not self.api.find(f"/api/v1/namespaces/{self.namespace}"):
            return
        for release in self.api.list(COLLECTION.format(self.namespace)):
            self.api.delete(self.path(release["metadata"]["name"]))
        until(lambda: not self.api.list(COLLECTION.format(self.namespace)), "the CanaryReleases are gone", 60)
        self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def deploy(self, *names: str, versions: tuple[str, ...] = ("v1", "v2")) -> None:
        """Services with these versions, one pod each."""
        made = []
        for name in names:
            service = self.cluster.service(name, self.namespace)
            made += [self.cluster.workload(service, version, image="pause") for version in versions]
        self.cluster.wait_ready(*made, seconds=120)

    def release(self, name: str = "reviews", **spec: Any) -> None:
        """A CanaryRelease at rest on v1, whose steps nothing ends but a person or the operator's own guards."""
        short = {"bake": "1s", "settle": "200ms", "drain": "200ms", "steps": LONG}
        self.api.create(
            {
                "apiVersion": "canary.rollouts.dev/v1beta1",
                "kind": "CanaryRelease",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"service": {"name": name}, "version": "v1", "stableVersion": "v1", **short, **spec},
            }
        )

    def adopted(self, *names: str) -> None:
        """Returns when these are at rest."""
        until(lambda: all(self.status(name).get("phase") == "Stable" for name in names), f"{', '.join(names)} at rest", 60)

    def want(self, version: str, name: str = "reviews") -> None:
        """Changes spec.version."""
        self.api.patch(self.path(name), {"spec": {"version": version}})

    def begun(self, name: str = "reviews", **spec: Any) -> None:
        """v1 adopted, v2 deployed and wanted."""
        self.deploy(name)
        self.release(name, **spec)
        self.adopted(name)
        self.want("v2", name)

    def rising(self, name: str = "reviews", weight: int = 20, **spec: Any) -> None:
        """v1 adopted, a release of v2 at this weight."""
        self.begun(name, **spec)
        self.wait_weight(weight, name)

    def ended(self, number: int, name: str = "reviews") -> tuple[str, str, str]:
        """Waits for the end of a release: version, outcome and reason."""
        until(lambda: self._last(name).get("number") == number, f"release {number} of {name} ended", 60)
        past = self._last(name)
        return past["revision"].partition("@")[0], past["outcome"], past["reason"]

    def _last(self, name: str) -> Document:
        return self.status(name).get("lastRelease") or {}

    def path(self, name: str = "reviews") -> str:
        """Of the CanaryRelease."""
        return f"{COLLECTION.format(self.namespace)}/{name}"

    def find(self, kind: str, name: str = "reviews") -> Document | None:
        """A routing object."""
        return self.api.find(self.api.path("networking.istio.io/v1", kind, self.namespace, name))

    def status(self, name: str = "reviews") -> Document:
        """Of the CanaryRelease."""
        return (self.api.find(self.path(name)) or {}).get("status") or {}

    def weight(self, name: str = "reviews") -> int | None:
        """The canary's weight as the API has it; None without a route."""
        found = self.find("VirtualService", name)
        if found is None:
            return None
        return next(share["weight"] for share in found["spec"]["http"][-1]["route"] if share["destination"]["subset"] == "canary")

    def wait_weight(self, weight: int, name: str = "reviews") -> None:
        """Waits until the API has this weight."""
        until(lambda: self.weight(name) == weight, f"weight {weight} of {name}: {self.status(name).get('message')}", 60)

    def wait_phase(self, phase: str, name: str = "reviews") -> None:
        """Waits until status says this phase."""
        until(lambda: self.status(name).get("phase") == phase, f"{name} is {phase}", 60)

    def wait_reason(self, reason: str, name: str = "reviews") -> None:
        """Waits until status says this reason."""
        until(lambda: self.status(name).get("reason") == reason, f"{name}: {reason}", 60)

    def gone(self, name: str = "reviews", seconds: float = 30) -> None:
        """Waits until there is no such CanaryRelease."""
        until(lambda: self.api.find(self.path(name)) is None, f"CanaryRelease {name} is gone", seconds)

    def plugin(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`kubectl canary ...` as an administrator."""
        return plugin(self.cluster, *arguments)


def plugin(cluster: Cluster, *arguments: str, seconds: float = 90) -> "subprocess.CompletedProcess[str]":
    """`kubectl canary ...` as an administrator, for so many seconds at most."""
    command = [sys.executable, "-m", "canary_operator.cli.plugin", *arguments]
    path = os.pathsep.join((str(kubectl().parent), os.environ.get("PATH", "")))
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path, "PYTHONPATH": str(ROOT / "operator")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds, check=False)
