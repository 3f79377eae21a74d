"""From the decision to take traffic back until the API server has weight 0, over many releases, whatever else is broken."""

import os
import time
from collections.abc import Iterator
from statistics import median

import pytest

from lab import Cluster
from lab.revisions import Revisions
from lab.waiting import until
from tests.api.place import Document, Place
from tests.api.prometheus import SCRAPE, Prometheus

RELEASES = int(os.environ.get("API_RELEASES", "17"))
"""Per condition."""
STRICT = "API_RELEASES" in os.environ
LONGEST = 1.0
"""Seconds: of the slowest when the figure is asked for by API_RELEASES, of the median in every other run, whose machine may be busy."""
VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/virtualservices"


@pytest.fixture(scope="module")
def revisions(cluster: Cluster) -> Revisions:
    return cluster.revisions(VIRTUAL_SERVICES)


@pytest.fixture
def names(place: Place, prometheus: Prometheus) -> Iterator[list[str]]:
    """Releases at 20 percent; scraped as seldom as in a real cluster, since all are looked at after each scrape."""
    prometheus.scrape = 5.0
    names = [f"service-{number}" for number in range(RELEASES)]
    place.deploy(*names)
    for name in names:
        place.release(name)
    place.adopted(*names)
    for name in names:
        place.want("v2", name)
    for name in names:
        place.wait_weight(20, name)
    yield names
    prometheus.scrape = SCRAPE


@pytest.fixture
def outage(prometheus: Prometheus) -> Iterator[None]:
    prometheus.down = True
    yield
    prometheus.down = False


def home_at(place: Place, revisions: Revisions, name: str, since: float) -> float | None:
    """When the route of a release got weight 0, seconds since the epoch."""
    for found in revisions.all:
        metadata = found.object["metadata"]
        mine = found.received >= since and (metadata["namespace"], metadata["name"]) == (place.namespace, name)
        if mine and canary_weight(found.object) == 0:
            return found.received
    return None


def canary_weight(route: Document) -> int:
    shares = route["spec"]["http"][0]["route"]
    return next(int(share["weight"]) for share in shares if share["destination"]["subset"] == "canary")


def assert_in_time(seconds: list[float]) -> None:
    assert median(seconds) <= LONGEST
    assert not STRICT or max(seconds) <= LONGEST


def tell(what: str, seconds: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{what}, {len(seconds)} releases: median {median(seconds) * 1e3:.0f} ms, slowest {max(seconds) * 1e3:.0f} ms")


def aborted(place: Place, revisions: Revisions, name: str) -> float:
    """Seconds from the annotation's request to weight 0."""
    began = time.time()
    place.api.patch(place.path(name), {"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})
    return until(lambda: home_at(place, revisions, name, began), f"{name} went home", 20) - began


@pytest.mark.timeout(300)
def test_an_abort_reaches_weight_0_within_a_second(
    place: Place, names: list[str], revisions: Revisions, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = [aborted(place, revisions, name) for name in names]

    tell("abort until weight 0", seconds, capsys)
    assert_in_time(seconds)


@pytest.mark.timeout(300)
def test_an_abort_reaches_weight_0_within_a_second_while_prometheus_is_down(
    place: Place, names: list[str], revisions: Revisions, outage: None, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = [aborted(place, revisions, name) for name in names]

    tell("abort until weight 0, Prometheus down", seconds, capsys)
    assert_in_time(seconds)


@pytest.mark.timeout(300)
def test_a_deleted_canary_gets_weight_0_within_a_second(
    place: Place, names: list[str], revisions: Revisions, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = []
    for name in names:
        began = time.time()
        place.api.delete(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/{name}-v2")
        home = until(lambda name=name, began=began: home_at(place, revisions, name, began), f"{name} went home", 30)
        # Whichever went first said it: the ReplicaSet, or its endpoints.
        writes = cluster.audit.requests(since=began, verbs={"update", "delete"}, resources={"endpointslices", "replicasets"})
        told = min(each.time for each in writes if each.namespace == place.namespace and each.name.startswith(f"{name}-"))
        seconds.append(home - told)

    tell("canary deleted until weight 0", seconds, capsys)
    assert_in_time(seconds)


@pytest.mark.timeout(300)
def test_an_abort_without_a_ready_stable_pod_brings_traffic_home_within_a_second_after_stable_serves(
    place: Place, revisions: Revisions, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    place.rising()
    stable = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-v1"
    place.api.patch(stable, {"spec": {"replicas": 0}})
    place.wait_phase("Blocked")
    assert place.status()["reason"] == "StableGone"
    asked = time.time()
    place.api.patch(place.path(), {"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})
    until(lambda: place.status().get("lastAction") == "abort/1/1", "the abort is acknowledged", 10)
    assert place.weight() >= 20

    back = time.time()
    place.api.patch(stable, {"spec": {"replicas": 1}})
    home = until(lambda: home_at(place, revisions, "reviews", asked), "traffic went home", 30)

    writes = cluster.audit.requests(since=back, verbs={"update"}, resources={"endpointslices"})
    served = max((each.time for each in writes if each.namespace == place.namespace and each.time <= home), default=None)
    assert served is not None, "traffic went back before stable served"
    tell("stable serves again until weight 0", [home - served], capsys)
    assert home - served <= (LONGEST if STRICT else 5 * LONGEST)
