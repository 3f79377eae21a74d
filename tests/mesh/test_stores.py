"""A good and a bad version, judged by a real Prometheus with two scrape jobs, by federation, and by recording rules that are federated."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from lab import Lab
from lab.waiting import until
from tests.mesh.shop import QUICK, Shop
from tests.mesh.stores import FEDERATED, SUMMED, TWICE, URLS, stores


@pytest.fixture(scope="module")
def all_stores(lab: Lab) -> Iterator[None]:
    with stores(lab, "1s"):
        yield


def series(store: str, shop: Shop) -> list[dict[str, str]]:
    """The labels of all counters of the shop's requests in a store."""
    query = f'istio_requests_total{{destination_service_namespace="{shop.namespace}",response_code="200"}}'
    with urlopen(f"{URLS[store]}/api/v1/query?{urlencode({'query': query})}", timeout=10) as answer:
        return [row["metric"] for row in json.load(answer)["data"]["result"]]


def is_as_it_is_called(store: str, found: list[dict[str, str]]) -> bool:
    """What makes the store another one than the lab's own."""
    match store:
        case "twice":
            return {each["job"] for each in found} == {"envoy", "envoy-1"}
        case "federated":
            return bool(found) and all(each["job"] == "envoy" and "instance" in each for each in found)
        case _:
            return bool(found) and not any("instance" in each for each in found)


def begun(shop: Shop, store: str) -> None:
    """v1 serves, and its requests are in the store."""
    shop.version("v1")
    shop.release("v1", analysis={**QUICK["analysis"], "prometheus": store})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    until(lambda: is_as_it_is_called(store, series(store, shop)), f"requests are in the store {store}", 30)


@pytest.mark.parametrize("store", [TWICE, FEDERATED, SUMMED])
def test_a_good_version_is_promoted(all_stores: None, shop: Shop, store: str) -> None:
    begun(shop, store)
    shop.version("v2")
    shop.want("v2")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("Promoted", "Promoted"), past
    shop.assert_rules()


@pytest.mark.parametrize("store", [TWICE, FEDERATED, SUMMED])
def test_a_version_that_fails_a_fifth_is_rolled_back(all_stores: None, shop: Shop, store: str) -> None:
    begun(shop, store)
    shop.version("v2", error_share=0.2)
    shop.want("v2")
    past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"], shop.weight) == ("RolledBack", "MoreFailures", 0), past
    shop.assert_rules()
