"""A pass is given the objects that can concern its CanaryRelease, and no others: the checks find what they would find among all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache as cache_of_calls
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.api.names import OWNER
from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.findings import Remembered, attachments, behind, facts_of, look
from canary_operator.mesh.routes import names_delegate, names_subsets
from canary_operator.observe import observe
from canary_operator.preflight import Facts, Peer, inspect, left_out, wanted
from canary_operator.preflight.finding import SERVICE_SELECTS_NO_POD, Finding
from canary_operator.preflight.reading import Listing, Read
from canary_operator.subject import subject
from canary_operator.trimming import name_of

NAMESPACES = ("shop", "infra", "istio-system")
SERVICES = ("reviews", "ratings")
HOSTS = (
    *SERVICES,
    "reviews.shop",
    "Reviews.shop.svc.cluster.local",
    *(f"{name}.{namespace}.svc.cluster.local" for name in SERVICES for namespace in NAMESPACES),
    *("*", "*.local", "*.cluster.local", "*.svc.cluster.local", "*.shop.svc.cluster.local", "*s.shop.svc.cluster.local"),
    *("reviews.example.com", "*.example.com", "*.shop.example.com", "a.shop.example.com", "example.com"),
)
GATEWAYS = (None, ["mesh"], ["public"], ["infra/public"], ["./public", "mesh"], ["public.infra.svc.cluster.local"])
CALLERS: tuple[Mapping[str, Any], ...] = (
    {"reporter": "source", "workload": "web", "namespace": "infra", "requests": 5.0},
    {"reporter": "source", "workload": "web", "namespace": "shop", "requests": 5.0},
)

LATER = count(100_000)
"""Resource versions after all those of a crowd."""
World = Mapping[tuple[Kind, str, str], dict[str, Any]]


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def but_empty(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping without what was drawn as None."""
    return st.fixed_dictionaries(fields).map(lambda drawn: {key: value for key, value in drawn.items() if value is not None})


