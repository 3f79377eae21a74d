"""Deleting a CanaryRelease: no request is lost at any state, and nothing that is not ours to leave is left."""

import pytest

from lab.waiting import until
from tests.mesh.shop import Shop


def gone(shop: Shop) -> bool:
    return shop.lab.api.find(shop.path) is None


def test_at_rest_with_one_version_both_objects_go(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.lab.api.delete(shop.path)
    until(lambda: gone(shop), "the CanaryRelease is gone", 30)
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    assert shop.lab.api.find(shop.routing("DestinationRule")) is None
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


@pytest.mark.parametrize("weight", [25, 100], ids=["while progressing", "while promoting"])
def test_mid_release_the_traffic_ends_at_stable_and_the_objects_stay_pinned_and_are_no_longer_ours(shop: Shop, weight: int) -> None:
    shop.version("v1")
    hold = {"min": "2s", "max": "30s"} if weight == 100 else {"min": "60s", "max": "120s"}
    shop.release("v1", bake="60s", steps=[{"weight": 25, "hold": hold}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(weight)
    shop.lab.api.delete(shop.path)
    until(lambda: gone(shop), "the CanaryRelease is gone", 60)
    report = load.stop()
    assert report.lost == 0, report
    assert shop.weight == 0
    rule = shop.lab.api.get(shop.routing("DestinationRule"))
    assert {subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"v1"}
    assert "canary.rollouts.dev/release" not in rule["metadata"].get("labels", {})
    shop.assert_rules()


def test_while_the_route_is_taken_over_nothing_is_left(shop: Shop) -> None:
    shop.version("v1")
    load = shop.load()
    shop.release("v1", traffic={"owned": {}}, settle="3s")
    until(lambda: shop.lab.api.find(shop.routing("DestinationRule")) is not None, "the DestinationRule is there", 30)
    assert shop.status.get("phase") != "Stable"
    shop.lab.api.delete(shop.path)
    until(lambda: gone(shop), "the CanaryRelease is gone", 30)
    assert shop.lab.api.find(shop.routing("VirtualService")) is None
    assert shop.lab.api.find(shop.routing("DestinationRule")) is None
    report = load.stop()
    assert report.lost == 0, report


def test_while_withdrawing_the_objects_stay_pinned_to_stable(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", drain="10s", steps=[{"weight": 25, "hold": {"min": "60s", "max": "120s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    shop.act("abort")
    shop.wait_weight(0)
    shop.wait("withdrawing", phase="Withdrawing")  # a drop is written before it is recorded
    shop.lab.api.delete(shop.path)
    until(lambda: gone(shop), "the CanaryRelease is gone", 60)
    report = load.stop()
    assert report.lost == 0, report
    rule = shop.lab.api.get(shop.routing("DestinationRule"))
    assert {subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"v1"}
    shop.assert_rules()
