"""Real requests, counted at the source and in Prometheus."""

import pytest

from lab import Lab
from lab.waiting import until
from tests.lab.shop import Shop


def test_weights_are_served_and_measured(shop: Shop) -> None:
    shop.version("v1")
    shop.version("v2")
    shop.route(v1=80, v2=20)
    shop.lab.wait_served(shop.service, "v1", "v2")
    with shop.lab.load(shop.service, rate=200) as load:
        until(lambda: load.report.answered >= 2000, "2,000 answers", 60)
        report = load.stop()
    assert report.failed() == 0, report
    assert report.share("v2") == pytest.approx(0.2, abs=0.04)
    for path in ("gateway", "mesh"):
        assert report.share("v2", path=path) == pytest.approx(0.2, abs=0.05)
    until(lambda: _counted(shop, "reviews-v2") >= report.versions["v2"], "Prometheus has seen them all")
    total = _counted(shop, "reviews-v1") + _counted(shop, "reviews-v2")
    assert _counted(shop, "reviews-v2") / total == pytest.approx(0.2, abs=0.04)


def test_a_failure_share_changes_without_a_new_template(shop: Shop) -> None:
    v1 = shop.version("v1")
    shop.lab.wait_served(shop.service, "v1", through=["mesh"])
    with shop.lab.load(shop.service, rate=100, through=["mesh"]) as load:
        until(lambda: load.report.count(status="200") > 20, "good answers")
        v1.behave(error_share=1.0, error_status=503)
        until(lambda: load.report.count(version="v1", status="503") > 20, "failed answers")
        v1.behave(error_share=0.0)
        begun = max(row.second for row in load.report.rows) + 1
        until(lambda: load.report.count(status="200", since=begun) > 20, "good answers again")
        report = load.stop()
    assert report.lost == 0, "a failure that a backend sent is no lost request"
    assert v1.pods()[0]["status"]["containerStatuses"][0]["restartCount"] == 0


def test_what_no_backend_answered_is_lost(shop: Shop) -> None:
    with shop.lab.load(shop.service, rate=50, through=["mesh"]) as load:
        until(lambda: load.report.lost > 20, "lost requests")
        report = load.stop()
    assert report.versions == {"-": report.answered}
    assert "mesh 503 no healthy upstream" in report.details


def test_a_time_out_is_counted_apart(shop: Shop) -> None:
    v1 = shop.version("v1")
    shop.lab.wait_served(shop.service, "v1", through=["mesh"])
    v1.behave(latency_ms=2000)
    with shop.lab.load(shop.service, rate=20, through=["mesh"], timeout=0.3) as load:
        until(lambda: load.report.timeouts > 5, "time-outs")
        report = load.stop()
    assert report.lost == 0
    assert report.percentile_ms(50) == pytest.approx(300, rel=0.2)


def test_grpc_is_served_and_measured(lab: Lab) -> None:
    shop = Shop(lab, "shop-grpc", port_name="grpc")
    shop.version("v1", protocol="grpc", error_share=0.5)
    shop.route(v1=100)
    with lab.load(shop.service, rate=50, protocol="grpc") as load:
        until(lambda: load.report.count(status="OK") > 30 and load.report.count(status="UNAVAILABLE", version="v1") > 30, "both outcomes")
        load.stop()
    query = f'istio_requests_total{{destination_service_namespace="{shop.namespace}",request_protocol="grpc",grpc_response_status="14"}}'
    until(lambda: lab.query(query), "UNAVAILABLE in Prometheus")


def test_a_mesh_client_of_its_own_namespace_sees_what_is_exported_to_it_only(shop: Shop) -> None:
    """Istio picks DestinationRules and VirtualServices by the caller's namespace: a test can have a caller in any."""
    shop.version("v1")
    shop.lab.mesh_client(shop.namespace)
    shop.lab.api.apply(_private_answer(shop))
    with shop.lab.load(shop.service, rate=20, through=["mesh"], client_namespace=shop.namespace) as load:
        until(lambda: load.report.count(status="418") > 5, "the private route's answer")
    with shop.lab.load(shop.service, rate=20, through=["mesh"]) as load:
        until(lambda: load.report.count(version="v1") > 5, "everybody else's answer")
    counted = f'istio_requests_total{{source_workload_namespace="{shop.namespace}",response_code="418"}}'
    until(lambda: shop.lab.query(counted), "its proxy is scraped")


def test_the_rate_is_kept_and_can_be_changed(shop: Shop) -> None:
    shop.version("v1")
    with shop.lab.load(shop.service, rate=300, through=["mesh"]) as load:
        until(lambda: len({row.second for row in load.report.rows}) >= 6, "six seconds")
        load.set_rate(0)
        before = until(lambda: load.report.answered == load.report.sent and load.report.sent, "pause")
        full = sorted({row.second for row in load.report.rows})[1:5]
        counts = [sum(row.answers for row in load.report.rows if row.second == second) for second in full]
        assert counts == pytest.approx([300] * len(counts), rel=0.1)
        load.set_rate(100)
        until(lambda: load.report.answered > before + 50, "more")


def _private_answer(shop: Shop) -> dict[str, object]:
    metadata = {"name": "private", "namespace": shop.namespace}
    answer = {"hosts": [shop.service.host], "exportTo": ["."], "http": [{"directResponse": {"status": 418}}]}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": answer}


def _counted(shop: Shop, workload: str) -> float:
    labels = f'destination_workload="{workload}",destination_workload_namespace="{shop.namespace}",response_code="200"'
    found = shop.lab.query(f"sum(istio_requests_total{{{labels}}})")
    return float(found[0]["value"][1]) if found else 0.0
