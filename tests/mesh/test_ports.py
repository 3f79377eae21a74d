"""A Service with two HTTP ports: each keeps its own server and loses nothing, at adoption, in a release and afterwards, whosever the routes are."""

from typing import Any

import pytest

from canary_operator.api.names import MESH_ROUTE, ROUTE
from lab import Load
from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, gone, split, stored

ADMIN = 9081
PUBLIC = "reviews.example.com"
BOTH: dict[str, Any] = {"owned": {"hosts": [PUBLIC], "gateways": ["infra/public", "mesh"]}}


def load(shop: Shop, port: int, through: str = "mesh", host: str | None = None) -> Load:
    """Requests to one port."""
    found = shop.lab.load(shop.service.at(port), rate=40, through=(through,), host=host)
    shop.loads.append(found)
    return found


def answered(found: Load) -> set[str]:
    return {version for version in found.report.versions if version != "-"}


def serve(shop: Shop) -> tuple[Load, Load]:
    """Traffic on both ports, answered before anything is adopted."""
    shop.lab.wait_served(shop.service, "v1", through=("mesh",))
    shop.lab.wait_served(shop.service.at(ADMIN), f"v1@{ADMIN}", through=("mesh",))
    loads = load(shop, shop.service.port), load(shop, ADMIN)
    until(lambda: all(answered(each) for each in loads), "both ports are answered", 30)
    return loads


def each_by_its_own_server(plain: Load, admin: Load, *versions: str) -> None:
    reports = plain.stop(), admin.stop()
    assert [report.lost for report in reports] == [0, 0], reports
    assert set(reports[0].versions) == set(versions)
    assert set(reports[1].versions) == {f"{version}@{ADMIN}" for version in versions}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "traffic",
    [
        pytest.param(None, id="traffic left out"),
        pytest.param(BOTH, id="a gateway and the mesh"),
        pytest.param({"owned": {}}, id="the mesh"),
    ],
)
def test_both_ports_move_together_and_each_is_answered_by_its_own_server(two_ports: Shop, traffic: dict[str, Any] | None) -> None:
    shop = two_ports
    shop.version("v1")
    inside = serve(shop)
    named = {"name": "reviews"} if traffic is not BOTH else {"name": "reviews", "port": 9080}
    shop.release("v1", service=named, traffic=traffic)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    outside = None
    if traffic is BOTH:
        shop.lab.wait_served(shop.service, "v1", through=("gateway",), host=PUBLIC)
        outside = load(shop, shop.service.port, "gateway", PUBLIC)
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    gone(shop)
    each_by_its_own_server(*inside, "v1", "v2")
    if outside is not None:
        report = outside.stop()
        assert set(report.versions) == {"v1", "v2"} and report.lost == 0, report
    shop.assert_rules()


def test_previews_and_copies_keep_the_port_too(two_ports: Shop) -> None:
    shop = two_ports
    shop.version("v1")
    inside = serve(shop)
    held = [{"weight": 25, "hold": {"min": "60s", "max": "120s"}}]
    preview = {"match": [{"header": "x-preview", "exact": "yes"}]}
    shop.release("v1", service={"name": "reviews", "port": 9080}, traffic=BOTH, steps=held, preview=preview)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    names = [http["name"] for http in stored(shop, "VirtualService", "reviews")["spec"]["http"]]
    assert names == ["canary-preview-mesh", "canary-preview", MESH_ROUTE, ROUTE]
    for port, version in ((9080, "v2"), (ADMIN, f"v2@{ADMIN}")):
        seen = shop.lab.load(shop.service.at(port), rate=20, through=("mesh",), headers={"x-preview": "yes"})
        shop.loads.append(seen)
        until(lambda seen=seen: seen.report.sent >= 20 and answered(seen), "the preview is answered", 30)  # type: ignore[misc]
        assert set(seen.stop().versions) == {version}
    shop.act("abort")
    assert shop.wait_ended(1)["reason"] == "Aborted"
    each_by_its_own_server(*inside, "v1", "v2")
    shop.assert_rules()


