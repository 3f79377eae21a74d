"""Other namespaces: what they do to their own callers stops nobody's release, and no adoption breaks a caller that is answered."""

import time
from typing import Any
from urllib.request import urlopen

import pytest

from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, gone, split, stored

WEB = "web.example.com"
pytestmark = pytest.mark.timeout(240)


def istio(shop: Shop, kind: str, namespace: str, name: str, **spec: Any) -> None:
    """An object of Istio's in any namespace."""
    metadata = {"name": name, "namespace": namespace}
    shop.lab.api.apply({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}, manager="tenant")


def gateway_has(shop: Shop, what: str, text: str) -> bool:
    """Whether the gateway's own configuration, of clusters or of routes, names this."""
    with urlopen(f"http://127.0.0.1:{shop.lab.gateway.admin_port}/config_dump?resource=dynamic_{what}", timeout=5) as answer:
        return text in answer.read().decode()


def warned(shop: Shop, reason: str) -> list[str]:
    return [each["message"] for each in shop.status.get("warnings", ()) if each["reason"] == reason]


def to(shop: Shop, *hosts: str, subset: str | None = None) -> dict[str, Any]:
    """A VirtualService of these hosts that sends to the Service."""
    destination = {"host": shop.service.host, **({"subset": subset} if subset else {})}
    return {"hosts": list(hosts), "http": [{"name": "all", "route": [{"destination": destination}]}]}


def test_a_tenant_that_breaks_its_own_way_and_makes_objects_about_ours_stops_no_release(shop: Shop) -> None:
    tenant, unused = f"{shop.namespace}-tenant", f"{shop.namespace}-unused"
    shop.lab.namespace(tenant)
    shop.lab.namespace(unused)
    shop.version("v1")
    shop.release("v1", traffic={"owned": {}}, steps=[{"weight": 25, "hold": {"min": "4s", "max": "40s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(60)
    theirs = shop.lab.load(shop.service, rate=60, through=("mesh",), client_namespace=tenant)
    shop.loads.append(theirs)
    until(lambda: theirs.report.answered > 60, "the tenant is answered", 30)
    istio(shop, "DestinationRule", tenant, "mine", host=shop.service.host)
    istio(shop, "DestinationRule", unused, "mine", host="*.local", trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 9}}})
    istio(shop, "VirtualService", unused, "made-up", **to(shop, "made-up.example.com", subset="v9"))
    istio(shop, "VirtualService", unused, "late", **to(shop, shop.service.host, subset="canary"))
    until(lambda: theirs.report.lost > 60, "the tenant gets 503", 30)
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    shadowed = warned(shop, "PolicyShadowed")
    assert any(tenant in each for each in shadowed) and any(unused in each for each in shadowed), shop.status.get("warnings")
    assert warned(shop, "SubsetMissing") and warned(shop, "HostTaken"), shop.status.get("warnings")
    ended = shop.wait_ended(1)
    assert ended["outcome"] == "Promoted", ended
    report = load.stop()
    assert report.lost == 0, report
    theirs.kill()
    for kind, name in (("DestinationRule", "mine"), ("VirtualService", "late"), ("VirtualService", "made-up")):
        shop.lab.api.delete(shop.lab.api.path("networking.istio.io/v1", kind, unused, name))
    shop.lab.api.delete(shop.lab.api.path("networking.istio.io/v1", "DestinationRule", tenant, "mine"))
    shop.assert_rules()


def test_an_adoption_that_would_break_a_caller_waits_and_its_message_tells_a_way_without_the_caller(shop: Shop) -> None:
    caller = f"{shop.namespace}-caller"
    shop.lab.namespace(caller)
    shop.version("v1")
    load = shop.load(40)
    theirs = shop.lab.load(shop.service, rate=40, through=("mesh",), client_namespace=caller)
    shop.loads.append(theirs)
    istio(shop, "DestinationRule", caller, "mine", host="*.local", trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 99}}})
    counted = (
        f'sum(increase(istio_requests_total{{destination_service_namespace="{shop.namespace}",source_workload_namespace="{caller}"}}[1m]))'
    )
    until(lambda: any(float(each["value"][1]) > 0 for each in shop.lab.query(counted, time.time() - 6)), "the caller is counted", 40)
    before = theirs.report.lost
    shop.release("v1", traffic={"owned": {}})
    status = shop.wait("the adoption waits", phase="Blocked", reason="PolicyShadowed")
    assert f"sourceNamespace: {caller}" in status["message"]
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    past = {"match": [{"sourceNamespace": caller}], "name": "past", "route": [{"destination": {"host": shop.service.host}}]}
    primary = {**split(shop.service.host), "name": "primary"}
    everything = {"name": "primary", "route": [{"destination": {"host": shop.service.host}}]}
    shop.lab.api.apply(document(shop, "VirtualService", "web", hosts=[shop.service.host], http=[past, everything]), manager="git")
    gone(shop)  # the traffic of a CanaryRelease that stands cannot change between owned and attach
    shop.release("v1", traffic={"attach": [{"virtualService": "web", "routes": ["primary"]}]})
    shop.wait("the routes are asked for", reason="RouteUnfit")
    shop.lab.api.apply(document(shop, "VirtualService", "web", hosts=[shop.service.host], http=[past, primary]), manager="git")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert load.stop().lost == 0, load.report
    assert theirs.stop().lost == before, theirs.report


