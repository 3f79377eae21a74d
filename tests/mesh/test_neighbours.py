"""What a CanaryRelease leaves to others: another release of its Service, and routes of the user's to its subsets."""

from typing import Any

from lab.waiting import until
from tests.mesh.shop import QUICK, Shop
from tests.mesh.test_gitops import events
from tests.mesh.users import document, gone, stored

WEB = "web.example.com"


def test_the_newer_of_two_releases_works_as_soon_as_the_older_is_gone(shop: Shop) -> None:
    shop.version("v1")
    spec: dict[str, Any] = {"service": {"name": "reviews"}, "version": "v1", "traffic": {"owned": {}}, **QUICK}
    older = {
        "apiVersion": "canary.rollouts.dev/v1beta1",
        "kind": "CanaryRelease",
        "metadata": {"name": "older", "namespace": shop.namespace},
    }
    shop.lab.api.apply({**older, "spec": spec})
    path = shop.lab.api.path("canary.rollouts.dev/v1beta1", "CanaryRelease", shop.namespace, "older")
    until(lambda: (shop.lab.api.get(path).get("status") or {}).get("reason") == "AtRest", "the older is adopted", 60)
    shop.release("v1", traffic={"owned": {}})
    shop.wait("the newer waits", phase="Blocked", reason="Conflict")
    shop.lab.api.delete(path)
    shop.wait("the newer works", 30, phase="Stable", reason="AtRest")
    shop.assert_rules()


def test_a_route_of_the_users_to_stable_is_answered_after_the_release_is_deleted(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    to_stable = {"route": [{"destination": {"host": shop.service.host, "subset": "stable"}}]}
    web = document(shop, "VirtualService", "web", hosts=[WEB], gateways=["infra/public"], http=[to_stable])
    shop.lab.api.apply(web, manager="git")
    shop.lab.wait_served(shop.service, "v1", through=("gateway",), host=WEB)
    load = shop.lab.load(shop.service, rate=50, through=("gateway",), host=WEB)
    shop.loads.append(load)
    gone(shop)
    report = load.stop()
    assert report.lost == 0, report
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    rule = stored(shop, "DestinationRule", "reviews")
    assert {subset["name"]: subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"stable": "v1", "canary": "v1"}
    assert "canary.rollouts.dev/release" not in rule["metadata"].get("labels", {})


def test_hosts_that_are_edited_in_the_spec_are_written_and_blame_nobody(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.patch({"spec": {"traffic": {"owned": {"hosts": ["reviews.example.com", "second.example.com"]}}}})
    until(lambda: "second.example.com" in stored(shop, "VirtualService", "reviews")["spec"]["hosts"], "the host is served", 30)
    assert events(shop, "Drift") == []
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()
