"""What the checks ask for beside the watched kinds, and what may come back: a list, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
RESOURCES = {
    "Namespace": "namespaces",
    "ConfigMap": "configmaps",
    "Pod": "pods",
    "Gateway": "gateways.networking.istio.io",
    "Sidecar": "sidecars.networking.istio.io",
    "WorkloadEntry": "workloadentries.networking.istio.io",
    "PeerAuthentication": "peerauthentications.security.istio.io",
    "Waypoint": "gateways.gateway.networking.k8s.io",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations.admissionregistration.k8s.io",
}
"""What rights call each kind."""


@dataclass(frozen=True, slots=True)
class Read:
    """One request. Equal reads of several CanaryReleases are one request."""

    kind: str
    """Kind of the API, or `Telemetry` for a question to Prometheus."""
    namespace: str | None = None
    """None: all namespaces, or a kind that has none."""
    name: str | None = None
    """One object; None: all of the kind. Of telemetry: the Service."""
    selector: str = ""
    """Labels as `a=b,c=d`; empty: all. Of telemetry: the Prometheus provider."""

    @property
    def words(self) -> str:
        """For a person who grants rights, such as `list pods in shop`."""
        verb = "get" if self.name else "list"
        of = f" {self.name}" if self.name else ""
        where = f" in {self.namespace}" if self.namespace else " in all namespaces" if self.kind == "Pod" else ""
        return f"{verb} {RESOURCES.get(self.kind, self.kind)}{of}{where}"


@dataclass(frozen=True, slots=True)
class NotPermitted:
    """The operator lacks the right: what it would show stays unchecked."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """The API server does not know the kind."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Prometheus gave no answer. Of the API server none is passed on: it is asked again."""

    why: str


Listing = tuple[Document, ...] | NotPermitted | Unserved | Failed
"""What came back. No object found is an empty list."""


def selector_text(labels: Mapping[str, str]) -> str:
    """Labels as the API writes a selector."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