def test_subsets_of_our_names_that_are_the_users_stay_theirs_until_they_are_renamed(shop: Shop) -> None:
    for version in ("v1", "v2"):
        shop.version(version)
    mine = [{"name": "stable", "labels": {"version": "v1"}}, {"name": "canary", "labels": {"version": "v2"}}]
    rule = document(shop, "DestinationRule", "mine", host=shop.service.host, subsets=mine)
    shop.lab.api.apply(rule, manager="git")
    edge = to(shop, WEB, subset="canary") | {"gateways": ["infra/public"]}
    shop.lab.api.apply(document(shop, "VirtualService", "edge", **edge), manager="git")
    shop.lab.wait_served(shop.service, "v2", through=("gateway",), host=WEB)
    load = shop.lab.load(shop.service, rate=50, through=("gateway",), host=WEB)
    shop.loads.append(load)
    shop.release("v1", traffic={"owned": {}}, stableVersion="v1")
    status = shop.wait("it is told", phase="Blocked", reason="SubsetTaken")
    assert f"VirtualService {shop.namespace}/edge" in status["message"]
    assert stored(shop, "DestinationRule", "mine")["spec"]["subsets"] == mine
    renamed = [*at_rest("v1"), {"name": "next", "labels": {"version": "v2"}}]
    shop.lab.api.apply(document(shop, "DestinationRule", "mine", host=shop.service.host, subsets=[*mine, renamed[-1]]), manager="git")
    named = f"outbound|9080|next|{shop.service.host}"
    until(lambda: gateway_has(shop, "active_clusters", named), "the gateway knows the new subset", 30)
    shop.lab.api.apply(
        document(shop, "VirtualService", "edge", **(to(shop, WEB, subset="next") | {"gateways": ["infra/public"]})), manager="git"
    )
    until(lambda: gateway_has(shop, "route_configs", named), "the gateway goes by it", 30)
    shop.lab.api.apply(document(shop, "DestinationRule", "mine", host=shop.service.host, subsets=renamed), manager="git")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    report = load.stop()
    assert report.lost == 0 and set(report.versions) == {"v2"}, report


def test_a_rule_for_some_workloads_stays_as_it_is_beside_ours(shop: Shop) -> None:
    some = document(shop, "DestinationRule", "batch", host=shop.service.host, workloadSelector={"matchLabels": {"app": "batch"}})
    shop.lab.api.apply(some, manager="git")
    before = stored(shop, "DestinationRule", "batch")
    shop.version("v1")
    load = shop.load()
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert warned(shop, "RuleNotForAll"), shop.status.get("warnings")
    gone(shop)
    assert load.stop().lost == 0, load.report
    assert stored(shop, "DestinationRule", "batch") == before
