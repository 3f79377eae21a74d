"""A service with versions in a namespace of its own, and the Istio documents that route to it."""

from typing import Any

from lab import Lab
from lab.workloads import Workload


class Shop:
    def __init__(self, lab: Lab, namespace: str, port_name: str = "http") -> None:
        self.lab = lab
        self.namespace = namespace
        lab.namespace(namespace)
        self.service = lab.service("reviews", namespace, port_name=port_name)

    def version(self, name: str, **options: Any) -> Workload:
        """A version whose pods are ready."""
        workload = self.lab.workload(self.service, name, **options)
        workload.wait_ready()
        return workload

    def route(self, **weights: int) -> dict[str, Any]:
        """Subsets and weights for these versions, in the mesh and at the gateway."""
        host, port = self.service.host, {"number": self.service.port}
        metadata = {"name": self.service.name, "namespace": self.namespace}
        subsets = [{"name": version, "labels": {"version": version}} for version in weights]
        destinations = [
            {"destination": {"host": host, "subset": version, "port": port}, "weight": weight} for version, weight in weights.items()
        ]
        rule = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": metadata}
        self.lab.api.apply({**rule, "spec": {"host": host, "subsets": subsets}})
        route = {"hosts": [host], "gateways": ["infra/public", "mesh"], "http": [{"name": "primary", "route": destinations}]}
        return self.lab.api.apply({**rule, "kind": "VirtualService", "spec": route})[0]
