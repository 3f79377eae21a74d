"""What a deletion and an uninstall leave, under load: nothing is lost then, at the next rollout, or when a namesake takes it back."""

from collections.abc import Callable
from typing import Any

import pytest

from lab import Lab
from lab.operator import Operator
from lab.waiting import until
from lab.workloads import deployment_document
from tests.api.place import plugin
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, gone, split, stored, weights

BOTH = ("gateway", "mesh")
LONG = [{"weight": 25, "hold": {"min": "60s", "max": "120s"}}]
Document = dict[str, Any]


def one_deployment(shop: Shop, version: str) -> None:
    """One Deployment for all versions: its version label changes in place, and Kubernetes replaces its pods."""
    found: Document = deployment_document(shop.service, version, 2, {})
    found["metadata"]["name"], found["metadata"]["labels"] = shop.service.name, {"app": shop.service.name}
    found["spec"]["selector"] = {"matchLabels": {"app": shop.service.name}}
    shop.lab.api.apply(found)
    path = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/{shop.service.name}"

    def rolled_out() -> bool:
        seen = shop.lab.api.get(path)
        status = seen.get("status", {})
        counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "readyReplicas")]
        return status.get("observedGeneration") == seen["metadata"]["generation"] and counts == [2, 2, 2]

    until(rolled_out, f"{version} is rolled out", 60)


def destinations(shop: Shop) -> list[list[Document]]:
    """Per managed route of our VirtualService, where it leads."""
    routes = stored(shop, "VirtualService", "reviews")["spec"]["http"]
    return [[share["destination"] for share in http["route"]] for http in routes if http["name"].startswith("canary-release")]


def assert_left_without_subsets(shop: Shop) -> None:
    found = stored(shop, "VirtualService", "reviews")
    assert all(len(each) == 1 and "subset" not in each[0] and each[0]["host"] == shop.service.host for each in destinations(shop))
    assert "canary.rollouts.dev" not in str(found["metadata"].get("labels", {})) + str(found["metadata"].get("annotations", {}))
    assert shop.lab.api.find(shop.routing("DestinationRule")) is None


def root(shop: Shop) -> Document:
    """A user's VirtualService that delegates to ours, at the gateway and in the mesh."""
    http = [{"delegate": {"name": "reviews", "namespace": shop.namespace}}]
    return document(shop, "VirtualService", "root", hosts=[shop.service.host], gateways=["infra/public", "mesh"], http=http)


def by_operator(shop: Shop, lab: Lab, operator: Operator) -> None:
    gone(shop)


def by_plugin(shop: Shop, lab: Lab, operator: Operator) -> None:
    operator.terminate()
    try:
        done = plugin(lab, "uninstall", "--namespace", shop.namespace, "--force")
        assert done.returncode == 0, done.stderr
        assert shop.status["phase"] == "Released", shop.status
        shop.lab.api.delete(shop.path)
        until(lambda: shop.lab.api.find(shop.path) is None, "nothing holds the CanaryRelease", 10)
    finally:
        operator.start()
        operator.wait_ready()


Way = Callable[[Shop, Lab, Operator], None]
WAYS = pytest.mark.parametrize("leave", [by_operator, by_plugin], ids=["deleted", "uninstalled"])


@WAYS
@pytest.mark.parametrize("mode", ["owned", "delegate"])
def test_at_a_gateway_the_next_rollout_loses_nothing_and_a_namesake_takes_the_route_back(
    shop: Shop, lab: Lab, operator: Operator, leave: Way, mode: str
) -> None:
    one_deployment(shop, "v1")
    traffic = {"traffic": {"delegate": {}}} if mode == "delegate" else {}
    if mode == "delegate":
        shop.lab.api.apply(root(shop))
    shop.release("v1", **traffic)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(100, BOTH)
    leave(shop, lab, operator)
    assert_left_without_subsets(shop)
    one_deployment(shop, "v2")
    shop.release("v2", **traffic)
    shop.wait("taken back", phase="Stable", reason="AtRest")
    assert all([each.get("subset") for each in route] == ["stable", "canary"] for route in destinations(shop))
    report = load.stop()
    assert report.lost == 0, report
    assert report.count(version="v2") > 0
    shop.assert_rules()


