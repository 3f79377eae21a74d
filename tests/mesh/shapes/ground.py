"""One shape's namespace: its Service and versions, the user's objects, its CanaryRelease, and what callers got in each moment."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab import Lab
from lab.addresses import GATEWAY_PORT
from lab.load import Load, Target
from lab.report import PROXY, Report
from lab.waiting import until
from lab.workloads import deployment_document
from tests.mesh.shop import NAME
from tests.mesh.users import Document

RATE = 12
"""Requests per second that each shape gets."""
SPEC: dict[str, Any] = {
    "steps": [{"weight": 25, "hold": {"min": "2s", "max": "6s"}}],
    "bake": "2s",
    "settle": "1s",
    "drain": "1s",
    "analysis": {"errors": {"ruleOut": "5%"}},
}
"""What is asked is what callers get, not what is judged: a step ends by its clock."""
EVERY = 0.3
"""Seconds between two looks: many shapes look at once."""
MERGE = "application/merge-patch+json"


class Ground:
    """Speaks of one namespace; several live side by side in one lab."""

    def __init__(self, lab: Lab, namespace: str, others: tuple[int, ...] = ()) -> None:
        self.lab = lab
        self.namespace = namespace
        self.host = f"{NAME}.{namespace}.svc.cluster.local"
        self.public = f"{namespace}.example.com"
        self.path = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{namespace}/canaryreleases/{NAME}"
        self.load: Load | None = None
        self.rate = RATE
        """Requests per second of the whole load, all shapes together."""
        self.spans: dict[str, tuple[int, int]] = {}
        """Per moment its first second, and the one after its last."""
        self.versions: dict[str, frozenset[str]] = {}
        """Per moment the versions that may answer."""
        self.now = "nothing yet"
        lab.namespace(namespace)
        self.service = lab.service(NAME, namespace, others=others)

    # ------------------------------------------------------------------------------------------------------ objects of the user's

    def deploy(self, version: str, **options: Any) -> None:
        """The Deployment of a version, ready."""
        self.lab.wait_ready(self.lab.workload(self.service, version, **options))

    def deploy_beside(self, version: str, name: str, **options: Any) -> None:
        """A second Deployment of a version, such as one on cheaper nodes, ready."""
        environment = {"VERSION": version, "ERROR_SHARE": options.get("error_share", 0.0)}
        document = deployment_document(self.service, version, 1, environment)
        document["metadata"]["name"] += f"-{name}"
        for labels in (document["spec"]["selector"]["matchLabels"], document["spec"]["template"]["metadata"]["labels"]):
            labels["pool"] = name
        self.lab.api.apply(document)
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{document['metadata']['name']}"
        until(lambda: self.lab.api.get(path).get("status", {}).get("readyReplicas") == 1, f"{self.namespace}: {name} is ready", 60, EVERY)

    def deploy_stateful(self, version: str, **options: Any) -> None:
        """The StatefulSet of a version, ready."""
        document = deployment_document(self.service, version, 1, {"VERSION": version, "ERROR_SHARE": options.get("error_share", 0.0)})
        document["kind"] = "StatefulSet"
        document["spec"]["serviceName"] = NAME
        self.lab.api.apply(document)
        path = f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/{document['metadata']['name']}"
        until(
            lambda: self.lab.api.get(path).get("status", {}).get("readyReplicas") == 1, f"{self.namespace}: {version} is ready", 60, EVERY
        )

    def deploy_on_every_node(self, version: str, **options: Any) -> None:
        """The DaemonSet of a version, ready."""
        document = deployment_document(self.service, version, 1, {"VERSION": version, "ERROR_SHARE": options.get("error_share", 0.0)})
        document["kind"] = "DaemonSet"
        del document["spec"]["replicas"]
        self.lab.api.apply(document)
        path = f"/apis/apps/v1/namespaces/{self.namespace}/daemonsets/{document['metadata']['name']}"
        until(lambda: self.lab.api.get(path).get("status", {}).get("numberReady") == 1, f"{self.namespace}: {version} is ready", 60, EVERY)

    def annotate_service(self, name: str, value: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/services/{NAME}"
        self.lab.api.patch(path, {"metadata": {"annotations": {name: value}}}, MERGE)

    def endpoint_by_hand(self) -> None:
        """A pod that the Service does not select, and an EndpointSlice that names its address all the same."""
        document = deployment_document(self.service, "old", 1, {"VERSION": "old"})
        for labels in (document["spec"]["selector"]["matchLabels"], document["spec"]["template"]["metadata"]["labels"]):
            labels["app"] = "legacy"
        self.lab.api.apply(document)
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        address = until(
            lambda: next(
                (each["status"]["podIP"] for each in self.lab.api.list(pods, labelSelector="app=legacy") if _is_ready(each)), None
            ),
            f"{self.namespace}: the pod is ready",
            60,
            EVERY,
        )
        metadata = {"name": "by-hand", "namespace": self.namespace, "labels": {"kubernetes.io/service-name": NAME}}
        self.lab.api.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": metadata,
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": self.service.port, "protocol": "TCP"}],
            }
        )

    def istio(self, kind: str, name: str, **spec: Any) -> None:
        """An object of Istio's, as a user's Git has it."""
        metadata = {"name": name, "namespace": self.namespace}
        self.lab.api.apply({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}, manager="git")

    def remove(self, version: str) -> None:
        """The version is gone, pods and all."""
        selector = f"app={NAME},version={version}"
        for kind in ("deployments", "statefulsets", "daemonsets"):
            for found in self.lab.api.list(f"/apis/apps/v1/namespaces/{self.namespace}/{kind}", labelSelector=selector):
                self.lab.api.delete(f"/apis/apps/v1/namespaces/{self.namespace}/{kind}/{found['metadata']['name']}")
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        until(lambda: not self.lab.api.list(pods, labelSelector=selector), f"{self.namespace}: {version} is gone", 60, EVERY)

    def routing(self) -> dict[str, Any]:
        """What VirtualServices and DestinationRules of the namespace say, by kind and name."""
        found: dict[str, Any] = {}
        for kind in ("virtualservices", "destinationrules"):
            path = f"/apis/networking.istio.io/v1/namespaces/{self.namespace}/{kind}"
            found |= {f"{kind} {each['metadata']['name']}": (each["spec"], _said(each)) for each in self.lab.api.list(path)}
        return found

    # --------------------------------------------------------------------------------------------------------- the CanaryRelease

    def release(self, version: str, traffic: Document, port: int | None) -> None:
        """Applies the CanaryRelease."""
        metadata = {"name": NAME, "namespace": self.namespace}
        service = {"name": NAME, **({"port": port} if port else {})}
        fields = {"service": service, "version": version, "traffic": traffic, **SPEC}
        self.lab.api.apply({"apiVersion": "canary.rollouts.dev/v1beta1", "kind": "CanaryRelease", "metadata": metadata, "spec": fields})

    def want(self, version: str) -> None:
        self.lab.api.patch(self.path, {"spec": {"version": version}}, MERGE)

    @property
    def status(self) -> dict[str, Any]:
        return (self.lab.api.find(self.path) or {}).get("status") or {}

    @property
    def free(self) -> bool:
        """Whether the CanaryRelease was let go: it is there, nothing holds it, and its status says so."""
        found = self.lab.api.get(self.path)
        return not found["metadata"].get("finalizers") and (found.get("status") or {}).get("phase") == "Released"

    def wait(self, what: str, seconds: float = 120, **wanted: Any) -> None:
        """Waits for fields of the status."""

        def there() -> bool:
            status = self.status
            return all(status.get(field) == value for field, value in wanted.items())

        try:
            until(there, what, seconds, EVERY)
        except TimeoutError as error:
            told = [self.status.get(field) for field in ("phase", "reason", "weight", "message")]
            raise AssertionError(f"{self.namespace}, {self.now}: {what}; it is {told}") from error

    def wait_beyond(self, weight: int, number: int) -> None:
        """Waits until the release with this number has more weight than that, or is over."""

        def there() -> bool:
            status = self.status
            return int(status.get("weight") or 0) > weight or (status.get("lastRelease") or {}).get("number") == number

        until(there, f"{self.namespace}: beyond {weight} %; {self.status.get('message')}", 120, EVERY)

    def wait_ended(self, number: int, outcome: str) -> None:
        """Waits for the record of a release and for the rest after it."""
        last = until(
            lambda: found if (found := self.status.get("lastRelease") or {}).get("number") == number else None,
            f"{self.namespace}, {self.now}: release {number} ends; {self.status.get('message')}",
            120,
            EVERY,
        )
        assert last["outcome"] == outcome, (self.namespace, last)

    def gone(self) -> None:
        """Deletes the CanaryRelease."""
        self.lab.api.delete(self.path)
        until(lambda: self.lab.api.find(self.path) is None, f"{self.namespace}: deleted; {self.status.get('message')}", 60, EVERY)

    # ----------------------------------------------------------------------------------------------------------------- callers

    def targets(self, ways: tuple[str, ...]) -> list[Target]:
        """Where the shape's requests go."""
        client = self.lab.mesh_client()
        return [
            Target(
                path=way,
                service=self.namespace,
                address=self.lab.gateway.address if way == "gateway" else client.address,
                port=GATEWAY_PORT if way == "gateway" else self.port(way),
                host=self.public if way == "gateway" else self.host,
            )
            for way in ways
        ]

    def port(self, way: str) -> int:
        """The Service's port that callers of the mesh call."""
        return self.service.others[0] if way == "second port" else self.service.port

    @property
    def report(self) -> Report:
        assert self.load is not None
        return self.load.report

    def answered(self, way: str) -> bool:
        """Whether the last whole second of this way was answered by pods alone."""
        rows = [row for row in self.report.rows if row.service == self.namespace and row.path == way]
        last = max((row.second for row in rows), default=0) - 1
        seen = {row.version for row in rows if row.second == last}
        return bool(seen) and PROXY not in seen

    def dwell(self, seconds: int = 2) -> None:
        """Until callers have had so many seconds of answers."""
        enough = self.report.sent + seconds * self.rate
        until(lambda: self.report.sent >= enough, "traffic", 60, EVERY)

    @contextmanager
    def moment(self, name: str, *versions: str) -> Iterator[None]:
        """What callers get until its end belongs to this moment; these versions may answer them."""
        self.now, begun = name, int(time.time())
        try:
            yield
        finally:
            self.spans[name] = (begun, int(time.time()))
            self.versions[name] = frozenset(versions)

    def lost(self, moment: str, ways: tuple[str, ...], report: Report, also: tuple[str, ...] = ()) -> dict[str, int]:
        """Requests of the moment that no pod answered, or that a version answered which has no part in it, by way and answer."""
        (since, until_), versions = self.spans[moment], self.versions[moment] | set(also)
        found: dict[str, int] = {}
        for row in report.rows:
            if row.service != self.namespace or row.path not in ways or not since <= row.second < until_:
                continue
            # The server of a further port names it: an answer of the other port's server is as wrong as none.
            right = {f"{version}@{self.port(row.path)}" for version in versions} if row.path == "second port" else versions
            if row.version not in right and row.status != "timeout":
                key = f"{row.path}: {row.status} from {'a proxy' if row.version == PROXY else row.version}"
                found[key] = found.get(key, 0) + row.answers
        return found


def _is_ready(pod: Document) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions", ()))


def _said(document: Document) -> Any:
    """Labels and annotations."""
    return document["metadata"].get("labels"), document["metadata"].get("annotations")
