"""Who sees what: mesh-wide defaults hide neither the route nor the subsets, and what users keep narrower blocks before anything is written."""

from collections.abc import Iterator

import pytest

from lab import Lab
from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, gone, split, stored, weights

ANNOTATION = "networking.istio.io/exportTo"
MERGE = "application/merge-patch+json"


@pytest.fixture
def private(lab: Lab) -> Iterator[None]:
    """A mesh in which VirtualServices and DestinationRules are private unless they say otherwise."""
    lab.istiod.configure(defaultVirtualServiceExportTo=["."], defaultDestinationRuleExportTo=["."])
    yield
    lab.istiod.configure()


def exports(shop: Shop) -> tuple[list[str] | None, list[str] | None]:
    """Of our VirtualService and of our DestinationRule."""
    found = [stored(shop, kind, "reviews")["spec"].get("exportTo") for kind in ("VirtualService", "DestinationRule")]
    return found[0], found[1]


def service(shop: Shop, annotation: str | None) -> None:
    path = f"/api/v1/namespaces/{shop.namespace}/services/reviews"
    shop.lab.api.patch(path, {"metadata": {"annotations": {ANNOTATION: annotation}}}, MERGE)


def test_in_a_mesh_that_keeps_routes_and_rules_private_callers_elsewhere_get_their_share(private: None, shop: Shop) -> None:
    shop.version("v1")
    load = shop.load(60)
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    assert exports(shop) == (["*"], ["*"])
    shop.version("v2")
    shop.want("v2")
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    gone(shop)
    report = load.stop()
    assert report.lost == 0, report
    assert report.count(version="v2") > 0
    shop.assert_rules()


def test_a_users_rule_that_is_private_by_the_mesh_config_blocks_until_it_is_exported(private: None, shop: Shop) -> None:
    shop.version("v1")
    load = shop.load(40)
    rule = document(shop, "DestinationRule", "policies", host=shop.service.host, subsets=[{"name": "all"}])
    shop.lab.api.apply(rule, manager="git")
    shop.release("v1", traffic={"owned": {}})
    message = shop.wait("blocked", phase="Blocked", reason="NotExported")["message"]
    assert f"DestinationRule {shop.namespace}/policies is exported to" in message and 'write `exportTo: ["*"]` into its spec' in message
    assert stored(shop, "DestinationRule", "policies")["spec"] == rule["spec"], "nothing was written"
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    shop.lab.api.apply({**rule, "spec": {**rule["spec"], "exportTo": ["*"]}}, manager="git")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    gone(shop)
    assert load.stop().lost == 0


def test_attached_routes_and_roots_that_few_see_block_before_a_subset_is_written(shop: Shop) -> None:
    shop.version("v1")
    api, host = shop.lab.api, shop.service.host
    api.apply(document(shop, "VirtualService", "web", hosts=[host], exportTo=["."], http=[split(host)]), manager="git")
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]})
    assert "VirtualService" in shop.wait("the route is private", phase="Blocked", reason="NotExported")["message"]
    assert api.find(shop.routing("DestinationRule")) is None
    gone(shop)
    delegated = {"delegate": {"name": "reviews", "namespace": shop.namespace}}
    api.apply(document(shop, "VirtualService", "web", hosts=[host], exportTo=["."], http=[delegated]), manager="git")
    shop.release("v1", traffic={"delegate": {}})
    assert "go past the weights" in shop.wait("the root is private", phase="Blocked", reason="NotExported")["message"]
    assert api.find(shop.routing("DestinationRule")) is None
    api.apply(document(shop, "VirtualService", "web", hosts=[host], exportTo=["*"], http=[delegated]), manager="git")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    gone(shop)


def test_the_routing_follows_the_services_annotation_and_what_somebody_narrows_at_rest_is_set_right_or_told(shop: Shop) -> None:
    shop.version("v1")
    service(shop, "*")
    load = shop.load(60)
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    service(shop, f"clients,{shop.namespace}")
    until(lambda: exports(shop) == ([".", "clients"], [".", "clients"]), "both follow the Service", 30)
    shop.lab.api.patch(shop.routing("DestinationRule"), {"spec": {"exportTo": ["."]}}, MERGE)
    until(lambda: exports(shop) == ([".", "clients"], [".", "clients"]), "what somebody limits is set right", 30)
    service(shop, None)
    until(lambda: exports(shop) == (["*"], ["*"]), "both are public again", 30)
    gone(shop)
    assert load.stop().lost <= 60, "a second of 503 between somebody's write and ours"


def test_a_users_rule_that_is_narrowed_at_rest_is_told(shop: Shop) -> None:
    shop.version("v1")
    rule = document(shop, "DestinationRule", "policies", host=shop.service.host, exportTo=["*"], subsets=at_rest("v1"))
    shop.lab.api.apply(rule, manager="git")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.lab.api.apply({**rule, "spec": {**rule["spec"], "exportTo": ["."]}}, manager="git")
    until(lambda: [each["message"] for each in shop.status.get("warnings", ()) if each["reason"] == "NotExported"], "it is told", 30)
    shop.version("v2")
    shop.want("v2")
    shop.wait("no release starts", phase="Blocked", reason="NotExported")
    shop.lab.api.apply(rule, manager="git")
    load = shop.load()
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert load.stop().lost == 0
    assert weights(shop, "reviews") == [0]
    gone(shop)
    shop.assert_rules()
