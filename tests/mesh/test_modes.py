"""Whose VirtualService it is: the user's own, one under a user's root, or ours at several gateways. Always under load, and no request is lost."""

from typing import Any

from lab.addresses import GATEWAY_ADDRESS, GATEWAY_PORT
from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, content, document, gone, split, stored, weights, without_weights

BOTH = ("gateway", "mesh")
POLICY = {"connectionPool": {"tcp": {"maxConnections": 512}}}


def test_attach_changes_two_weights_in_each_of_two_virtual_services_and_nothing_else_ever(shop: Shop) -> None:
    host, api = shop.service.host, shop.lab.api
    shop.version("v1")
    old = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": host, "subset": "stable"}}]}
    inside = document(shop, "VirtualService", "inside", hosts=["reviews"], http=[old, split("reviews", retries={"attempts": 3})])
    edge = document(
        shop,
        "VirtualService",
        "edge",
        hosts=["reviews.example.com", host],
        gateways=["infra/public"],
        http=[split(host, timeout="5s", headers={"request": {"set": {"x-edge": "yes"}}}, corsPolicy={"allowMethods": ["GET"]})],
    )
    rule = document(shop, "DestinationRule", "policies", host="reviews", trafficPolicy=POLICY, subsets=[*at_rest("v1"), {"name": "all"}])
    users = api.apply(rule, inside, edge, manager="git")
    before = {each["metadata"]["name"]: content(each) for each in users}
    shop.release("v1", traffic={"attach": [{"virtualService": "inside", "routes": ["primary"]}, {"virtualService": "edge"}]})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    assert {name: content(stored(shop, "VirtualService", name)) for name in ("inside", "edge")} == {
        n: before[n] for n in ("inside", "edge")
    }

    load = shop.load(100, BOTH)
    shop.version("v2")
    shop.want("v2")
    for weight in (25, 50, 100):
        until(lambda weight=weight: weights(shop, "inside") == weights(shop, "edge") == [weight], f"{weight} % in both", 60)  # type: ignore[misc]
        for name in ("inside", "edge"):
            assert without_weights(stored(shop, "VirtualService", name)) == without_weights({"metadata": {}, **before[name]})
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    gone(shop)
    report = load.stop()
    assert report.lost == 0, report
    assert {name: content(stored(shop, "VirtualService", name)) for name in ("inside", "edge")} == {
        n: before[n] for n in ("inside", "edge")
    }
    after = content(stored(shop, "DestinationRule", "policies"))
    assert after == {"spec": {**before["policies"]["spec"], "subsets": [*at_rest("v2"), {"name": "all"}]}}
    assert api.find(shop.routing("DestinationRule")) is None
    shop.assert_rules()


