"""Pods that no name tells of: read once, by metadata only; nothing at rest."""

import asyncio
from typing import Any

import pytest

from canary_operator.cache import Cache, Key
from canary_operator.clients.errors import Forbidden, Unavailable
from canary_operator.clients.kinds import ENDPOINT_SLICE, Kind
from canary_operator.known_pods import Wish
from canary_operator.lister import BY_NAME, Lister

KEY, OTHER = Key("shop", "reviews"), Key("shop", "ratings")


class Cluster:
    """Pods by name; `selected` are those that the selector finds."""

    def __init__(self, *selected: str, others: tuple[str, ...] = ()) -> None:
        self.selected, self.others = selected, others
        self.asked: list[tuple[str, str]] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def find_metadata(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        self.asked.append((labels, fields))
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        wanted = fields.removeprefix("metadata.name=")
        names = self.selected if labels else [each for each in (*self.selected, *self.others) if wanted in ("", each)]
        return [{"metadata": {"name": name, "uid": f"uid of {name}", "labels": {"version": "v1"}}} for name in names]


class Place:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.cache = cluster, Cache()
        self.woken: list[Key] = []
        self.lister = Lister(cluster, self.cache, self.woken.append)

    def want(self, *names: str, key: Key = KEY, urgent: bool = False) -> None:
        self.lister.want(key, Wish("app=reviews", frozenset((name, f"uid of {name}") for name in names), urgent) if names else None)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def known(self) -> dict[str, bool]:
        """Each pod that is known, and whether it exists."""
        return {name: pod is not None for (name, _), pod in self.cache.pods.of("shop").items()}


async def test_what_is_not_known_is_listed_once_and_whoever_wants_it_is_woken() -> None:
    place = Place(Cluster("db-0", "db-1"))
    place.want("db-0")
    place.want("db-0")
    await place.settle()
    assert (place.known(), place.woken, place.cluster.asked) == ({"db-0": True}, [KEY], [("app=reviews", "")])


async def test_what_is_asked_for_while_a_read_is_under_way_is_read_after_it() -> None:
    place = Place(Cluster("db-0", "db-1"))
    place.cluster.gate.clear()
    place.want("db-0")
    await place.settle()
    place.want("db-0", "db-1")
    place.cluster.gate.set()
    await place.settle()
    place.want("db-1")  # the pass that was woken
    await place.settle()
    assert (place.known(), len(place.cluster.asked)) == ({"db-0": True, "db-1": True}, 2)


async def test_a_pod_that_the_selector_does_not_find_is_looked_for_by_its_name() -> None:
    place = Place(Cluster("db-0", others=("odd",)))
    place.want("db-0", "odd", "gone")
    await place.settle()
    assert place.known() == {"db-0": True, "odd": True, "gone": False}
    assert place.cluster.asked == [("app=reviews", ""), ("", "metadata.name=gone"), ("", "metadata.name=odd")]


async def test_many_that_the_selector_does_not_find_are_one_request_more() -> None:
    names = tuple(f"odd-{number}" for number in range(BY_NAME + 1))
    place = Place(Cluster(others=names))
    place.want(*names)
    await place.settle()
    assert (set(place.known().values()), len(place.cluster.asked)) == ({True}, 2)


async def test_a_read_that_fails_is_told_and_tried_again() -> None:
    place = Place(Cluster("db-0"))
    place.cluster.errors = [Unavailable("list Pod shop: HTTP 503")]
    place.want("db-0")
    await place.settle()
    assert (place.woken, place.lister.trouble(KEY)) == ([KEY], "list Pod shop: HTTP 503")
    async with asyncio.timeout(5):
        while not place.known():
            await asyncio.sleep(0.05)
    assert place.lister.trouble(KEY) is None
    assert place.woken == [KEY, KEY]


@pytest.mark.parametrize(("urgent", "timers"), [(True, 1), (False, 0)])
async def test_a_right_that_is_missing_is_known_and_asked_again_only_where_a_release_needs_it(urgent: bool, timers: int) -> None:
    place = Place(Cluster("db-0"))
    place.cluster.errors = [Forbidden("no")]
    place.want("db-0", urgent=urgent)
    await place.settle()
    assert (place.cache.pods.denied("shop"), place.woken, place.lister.trouble(KEY)) == (True, [KEY], None)
    place.want("db-0", urgent=urgent)
    await place.settle()
    assert len(place.cluster.asked) == 1
    assert place.lister.waiting == timers
    await place.lister.stop()


async def test_a_right_that_was_granted_counts() -> None:
    place = Place(Cluster("db-0"))
    place.cluster.errors = [Forbidden("no")]
    place.want("db-0")
    await place.settle()
    place.want("db-0", "db-1")  # another pod has come
    await place.settle()
    assert not place.cache.pods.denied("shop")
    assert place.known()["db-0"]


async def test_nothing_is_read_for_one_that_is_gone() -> None:
    place = Place(Cluster("db-0"))
    place.cluster.gate.clear()
    place.want("db-0")
    await place.settle()
    place.want()
    place.cluster.gate.set()
    await place.settle()
    assert (place.woken, place.known()) == ([], {})


async def test_everything_ends_at_once() -> None:
    place = Place(Cluster("db-0"))
    place.cluster.gate.clear()
    place.want("db-0")
    place.want("db-0", key=OTHER)
    await place.settle()
    await place.lister.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("pods of")] == []


def test_what_no_slice_names_any_more_is_forgotten() -> None:
    cache = Cache()

    def named(version: int, *names: str) -> dict[str, Any]:
        metadata = {"namespace": "shop", "name": "s", "resourceVersion": str(version), "labels": {"kubernetes.io/service-name": "reviews"}}
        endpoints = [{"targetRef": {"kind": "Pod", "name": name, "uid": name}} for name in names]
        return {"metadata": metadata, "endpoints": endpoints}

    cache.store(ENDPOINT_SLICE, named(1, "db-0", "db-1"))
    cache.pods.put("shop", {("db-0", "db-0"): None, ("db-1", "db-1"): None})
    cache.store(ENDPOINT_SLICE, named(2, "db-1"))
    assert list(cache.pods.of("shop")) == [("db-1", "db-1")]
    cache.remove(ENDPOINT_SLICE, named(3))
    assert not cache.pods.of("shop")
