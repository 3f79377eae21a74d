"""A cluster whose domain is another than the usual one: a whole release by the host names that its proxies know, and a doubt that blocks."""

import json
from collections.abc import Iterator

import pytest

from lab import Lab
from lab.operator import Operator
from lab.waiting import until
from tests.mesh.shop import Shop

DOMAIN = "corp.internal"
INJECTOR = "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector"


def restart(lab: Lab, domain: str) -> None:
    """The control plane knows Services under another domain from now on."""
    lab.domain = lab.istiod.domain = domain
    lab.istiod.terminate()
    lab.istiod.start()
    lab.istiod.wait_ready()


def tell_sidecars(shop: Shop, domain: str) -> None:
    """What new pods are told; returns when they are."""
    api = shop.lab.api
    values = json.loads(api.get(INJECTOR)["data"]["values"])
    values["global"]["proxy"]["clusterDomain"] = domain
    api.patch(INJECTOR, {"data": {"values": json.dumps(values)}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "try"}, "spec": {"containers": [{"name": "app", "image": "pause"}]}}

    def told() -> bool:
        found = api.request("POST", f"/api/v1/namespaces/{shop.namespace}/pods", pod, query={"dryRun": "All"})
        return f".svc.{domain}" in json.dumps(found["spec"])

    until(told, f"new pods are told {domain}", 30)


@pytest.fixture
def elsewhere(lab: Lab, operator: Operator) -> Iterator[Shop]:
    """A shop under another domain, with an operator that is told so."""
    operator.terminate()
    restart(lab, DOMAIN)
    told = Operator(lab, lab.prometheus_url, name="told")
    told.start()
    told.wait_ready()
    shop = Shop(lab, "shop-elsewhere")
    yield shop
    tell_sidecars(shop, "cluster.local")
    shop.close()
    told.terminate()
    restart(lab, "cluster.local")
    operator.start()
    operator.wait_ready()


@pytest.mark.timeout(300)
def test_a_release_under_another_domain_after_a_doubt_that_blocked_it(elsewhere: Shop) -> None:
    shop = elsewhere
    assert shop.service.host == f"reviews.shop-elsewhere.svc.{DOMAIN}"
    tell_sidecars(shop, "wrong.internal")
    v1 = shop.version("v1")
    shop.release("v1")
    message = shop.wait("the sidecars say otherwise", phase="Blocked", reason="ClusterDomainWrong")["message"]
    assert "write `clusterDomain: wrong.internal` into the operator's configuration" in message
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    tell_sidecars(shop, DOMAIN)
    v1.scale(0)
    until(lambda: not v1.pods(), "the old pods are gone", 30)
    v1.scale(2)
    v1.wait_ready()
    shop.wait("adopted", seconds=90, phase="Stable", reason="AtRest")
    load = shop.load(60, ("gateway", "mesh"))
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    report = load.stop()
    assert report.lost == 0, report
    assert set(report.versions) == {"v1", "v2"}
    assert shop.lab.api.get(shop.routing("VirtualService"))["spec"]["hosts"][0] == shop.service.host
