"""Every part can be killed, paused and restarted alone, and the lab works again afterwards."""

from pathlib import Path

import pytest

from lab import Lab, PartFailed
from lab.waiting import until
from tests.lab.shop import Shop

PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubelet", "istiod", "gateway", "mesh-client-clients", "prometheus")


@pytest.mark.parametrize("name", PARTS)
def test_recovers_from_a_killed_part(shop: Shop, name: str) -> None:
    shop.version("v1")
    shop.route(v1=100)
    part = shop.lab.parts[name]
    before = part.pid
    part.kill()
    assert not part.alive
    part.start()
    part.wait_ready()
    assert part.pid != before
    _works(shop, "v2")


@pytest.mark.parametrize("name", PARTS)
def test_recovers_from_a_paused_part(shop: Shop, name: str) -> None:
    shop.version("v1")
    shop.route(v1=100)
    part = shop.lab.parts[name]
    part.pause()
    try:
        state = until(lambda: _state(part.pid) == "T", "stopped")
    finally:
        part.resume()
    assert state
    part.wait_ready()
    _works(shop, "v2")


def test_a_part_that_is_terminated_ends_by_itself(lab: Lab) -> None:
    lab.prometheus.terminate()
    assert not lab.prometheus.alive
    lab.prometheus.restart()


def test_a_part_that_ended_says_so_with_its_log(lab: Lab) -> None:
    lab.prometheus.kill()
    with pytest.raises(PartFailed, match="prometheus ended with code -9"):
        lab.prometheus.wait_ready()
    lab.prometheus.restart()


def test_prometheus_keeps_its_samples_over_a_restart(shop: Shop) -> None:
    shop.version("v1")
    query = f'max_over_time(istio_requests_total{{destination_service_namespace="{shop.namespace}"}}[5m])'
    with shop.lab.load(shop.service, rate=50, through=["mesh"]):
        until(lambda: shop.lab.query(query), "samples")
    shop.lab.prometheus.restart()
    assert shop.lab.query(query)


def test_pods_serve_on_while_the_kubelet_is_gone(shop: Shop) -> None:
    v1 = shop.version("v1")
    pids = {record.pid for record in v1.backends()}
    with shop.lab.load(shop.service, rate=100, through=["mesh"]) as load:
        shop.lab.kubelet.kill()
        sent = load.report.sent
        until(lambda: load.report.answered > sent + 100, "answers without a kubelet")
        shop.lab.kubelet.restart()
        v1.crash()
        until(lambda: {record.pid for record in v1.backends()} != pids, "the new kubelet restarts what it took over", 20)
        v1.wait_ready()
        load.stop()


def _works(shop: Shop, version: str) -> None:
    """A new version starts, is routed to, answers through both proxies, and is counted."""
    shop.version(version)
    shop.route(**{"v1": 0, version: 100})
    shop.lab.wait_served(shop.service, version, seconds=40)
    query = f'istio_requests_total{{destination_workload="reviews-{version}",destination_workload_namespace="{shop.namespace}"}}'
    until(lambda: shop.lab.query(query), f"{version} in Prometheus")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
