"""A namespace in which somebody makes a mistake, and what a person does there."""

import re
from collections.abc import Callable
from typing import Any

from lab import Lab
from lab.waiting import until
from lab.workloads import Workload, deployment_document
from tests.mesh.shop import NAME, QUICK

MERGE = "application/merge-patch+json"
_COMMAND = re.compile(r"kubectl (?:label|rollout) [^;(]*[^;( .]")


class Place:
    """A namespace with Service `reviews`, its versions and its CanaryRelease."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self.lab = lab
        self.namespace = namespace
        self.path = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{namespace}/canaryreleases/{NAME}"
        self.host = f"{NAME}.{namespace}.svc.cluster.local"

    def prepare(self, *, injection: bool = True, port_name: str = "http", labels: dict[str, str] | None = None) -> None:
        """The namespace and the Service."""
        self.lab.namespace(self.namespace, injection=injection, labels=labels)
        self.service = self.lab.service(NAME, self.namespace, port_name=port_name)

    def version(self, name: str, **options: Any) -> Workload:
        """A version, without waiting for it."""
        return self.lab.workload(self.service, name, **{"image": "pause", **options})

    def deploy(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """A Deployment that is not as the lab would write it."""
        document = deployment_document(self.service, name, 1, {}, image="pause")
        change(document)
        self.lab.api.apply(document)

    def release(self, version: str = "v1", **spec: Any) -> None:
        """Applies the CanaryRelease."""
        self.apply("canary.rollouts.dev/v1beta1", "CanaryRelease", NAME, {"service": {"name": NAME}, "version": version, **QUICK, **spec})

    def apply(self, version: str, kind: str, name: str, spec: dict[str, Any], namespace: str | None = None, **metadata: Any) -> None:
        """Any object of this namespace."""
        found = {"name": name, "namespace": namespace or self.namespace, **metadata}
        self.lab.api.apply({"apiVersion": version, "kind": kind, "metadata": found, "spec": spec})

    def istio(self, kind: str, name: str, spec: dict[str, Any], namespace: str | None = None, **metadata: Any) -> None:
        """An object of Istio's networking."""
        self.apply("networking.istio.io/v1", kind, name, spec, namespace, **metadata)

    def change(self, version: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Merges into the spec of an object of this namespace."""
        self.lab.api.patch(self.lab.api.path(version, kind, self.namespace, name), {"spec": spec}, MERGE)

    def delete(self, version: str, kind: str, name: str, namespace: str | None = None) -> None:
        self.lab.api.delete(self.lab.api.path(version, kind, namespace or self.namespace, name))

    def pods(self, name: str, template: dict[str, Any]) -> None:
        """Merges into the pod template of a version."""
        self.change("apps/v1", "Deployment", f"{NAME}-{name}", {"template": template})

    def adopted_then(self, version: str) -> None:
        """v1 is at rest, and another version is wanted."""
        self.release()
        until(lambda: self.status.get("reason") == "AtRest", f"{self.namespace} adopted: {self.told}", 60)
        self.lab.api.patch(self.path, {"spec": {"version": version}}, MERGE)

    @property
    def status(self) -> dict[str, Any]:
        return (self.lab.api.find(self.path) or {}).get("status") or {}

    @property
    def told(self) -> list[Any]:
        """What the status says, in short."""
        status = self.status
        return [status.get(key) for key in ("phase", "reason", "message", "warnings")]

    def said(self, reason: str) -> str | None:
        """The message of a finding, blocking or warning; None: it is not there."""
        status = self.status
        if status.get("phase") == "Blocked" and status.get("reason") == reason:
            return str(status["message"])
        return next((each["message"] for each in status.get("warnings", ()) if each["reason"] == reason), None)

    def run_what_the_message_says(self, message: str) -> list[str]:
        """Runs the commands that stand in it, as a user would."""
        commands = _COMMAND.findall(message)
        assert commands, message
        for command in commands:
            self.lab.kubectl(*command.split()[1:])
        return commands
