"""Queries of the user's own, on real traffic and a real Prometheus: from the CanaryRelease to the verdict."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import pytest

from lab import Lab
from lab.operator import METRICS_PORT
from lab.waiting import until
from tests.mesh.shop import QUICK, Shop

SELECTED = (
    'destination_service_name="{{service}}",destination_service_namespace="{{namespace}}",destination_workload=~"{{canary.workload}}"'
)
TIME = "istio_request_duration_milliseconds"
MEAN = f"sum(rate({TIME}_sum{{{SELECTED}}}[10s])) / sum(rate({TIME}_count{{{SELECTED}}}[10s]))"
"""Milliseconds that the canary's answers take, on average."""


def judging(query: str, **bounds: str) -> dict[str, Any]:
    wanted = {"name": "mean-duration", "query": query, "interval": "5s", "consecutiveFailures": 2, **bounds}
    return {**QUICK["analysis"], "queries": [wanted]}


@pytest.mark.timeout(300)
def test_a_version_outside_the_bounds_is_rolled_back_and_a_good_one_is_promoted(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", analysis=judging(MEAN, max="50"))
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2", latency_ms=150)
    shop.want("v2")
    past = shop.wait_ended(1, 150)
    assert (past["outcome"], past["reason"]) == ("RolledBack", "QueryOutOfBounds"), past
    assert "query mean-duration was 15" in past["message"] and "above its max of 50, for 2 looks in a row, 5s apart" in past["message"]
    assert 'destination_workload=~"(?:reviews-v2)"' in past["message"], "as it was asked, so that a person can ask it again"
    shop.version("v3")
    shop.want("v3")
    assert shop.wait_ended(2, 180)["outcome"] == "Promoted"
    assert load.stop().lost == 0
    shop.assert_rules()


@pytest.mark.timeout(300)
def test_a_wrong_query_blocks_before_traffic_moves_and_is_mended(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", analysis=judging("sum(rate(istio_requests_total{}[1m])) by", max="1"))
    said = shop.wait("it is refused when it is first seen", reason="QueryInvalid")
    assert "spec.analysis.queries[0].query (mean-duration)" in said["message"] and "parse error" in said["message"]
    shop.patch({"spec": {"analysis": judging(MEAN, max="1000")}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    several = "rate(istio_requests_total{}[1m])"
    shop.patch({"spec": {"analysis": judging(several, max="1000"), "version": "v2"}})
    said = shop.wait("several values are no verdict", reason="QueryInvalid")
    assert (shop.weight, said["phase"]) == (0, "Blocked"), said
    assert "where one is needed" in said["message"]
    shop.patch({"spec": {"analysis": judging(f"sum({several})", max="100000")}})
    assert shop.wait_ended(1, 120)["outcome"] == "Promoted"
    shop.assert_rules()


@contextmanager
def frozen(lab: Lab) -> Iterator[None]:
    """Prometheus goes on answering, and scrapes no more."""
    lab.prometheus.rescrape("1h")
    try:
        yield
    finally:
        lab.prometheus.rescrape("1s")


@pytest.mark.timeout(300)
def test_a_frozen_prometheus_that_goes_on_answering_blames_nobody_until_it_scrapes_again(shop: Shop, lab: Lab) -> None:
    requests = 'sum(rate(istio_requests_total{destination_service_name="{{service}}",destination_service_namespace="{{namespace}}"}[5m]))'
    shop.version("v1")
    shop.release("v1", analysis=judging(requests, max="100000"), steps=[{"weight": 25, "hold": {"min": "2m", "max": "5m"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    with frozen(lab):
        shop.patch({"spec": {"analysis": judging(requests, max="0")}})
        shop.wait("nothing is known of the present", reason="MetricsUnavailable")
        asked = _asked()
        until(lambda: _asked() > asked + 3, "Prometheus has answered several looks more", 60)
        (row,) = shop.status["release"]["evidence"]["queries"]
        assert row["outside"] <= 1 and shop.weight == 25
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("RolledBack", "QueryOutOfBounds"), past
    shop.assert_rules()


def _asked() -> float:
    """Values that the operator was answered so far, by its own metrics."""
    with urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=5) as answer:
        found = re.search(r'canary_operator_queries_total\{outcome="Value",provider="default"\} (\S+)', answer.read().decode())
    return float(found[1]) if found else 0.0
