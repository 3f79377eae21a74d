"""Versions that no ReplicaSet runs, that several workloads run, or whose template changes: what serves is told by endpoints and their pods."""

import time
from typing import Any

from lab.waiting import until
from lab.workloads import deployment_document, pod_document, stateful_set_document
from tests.mesh.shop import Shop


def stateful(shop: Shop, name: str, version: str | None, replicas: int = 2, **environment: Any) -> None:
    """A StatefulSet whose pods are ready."""
    shop.lab.api.apply(stateful_set_document(shop.service, name, version, replicas, environment))
    path = shop.lab.api.path("apps/v1", "StatefulSet", shop.namespace, name)
    until(lambda: shop.lab.api.get(path).get("status", {}).get("readyReplicas") == replicas, f"StatefulSet {name} is ready", 60)


def bare(shop: Shop, name: str, **labels: str) -> None:
    """A pod of nobody's that fails everything."""
    shop.lab.api.apply(pod_document(shop.service, name, labels, {"ERROR_SHARE": 1}))


def by_hand(shop: Shop, *endpoints: dict[str, Any]) -> None:
    """An EndpointSlice that no controller wrote."""
    metadata = {"name": "reviews-vm", "namespace": shop.namespace, "labels": {"kubernetes.io/service-name": "reviews"}}
    ports = [{"name": "http", "port": shop.service.port}]
    shop.lab.api.apply(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": list(endpoints),
        }
    )


def pods_read(shop: Shop, since: float = 0) -> int:
    """How often the operator has read pods of the namespace."""
    found = shop.lab.audit.requests(since=since, verbs={"list", "get", "watch"}, resources={"pods"})
    return sum(each.user_agent.startswith("istio-canary-operator") and each.namespace == shop.namespace for each in found)


def test_a_stateful_set_is_not_overlooked_when_a_deployment_comes_up_beside_it(shop: Shop) -> None:
    stateful(shop, "reviews-db", "v1")
    shop.version("v2", error_share=1.0)
    shop.release("v2")
    told = shop.wait("it is blocked", phase="Blocked", reason="StableUnknown")
    assert "v1, v2" in told["message"]
    assert shop.weight is None, "nothing is written"
    shop.patch({"spec": {"stableVersion": "v1", "version": "v1"}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(60)
    shop.want("v2")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"], shop.weight) == ("RolledBack", "MoreFailures", 0), past
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_stateful_set_is_released_and_costs_nothing_at_rest(shop: Shop) -> None:
    stateful(shop, "reviews-one", "v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    assert shop.status["stable"].startswith("v1@")
    load = shop.load(60)
    stateful(shop, "reviews-two", "v2")
    shop.want("v2")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["revision"].split("@")[0]) == ("Promoted", "v2"), past
    assert shop.status["phase"] == "Stable"
    rested = time.time()
    until(lambda: load.report.count(version="v2", status="200", since=rested + 5) > 100, "it has been at rest for a while", 30)
    assert pods_read(shop, since=rested + 1) == 0
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


def test_a_pod_without_a_version_blocks_the_adoption_by_name(shop: Shop) -> None:
    shop.version("v1")
    bare(shop, "debug")
    until(lambda: len(endpoints(shop)) == 3, "the pod is behind the Service", 30)
    shop.release("v1")
    told = shop.wait("it is blocked", phase="Blocked", reason="EndpointWithoutVersion")
    assert f"Pod {shop.namespace}/debug" in told["message"]
    assert f"kubectl label pod debug -n {shop.namespace} version=v1" in told["message"]
    assert shop.weight is None, "nothing is written"
    shop.lab.kubectl("label", "pod", "debug", "-n", shop.namespace, "app-")
    shop.wait("adopted", phase="Stable", reason="AtRest")


def test_an_endpoint_that_is_no_pod_blocks_the_adoption_and_is_told_afterwards(shop: Shop) -> None:
    shop.version("v1")
    by_hand(shop, {"addresses": ["10.244.77.7"]}, {"addresses": ["10.244.77.8"], "targetRef": {"kind": "WorkloadEntry", "name": "vm-8"}})
    shop.release("v1")
    told = shop.wait("it is blocked", phase="Blocked", reason="EndpointWithoutVersion")
    assert "Endpoint 10.244.77.7" in told["message"]
    assert shop.weight is None, "nothing is written"
    by_hand(shop)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(60)
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    by_hand(shop, {"addresses": ["10.244.77.7"]})
    past = shop.wait_ended(1)
    assert past["outcome"] == "Promoted", past
    assert load.stop().lost == 0


def test_a_bare_pod_that_carries_the_version_counts_for_it(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(60)
    shop.version("v2")
    bare(shop, "debug", version="v2")
    until(lambda: len(endpoints(shop)) == 5, "the pod is behind the Service", 30)
    shop.want("v2")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("RolledBack", "MoreFailures"), past
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_mended_version_under_the_same_label_gets_no_traffic_before_its_old_pods_are_gone(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2", error_share=1.0)
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "RolledBack"
    # The new template takes a while to be ready; meanwhile the old pods go on serving.
    shop.lab.api.apply(deployment_document(shop.service, "v2", 2, {"START_DELAY": 8}))
    shop.wait("the next release waits for the rollout", phase="Waiting", reason="OldPodsServe", seconds=30)
    past = shop.wait_ended(2)
    assert past["outcome"] == "Promoted", past
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_new_template_of_any_deployment_of_a_version_is_a_new_revision(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(60)
    shop.version("v2")
    spot = deployment_document(shop.service, "v2", 1, {})
    spot["metadata"]["name"] = "reviews-spot"
    spot["spec"]["selector"]["matchLabels"]["pool"] = spot["spec"]["template"]["metadata"]["labels"]["pool"] = "spot"
    shop.lab.api.apply(spot)
    until(lambda: len(endpoints(shop)) == 5, "both pools serve", 60)
    shop.want("v2")
    shop.wait_weight(25)
    first = shop.status["release"]["to"]
    spot["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "CHANGED", "value": "yes"}]
    shop.lab.api.apply(spot)
    past = shop.wait_ended(1)
    assert (past["reason"], past["revision"]) == ("Superseded", first), past
    past = shop.wait_ended(2)
    assert past["outcome"] == "Promoted", past
    assert past["revision"] != first
    assert load.stop().lost == 0
    shop.assert_rules()


def endpoints(shop: Shop) -> list[dict[str, Any]]:
    """The ready endpoints of the Service."""
    found = shop.lab.api.list(
        f"/apis/discovery.k8s.io/v1/namespaces/{shop.namespace}/endpointslices", labelSelector="kubernetes.io/service-name=reviews"
    )
    return [each for one in found for each in one.get("endpoints") or () if (each.get("conditions") or {}).get("ready") is not False]
