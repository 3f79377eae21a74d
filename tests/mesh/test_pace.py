"""`spec.pace` on real traffic: a good version gets there in little more than `minDuration`, a bad one costs less than its price."""

from itertools import pairwise
from typing import Any

import pytest

from tests.mesh.shop import Shop

BUDGET = 20


def paced(shop: Shop, **pace: Any) -> None:
    """The first version serves, and the next is paced."""
    shop.version("v1")
    shop.release("v1", steps=None, pace={"failureBudget": BUDGET, "minDuration": "20s", **pace})
    shop.wait("adopted", phase="Stable", reason="AtRest")


def weights(shop: Shop) -> list[int]:
    """The canary's weights that were recorded, in order, up to the last release's 100."""
    records = [each.object.get("status", {}).get("release", {}) for each in shop.revisions.all if each.object["kind"] == "CanaryRelease"]
    found = [record.get("weight", 0) for record in records if record.get("number") == 1]
    return [weight for weight, following in pairwise([*found, -1]) if weight != following]


@pytest.mark.timeout(300)
def test_a_good_version_is_promoted_when_the_least_time_has_passed(shop: Shop) -> None:
    paced(shop)
    load = shop.load(100)
    shop.version("v2")
    shop.want("v2")
    second = shop.wait("the second weight", step="2")
    assert "requests/s if the canary fails up to" in second["message"]
    past = shop.wait_ended(1, 180)
    report = load.stop()
    assert past["outcome"] == "Promoted"
    assert (report.lost, report.failed()) == (0, 0), report
    path = weights(shop)
    risen = [weight for weight in path[: path.index(100)] if weight]
    assert risen[0] <= 10  # 5 at 100 requests/s and scrapes of 1 s; a busy machine sends fewer
    assert risen == sorted(risen)
    assert risen[-1] == 50
    assert all(following <= 3 * weight for weight, following in pairwise(risen)), risen
    shop.assert_rules()


@pytest.mark.timeout(300)
def test_a_bad_version_costs_less_than_its_price(shop: Shop) -> None:
    paced(shop)
    load = shop.load(100)
    shop.version("v2", error_share=0.2)
    shop.want("v2")
    past = shop.wait_ended(1)
    report = load.stop()
    assert (past["outcome"], past["reason"]) == ("RolledBack", "MoreFailures")
    assert report.failed() <= BUDGET, report
    assert shop.weight == 0
    shop.assert_rules()
