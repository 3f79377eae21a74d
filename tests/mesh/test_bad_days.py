"""What goes wrong around a release: Prometheus, pods, objects, people."""

from lab import Lab
from lab.operator import Operator
from lab.waiting import until
from tests.mesh.shop import Shop

LONG = [{"weight": 25, "hold": {"min": "5s", "max": "60s"}}, {"weight": 50, "hold": {"min": "2s", "max": "30s"}}]


def started(shop: Shop, **spec: object) -> None:
    """v1 serves, a release of v2 is on its way."""
    shop.version("v1")
    shop.release("v1", **spec)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")


def test_without_prometheus_the_weight_does_not_move_and_a_condition_says_why(shop: Shop, lab: Lab) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    lab.prometheus.kill()
    try:
        until(lambda: shop.condition("MetricsAvailable") == "False", "MetricsAvailable is False", 40)
        assert "Prometheus" in shop.status["message"]
        assert shop.weight == 25
    finally:
        lab.prometheus.start()
        lab.prometheus.wait_ready()
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    shop.assert_rules()


def test_an_abort_reaches_weight_0_while_prometheus_is_down(shop: Shop, lab: Lab) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    lab.prometheus.kill()
    try:
        shop.act("abort")
        shop.wait_weight(0, 10)
    finally:
        lab.prometheus.start()
        lab.prometheus.wait_ready()
    shop.assert_rules()


def test_a_canary_without_ready_pods_goes_to_0_and_is_rolled_back_the_second_time(shop: Shop) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    v2 = shop.lab.workload(shop.service, "v2", replicas=2)
    v2.scale(0)
    shop.wait_weight(0, 30)
    v2.scale(2)
    shop.wait_weight(25)
    v2.scale(0)
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("RolledBack", "CanaryUnavailable")
    shop.assert_rules()


def test_a_deleted_virtual_service_comes_back_with_all_traffic_on_stable_and_rises_again(shop: Shop, lab: Lab) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    lab.api.delete(shop.routing("VirtualService"))
    until(lambda: shop.weight == 0, "the VirtualService is back at weight 0", 20)
    assert shop.wait_ended(1)["outcome"] == "Promoted"


def test_a_deleted_destination_rule_comes_back(shop: Shop, lab: Lab) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    lab.api.delete(shop.routing("DestinationRule"))
    until(lambda: lab.api.find(shop.routing("DestinationRule")) is not None, "the DestinationRule is back", 20)
    assert shop.wait_ended(1)["outcome"] == "Promoted"


def test_a_killed_operator_goes_on_where_it_was(shop: Shop, operator: Operator) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    operator.restart()
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    shop.assert_rules()


def test_a_canary_that_never_gets_ready_is_withdrawn_at_the_deadline(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", analysis={"deadline": "10s"})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    v2 = shop.lab.workload(shop.service, "v2", replicas=1, start_delay=600)
    shop.want("v2")
    shop.wait("waiting", phase="Waiting", reason="CanaryNotReady")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("Withdrawn", "DeadlineExceeded")
    assert "ready pods" in past["message"]
    v2.delete()
    shop.assert_rules()


def test_a_deleted_service_blocks_the_release_and_it_goes_on_when_the_service_is_back(shop: Shop, lab: Lab) -> None:
    started(shop, steps=LONG)
    shop.wait_weight(25)
    lab.api.delete(f"/api/v1/namespaces/{shop.namespace}/services/reviews")
    status = shop.wait("blocked", phase="Blocked", reason="ServiceMissing")
    assert "Service" in status["message"] and status["weight"] == 25
    lab.service("reviews", shop.namespace)
    past = shop.wait_ended(1)
    assert past["outcome"] in ("Promoted", "Withdrawn"), past
    shop.assert_rules()
