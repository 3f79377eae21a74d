"""One mesh and one operator for all tests of this folder; each test has a namespace of its own."""

import itertools
from collections.abc import Iterator

import pytest

from lab import Lab
from lab.isolation import isolated
from lab.operator import Operator
from tests.mesh.shop import Shop
from tests.mesh.stores import URLS

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if not isolated():
        pytest.skip("needs a namespace of its own: python -m lab isolated -- pytest tests/mesh")
    with Lab(scrape="1s", client_ports=(9080, 9081)) as lab:
        yield lab


@pytest.fixture(scope="session")
def operator(lab: Lab) -> Iterator[Operator]:
    operator = Operator(lab, lab.prometheus_url, providers=URLS)
    operator.start()
    operator.wait_ready()
    yield operator
    operator.terminate()


@pytest.fixture
def shop(lab: Lab, operator: Operator) -> Iterator[Shop]:
    shop = Shop(lab, f"shop-{next(_numbers)}")
    yield shop
    shop.close()


@pytest.fixture
def two_ports(lab: Lab, operator: Operator) -> Iterator[Shop]:
    """A Service of two HTTP ports, each with a server of its own in the same pods."""
    shop = Shop(lab, f"shop-{next(_numbers)}", others=(9081,))
    yield shop
    shop.close()
