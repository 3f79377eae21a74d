"""Services and versions to release, as documents and as handles to what runs."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import behaviour
from lab.api import MERGE_PATCH, Api
from lab.container import Record, Records
from lab.waiting import until

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """A Service that was made."""

    name: str
    namespace: str
    port: int
    others: tuple[int, ...] = ()
    """Further HTTP ports of the same pods, whose servers answer with `x-version: VERSION@PORT`."""
    domain: str = "cluster.local"

    @property
    def host(self) -> str:
        """The name callers use."""
        return f"{self.name}.{self.namespace}.svc.{self.domain}"

    def at(self, port: int) -> "Service":
        """The same, called on another of its ports."""
        return replace(self, port=port)


@dataclass(frozen=True, slots=True)
class Workload:
    """One version of a service: the Deployment `<service>-<version>` and its backend processes."""

    service: Service
    version: str
    api: Api
    directory: Path

    @property
    def name(self) -> str:
        """The Deployment's name."""
        return f"{self.service.name}-{self.version}"

    @property
    def path(self) -> str:
        """The Deployment's path in the API."""
        return f"/apis/apps/v1/namespaces/{self.service.namespace}/deployments/{self.name}"

    def behave(self, **changes: object) -> None:
        """Changes all pods of this version at once and for good, without a new pod template.

        Args:
            **changes: Fields of `lab.behaviour.Behaviour`, such as error_share, error_status, hang_share, latency_ms, ready, crashing.
        """
        behaviour.write(behaviour.version_file(self.directory, self.service.namespace, self.service.name, self.version), changes)

    def behave_in_pod(self, pod: str, **changes: object) -> None:
        """The same for one pod."""
        behaviour.write(behaviour.pod_file(self.directory, self.service.namespace, pod), changes)

    def crash(self) -> None:
        """Kills every backend process of this version once; the kubelet stand-in restarts them after a back-off."""
        for record in self.backends():
            os.kill(record.pid, signal.SIGKILL)

    def scale(self, replicas: int) -> None:
        """Changes the number of pods."""
        self.api.patch(self.path, {"spec": {"replicas": replicas}}, MERGE_PATCH)

    def delete(self) -> None:
        """Deletes the Deployment; its pods follow."""
        self.api.delete(self.path)

    def backends(self) -> list[Record]:
        """Its processes that run now."""
        wanted = (self.service.namespace, self.service.name, self.version)
        return [record for record in Records(self.directory).all() if (record.namespace, record.app, record.version) == wanted]

    def pods(self) -> list[Document]:
        """Its pods, those that are leaving included."""
        selector = f"app={self.service.name},version={self.version}"
        return self.api.list(f"/api/v1/namespaces/{self.service.namespace}/pods", labelSelector=selector)

    def wait_ready(self, seconds: float = 60) -> None:
        """Blocks until the Deployment as last written is rolled out, all its pods are ready, and its endpoints know."""
        until(self._is_ready, f"{self.service.namespace}/{self.name} ready", seconds)

    def _is_ready(self) -> bool:
        found = self.api.get(self.path)
        seen = found.get("status", {})
        wanted = found["spec"]["replicas"]
        counts = (seen.get("replicas", 0), seen.get("updatedReplicas", 0), seen.get("readyReplicas", 0))
        if seen.get("observedGeneration") != found["metadata"]["generation"] or counts != (wanted,) * 3:
            return False
        pods = {pod["metadata"]["name"] for pod in self.pods() if not pod["metadata"].get("deletionTimestamp")}
        return len(pods) == wanted and pods <= self._ready_endpoints()

    def _ready_endpoints(self) -> set[str]:
        slices = self.api.list(
            f"/apis/discovery.k8s.io/v1/namespaces/{self.service.namespace}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={self.service.name}",
        )
        endpoints = [endpoint for found in slices for endpoint in found.get("endpoints") or ()]
        # One that was written by hand may name no pod, and say nothing of itself.
        ready = [endpoint for endpoint in endpoints if (endpoint.get("conditions") or {}).get("ready") is not False]
        return {endpoint["targetRef"]["name"] for endpoint in ready if (endpoint.get("targetRef") or {}).get("name")}


def service_document(service: Service, port_name: str) -> Document:
    """A Service as a user would write it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": service.namespace, "labels": {"app": service.name}},
        "spec": {
            "selector": {"app": service.name},
            "ports": [
                {"name": port_name, "port": service.port, "targetPort": service.port},
                *({"name": f"http-{port}", "port": port, "targetPort": port} for port in service.others),
            ],
        },
    }


def deployment_document(
    service: Service,
    version: str,
    replicas: int,
    environment: Mapping[str, object],
    *,
    image: str = "backend",
    labels: Mapping[str, str] | None = None,
    sidecar: bool = False,
) -> Document:
    """A Deployment as a user would write it; the container's environment says how its backend behaves."""
    selector = {"app": service.name, "version": version}
    container = {
        "name": "app",
        "image": image,
        "ports": [{"containerPort": port} for port in (service.port, *service.others)],
        "env": [{"name": name, "value": str(value)} for name, value in environment.items()],
    }
    proxies = [{"name": "istio-proxy", "image": "proxy"}] if sidecar else []
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{service.name}-{version}", "namespace": service.namespace, "labels": selector},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": {**selector, **(labels or {})}}, "spec": {"containers": [container, *proxies]}},
        },
    }


def stateful_set_document(
    service: Service, name: str, version: str | None, replicas: int, environment: Mapping[str, object], *, sidecar: bool = False
) -> Document:
    """The same as a StatefulSet of this name; without a version its pods carry no label of it."""
    document = deployment_document(service, version or "none", replicas, environment, sidecar=sidecar)
    selector = {"app": service.name, "set": name}
    document["kind"], document["metadata"]["name"] = "StatefulSet", name
    document["spec"] |= {"serviceName": service.name, "selector": {"matchLabels": selector}, "podManagementPolicy": "Parallel"}
    document["spec"]["template"]["metadata"]["labels"] = {**selector, **({"version": version} if version else {})}
    return document


def pod_document(service: Service, name: str, labels: Mapping[str, str], environment: Mapping[str, object]) -> Document:
    """A pod that nobody owns."""
    document = deployment_document(service, labels.get("version", "none"), 1, environment)
    metadata = {"name": name, "namespace": service.namespace, "labels": {"app": service.name, **labels}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": document["spec"]["template"]["spec"]}
