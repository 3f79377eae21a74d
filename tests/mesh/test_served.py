"""Weights that callers do not go by hold a release; what only looks like it does not. On real proxies, under load."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, split

HELD: dict[str, Any] = {"phase": "Blocked", "reason": "WeightNotServed"}


def bypass(shop: Shop) -> dict[str, Any]:
    """A patch of the proxies by which the requests of callers in the mesh go to all pods of the Service, whatever its VirtualService says."""
    host, port = shop.service.host, shop.service.port
    route = {"match": {"prefix": "/"}, "route": {"cluster": f"outbound|{port}||{host}"}}
    match = {"routeConfiguration": {"vhost": {"name": f"{host}:{port}"}}}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": f"bypass-{shop.namespace}", "namespace": "istio-system"},
        "spec": {
            "configPatches": [
                {"applyTo": "HTTP_ROUTE", "match": match, "patch": {"operation": "INSERT_FIRST", "value": {"name": "bypass", **route}}}
            ]
        },
    }


def path(patch: dict[str, Any]) -> str:
    return f"/apis/networking.istio.io/v1alpha3/namespaces/istio-system/envoyfilters/{patch['metadata']['name']}"


@contextmanager
def bypassed(shop: Shop) -> Iterator[None]:
    """Callers in the mesh go to all pods of the Service meanwhile."""
    patch = bypass(shop)
    shop.lab.api.apply(patch)
    try:
        yield
    finally:
        shop.lab.api.delete(path(patch))


def test_a_weight_that_callers_do_not_go_by_holds_the_release_until_they_do(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", steps=[{"weight": 5, "hold": {"min": "2s", "max": "30s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(150)
    with bypassed(shop):
        shop.version("v2")
        until(lambda: load.report.versions.get("v2", 0) > 50, "callers go past the route", 30)
        shop.want("v2")
        status = shop.wait("held at the first weight, or before it", **HELD)
        assert status["weight"] <= 5
        assert "EnvoyFilter" in status["message"]
        assert shop.condition("Stalled") == "True"
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


def test_stable_that_is_called_at_100_percent_holds_the_bake(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", bake="20s")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(150)
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(100)
    with bypassed(shop):
        status = shop.wait("held in the bake", **HELD)
        assert status["weight"] == 100
        assert "at weight 100 %" in status["message"]
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert load.stop().lost == 0
    shop.assert_rules()


def test_retries_and_a_hash_that_keeps_callers_at_one_pod_are_no_deviation(shop: Shop) -> None:
    shop.version("v1", replicas=3)
    hashed = {"loadBalancer": {"consistentHash": {"useSourceIp": True}}}
    shop.lab.api.apply(
        document(shop, "DestinationRule", "subsets", host="reviews", trafficPolicy=hashed, subsets=at_rest("v1")),
        document(
            shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews", retries={"attempts": 3, "retryOn": "5xx,reset"})]
        ),
        manager="git",
    )
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(150)
    shop.version("v2", replicas=3)
    shop.want("v2")
    held = never_held(shop)
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert not held()
    assert load.stop().lost == 0


def test_requests_of_other_routes_are_not_expected_to_follow_the_weight(shop: Shop) -> None:
    """Three of four requests come by a route of the user's that always sends to stable: at 100 percent they still do."""
    host = shop.service.host
    shop.version("v1")
    edge = [{"route": [{"destination": {"host": host, "subset": "stable"}}]}]
    shop.lab.api.apply(
        document(shop, "DestinationRule", "subsets", host="reviews", subsets=at_rest("v1")),
        document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews")]),
        document(shop, "VirtualService", "edge", hosts=["reviews.example.com", host], gateways=["infra/public"], http=edge),
        manager="git",
    )
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    loads = shop.load(150, ("gateway",)), shop.load(50)
    shop.version("v2")
    shop.want("v2")
    held = never_held(shop)
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert not held()
    assert [load.stop().lost for load in loads] == [0, 0]


def never_held(shop: Shop) -> Callable[[], list[str]]:
    """Whether any status that was written says that the weight is not served."""

    def held() -> list[str]:
        statuses = [each.object.get("status") or {} for each in shop.revisions.of("CanaryRelease")]
        return [status["message"] for status in statuses if status.get("reason") == HELD["reason"]]

    return held