def test_a_delegate_keeps_both_ports_under_a_root_that_is_read_by_gateways_and_the_mesh(two_ports: Shop) -> None:
    shop = two_ports
    shop.version("v1")
    inside = serve(shop)
    shop.release("v1", service={"name": "reviews", "port": 9080}, traffic={"delegate": {}})
    shop.wait("waits for its root", phase="Blocked", reason="RootMissing")
    delegated = {"delegate": {"name": "reviews", "namespace": shop.namespace}}
    hosts, gateways = [shop.service.host, PUBLIC], ["infra/public", "mesh"]
    shop.lab.api.apply(document(shop, "VirtualService", "root", hosts=hosts, gateways=gateways, http=[delegated]))
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.lab.wait_served(shop.service, "v1", through=("gateway",), host=PUBLIC)
    outside = load(shop, shop.service.port, "gateway", PUBLIC)
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    each_by_its_own_server(*inside, "v1", "v2")
    report = outside.stop()
    assert set(report.versions) == {"v1", "v2"} and report.lost == 0, report
    shop.assert_rules()


def test_an_attached_route_that_crosses_the_ports_is_told_and_stays_as_it_is(two_ports: Shop) -> None:
    shop = two_ports
    shop.version("v1")
    api, host = shop.lab.api, shop.service.host
    crossing = split(host)
    api.apply(document(shop, "DestinationRule", "subsets", host=host, subsets=at_rest("v1")), manager="git")
    api.apply(document(shop, "VirtualService", "web", hosts=[host], http=[crossing]), manager="git")
    shop.release("v1", service={"name": "reviews", "port": 9080}, traffic={"attach": [{"virtualService": "web"}]})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    (told,) = [each["message"] for each in shop.status["warnings"] if each["reason"] == "PortsCrossed"]
    assert f"sends requests to port {ADMIN} of {host} to port 9080" in told and "leave `port: {number: 9080}` out" in told
    assert stored(shop, "VirtualService", "web")["spec"]["http"] == [crossing]
    api.apply(document(shop, "VirtualService", "web", hosts=[host], http=[split(host, None)]), manager="git")
    until(lambda: not [each for each in shop.status["warnings"] if each["reason"] == "PortsCrossed"], "the warning goes", 30)
    gone(shop)
    shop.assert_rules()


def test_routing_of_an_earlier_version_is_taken_over_at_rest_and_in_a_release(shop: Shop) -> None:
    """The operator was upgraded: nobody is told of drift, no request is lost, and the release goes on.

    The rules are not asked here: the test writes in the operator's name, with a mark that it has used already.
    """
    shop.version("v1")
    shop.release("v1", traffic=BOTH, steps=[{"weight": 25, "hold": {"min": "8s", "max": "60s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    running = shop.load(80, ("gateway", "mesh"))
    _as_an_earlier_version_wrote_it(shop)
    until(lambda: _has_both_routes(shop), "taken over at rest", 30)
    shop.wait("at rest", phase="Stable", reason="AtRest")
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    _as_an_earlier_version_wrote_it(shop)
    until(lambda: _has_both_routes(shop), "taken over in the release", 30)
    assert shop.weight == 25
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    events = shop.lab.api.list(f"/api/v1/namespaces/{shop.namespace}/events")
    assert not [each["message"] for each in events if each["reason"].startswith("Drift")]
    report = running.stop()
    assert report.lost == 0, report


def _as_an_earlier_version_wrote_it(shop: Shop) -> None:
    """One route that names a port for everybody, and no exports; in the operator's own name."""
    spec = stored(shop, "VirtualService", "reviews")["spec"]
    former = next(http for http in spec["http"] if http["name"] == ROUTE)
    change = {"spec": {"exportTo": None, "http": [former]}}
    query = {"fieldManager": "istio-canary-operator"}
    for kind, body in (("VirtualService", change), ("DestinationRule", {"spec": {"exportTo": None}})):
        shop.lab.api.request("PATCH", shop.routing(kind), body, content_type="application/merge-patch+json", query=query)


def _has_both_routes(shop: Shop) -> bool:
    spec = stored(shop, "VirtualService", "reviews")["spec"]
    rule = stored(shop, "DestinationRule", "reviews")["spec"]
    return [http["name"] for http in spec["http"]] == [MESH_ROUTE, ROUTE] and spec["exportTo"] == rule.get("exportTo") == ["*"]
