"""Slow answers on real traffic: from the histogram of the proxies, through a real Prometheus, to the verdict."""

from lab.waiting import until
from tests.mesh.shop import QUICK, Shop


def judging(threshold: str) -> dict[str, object]:
    latency = {"threshold": threshold, "ruleOut": "10%", "warmup": "0s"}
    return {**QUICK["analysis"], "latency": latency}


def test_a_version_that_answers_slowly_is_rolled_back(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", analysis=judging("100ms"))
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2", latency_ms=150)
    shop.want("v2")
    past = shop.wait_ended(1)
    report = load.stop()
    assert (past["outcome"], past["reason"]) == ("RolledBack", "Slower"), past
    assert report.lost == 0, report
    shop.assert_rules()


def test_a_threshold_that_is_no_bound_is_answered_with_the_nearest_and_then_promotes(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", analysis=judging("300ms"))
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait("the threshold is refused", reason="LatencyUnknown", phase="Blocked")
    # Which bounds there are is known from the first scrape of a histogram on.
    until(lambda: "write 250ms or 500ms" in shop.status["message"], f"the nearest bounds are told; {shop.status['message']}", 60)
    assert shop.weight == 0
    shop.patch({"spec": {"analysis": {"latency": {"threshold": "250ms"}}}})
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    shop.assert_rules()
