"""What a route carries beside its weights while a release runs: a preview for who asks for it, and copies of requests."""

from lab.waiting import until
from tests.mesh.shop import Shop
from tests.mesh.users import stored


def test_preview_shows_the_canary_to_who_asks_for_it_at_weight_0_and_vanishes(shop: Shop) -> None:
    shop.version("v1")
    preview = {"match": [{"header": "x-preview", "exact": "yes"}, {"cookie": "preview", "exact": "yes"}]}
    shop.release("v1", preview=preview, traffic={"owned": {}}, steps=[{"weight": 25, "approval": "Required"}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait("a person is asked", phase="Waiting")
    routes = stored(shop, "VirtualService", "reviews")["spec"]["http"]
    assert [route["name"] for route in routes] == ["canary-preview", "canary-release"] and shop.weight == 0
    for headers in ({"x-preview": "yes"}, {"cookie": "a=b; preview=yes"}):
        asking = shop.lab.load(shop.service, rate=50, through=("mesh",), headers=headers)
        shop.loads.append(asking)
        until(lambda asking=asking: asking.report.count(version="v2") > 20, f"{headers} sees v2", 20)  # type: ignore[misc]
        assert asking.stop().count(version="v1") == 0
    assert load.report.count(version="v2") == 0
    shop.act("abort")
    assert shop.wait_ended(1)["reason"] == "Aborted"
    assert [route["name"] for route in stored(shop, "VirtualService", "reviews")["spec"]["http"]] == ["canary-release"]
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_mirror_copies_requests_before_the_first_weight_and_is_gone_with_it(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", mirror={"percent": 50, "hold": "4s"}, traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    until(lambda: mirrors(shop) == [50], "requests are copied", 30)
    assert shop.weight == 0
    shop.wait_weight(25)
    assert mirrors(shop) == []
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    report = load.stop()
    assert report.lost == 0, report
    shop.assert_rules()


def mirrors(shop: Shop) -> list[float]:
    """The percentages of the managed route's mirrors."""
    route = stored(shop, "VirtualService", "reviews")["spec"]["http"][-1]
    return [mirror["percentage"]["value"] for mirror in route.get("mirrors") or ()]
