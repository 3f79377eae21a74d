"""The cache: newer wins, the dead stay dead, and only those whom a change concerns are woken."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from canary_operator.api.names import MARK, OWNER
from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import (
    CANARY_RELEASE,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    REPLICA_SET,
    SERVICE,
    VIRTUAL_SERVICE,
)
from canary_operator.workloads.model import Endpoint

REVIEWS = Key("shop", "reviews")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.jump = timedelta()

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return NOON + self.jump + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Cache:
    found = Cache(monotonic=clock.monotonic, wall=clock.wall)
    found.mark_synced()
    return found


def document(
    name: str, version: int, namespace: str = "shop", *, metadata: Mapping[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": str(version), **(metadata or {})}, **fields}


def release(name: str, number: int = 1, service: str | None = None, **fields: Any) -> dict[str, Any]:
    return document(name, number, spec={"service": {"name": service or name}, "version": "v1", **fields})


def service(version: int = 1, **fields: Any) -> dict[str, Any]:
    return document("reviews", version, spec={"selector": {"app": "reviews"}}, **fields)


def replica_set(version: int, labels: Mapping[str, str] | None = None, **status: Any) -> dict[str, Any]:
    labels = labels if labels is not None else {"app": "reviews", "version": "v1"}
    return document(
        "reviews-v1-abc",
        version,
        spec={"replicas": 2, "template": {"metadata": {"labels": labels}, "spec": {"containers": []}}},
        status=status,
    )


def virtual_service(
    version: int, weight: int = 0, namespace: str = "shop", host: str = "reviews", mark: str | None = None
) -> dict[str, Any]:
    route = [{"destination": {"host": host, "subset": "canary"}, "weight": weight}]
    annotations = {MARK: mark} if mark else {}
    return document(
        "reviews", version, namespace, metadata={"annotations": annotations}, spec={"hosts": [host], "http": [{"route": route}]}
    )


def test_an_older_or_equal_version_is_ignored(cache: Cache) -> None:
    assert cache.store(CANARY_RELEASE, release("reviews", 10)) == {REVIEWS}
    assert cache.store(CANARY_RELEASE, release("reviews", 9, version="v0")) == frozenset()
    assert cache.store(CANARY_RELEASE, release("reviews", 10, version="v0")) == frozenset()
    found = cache.get(CANARY_RELEASE, *REVIEWS)
    assert found is not None and found["spec"]["version"] == "v1"


def test_versions_are_compared_as_numbers(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("reviews", 9))
    assert cache.store(CANARY_RELEASE, release("reviews", 10, steps=[]))


def test_a_late_event_does_not_raise_the_dead(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("reviews", 10))
    assert cache.remove(CANARY_RELEASE, release("reviews", 12)) == {REVIEWS}
    assert cache.store(CANARY_RELEASE, release("reviews", 11)) == frozenset()
    assert cache.keys() == frozenset()
    assert cache.store(CANARY_RELEASE, release("reviews", 13)) == {REVIEWS}


def test_a_late_deletion_does_not_take_the_successor_away(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("reviews", 20))
    assert cache.remove(CANARY_RELEASE, release("reviews", 12)) == frozenset()
    assert cache.keys() == {REVIEWS}


def test_a_removal_without_version_speaks_of_what_is_known(cache: Cache) -> None:
    cache.store(VIRTUAL_SERVICE, virtual_service(20))
    cache.remove(VIRTUAL_SERVICE, {"metadata": {"namespace": "shop", "name": "reviews"}})
    assert cache.get(VIRTUAL_SERVICE, "shop", "reviews") is None
    assert not cache.store(VIRTUAL_SERVICE, virtual_service(20)) and cache.get(VIRTUAL_SERVICE, "shop", "reviews") is None


def test_a_whole_list_removes_what_it_lacks_but_nothing_newer_or_elsewhere(cache: Cache) -> None:
    for name, version in (("a", 1), ("b", 2)):
        cache.store(CANARY_RELEASE, release(name, version))
    cache.store(CANARY_RELEASE, document("other", 1, "elsewhere", spec={"service": {"name": "x"}}))
    listing = cache.listing(CANARY_RELEASE, ("shop",))
    cache.store(CANARY_RELEASE, release("new", 30))
    assert listing.take([release("a", 1)], "20") | listing.end() == {Key("shop", "b")}
    assert cache.keys() == {Key("shop", "a"), Key("shop", "new"), Key("elsewhere", "other")}


def test_a_list_that_shows_an_earlier_state_replaces_what_was_known(cache: Cache) -> None:
    """As after a restore of etcd. What became known while it was read stays."""
    cache.store(CANARY_RELEASE, release("a", 900, version="v2"))
    cache.store(CANARY_RELEASE, release("later", 901))
    cache.remove(CANARY_RELEASE, release("back", 902))
    listing = cache.listing(CANARY_RELEASE)
    assert listing.take([release("a", 5), release("back", 6)], "40") == {Key("shop", "a"), Key("shop", "back")}
    cache.store(CANARY_RELEASE, release("written", 1000))
    assert listing.end() == {Key("shop", "later")}
    found = cache.get(CANARY_RELEASE, "shop", "a")
    assert found is not None and found["spec"]["version"] == "v1"
    assert cache.keys() == {Key("shop", name) for name in ("a", "back", "written")}
    assert cache.store(CANARY_RELEASE, release("a", 41, version="v3")) == {Key("shop", "a")}


def test_what_was_deleted_while_a_list_was_read_stays_dead(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("a", 5))
    listing = cache.listing(CANARY_RELEASE)
    cache.remove(CANARY_RELEASE, release("a", 30))
    assert listing.take([release("a", 5)], "20") == listing.end() == frozenset()
    assert cache.keys() == frozenset()


def test_a_change_of_what_is_not_kept_concerns_nobody(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("reviews"))
    cache.store(SERVICE, service())
    assert cache.store(REPLICA_SET, replica_set(5, readyReplicas=0)) == {REVIEWS}
    assert cache.store(REPLICA_SET, replica_set(6, readyReplicas=2)) == frozenset()
    assert cache.store(SERVICE, service(7, status={"loadBalancer": {}})) == frozenset()
    managed = release("reviews", 8)
    managed["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    assert cache.store(CANARY_RELEASE, managed) == frozenset()
    kept = cache.get(CANARY_RELEASE, *REVIEWS)
    assert kept is not None and "managedFields" not in kept["metadata"] and kept["metadata"]["resourceVersion"] == "8"


def test_trimming_leaves_the_given_document_alone(cache: Cache) -> None:
    given = replica_set(5, readyReplicas=1)
    cache.store(REPLICA_SET, given)
    assert given == replica_set(5, readyReplicas=1)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        pytest.param(SERVICE, service(), id="its Service"),
        pytest.param(
            ENDPOINT_SLICE,
            document("reviews-x", 1, metadata={"labels": {"kubernetes.io/service-name": "reviews"}}, endpoints=[]),
            id="its endpoints",
        ),
        pytest.param(REPLICA_SET, replica_set(1), id="a workload its Service selects"),
        pytest.param(
            REPLICA_SET, replica_set(1, {"app": "review", "version": "v2"}), id="a workload of its version that its Service does not select"
        ),
        pytest.param(VIRTUAL_SERVICE, virtual_service(1), id="a route to it by short name"),
        pytest.param(
            VIRTUAL_SERVICE, virtual_service(1, namespace="infra", host="reviews.shop.svc.cluster.local"), id="a route to it from elsewhere"
        ),
        pytest.param(
            VIRTUAL_SERVICE, virtual_service(1, namespace="infra", host="*.shop.svc.cluster.local"), id="a wildcard over the namespace"
        ),
        pytest.param(VIRTUAL_SERVICE, virtual_service(1, namespace="infra", host="*"), id="a wildcard over everything"),
        pytest.param(VIRTUAL_SERVICE, virtual_service(1, namespace="infra", host="reviews.example.com"), id="a route of its outer host"),
        pytest.param(DESTINATION_RULE, document("x", 1, spec={"host": "reviews"}), id="a DestinationRule of its host"),
        pytest.param(DESTINATION_RULE, document("x", 1, "istio-system", spec={"host": "*.cluster.local"}), id="a broad DestinationRule"),
        pytest.param(VIRTUAL_SERVICE, document("x", 1, metadata={"labels": {OWNER: "reviews"}}, spec={}), id="an object that it owns"),
    ],
)
def test_a_release_is_woken_by(cache: Cache, kind: Any, changed: dict[str, Any]) -> None:
    cache.store(
        CANARY_RELEASE,
        release("reviews", version="v2", traffic={"owned": {"hosts": ["reviews.example.com"], "gateways": ["infra/public"]}}),
    )
    cache.store(CANARY_RELEASE, release("ratings"))
    if kind != SERVICE:
        cache.store(SERVICE, service())
    woken = cache.store(kind, changed)
    host = str(changed.get("spec", {}).get("hosts", [changed.get("spec", {}).get("host", "")])[0])
    assert woken == ({REVIEWS, Key("shop", "ratings")} if host.startswith("*") else {REVIEWS})
    assert cache.remove(kind, changed) == woken, "its going concerns the same"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        pytest.param(SERVICE, document("ratings", 1, spec={}), id="another Service"),
        pytest.param(REPLICA_SET, replica_set(1, {"app": "ratings"}), id="a workload its Service does not select"),
        pytest.param(VIRTUAL_SERVICE, virtual_service(1, namespace="other"), id="the same short name in another namespace"),
        pytest.param(VIRTUAL_SERVICE, virtual_service(1, host="*.example.com"), id="a wildcard over other hosts"),
    ],
)
def test_a_release_sleeps_through(cache: Cache, kind: Any, changed: dict[str, Any]) -> None:
    cache.store(CANARY_RELEASE, release("reviews"))
    cache.store(SERVICE, service())
    assert cache.store(kind, changed) == frozenset()


def test_an_attached_virtual_service_wakes_its_release_whatever_it_says(cache: Cache) -> None:
    attach = [{"virtualService": "web"}]
    cache.store(CANARY_RELEASE, release("reviews", traffic={"attach": attach}))
    elsewhere = document("web", 2, spec={"hosts": ["x.example.com"], "http": [{"redirect": {}}]})
    assert cache.store(VIRTUAL_SERVICE, elsewhere) == {REVIEWS}
    assert cache.remove(VIRTUAL_SERVICE, elsewhere) == {REVIEWS}
    assert cache.store(VIRTUAL_SERVICE, document("web", 3, "other", spec={"hosts": ["x"]})) == frozenset()
    assert cache.store(CANARY_RELEASE, release("ratings", 4, traffic={"attach": attach})) == {REVIEWS, Key("shop", "ratings")}
    assert cache.remove(CANARY_RELEASE, release("ratings", 5)) == {REVIEWS, Key("shop", "ratings")}
    assert cache.store(VIRTUAL_SERVICE, document("web", 6, spec={"hosts": ["x"]})) == {REVIEWS}


@pytest.mark.parametrize(
    ("namespace", "delegate", "woken"),
    [
        ("shop", {"name": "reviews"}, {REVIEWS}),
        ("infra", {"name": "reviews", "namespace": "shop"}, {REVIEWS}),
        ("infra", {"name": "reviews"}, set()),
    ],
    ids=["of its namespace", "from elsewhere", "that means another"],
)
def test_a_root_wakes_the_delegate_that_it_names(cache: Cache, namespace: str, delegate: dict[str, str], woken: set[Key]) -> None:
    cache.store(CANARY_RELEASE, release("reviews", traffic={"delegate": {}}))
    assert cache.store(VIRTUAL_SERVICE, document("root", 2, namespace, spec={"http": [{"delegate": delegate}]})) == woken


def test_of_all_managers_of_a_route_only_the_last_other_one_is_kept(cache: Cache) -> None:
    def stored(version: int, *entries: tuple[str, int]) -> object:
        fields = [{"manager": manager, "time": f"2026-01-01T00:00:0{second}Z", "fieldsV1": {}} for manager, second in entries]
        cache.store(VIRTUAL_SERVICE, document("reviews", version, metadata={"managedFields": fields}, spec={}))
        metadata = (cache.get(VIRTUAL_SERVICE, "shop", "reviews") or {})["metadata"]
        assert "managedFields" not in metadata
        return metadata.get("touchedBy")

    assert stored(1, ("istio-canary-operator", 5)) is None
    assert stored(2, ("alice", 1), ("git", 6), ("istio-canary-operator", 5)) == "git"
    assert stored(3, ("git", 6), ("istio-canary-operator", 7)) is None
    assert stored(4, ("git", 7), ("istio-canary-operator", 7)) == "git", "the times are whole seconds"


def test_a_rival_for_the_same_service_is_woken_by_spec_and_end_but_not_by_status(cache: Cache) -> None:
    rival = Key("shop", "rival")
    cache.store(CANARY_RELEASE, release("reviews", 1))
    assert cache.store(CANARY_RELEASE, release("rival", 2, service="reviews")) == {REVIEWS, rival}
    assert cache.store(CANARY_RELEASE, {**release("reviews", 3), "status": {"phase": "Stable"}}) == {REVIEWS}
    assert cache.remove(CANARY_RELEASE, release("reviews", 4)) == {REVIEWS, rival}
    assert cache.store(SERVICE, service(5)) == {rival}


def test_replica_sets_and_slices_are_found_by_service(cache: Cache) -> None:
    cache.store(REPLICA_SET, replica_set(1))
    labels = {"kubernetes.io/service-name": "reviews"}
    endpoints = [{"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "p"}, "conditions": {"ready": True}}]
    cache.store(ENDPOINT_SLICE, document("reviews-x", 1, metadata={"labels": labels}, endpoints=endpoints))
    assert [each["metadata"]["name"] for each in cache.replica_sets("shop", {"app": "reviews"})] == ["reviews-v1-abc"]
    assert cache.replica_sets("shop", {"app": "ratings"}) == () and cache.replica_sets("shop", {}) == ()
    (found,) = cache.endpoint_slices("shop", "reviews")
    assert found["endpoints"] == (Endpoint("Pod", "p", "", "10.0.0.1", ready=True),)
    cache.remove(ENDPOINT_SLICE, document("reviews-x", 2))
    assert cache.endpoint_slices("shop", "reviews") == ()


def test_since_is_when_the_routing_was_first_seen_as_it_stands(cache: Cache, clock: Clock) -> None:
    def since() -> float:
        return (cache.since(VIRTUAL_SERVICE, "shop", "reviews") - NOON).total_seconds()

    assert since() == 100, "absent since the start"
    clock.seconds = 110
    cache.store(VIRTUAL_SERVICE, virtual_service(1, 0))
    clock.seconds = 120
    cache.store(VIRTUAL_SERVICE, {**virtual_service(2, 0), "status": {"x": 1}})
    assert since() == 110, "a status is no routing"
    cache.store(VIRTUAL_SERVICE, virtual_service(3, 5))
    assert since() == 120
    clock.seconds = 130
    cache.store(VIRTUAL_SERVICE, virtual_service(4, 5, mark="u/1/2/5/Rise"))
    assert since() == 130, "the mark counts"
    clock.seconds = 140
    cache.remove(VIRTUAL_SERVICE, virtual_service(5))
    assert since() == 140, "absence too"


def test_what_was_seen_before_the_lists_were_in_counts_from_then(clock: Clock) -> None:
    cache = Cache(monotonic=clock.monotonic, wall=clock.wall)
    cache.store(VIRTUAL_SERVICE, virtual_service(1))
    clock.seconds = 150
    cache.mark_synced()
    assert (cache.since(VIRTUAL_SERVICE, "shop", "reviews") - NOON).total_seconds() == 150


def test_a_jump_of_the_wall_clock_makes_nothing_older_or_newer(cache: Cache, clock: Clock) -> None:
    cache.store(VIRTUAL_SERVICE, virtual_service(1))
    clock.seconds = 110
    clock.jump = timedelta(days=1)
    assert cache.now() - cache.since(VIRTUAL_SERVICE, "shop", "reviews") == timedelta(seconds=10)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)], ids=["set back", "set forward"])
def test_whether_a_release_was_read_after_its_routing_was_seen_does_not_rest_on_the_wall_clock(
    cache: Cache, clock: Clock, jump: timedelta
) -> None:
    cache.note_read(REVIEWS)
    clock.seconds, clock.jump = 110, jump
    cache.store(VIRTUAL_SERVICE, virtual_service(1))
    read, seen = cache.read_at(REVIEWS), cache.since(VIRTUAL_SERVICE, "shop", "reviews")
    assert read is not None and seen - read == timedelta(seconds=10)


def test_what_belongs_to_a_release_goes_with_it(cache: Cache) -> None:
    cache.store(CANARY_RELEASE, release("reviews", 1))
    cache.note_mark(REVIEWS, "u/1/1/5/Rise")
    cache.note_read(REVIEWS)
    assert cache.is_own_mark(REVIEWS, "u/1/1/5/Rise") and not cache.is_own_mark(REVIEWS, None)
    assert cache.read_at(REVIEWS) == cache.now()
    cache.remove(CANARY_RELEASE, release("reviews", 2))
    assert not cache.is_own_mark(REVIEWS, "u/1/1/5/Rise") and cache.read_at(REVIEWS) is None


def test_graves_are_forgotten_in_the_end(cache: Cache, clock: Clock) -> None:
    for number in range(100):
        cache.remove(VIRTUAL_SERVICE, document(f"x{number}", 5))
    clock.seconds += 3600
    cache.remove(VIRTUAL_SERVICE, document("last", 5))
    assert len(cache._graves) == 1
