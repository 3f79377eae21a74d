"""One lab for all tests of this folder; each test has a namespace of its own in it."""

import itertools
from collections.abc import Iterator

import pytest

from lab import Lab
from lab.isolation import isolated
from tests.lab.shop import Shop

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if not isolated():
        pytest.skip("needs a namespace of its own: python -m lab isolated -- pytest tests/lab")
    with Lab(scrape="1s") as lab:
        print(f"\nlab up in {lab.started_in:.1f} s")
        yield lab


@pytest.fixture
def shop(lab: Lab) -> Iterator[Shop]:
    shop = Shop(lab, f"shop-{next(_numbers)}")
    yield shop
    lab.api.delete(f"/api/v1/namespaces/{shop.namespace}")
