"""One place to run stories in: a namespace with its services, and an operator of its own behind a fault proxy."""

from typing import Any

from lab import Cluster
from lab.waiting import until
from tests.faults.mirror import COLLECTIONS, RELEASES, Document, Mirror

SERVICES = {"reviews": ("v1", "v2"), "ratings": ("v1",)}


def path_in(collection: str, namespace: str, name: str) -> str:
    """The path of an object of a collection over all namespaces."""
    root, _, plural = collection.rpartition("/")
    return f"{root}/namespaces/{namespace}/{plural}/{name}"


class Bench:
    """A namespace; used by one story at a time."""

    def __init__(self, cluster: Cluster, mirror: Mirror, namespace: str) -> None:
        self._cluster = cluster
        self._mirror = mirror
        self.namespace = namespace
        self.service = "reviews"
        self.since = 0
        """The last revision before the present story."""

    def furnish(self) -> None:
        """Makes namespace, services and pods; returns when they are ready."""
        self._cluster.namespace(self.namespace)
        made = []
        for name, versions in SERVICES.items():
            service = self._cluster.service(name, self.namespace)
            made += [self._cluster.workload(service, version, image="pause") for version in versions]
        self._cluster.wait_ready(*made)

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

    @property
    def weight(self) -> int | None:
        """The canary's weight on the route."""
        return self._mirror.weight(self.namespace, self.service)

    def read(self, collection: str) -> Document | None:
        """The object as the API server has it."""
        return self._cluster.api.find(path_in(collection, self.namespace, self.service))

    # ----------------------------------------------------------------------------------------------------------- what the user does

    def create(self, **spec: Any) -> None:
        """Creates the CanaryRelease."""
        short = {"bake": "500ms", "settle": "200ms", "drain": "200ms"}
        self._cluster.api.create(
            {
                "apiVersion": "canary.rollouts.dev/v1beta1",
                "kind": "CanaryRelease",
                "metadata": {"name": self.service, "namespace": self.namespace},
                "spec": {"service": {"name": self.service}, **short, **spec},
            }
        )

    def change(self, change: Document) -> None:
        """Merges a change into the CanaryRelease."""
        self._cluster.api.patch(path_in(RELEASES, self.namespace, self.service), change)

    def delete(self) -> None:
        """Asks for the deletion of the CanaryRelease."""
        self._cluster.api.delete(path_in(RELEASES, self.namespace, self.service))

    def clear(self) -> None:
        """Takes away what a story left behind, finalizers first."""
        api = self._cluster.api
        for name in SERVICES:
            if api.find(path_in(RELEASES, self.namespace, name)):
                api.patch(path_in(RELEASES, self.namespace, name), {"metadata": {"finalizers": None}})
            for collection in COLLECTIONS:
                api.delete(path_in(collection, self.namespace, name))
        until(self._is_clear, f"{self.namespace} cleared")

    def _is_clear(self) -> bool:
        return not any(self._mirror.get(collection, self.namespace, name) for collection in COLLECTIONS for name in SERVICES)
