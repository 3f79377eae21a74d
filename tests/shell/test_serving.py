"""Which pods count for which version: by the names that Kubernetes gives them, and only pods."""

from datetime import UTC, datetime
from typing import Any

import pytest

from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, ENDPOINT_SLICE, REPLICA_SET, SERVICE
from canary_operator.serving import made, survey
from canary_operator.subject import subject

KEY = Key("shop", "reviews")
LONGEST_BASE = 58
"""Kubernetes cuts the name that a pod's is made of at this length: k8s.io/apiserver pkg/storage/names/generate.go."""


def named(name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1", "generation": 1, **rest.pop("metadata", {})}
    return {"metadata": metadata, **rest}


def replica_set(name: str, version: str, replicas: int = 2) -> dict[str, Any]:
    return named(name, spec={"replicas": replicas, "template": {"metadata": {"labels": {"app": "reviews", "version": version}}}})


def pod_of(set_name: str, random: str) -> dict[str, Any]:
    return {"targetRef": {"kind": "Pod", "name": f"{set_name}-"[:LONGEST_BASE] + random}, "conditions": {"ready": True}}


def ready(sets: list[dict[str, Any]], endpoints: list[dict[str, Any]]) -> dict[str, int]:
    cache = Cache()
    service = named("reviews", spec={"selector": {"app": "reviews"}, "ports": [{"port": 9080}]})
    cache.store(CANARY_RELEASE, named("reviews", spec={"service": {"name": "reviews"}, "version": "v2"}))
    cache.store(SERVICE, service)
    for each in sets:
        cache.store(REPLICA_SET, each)
    slices = {"labels": {"kubernetes.io/service-name": "reviews"}}
    cache.store(ENDPOINT_SLICE, named("reviews-1", metadata=slices, endpoints=endpoints))
    it = subject(KEY, cache)
    assert it is not None
    return {version: each.ready for version, each in survey(it, service, cache).versions.items()}


@pytest.mark.parametrize("length", [20, 57, 58, 59, 80])
def test_pods_are_counted_however_long_their_deployments_name_is(length: int) -> None:
    one, two = ("v1" + "x" * (length - 2), "v2" + "x" * (length - 2))
    sets, pods = [replica_set(one, "v1"), replica_set(two, "v2")], [pod_of(one, "abcde"), pod_of(one, "fghij"), pod_of(two, "klmno")]
    assert ready(sets, pods) == {"v1": 2, "v2": 1}


def test_pods_of_one_version_whose_names_are_cut_alike_count_once() -> None:
    long = "x" * 60
    assert ready([replica_set(long + "1", "v1"), replica_set(long + "2", "v1", 0)], [pod_of(long, "abcde")]) == {"v1": 1}


def test_pods_that_may_be_of_either_version_count_for_none() -> None:
    long = "x" * 60
    assert ready([replica_set(long + "-v1", "v1"), replica_set(long + "-v2", "v2")], [pod_of(long, "abcde")]) == {"v1": 0, "v2": 0}


def test_an_endpoint_that_is_no_pod_counts_for_nobody() -> None:
    by_hand = {"addresses": ["192.0.2.7"], "conditions": {"ready": True}}
    assert ready([replica_set("reviews-v1-1", "v1")], [by_hand, pod_of("reviews-v1-1", "abcde")]) == {"v1": 1}


# ------------------------------------------------------------------------------------------------ since when
def made_at(service: str | None, *slices: str | None) -> datetime | None:
    """Since when endpoints of the Service can be known, from the seconds at which it and its slices were made."""
    cache, label = Cache(), {"kubernetes.io/service-name": "reviews"}
    document = named("reviews", metadata={"creationTimestamp": service})
    cache.store(CANARY_RELEASE, named("reviews", spec={"service": {"name": "reviews"}, "version": "v2"}))
    for number, created in enumerate(slices):
        cache.store(ENDPOINT_SLICE, named(f"reviews-{number}", metadata={"labels": label, "creationTimestamp": created}, endpoints=[]))
    it = subject(KEY, cache)
    assert it is not None
    return made(it, document, cache)


def clock(hour: int, second: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, 0, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("service", "slices", "expected"),
    [
        pytest.param("2026-03-01T10:00:00Z", [], clock(10, 1), id="the second of the Service is over"),
        pytest.param("2026-03-01T10:00:00Z", ["2026-03-01T10:00:07Z"], clock(10, 8), id="its endpoints came later"),
        pytest.param("2026-03-01T10:00:00Z", ["2026-03-01T09:00:00Z"], clock(10, 1), id="slices of the old one linger"),
        pytest.param("2026-03-01T10:00:00Z", ["2026-03-01T12:00:00Z", "2026-03-01T10:00:01Z"], clock(10, 2), id="a slice was added"),
        pytest.param(None, [None], None, id="nobody says when"),
    ],
)
def test_endpoints_are_known_since_the_service_and_its_first_slice_were_made(
    service: str | None, slices: list[str | None], expected: datetime | None
) -> None:
    assert made_at(service, *slices) == expected
