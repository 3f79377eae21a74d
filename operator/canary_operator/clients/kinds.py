"""The kinds of objects that the operator reads or writes, and where the API serves them."""

from dataclasses import dataclass

from canary_operator.api import names


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object of the Kubernetes API."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As documents write it: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As RBAC and `kubectl` write it: `services`, `replicasets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of an object, or of a list when no name is given; without namespace: the list of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = (root, *(("namespaces", namespace) if namespace else ()), self.plural, name, subresource)
        return "/".join(part for part in parts if part)


CANARY_RELEASE = Kind(names.GROUP, names.VERSION, names.PLURAL, names.KIND)
# v1 is served since Istio 1.22.
VIRTUAL_SERVICE = Kind("networking.istio.io", "v1", "virtualservices", "VirtualService")
DESTINATION_RULE = Kind("networking.istio.io", "v1", "destinationrules", "DestinationRule")
SERVICE = Kind("", "v1", "services", "Service")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENT = Kind("", "v1", "events", "Event")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")

NAMESPACE = Kind("", "v1", "namespaces", "Namespace")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
POD = Kind("", "v1", "pods", "Pod")
GATEWAY = Kind("networking.istio.io", "v1", "gateways", "Gateway")
SIDECAR = Kind("networking.istio.io", "v1", "sidecars", "Sidecar")
WORKLOAD_ENTRY = Kind("networking.istio.io", "v1", "workloadentries", "WorkloadEntry")
PEER_AUTHENTICATION = Kind("security.istio.io", "v1", "peerauthentications", "PeerAuthentication")
WAYPOINT = Kind("gateway.networking.k8s.io", "v1", "gateways", "Waypoint")
MUTATING_WEBHOOK = Kind("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration")
VALIDATING_WEBHOOK = Kind("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration")

LOOKED_UP = (
    NAMESPACE,
    CONFIG_MAP,
    POD,
    GATEWAY,
    SIDECAR,
    WORKLOAD_ENTRY,
    PEER_AUTHENTICATION,
    WAYPOINT,
    MUTATING_WEBHOOK,
    VALIDATING_WEBHOOK,
)
"""What is read while a release needs it, and never watched. A waypoint is a Gateway of the Gateway API."""
WATCHED = (CANARY_RELEASE, VIRTUAL_SERVICE, DESTINATION_RULE, SERVICE, REPLICA_SET, ENDPOINT_SLICE)
"""What the cache holds. Deployments are not among them: their ReplicaSets carry owner, labels and hash. Pods are read only where no name tells."""


def kind_of(path: str) -> Kind | None:
    """The watched kind that a list or watch of this path is about."""
    for kind in WATCHED:
        root, _, plural = kind.path().rpartition("/")
        if f"{root}/" in path and path.endswith(f"/{plural}"):
            return kind
    return None


def namespace_of(path: str) -> str | None:
    """The namespace in the path of a list; None: all."""
    _, found, rest = path.partition("/namespaces/")
    return rest.partition("/")[0] if found else None
