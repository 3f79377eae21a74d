"""An API server that knows Istio's kinds, with the operator before it: no proxies, and a stand-in for Prometheus that counts by the routes."""

import itertools
from collections.abc import Iterator

import pytest

from lab import Cluster, charts
from lab.isolation import isolated
from lab.operator import Operator
from tests.api.place import Place
from tests.api.prometheus import Prometheus

NEEDED = (
    "virtualservices.networking.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "sidecars.networking.istio.io",
    "peerauthentications.security.istio.io",
)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not isolated():
        pytest.skip("needs a namespace of its own: python -m lab isolated -- pytest tests/api")
    with Cluster() as cluster:
        crds, _ = charts.load()
        cluster.install([crd for crd in crds if crd["metadata"]["name"] in NEEDED])
        yield cluster


@pytest.fixture(scope="session")
def prometheus(cluster: Cluster) -> Iterator[Prometheus]:
    routes = cluster.revisions("/apis/networking.istio.io/v1/virtualservices", "/apis/networking.istio.io/v1/destinationrules")
    prometheus = Prometheus(routes)
    yield prometheus
    prometheus.close()
    routes.close()


@pytest.fixture(scope="session")
def operator(cluster: Cluster, prometheus: Prometheus) -> Iterator[Operator]:
    operator = Operator(cluster, prometheus.url)
    operator.start()
    operator.wait_ready()
    yield operator
    operator.terminate()


@pytest.fixture
def place(cluster: Cluster, operator: Operator) -> Iterator[Place]:
    """A namespace with a service whose version v1 was adopted; v2 is deployed beside it."""
    place = Place(cluster, f"place-{next(_numbers)}")
    yield place
    place.close()


@pytest.fixture
def stopped(operator: Operator) -> Iterator[Operator]:
    """The operator, which the test may end: it is started again afterwards."""
    yield operator
    if not operator.alive:
        operator.start()
        operator.wait_ready()