def test_an_aborted_release_leaves_attached_routes_as_git_has_them(shop: Shop) -> None:
    shop.version("v1")
    shop.lab.api.apply(
        document(shop, "DestinationRule", "subsets", host="reviews", subsets=at_rest("v1")),
        web := document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews")]),
        manager="git",
    )
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]}, steps=[{"weight": 25, "hold": {"min": "60s", "max": "120s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    until(lambda: weights(shop, "web") == [25], "25 %", 60)
    shop.act("abort")
    assert shop.wait_ended(1)["reason"] == "Aborted"
    assert load.stop().lost == 0
    assert stored(shop, "VirtualService", "web")["spec"] == web["spec"]
    assert stored(shop, "DestinationRule", "subsets")["spec"]["subsets"] == at_rest("v1")
    shop.assert_rules()


def test_attached_routes_that_are_missing_unfit_or_not_http_say_what_to_write(shop: Shop) -> None:
    shop.version("v1")
    api, host = shop.lab.api, shop.service.host
    shop.release("v1", traffic={"attach": [{"virtualService": "web", "routes": ["primary"]}]})
    assert "VirtualService" in shop.wait("missing", phase="Blocked", reason="RouteMissing")["message"]
    tcp = {"match": [{"port": 9080}], "route": [{"destination": {"host": host}}]}
    api.apply(document(shop, "VirtualService", "web", hosts=["tcp.example.com"], tcp=[tcp]))
    assert "connections" in shop.wait("TCP", phase="Blocked", reason="RouteNotHttp")["message"]
    unfit = {"name": "primary", "route": [{"destination": {"host": host}}]}
    api.apply(document(shop, "VirtualService", "web", hosts=["reviews"], http=[unfit]))
    message = shop.wait("unfit", phase="Blocked", reason="RouteUnfit")["message"]
    assert f"`- {{destination: {{host: {host}, subset: canary}}, weight: 0}}`" in message
    api.apply(document(shop, "VirtualService", "web", hosts=["reviews"], http=[split(host)]))
    shop.wait("adopted", phase="Stable", reason="AtRest")
    gone(shop)
    shop.assert_rules()


def test_a_delegate_carries_the_release_under_the_users_root(shop: Shop) -> None:
    api, host = shop.lab.api, shop.service.host
    v1 = shop.version("v1")
    shop.release("v1", traffic={"delegate": {}})
    message = shop.wait("waits for its root", phase="Blocked", reason="RootMissing")["message"]
    assert f"delegate: {{name: reviews, namespace: {shop.namespace}}}" in message
    old = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": host, "subset": "stable"}}]}
    delegated = {"delegate": {"name": "reviews", "namespace": shop.namespace}}
    root = document(shop, "VirtualService", "root", hosts=[host], gateways=["infra/public", "mesh"], http=[old, delegated])
    api.apply(root)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    assert set(stored(shop, "VirtualService", "reviews")["spec"]) == {"http", "exportTo"}
    load = shop.load(100, BOTH)
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    v1.scale(0)
    until(lambda: not v1.pods(), "only v2 is left", 20)
    gone(shop)
    left = stored(shop, "VirtualService", "reviews")
    assert "labels" not in left["metadata"] and weights(shop, "reviews") == []
    assert stored(shop, "VirtualService", "root")["spec"] == root["spec"]
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


def test_owned_at_two_gateways_with_several_hosts(shop: Shop) -> None:
    server: dict[str, Any] = {
        "port": {"number": GATEWAY_PORT, "name": "http-second", "protocol": "HTTP"},
        "bind": GATEWAY_ADDRESS,
        "hosts": ["second.example.com"],
    }
    shop.lab.api.apply(document(shop, "Gateway", "second", selector={"istio": "ingressgateway"}, servers=[server]))
    hosts = ["reviews.example.com", "second.example.com"]
    shop.version("v1")
    shop.release("v1", traffic={"owned": {"hosts": hosts, "gateways": ["infra/public", "second", "mesh"]}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    spec = stored(shop, "VirtualService", "reviews")["spec"]
    assert (spec["hosts"], spec["gateways"]) == ([shop.service.host, *hosts], ["infra/public", "second", "mesh"])
    inside = shop.load(60, BOTH)
    for host in hosts:
        shop.lab.wait_served(shop.service, "v1", through=("gateway",), host=host)
    outside = [shop.lab.load(shop.service, rate=20, through=("gateway",), host=host) for host in hosts]
    shop.loads += outside
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    for load in (inside, *outside):
        report = load.stop()
        assert report.lost == 0, report
        assert report.count(version="v2") > 0
    shop.assert_rules()


def test_owned_beside_a_users_destination_rule_adds_its_subsets_and_takes_them_out_again(shop: Shop) -> None:
    v1 = shop.version("v1")
    rule = document(shop, "DestinationRule", "policies", host="reviews", trafficPolicy=POLICY, subsets=[{"name": "all"}])
    shop.lab.api.apply(rule, manager="git")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    assert shop.lab.api.find(shop.routing("DestinationRule")) is None
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    v1.scale(0)
    until(lambda: not v1.pods(), "only v2 is left", 20)
    gone(shop)
    assert content(stored(shop, "DestinationRule", "policies")) == {"spec": rule["spec"]}
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()
