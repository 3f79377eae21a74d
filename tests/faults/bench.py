"""One place to run stories in: a namespace with its services, and what users do there."""

from typing import Any

from lab import Cluster
from lab.api import ApiError
from lab.waiting import until
from lab.workloads import Workload
from tests.faults.mirror import COLLECTIONS, RELEASES, VIRTUAL_SERVICES, Document, Mirror

SERVICES = {"reviews": ("v1", "v2", "v3"), "ratings": ("v1",)}
SHORT = {"bake": "500ms", "settle": "200ms", "drain": "200ms"}


def path_in(collection: str, namespace: str, name: str = "") -> str:
    """The path of an object of a collection over all namespaces; without a name, of all in the namespace."""
    root, _, plural = collection.rpartition("/")
    return f"{root}/namespaces/{namespace}/{plural}{name and '/'}{name}"


FREEZE = "change-freeze"
"""An admission policy, and the label of namespaces whose VirtualServices nobody may update while it says `yes`."""
_ADMISSION = "admissionregistration.k8s.io/v1"
_POLICY: Document = {
    "apiVersion": _ADMISSION,
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": FREEZE},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["virtualservices"]}
            ]
        },
        "validations": [{"expression": "false", "message": "change freeze until Monday"}],
    },
}
_BINDING: Document = {
    "apiVersion": _ADMISSION,
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": FREEZE},
    "spec": {
        "policyName": FREEZE,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {FREEZE: "yes"}}},
    },
}


class Bench:
    """A namespace; used by one story at a time."""

    def __init__(self, cluster: Cluster, mirror: Mirror, namespace: str) -> None:
        self._cluster = cluster
        self._mirror = mirror
        self.namespace = namespace
        self.service = "reviews"
        self.since = 0
        """The last revision before the present story."""
        self._workloads: dict[tuple[str, str], Workload] = {}
        self._scaled: set[Workload] = set()
        self._frozen = False
        self.absent: set[str] = set()
        """Versions without pods, whose requests reach nobody."""

    def furnish(self) -> None:
        """Makes namespace, services and pods; returns when they are ready."""
        self._cluster.namespace(self.namespace)
        for name, versions in SERVICES.items():
            service = self._cluster.service(name, self.namespace)
            for version in versions:
                self._workloads[name, version] = self._cluster.workload(service, version, image="pause")
        self._cluster.wait_ready(*self._workloads.values())

    # --------------------------------------------------------------------------------------------------------------- what there is

    @property
    def release(self) -> Document | None:
        """The CanaryRelease."""
        return self._mirror.get(RELEASES, self.namespace, self.service)

    @property
    def status(self) -> Document:
        """Its status; empty without one."""
        status: Document = (self.release or {}).get("status") or {}
        return status

    def status_of(self, name: str) -> Document:
        """The status of another CanaryRelease; empty without one."""
        status: Document = (self._mirror.get(RELEASES, self.namespace, name) or {}).get("status") or {}
        return status

    @property
    def weight(self) -> int | None:
        """The canary's weight, the same in all routes; None without a route, or when they differ."""
        found = set(self._mirror.weights(self.namespace))
        return found.pop() if len(found) == 1 else None

    @property
    def objects(self) -> list[Document]:
        """CanaryReleases, VirtualServices and DestinationRules as the API server has them."""
        return [found for collection in COLLECTIONS for found in self._cluster.api.list(path_in(collection, self.namespace))]

    def route(self, name: str = "") -> Document | None:
        """The VirtualService of the release, or of this name."""
        return self._mirror.get(VIRTUAL_SERVICES, self.namespace, name or self.service)

    # ----------------------------------------------------------------------------------------------------------- what the user does

    def create(self, name: str = "", **spec: Any) -> None:
        """Creates the CanaryRelease of the story's service, named like it or by this name."""
        self._cluster.api.create(
            {
                "apiVersion": "canary.rollouts.dev/v1beta1",
                "kind": "CanaryRelease",
                "metadata": {"name": name or self.service, "namespace": self.namespace},
                "spec": {"service": {"name": self.service}, **SHORT, **spec},
            }
        )

    def change(self, change: Document, collection: str = RELEASES, name: str = "") -> Document:
        """Merges a change into an object, the CanaryRelease unless said otherwise; answers it as it is then."""
        return self._cluster.api.patch(path_in(collection, self.namespace, name or self.service), change)

    def may_change(self, change: Document, collection: str) -> bool:
        """Whether the API server would take the change of the object that is named like the service; it is not made."""
        try:
            self._cluster.api.patch(f"{path_in(collection, self.namespace, self.service)}?dryRun=All", change)
        except ApiError:
            return False
        return True

    def act(self, action: str) -> None:
        """Annotates an action."""
        self.change({"metadata": {"annotations": {"canary.rollouts.dev/action": action}}})

    def apply(self, *documents: Document, manager: str) -> None:
        """Server-side apply, as a GitOps tool does it."""
        self._cluster.api.apply(*documents, manager=manager)

    def delete(self, collection: str = RELEASES, name: str = "") -> None:
        """Asks for the deletion of an object, the CanaryRelease unless said otherwise."""
        self._cluster.api.delete(path_in(collection, self.namespace, name or self.service))

    def scale(self, version: str, replicas: int) -> None:
        """Changes the number of pods of a version of the story's service."""
        workload = self._workloads[self.service, version]
        self._scaled.add(workload)
        workload.scale(replicas)

    def take_away(self, version: str) -> None:
        """All pods of a version go, and requests that the route gives it reach nobody."""
        self.scale(version, 0)
        self.absent.add(version)

    def bring_back(self, version: str) -> None:
        """Its pods come back."""
        self.absent.discard(version)
        self.scale(version, 1)

    def serves(self, version: str) -> bool:
        """Whether the endpoints of the story's service name a pod of a version."""
        slices = self._cluster.api.list(
            f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={self.service}",
        )
        names = (endpoint["targetRef"]["name"] for each in slices for endpoint in each.get("endpoints") or ())
        return any(name.startswith(f"{self.service}-{version}-") for name in names)

    def freeze(self) -> None:
        """From now on nobody may update a VirtualService of the namespace."""
        probe: Document = {"metadata": {"annotations": {"probe": "frozen"}}}
        self._cluster.api.apply(_POLICY, _BINDING)
        self._label("yes")
        until(lambda: not self.may_change(probe, VIRTUAL_SERVICES), f"{self.namespace} is frozen", 30)

    def thaw(self) -> None:
        """The freeze is over."""
        if self._frozen:
            self._label(None)

    def _label(self, value: str | None) -> None:
        self._frozen = value is not None
        self._cluster.api.patch(f"/api/v1/namespaces/{self.namespace}", {"metadata": {"labels": {FREEZE: value}}})

    def clear(self) -> None:
        """Takes away what a story left behind, finalizers first."""
        self.thaw()
        for collection in COLLECTIONS:
            for found in self._mirror.all(collection, self.namespace):
                name = found["metadata"]["name"]
                if found["metadata"].get("finalizers"):
                    self.change({"metadata": {"finalizers": None}}, collection, name)
                self.delete(collection, name)
        self.absent.clear()
        while self._scaled:
            workload = self._scaled.pop()
            workload.scale(1)
            workload.wait_ready()
        until(lambda: not self.objects, f"{self.namespace} cleared")
        until(
            lambda: not any(self._mirror.all(collection, self.namespace) for collection in COLLECTIONS),
            f"{self.namespace} seen to be clear",
        )
