"""Failures that are no HTTP 500 of a pod: gRPC codes on HTTP 200, processes that are gone, connections that nobody takes."""

from lab.waiting import until
from tests.mesh.shop import Shop


def test_a_grpc_version_that_is_unavailable_is_rolled_back(shop: Shop) -> None:
    shop.service = shop.lab.service("reviews", shop.namespace, port_name="grpc")
    shop.version("v1", protocol="grpc")
    shop.release("v1", traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.lab.load(shop.service, rate=100, through=("mesh",), protocol="grpc")
    shop.loads.append(load)
    until(lambda: load.report.versions.get("v1", 0) > 100, "gRPC is served", 30)
    shop.version("v2", protocol="grpc", error_share=1.0)
    shop.want("v2")
    past = shop.wait_ended(1)
    report = load.stop()
    assert (past["outcome"], past["reason"], shop.weight) == ("RolledBack", "MoreFailures", 0)
    assert report.count(version="v2", status="UNAVAILABLE") > 0
    assert report.failed("v1") == 0, report
    shop.assert_rules()


def test_a_version_whose_processes_crash_under_traffic_is_rolled_back(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", steps=[{"weight": 25, "hold": {"min": "60s", "max": "120s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    v2 = shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    v2.behave(crashing=True)
    v2.crash()
    crashed = shop.wait_weight(0, 30)
    until(lambda: load.report.count(version="v1", since=crashed + 2) > 100, "all traffic is back", 30)
    assert load.report.count(version="-", since=crashed + 2) == 0, load.report
    v2.behave(crashing=False)
    shop.wait_weight(25, 60)
    v2.behave(crashing=True)
    v2.crash()
    past = shop.wait_ended(1)
    assert (past["outcome"], shop.weight) == ("RolledBack", 0), past
    shop.assert_rules()


def test_a_version_that_takes_no_connections_while_its_endpoints_are_ready_is_rolled_back(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    v2 = shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    shop.lab.kubelet.pause()  # nobody notices that the processes are gone
    try:
        v2.crash()
        shop.wait_weight(0, 30)
    finally:
        shop.lab.kubelet.resume()
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("RolledBack", "MoreFailures"), past
    assert load.stop().lost > 0, "no answer came from a backend"
    shop.assert_rules()


def test_a_version_that_hangs_is_taken_back_before_any_caller_gives_up(shop: Shop) -> None:
    """Nothing of it is counted: what is missing beside stable speaks. The second time the release is withdrawn, without blame."""
    shop.version("v1")
    shop.release("v1", steps=[{"weight": 10, "hold": {"min": "60s", "max": "120s"}}])
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.lab.load(shop.service, rate=100, through=("mesh",), timeout=120)
    shop.loads.append(load)
    until(lambda: load.report.versions.get("v1", 0) > 1000, "stable is measured", 60)
    v2 = shop.version("v2")
    v2.behave(latency_ms=600_000)
    shop.want("v2")
    shop.wait_weight(10, 60)
    shop.wait_weight(0, 40)
    past = shop.wait_ended(1, 150)
    assert (past["outcome"], past["reason"], shop.weight) == ("Withdrawn", "CanarySilent", 0), past
    assert "ended 0 of at least" in past["message"]
    shop.assert_rules()