@WAYS
def test_at_25_percent_with_the_gateway_gone_the_objects_stay_pinned_and_the_mesh_loses_nothing(
    shop: Shop, lab: Lab, operator: Operator, leave: Way
) -> None:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["reviews.example.com"]}
    [gateway] = shop.lab.api.apply(document(shop, "Gateway", "own", selector={"istio": "ingressgateway"}, servers=[server]))
    shop.version("v1")
    owned = {"hosts": ["reviews.example.com"], "gateways": ["own", "mesh"]}
    shop.release("v1", steps=LONG, drain="2s", traffic={"owned": owned})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(100)
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    shop.lab.api.delete(shop.lab.api.path("networking.istio.io/v1", "Gateway", shop.namespace, gateway["metadata"]["name"]))
    leave(shop, lab, operator)
    report = load.stop()
    assert report.lost == 0, report
    assert shop.weight == 0
    assert {subset["labels"]["version"] for subset in stored(shop, "DestinationRule", "reviews")["spec"]["subsets"]} == {"v1"}
    shop.assert_rules()


@WAYS
@pytest.mark.parametrize("mode", ["owned", "attach"])
def test_where_stable_is_gone_the_traffic_ends_at_what_serves(shop: Shop, lab: Lab, operator: Operator, leave: Way, mode: str) -> None:
    v1 = shop.version("v1")
    traffic: Document = {}
    if mode == "attach":
        shop.lab.api.apply(
            document(shop, "DestinationRule", "subsets", host="reviews", subsets=at_rest("v1")),
            document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews")]),
            manager="git",
        )
        traffic = {"traffic": {"attach": [{"virtualService": "web"}]}}
    shop.release("v1", steps=LONG, drain="2s", **traffic)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    through = ("mesh",) if mode == "attach" else BOTH
    before = shop.load(50, through)
    shop.version("v2")
    shop.want("v2")
    until(lambda: weights(shop, "web" if mode == "attach" else "reviews")[0] == 25, "25 %", 60)
    v1.scale(0)
    until(lambda: not v1.pods(), "v1 is gone", 30)
    before.stop()  # what is lost while nothing of stable is left, and nobody has done anything yet, is not the deletion's
    leave(shop, lab, operator)
    shop.lab.wait_served(shop.service, "v2", through=through)
    load = shop.lab.load(shop.service, rate=100, through=through)
    shop.loads.append(load)
    until(lambda: load.report.count(version="v2") > 200, "v2 answers", 30)
    report = load.stop()
    assert report.lost == 0, report
    if mode == "attach":
        rule = stored(shop, "DestinationRule", "subsets")
        assert {subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"v2"}
        assert weights(shop, "web") == [0]
    else:
        assert_left_without_subsets(shop)
    shop.assert_rules()


def test_a_service_that_is_gone_does_not_hold_up_a_deletion_and_is_served_when_it_comes_back(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.lab.api.delete(f"/api/v1/namespaces/{shop.namespace}/services/reviews")
    gone(shop)
    assert_left_without_subsets(shop)
    shop.lab.service("reviews", shop.namespace)
    shop.lab.wait_served(shop.service, "v1", through=BOTH)
    load = shop.lab.load(shop.service, rate=50, through=BOTH)
    shop.loads.append(load)
    until(lambda: load.report.count(version="v1") > 100, "v1 answers", 30)
    assert load.stop().lost == 0


def test_what_users_added_to_our_objects_outlives_them(shop: Shop) -> None:
    """A redirect and a policy: callers would notice if they went with the rest."""
    shop.version("v1")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    moved = {"name": "moved", "match": [{"uri": {"prefix": "/moved"}}], "directResponse": {"status": 410}}
    before = stored(shop, "VirtualService", "reviews")["spec"]["http"]
    merge = "application/merge-patch+json"
    shop.lab.api.patch(shop.routing("VirtualService"), {"spec": {"http": [moved, *before]}}, merge)
    policy = {"connectionPool": {"tcp": {"maxConnections": 512}}}
    shop.lab.api.patch(shop.routing("DestinationRule"), {"spec": {"trafficPolicy": policy}}, merge)
    load = shop.load()
    gone(shop)
    left = stored(shop, "VirtualService", "reviews")["spec"]["http"]
    assert left[0] == moved and ["subset" in share["destination"] for share in left[1]["route"]] == [False]
    rule = stored(shop, "DestinationRule", "reviews")["spec"]
    assert rule["trafficPolicy"] == policy and not rule.get("subsets")
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()