LABELS = but_empty(
    app=some(None, *SERVICES), tier=some(None, "backend"), version=some(None, "v1", "v2"), **{"pod-template-hash": some(None, "a", "b")}
)
SELECTORS = st.one_of(some(*({"app": name} for name in SERVICES)), LABELS)
DESTINATION = but_empty(host=some(*HOSTS), subset=some(None, "stable", "canary", "blue"))
SHARES = st.lists(but_empty(destination=DESTINATION, weight=some(None, 100)), max_size=2)
HTTP = but_empty(
    name=some(None, "canary", "primary"),
    route=SHARES,
    delegate=st.one_of(st.none(), but_empty(name=some(*SERVICES), namespace=some(None, *NAMESPACES))),
)
EXPORTS = some(None, None, ["."], ["*"], ["infra"])
SPECS: dict[Kind, st.SearchStrategy[dict[str, Any]]] = {
    VIRTUAL_SERVICE: but_empty(
        hosts=st.lists(some(*HOSTS), max_size=2),
        gateways=some(*GATEWAYS),
        exportTo=EXPORTS,
        http=st.lists(HTTP, max_size=2),
        tcp=st.one_of(st.none(), st.lists(but_empty(route=SHARES), max_size=1)),
    ),
    DESTINATION_RULE: but_empty(
        host=some(*HOSTS),
        exportTo=EXPORTS,
        subsets=st.lists(but_empty(name=some("stable", "canary", "blue")), max_size=2),
        trafficPolicy=some(None, {"tls": {"mode": "DISABLE"}}),
        workloadSelector=some(None, None, None, {"matchLabels": {"app": "web"}}),
    ),
    SERVICE: but_empty(selector=SELECTORS, ports=some([{"name": "http", "port": 9080}])),
    REPLICA_SET: but_empty(
        replicas=some(0, 2), template=but_empty(metadata=but_empty(labels=LABELS), spec=some({"containers": [{"name": "app"}]}))
    ),
    CANARY_RELEASE: but_empty(
        service=but_empty(name=some(*SERVICES)),
        version=some("v1", "v2"),
        traffic=some(
            None,
            {"owned": {"hosts": ["reviews.example.com"], "gateways": ["infra/public"]}},
            {"owned": {"hosts": ["*.shop.example.com", "example.com"], "gateways": ["infra/public"]}},
            {"owned": {"hosts": ["reviews.example.com"], "gateways": ["mesh", "public"]}},
            *({"attach": [{"virtualService": name, **routes}]} for name in SERVICES for routes in ({}, {"routes": ["primary"]})),
            {"delegate": {}},
        ),
    ),
}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some objects of each kind, by kind and name."""
    found = {}
    for kind, specs in SPECS.items():
        where = st.tuples(some(*NAMESPACES), some(*SERVICES, "other"))
        for namespace, name in draw(st.lists(where, max_size=4, unique=True)):
            labels = {OWNER: owner} if (owner := draw(some(None, *SERVICES))) and kind in (VIRTUAL_SERVICE, DESTINATION_RULE) else {}
            found[kind, namespace, name] = {
                "metadata": {**_metadata(namespace, name, draw(some(1, 2))), "labels": labels},
                "spec": draw(specs),
            }
    release = {"service": {"name": "reviews"}, "version": "v2"}
    found.setdefault((CANARY_RELEASE, "shop", "reviews"), {"metadata": _metadata("shop", "reviews"), "spec": release})
    return found


def _metadata(namespace: str, name: str, day: int = 1) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "uid": name, "generation": 1, "creationTimestamp": f"2026-01-0{day}T00:00:00Z"}


def told(*history: World) -> Cache:
    """What a cache holds that was told of each world after the other."""
    cache, version = Cache(), 0
    for world, before in zip(history, ({}, *history[:-1]), strict=True):
        for kind, namespace, name in before.keys() - world.keys():
            cache.remove(kind, {"metadata": {"namespace": namespace, "name": name}})
        for (kind, _, _), document in world.items():
            version += 1
            cache.store(kind, {**document, "metadata": {**document["metadata"], "resourceVersion": str(version)}})
    return cache


def around(namespace: str, service: str) -> dict[Read, Listing]:
    return {Read("Telemetry", namespace, service, "default"): CALLERS}


def among_all(facts: Facts, cache: Cache) -> Facts:
    """The same CanaryRelease, with every object of the watched kinds before its eyes."""

    def every(kind: Kind, namespace: str | None = None) -> tuple[Mapping[str, Any], ...]:
        return tuple(sorted(cache.all(kind, namespace), key=name_of))

    return replace(
        facts,
        services=every(SERVICE, facts.namespace),
        replica_sets=every(REPLICA_SET, facts.namespace),
        virtual_services=every(VIRTUAL_SERVICE),
        destination_rules=every(DESTINATION_RULE),
        releases=tuple(
            Peer(*name_of(each), each["metadata"]["creationTimestamp"], each["spec"]["service"]["name"], attachments(each))
            for each in every(CANARY_RELEASE, facts.namespace)
        ),
    )


def looked_at(cache: Cache) -> Iterator[Facts]:
    for key in sorted(cache.keys()):
        it = subject(key, cache)
        assert it is not None
        known = around(key.namespace, it.spec.service.name)
        yield facts_of(it, cache, known, behind(it, cache, known))


@settings(max_examples=120, deadline=None)
@given(world=worlds())
def test_the_checks_find_what_they_find_among_all_objects(world: World) -> None:
    cache = told(world)
    for facts in looked_at(cache):
        everything = among_all(facts, cache)
        assert (inspect(facts), wanted(facts), left_out(facts)) == (inspect(everything), wanted(everything), left_out(everything))


@settings(max_examples=40, deadline=None)
@given(history=st.lists(worlds(), min_size=2, max_size=3))
def test_what_changed_on_the_way_leaves_no_trace(history: list[World]) -> None:
    def names(cache: Cache) -> list[Any]:
        kinds = ("services", "replica_sets", "virtual_services", "destination_rules")
        return [([[name_of(each) for each in getattr(facts, kind)] for kind in kinds], facts.releases) for facts in looked_at(cache)]

    assert names(told(*history)) == names(told(history[-1]))


@settings(max_examples=40, deadline=None)
@given(world=worlds())
def test_roots_and_users_of_the_subsets_are_found(world: World) -> None:
    cache = told(world)
    routes = cache.all(VIRTUAL_SERVICE)
    for key in sorted(cache.keys()):
        delegating = {name_of(each) for each in routes if names_delegate(each, *key)}
        assert cache.indexes.delegating_to(key) == delegating
        host = f"{key.name}.{key.namespace}.svc.cluster.local"
        assert {name_of(each) for each in routes if names_subsets(each, host)} <= cache.indexes.sending_to(host)


def test_pods_of_the_wanted_version_that_no_service_selects_are_looked_at_until_one_does() -> None:
    def deployed(app: str) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": app, "version": "v2"}}, "spec": {}}
        return {"metadata": _metadata("shop", "typo-v2-1"), "spec": {"replicas": 1, "template": template}}

    def selecting(app: str) -> dict[str, Any]:
        return {"metadata": _metadata("shop", app), "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 9080}]}}

    release = {"metadata": _metadata("shop", "reviews"), "spec": {"service": {"name": "reviews"}, "version": "v2"}}
    world: World = {
        (CANARY_RELEASE, "shop", "reviews"): release,
        (SERVICE, "shop", "reviews"): selecting("reviews"),
        (REPLICA_SET, "shop", "typo-v2-1"): deployed("reveiws"),
    }
    cache = told(world)
    assert [each.reason for facts in looked_at(cache) for each in inspect(facts)][:1] == [SERVICE_SELECTS_NO_POD]
    cache.store(SERVICE, {**selecting("reveiws"), "metadata": {**_metadata("shop", "reveiws"), "resourceVersion": "90"}})
    assert [each.reason for facts in looked_at(cache) for each in inspect(facts) if each.reason == SERVICE_SELECTS_NO_POD] == []


# ------------------------------------------------------------------------------------------------------------------------- remembered


def looks(*changes: tuple[Kind, dict[str, Any]]) -> int:
    """How often the checks run in a look before each of these changes, and in two looks after the last."""
    cache, looked = crowd(3, 1)[0], []

    def check(facts: Facts) -> tuple[Finding, ...]:
        looked.append(facts)
        return inspect(facts)

    remembered = Remembered(check)
    found = []
    for change in (*changes, None, None):
        it = subject(Key("shop-0", "reviews"), cache)
        assert it is not None
        found.append(look(it, cache, around("shop-0", "reviews"), remembered=remembered))
        assert found[-1] == look(it, cache, around("shop-0", "reviews"))
        if change is not None:
            kind, document = change
            cache.store(kind, {**document, "metadata": {**document["metadata"], "resourceVersion": str(next(LATER))}})
    return len(looked)


def test_what_has_not_changed_is_not_checked_again() -> None:
    assert looks() == 1


def test_another_release_s_objects_cost_no_second_look() -> None:
    other = {"host": "app-1.shop-0.svc.cluster.local", "subsets": [{"name": "blue"}]}
    assert looks((DESTINATION_RULE, {"metadata": _metadata("shop-0", "app-1"), "spec": other})) == 1


def test_what_has_changed_is_checked_again() -> None:
    hiding = {"host": "*.shop-0.svc.cluster.local"}
    assert looks((DESTINATION_RULE, {"metadata": _metadata("infra", "hiding"), "spec": hiding})) == 2


def test_a_status_that_changes_is_no_reason_to_look_again() -> None:
    release = {"spec": {"service": {"name": "reviews"}, "version": "v2"}, "status": {"observedGeneration": 1}}
    assert looks((CANARY_RELEASE, {"metadata": _metadata("shop-0", "reviews"), **release})) == 1


# ------------------------------------------------------------------------------------------------------------------------------- costs


class Touched(dict[str, Any]):
    """A part of a document that notes when it is read."""

    def __init__(self, name: object, notes: set[object], content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self._name, self._notes = name, notes

    def __getitem__(self, key: str) -> Any:
        self._notes.add(self._name)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._notes.add(self._name)
        return super().get(key, default)

    def items(self) -> Any:
        self._notes.add(self._name)
        return super().items()


@cache_of_calls
def crowd(neighbours: int, namespaces: int) -> tuple[Cache, set[object]]:
    """One CanaryRelease of Service reviews, and so many others, each with its Service, two versions, and routing objects; what was read of them."""
    cache, version = Cache(), 0
    notes: set[object] = set()

    def store(kind: Kind, namespace: str, name: str, **spec: Any) -> None:
        nonlocal version
        version += 1
        metadata = {**_metadata(namespace, name), "resourceVersion": str(version)}
        if kind == REPLICA_SET:
            spec["template"]["metadata"]["labels"] = Touched((kind.kind, namespace, name), notes, spec["template"]["metadata"]["labels"])
        cache.store(kind, {"metadata": metadata, "spec": Touched((kind.kind, namespace, name), notes, spec)})

    for number in range(neighbours + 1):
        namespace, name = (f"shop-{number % namespaces}", f"app-{number}") if number else ("shop-0", "reviews")
        host = f"{name}.{namespace}.svc.cluster.local"
        store(CANARY_RELEASE, namespace, name, service={"name": name}, version="v2")
        store(SERVICE, namespace, name, selector={"app": name, "part-of": "shop"}, ports=[{"name": "http", "port": 9080}])
        store(VIRTUAL_SERVICE, namespace, f"{name}-edge", hosts=[f"{name}.example.com"], gateways=["infra/public"], http=[])
        store(VIRTUAL_SERVICE, namespace, name, hosts=[host], http=[{"route": [{"destination": {"host": host, "subset": "stable"}}]}])
        store(DESTINATION_RULE, namespace, name, host=host, subsets=[])
        for release in ("v1", "v2"):
            labels = {"app": name, "part-of": "shop", "version": release, "pod-template-hash": f"{name}{release}"}
            store(REPLICA_SET, namespace, f"{name}-{release}-1", replicas=2, template={"metadata": {"labels": labels}, "spec": {}})
    return cache, notes


@pytest.mark.parametrize("namespaces", [1, 50])
def test_a_pass_touches_as_many_documents_among_a_thousand_releases_as_among_ten(namespaces: int) -> None:
    def touched(neighbours: int) -> set[object]:
        cache, notes = crowd(neighbours, namespaces)
        notes.clear()
        it = subject(Key("shop-0", "reviews"), cache)
        assert it is not None
        observe(it, cache, look(it, cache, around("shop-0", "reviews")))
        return set(notes)

    assert touched(10) == touched(1000) != set()


@pytest.mark.parametrize("kind", [SERVICE, REPLICA_SET, VIRTUAL_SERVICE, DESTINATION_RULE, CANARY_RELEASE])
def test_a_change_touches_as_many_documents_among_a_thousand_releases_as_among_ten(kind: Kind) -> None:
    def touched(neighbours: int) -> set[object]:
        cache, notes = crowd(neighbours, 1)
        name = ("shop-0", "reviews-v2-1" if kind == REPLICA_SET else "reviews")
        document = cache.get(kind, *name)
        assert document is not None
        notes.clear()
        cache.remove(kind, document)
        assert cache.store(kind, {**document, "metadata": {**document["metadata"], "resourceVersion": str(next(LATER))}}) == {
            Key("shop-0", "reviews")
        }
        return set(notes)

    assert touched(10) == touched(1000)
