"""A real API server for each run, with the CRD of `crds/`; a namespace of its own for each test."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lab import Cluster
from lab.api import Api
from tests.cluster.clients import Kubectl, Releases

DEFINITIONS = Path(__file__).resolve().parents[2] / "crds"

_numbers = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.install(DEFINITIONS)
        yield cluster


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    return cluster.api


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    return Kubectl(cluster)


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A fresh namespace; it goes with the cluster."""
    name = f"test-{next(_numbers)}"
    cluster.namespace(name, injection=False)
    return name


@pytest.fixture
def releases(api: Api, namespace: str) -> Releases:
    return Releases(api, namespace)
