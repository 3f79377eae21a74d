"""What stands behind a Service when no ReplicaSet tells of it: what is asked, what is said meanwhile, and what is known afterwards."""

from typing import Any

import pytest

from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, ENDPOINT_SLICE, SERVICE
from canary_operator.findings import Inspection, look
from canary_operator.observe import observe
from canary_operator.preflight.reading import Listing, Read
from canary_operator.release import reasons
from canary_operator.serving import wish
from canary_operator.subject import subject
from canary_operator.workloads.reading import pod_of

KEY = Key("shop", "reviews")
PODS = Read("Pod", "shop", selector="app=reviews")
TELEMETRY = Read("Telemetry", "shop", "reviews", "default")


def named(name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1", "generation": 1, **rest.pop("metadata", {})}
    return {"metadata": metadata, **rest}


def pod(name: str, **labels: str) -> dict[str, Any]:
    owners = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    metadata = {"generateName": "db-", "labels": {"app": "reviews", **labels}, "ownerReferences": owners}
    return named(name, metadata=metadata, spec={"containers": [{"name": "app"}, {"name": "istio-proxy"}]})


def behind(*names: str, status: dict[str, Any] | None = None) -> Cache:
    """Ready pods of a StatefulSet behind the Service."""
    cache = Cache()
    cache.store(CANARY_RELEASE, named("reviews", spec={"service": {"name": "reviews"}, "version": "v2"}, status=status or {}))
    cache.store(SERVICE, named("reviews", spec={"selector": {"app": "reviews"}, "ports": [{"name": "http", "port": 9080}]}))
    endpoints = [{"addresses": ["10.0.0.9"], "targetRef": {"kind": "Pod", "name": name, "uid": name}} for name in names]
    cache.store(ENDPOINT_SLICE, named("reviews-1", metadata={"labels": {"kubernetes.io/service-name": "reviews"}}, endpoints=endpoints))
    return cache


def looked(cache: Cache, around: dict[Read, Listing] | None = None, trouble: str | None = None) -> Inspection:
    it = subject(KEY, cache)
    assert it is not None
    # Whatever else is asked for is there, and brought nothing.
    first = look(it, cache, {})
    return look(it, cache, dict.fromkeys(first.reads, ()) | (around or {}), pods_trouble=trouble)


def told(of: Inspection) -> list[str]:
    return [each.reason for each in (*of.findings, *([of.unread] if of.unread else []))]


def test_a_pod_that_is_not_known_is_asked_for_and_nothing_moves_until_it_is() -> None:
    cache = behind("db-0", "db-1")
    found = looked(cache)
    assert told(found)[-1] == reasons.INSPECTING
    assert found.unread is not None
    assert "the labels of Pod shop/db-0 and 1 more" in found.unread.message
    wanted = wish(found.survey, cache.get(SERVICE, "shop", "reviews"), urgent=True)
    assert wanted is not None
    assert (wanted.selector, sorted(wanted.pods), wanted.urgent) == ("app=reviews", [("db-0", "db-0"), ("db-1", "db-1")], True)


def test_why_it_is_not_known_yet_is_said() -> None:
    unread = looked(behind("db-0"), trouble="list Pod shop: HTTP 503").unread
    assert unread is not None
    assert (unread.reason, "HTTP 503" in unread.message) == (reasons.SURROUNDINGS_UNREAD, True)


def test_what_may_not_be_read_is_a_finding_with_the_right_that_is_missing() -> None:
    cache = behind("db-0")
    cache.pods.deny("shop")
    found = looked(cache)
    assert found.unread is None
    (finding,) = [each for each in found.findings if each.reason == "EndpointWithoutVersion"]
    assert "grant the operator `list pods in shop`" in finding.message


@pytest.mark.parametrize("way", ["read by the lister", "read with the surroundings"])
def test_once_its_labels_are_known_it_serves_its_version(way: str) -> None:
    cache = behind("db-0")
    around: dict[Read, Listing] = {}
    if way == "read by the lister":
        cache.pods.put("shop", {("db-0", "db-0"): pod_of(pod("db-0", version="v1"))})
    else:
        around = {PODS: (pod("db-0", version="v1"),)}
    found = looked(cache, around)
    it = subject(KEY, cache)
    assert it is not None
    seen = observe(it, cache, found)
    assert seen.versions is not None
    assert (seen.versions["v1"].ready, seen.versions["v1"].workloads, seen.unknown) == (1, ("db",), 0)
    assert wish(found.survey, cache.get(SERVICE, "shop", "reviews"), urgent=True) is None


@pytest.mark.parametrize(
    ("status", "blocks"),
    [
        pytest.param({}, True, id="before the adoption"),
        pytest.param(
            {"stable": "v1@1", "release": {"state": "Progressing", "from": "v1@1", "to": "v2@1"}}, True, id="before a first weight"
        ),
        pytest.param(
            {"stable": "v1@1", "release": {"state": "Progressing", "from": "v1@1", "to": "v2@1", "step": 1, "weight": 25}},
            False,
            id="once traffic moves",
        ),
    ],
)
def test_a_pod_of_no_version_blocks_until_traffic_moves_and_then_warns(status: dict[str, Any], blocks: bool) -> None:
    cache = behind("db-0", status=status)
    cache.pods.put("shop", {("db-0", "db-0"): pod_of(pod("db-0"))})
    found = looked(cache)
    where = found.findings if blocks else found.warnings
    assert "EndpointWithoutVersion" in [each.reason for each in where]


def test_a_workload_that_only_telemetry_shows_is_asked_for_too() -> None:
    cache = behind("db-0")
    cache.pods.put("shop", {("db-0", "db-0"): pod_of(pod("db-0", version="v1"))})
    row = {"reporter": "source", "workload": "web", "namespace": "shop", "from_cluster": "", "to_cluster": "", "requests": 5.0}
    found = looked(cache, {TELEMETRY: ({**row, "served_by": "vm", "version": "v1", "revision": "v1"},)})
    assert found.survey.versions["v1"].workloads == ("db", "vm")
