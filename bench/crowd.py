"""Many services as a cluster shows them: two versions each, old ReplicaSets, endpoints and foreign routes, written by hand. No controller runs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab import Cluster

THREADS = 8
OLD = 9
"""ReplicaSets of a service without replicas, beside the two that serve."""
FOREIGN = 2
"""VirtualServices of others for a service."""
PODS = {"v1": 3, "v2": 2}
"""Ready pods of a version."""
RELEASES = "/apis/canary.rollouts.dev/v1beta1/namespaces/{}/canaryreleases/{}"
QUIET = {"settle": "200ms", "drain": "200ms", "bake": "1s", "steps": [{"weight": 20, "hold": {"min": "50m", "max": "55m"}}]}

Document = dict[str, Any]


class Crowd:
    """So many services in so many namespaces, by turns."""

    def __init__(self, cluster: Cluster, releases: int, namespaces: int) -> None:
        self._cluster = cluster
        self._namespaces = [f"shop-{number}" for number in range(namespaces)]
        self.names = [f"app-{number}" for number in range(releases)]
        """Of the services, and of their CanaryReleases."""

    def namespace(self, name: str) -> str:
        """Where a service is."""
        return self._namespaces[int(name.rpartition("-")[2]) % len(self._namespaces)]

    def workload(self, name: str, version: str) -> str:
        """What telemetry calls a version, with its namespace."""
        return f"{self.namespace(name)}/{name}-{version}"

    def open(self) -> None:
        """The namespaces, which a controller completes."""
        for namespace in self._namespaces:
            self._cluster.namespace(namespace, injection=False)

    def write(self) -> None:
        """Everything but the CanaryReleases."""
        self._all(document for name in self.names for document in self._objects(name))

    def release(self) -> None:
        """A CanaryRelease for each service, with v1 as it serves."""
        self._all(
            {
                "apiVersion": "canary.rollouts.dev/v1beta1",
                "kind": "CanaryRelease",
                "metadata": {"name": name, "namespace": self.namespace(name)},
                "spec": {"service": {"name": name}, "version": "v1", "stableVersion": "v1", **QUIET},
            }
            for name in self.names
        )

    def want(self, version: str, names: Sequence[str]) -> None:
        """Changes spec.version of these."""
        self._patch(names, {"spec": {"version": version}})

    def abort(self, name: str) -> None:
        """As `kubectl canary abort` does in the first release."""
        self._patch([name], {"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})

    def said(self, names: Iterable[str]) -> str:
        """How many of these say what, as `number: phase, reason, message`."""
        found = (self._cluster.api.find(RELEASES.format(self.namespace(name), name)) or {} for name in names)
        states = ((each.get("metadata", {}).get("name", ""), each.get("status") or {}) for each in found)
        words = Counter(
            ", ".join(str(state.get(key)) for key in ("phase", "reason", "message")).replace(name, "NAME") for name, state in states
        )
        return "; ".join(f"{number}: {text}" for text, number in words.most_common(5))

    def _patch(self, names: Sequence[str], change: Document) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda name: self._cluster.api.patch(RELEASES.format(self.namespace(name), name), change), names))

    def _all(self, documents: Iterable[Document]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._cluster.api.create, documents))

    def _objects(self, name: str) -> Iterable[Document]:
        namespace = self.namespace(name)
        ports = [{"name": "http", "port": 9080, "targetPort": 9080, "appProtocol": "http"}]
        yield {"apiVersion": "v1", "kind": "Service", **_named(name, namespace), "spec": {"selector": {"app": name}, "ports": ports}}
        sets = [*((version, "0", pods) for version, pods in PODS.items()), *(("v1", f"old{number}", 0) for number in range(1, OLD + 1))]
        for number, (version, suffix, replicas) in enumerate(sets):
            labels = {"app": name, "version": version, "pod-template-hash": f"{version}{suffix}"}
            template = {
                "metadata": {"labels": labels, "annotations": {"checksum": "0" * 64}},
                "spec": {"containers": [_container(), _sidecar()]},
            }
            metadata = {
                "labels": labels,
                "annotations": {"deployment.kubernetes.io/revision": str(100 - number)},
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": f"{name}-{version}",
                        "uid": f"{name}-{version}",
                        "controller": True,
                    }
                ],
            }
            spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
            yield {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                **_named(f"{name}-{version}-{suffix}", namespace, **metadata),
                "spec": spec,
            }
        for version, pods in PODS.items():
            labels = {"app": name, "version": version, "pod-template-hash": f"{version}0"}
            spec = {"containers": [_container(), _sidecar()], "automountServiceAccountToken": False}
            for number in range(pods):
                yield {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    **_named(f"{name}-{version}-0-{number:05}", namespace, labels=labels),
                    "spec": spec,
                }
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            **_named(f"{name}-slice", namespace, labels={"kubernetes.io/service-name": name}),
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 9080, "protocol": "TCP"}],
            "endpoints": [
                {
                    "addresses": [f"10.0.{place}.{number + 1}"],
                    "conditions": {"ready": True},
                    "targetRef": {"kind": "Pod", "name": f"{name}-{version}-0-{number:05}", "namespace": namespace},
                }
                for place, (version, pods) in enumerate(PODS.items())
                for number in range(pods)
            ],
        }
        for number in range(FOREIGN):
            host = f"{name}-{number}.example.com"
            elsewhere = {"destination": {"host": f"other-{name}.{namespace}.svc.cluster.local"}}
            spec = {"hosts": [host], "gateways": ["infra/public"], "http": [{"route": [elsewhere]}]}
            yield {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", **_named(f"{name}-{number}", namespace), "spec": spec}


def _named(name: str, namespace: str, **metadata: Any) -> Document:
    return {"metadata": {"name": name, "namespace": namespace, **metadata}}


def _container() -> Document:
    """As large as one of an ordinary chart."""
    variables = [{"name": f"SETTING_{number}", "value": "a value of an ordinary length"} for number in range(20)]
    return {"name": "app", "image": "example.com/app:1", "ports": [{"name": "http", "containerPort": 9080}], "env": variables}


def _sidecar() -> Document:
    """As after injection by hand: the namespaces are not enabled for injection, since no control plane runs."""
    return {"name": "istio-proxy", "image": "example.com/proxy:1"}
