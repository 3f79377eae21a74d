"""A service with versions, its CanaryRelease, and traffic: the words in which the mesh tests speak."""

import time
from typing import Any

from canary_operator.api.names import ROUTE
from lab import Lab, Load
from lab.waiting import until
from lab.workloads import Workload
from tests import rules

NAME = "reviews"
QUICK: dict[str, Any] = {
    "steps": [{"weight": weight, "hold": {"min": "2s", "max": "30s"}} for weight in (25, 50)],
    "bake": "3s",
    "settle": "1s",
    "drain": "1s",
    "analysis": {"errors": {"ruleOut": "5%"}},
}
"""As short as a release can be and still be judged: the tests ask what happens, not how long it takes."""


class Shop:
    def __init__(self, lab: Lab, namespace: str, *, others: tuple[int, ...] = ()) -> None:
        self.lab = lab
        self.namespace = namespace
        self.path = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{namespace}/canaryreleases/{NAME}"
        self.revisions = lab.revisions(
            "/apis/canary.rollouts.dev/v1beta1/canaryreleases",
            "/apis/networking.istio.io/v1/virtualservices",
            "/apis/networking.istio.io/v1/destinationrules",
            namespace=namespace,
        )
        lab.namespace(namespace)
        self.service = lab.service(NAME, namespace, others=others)
        self.loads: list[Load] = []

    def close(self) -> None:
        for load in self.loads:
            load.kill()
        if self.lab.api.find(self.path):
            self.lab.api.delete(self.path)
            until(lambda: self.lab.api.find(self.path) is None, "the CanaryRelease is gone", 60)
        self.lab.api.delete(f"/api/v1/namespaces/{self.namespace}")
        self.revisions.close()

    def version(self, name: str, **options: Any) -> Workload:
        """A version whose pods are ready."""
        workload = self.lab.workload(self.service, name, **{"replicas": 2, **options})
        self.lab.wait_ready(workload)
        return workload

    def release(self, version: str, **spec: Any) -> None:
        """Applies the CanaryRelease of the service; a field given as None is left out."""
        fields = {
            "service": {"name": NAME},
            "version": version,
            "traffic": {"owned": {"hosts": [f"{NAME}.example.com"], "gateways": ["infra/public", "mesh"]}},
            **QUICK,
            **spec,
        }
        document = {
            "apiVersion": "canary.rollouts.dev/v1beta1",
            "kind": "CanaryRelease",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {name: value for name, value in fields.items() if value is not None},
        }
        self.lab.api.apply(document)

    def want(self, version: str) -> None:
        """Changes spec.version."""
        self.patch({"spec": {"version": version}})

    def patch(self, change: dict[str, Any]) -> None:
        self.lab.api.patch(self.path, change, "application/merge-patch+json")

    def act(self, verb: str, n: int = 1) -> None:
        """Annotates an action for the present release."""
        number = self.status["release"]["number"]
        self.patch({"metadata": {"annotations": {"canary.rollouts.dev/action": f"{verb}/{number}/{n}"}}})

    @property
    def status(self) -> dict[str, Any]:
        found = self.lab.api.find(self.path)
        return (found or {}).get("status") or {}

    @property
    def weight(self) -> int | None:
        """The canary's weight as the API server has it; None without a VirtualService, or when its route names no subset."""
        found = self.lab.api.find(self.routing("VirtualService"))
        if found is None:
            return None
        ours = next((http for http in found["spec"]["http"] if http.get("name") == ROUTE), found["spec"]["http"][0])
        return next((share["weight"] for share in ours["route"] if share["destination"].get("subset") == "canary"), None)

    def routing(self, kind: str) -> str:
        return self.lab.api.path("networking.istio.io/v1", kind, self.namespace, NAME)

    def load(self, rate: float = 100, through: tuple[str, ...] = ("mesh",)) -> Load:
        """Traffic that is answered. It begins when the proxies have the endpoints: what is lost before has nothing to do with a release."""
        self.lab.wait_served(self.service, "v1", through=through)
        load = self.lab.load(self.service, rate=rate, through=through)
        self.loads.append(load)
        until(lambda: any(version != "-" for version in load.report.versions), "traffic is served", 30)
        return load

    def wait(self, what: str, seconds: float = 60, **wanted: Any) -> dict[str, Any]:
        """Waits for fields of the status."""

        def there() -> bool:
            status = self.status
            return all(status.get(field) == value for field, value in wanted.items())

        try:
            until(there, what, seconds)
        except Exception as error:
            raise AssertionError(f"{what}: {[self.status.get(field) for field in ('phase', 'reason', 'message', 'weight')]}") from error
        return self.status

    def wait_ended(self, number: int, seconds: float = 90) -> dict[str, Any]:
        """Waits for the record of a release, and returns it."""
        until(
            lambda: (self.status.get("lastRelease") or {}).get("number") == number,
            f"release {number} ended; {self.status.get('message')}",
            seconds,
        )
        return dict(self.status["lastRelease"])

    def wait_weight(self, weight: int, seconds: float = 60) -> float:
        """Waits for a weight in the VirtualService; returns when it was seen."""
        until(lambda: self.weight == weight, f"weight {weight}; it is {self.weight}: {self.status.get('message')}", seconds)
        return time.time()

    def condition(self, kind: str) -> str:
        return next((each["status"] for each in self.status.get("conditions", ()) if each["type"] == kind), "absent")

    def assert_rules(self) -> None:
        """The rules of the design, on every revision that the API server had of this release's objects."""
        broken = rules.check(self.revisions.all)
        assert not broken, "\n".join(map(str, broken))
