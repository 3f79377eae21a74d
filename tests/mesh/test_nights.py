"""A namespace is scaled to 0 for the night and back in the morning, under requests all the time: told plainly, and nobody is blamed."""

from typing import Any

import pytest

from lab.waiting import until
from lab.workloads import Workload
from tests.mesh.shop import Shop

FLAT = [{"weight": 25, "hold": {"min": "300s", "max": "600s"}}]


def routes(shop: Shop) -> str:
    """The version of the VirtualService."""
    return str(shop.lab.api.get(shop.routing("VirtualService"))["metadata"]["resourceVersion"])


def night(shop: Shop, evening: tuple[Workload, ...], morning: tuple[Workload, ...]) -> None:
    for each in evening:
        each.scale(0)
    until(lambda: not any(each.pods() for each in evening), "no pod is left", 60)
    told = shop.wait("it is told", 60, phase="Blocked", reason="StableGone")
    assert "it is scaled to 0; no other version has a ready pod" in told["message"]
    written, since = routes(shop), told["since"]
    load = shop.loads[-1]
    unanswered = load.report.count(status="503")
    until(lambda: load.report.count(status="503") > unanswered + 500, "nobody answers for a while", 60)
    assert (routes(shop), shop.status["since"]) == (written, since), "nothing is written at night"
    for each in morning:
        each.scale(2)
    shop.lab.wait_ready(*morning)


@pytest.mark.parametrize("canary_first", [False, True])
def test_two_nights_in_a_release(shop: Shop, canary_first: bool) -> None:
    v1 = shop.version("v1")
    shop.release("v1", steps=FLAT)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load(60)
    v2 = shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    order = (v2, v1) if canary_first else (v1, v2)
    for _ in range(2):
        night(shop, order, tuple(reversed(order)))
        shop.wait("it rises again", 120, phase="Progressing", reason="Gathering", weight=25)
        shop.lab.wait_served(shop.service, "v1", "v2", through=("mesh",))
    status: dict[str, Any] = shop.status
    assert (status["phase"], status.get("lastRelease"), status["release"]["number"]) == ("Progressing", None, 1)
    shop.assert_rules()


def test_a_night_at_rest_with_an_older_version_beside_it(shop: Shop) -> None:
    """In the morning the older version may be ready first; its release, if there is one, ends without blame, and stable has everything again."""
    v1 = shop.version("v1")
    v2 = shop.version("v2")
    shop.release("v2", stableVersion="v2")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.lab.wait_served(shop.service, "v2", through=("mesh",))
    load = shop.lab.load(shop.service, rate=60, through=("mesh",))
    shop.loads.append(load)
    night(shop, (v1, v2), (v1, v2))
    shop.wait("at rest again", 90, phase="Stable", weight=0)
    until(lambda: load.report.served_last_second({("mesh", "v2")}), "v2 answers everything", 60)
    assert all(past["outcome"] != "RolledBack" for past in shop.status.get("history", ()))
    assert str(shop.status["stable"]).startswith("v2@")
    shop.assert_rules()
