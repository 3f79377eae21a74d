"""Events into cache and queue: nothing lost when watches fail, nothing kept that has vanished, no request without need."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from canary_operator.cache import Cache, Key
from canary_operator.clients.errors import Unavailable
from canary_operator.clients.kinds import CANARY_RELEASE, SERVICE, VIRTUAL_SERVICE, WATCHED, Kind
from canary_operator.clients.kubernetes import Page
from canary_operator.instrumentation import Metrics
from canary_operator.watching import DEAF, QUIET, Intake
from tests.shell.virtual_time import now, run

A, B = Key("shop", "a"), Key("shop", "b")


def release(name: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(version)}, "spec": {"service": {"name": name}}}


class Lists:
    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.version = 10
        self.asked: list[tuple[float, Kind]] = []
        self.failures = 0

    async def pages(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[Page]:
        self.asked.append((now(), kind))
        if self.failures:
            self.failures -= 1
            raise Unavailable("list: no answer")
        yield Page([release(name) for name in self.names] if kind == CANARY_RELEASE else [], str(self.version), True)


class Rig:
    def __init__(self, *names: str) -> None:
        self.lists = Lists(*names)
        self.cache = Cache(monotonic=lambda: asyncio.get_event_loop().time())
        self.woken: list[Key] = []
        self.intake = Intake(self.lists, self.cache, self.woken.append, Metrics(), (), clock=lambda: asyncio.get_running_loop().time())

    async def fill(self) -> None:
        for kind in WATCHED:
            await self.intake.fill(kind)
        self.cache.mark_synced()
        self.lists.asked.clear()

    def known(self, name: str) -> str:
        """The version in which a release is known."""
        return str((self.cache.get(CANARY_RELEASE, "shop", name) or {})["metadata"]["resourceVersion"])


class Watches:
    """One run: tells what it is given, then fails or waits until stopped; one that hangs does not stop either."""

    def __init__(
        self, rig: Rig, events: Sequence[tuple[Kind, str | None, dict[str, Any]]] = (), *, lives: float | None = None, hangs: bool = False
    ) -> None:
        self._rig, self._events, self._lives, self._hangs = rig, events, lives, hangs
        self._stopped = asyncio.Event()
        self.asked_to_stop = False

    async def run(self) -> None:
        for kind in WATCHED:
            self._rig.intake.listing(kind)
        for kind, event, document in self._events:
            self._rig.intake.tell(kind, event, document)
        if self._lives is None:
            await self._stopped.wait()
            return
        await asyncio.sleep(self._lives)
        raise RuntimeError("ERROR event in the stream")

    def stop(self) -> None:
        self.asked_to_stop = True
        if not self._hangs:
            self._stopped.set()


async def supervised(rig: Rig, runs: Sequence[Watches], seconds: float) -> None:
    left = list(runs)
    tasks = [asyncio.create_task(rig.intake.supervise(lambda: left.pop(0))), asyncio.create_task(rig.intake.seek())]
    await asyncio.sleep(seconds)
    rig.intake.stop()
    await tasks[0]
    tasks[1].cancel()


def test_events_reach_cache_and_queue() -> None:
    async def main() -> None:
        rig = Rig()
        await rig.fill()
        rig.intake.tell(CANARY_RELEASE, "ADDED", release("a", 11))
        rig.intake.tell(CANARY_RELEASE, "MODIFIED", release("a", 11))
        assert rig.woken == [A] and rig.cache.keys() == {A}
        rig.intake.tell(CANARY_RELEASE, "DELETED", release("a", 12))
        assert rig.woken == [A, A] and rig.cache.keys() == frozenset()

    run(main())


def test_nobody_is_woken_before_all_lists_are_in() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.intake.fill(CANARY_RELEASE)
        rig.intake.tell(CANARY_RELEASE, "ADDED", release("c", 11))
        assert rig.woken == [] and len(rig.cache.keys()) == 3

    run(main())


def test_an_undisturbed_start_costs_no_further_list() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.fill()
        listed = [(CANARY_RELEASE, None, release(name)) for name in ("a", "b")]
        await supervised(rig, [Watches(rig, listed)], 60)
        assert rig.lists.asked == [] and rig.woken == []

    run(main())


def test_what_vanished_between_our_list_and_the_watch_is_found() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.fill()
        rig.lists.names, rig.lists.version = ["a"], 20
        await supervised(rig, [Watches(rig, [(CANARY_RELEASE, None, release("a"))])], 60)
        assert rig.cache.keys() == {A} and rig.woken == [B]
        ((at, kind),) = rig.lists.asked
        assert kind == CANARY_RELEASE and at < QUIET + 2

    run(main())


def test_what_vanished_while_the_stream_had_expired_is_found() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.fill()
        task = asyncio.create_task(supervised(rig, [Watches(rig, [(CANARY_RELEASE, None, release(name)) for name in ("a", "b")])], 60))
        await asyncio.sleep(30)
        rig.lists.names, rig.lists.version = ["b"], 20
        rig.intake.listing(CANARY_RELEASE)  # 410: a new list, without "a"
        rig.intake.tell(CANARY_RELEASE, None, release("b"))
        await task
        assert rig.cache.keys() == {B} and rig.woken == [A] and len(rig.lists.asked) == 1

    run(main())


def test_a_search_that_fails_is_tried_again() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        rig.lists.names, rig.lists.version, rig.lists.failures = [], 20, 2
        await supervised(rig, [Watches(rig)], 60)
        assert rig.cache.keys() == frozenset() and len(rig.lists.asked) == 3

    run(main())


def test_watches_that_end_are_started_again_with_growing_pauses() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        runs = [Watches(rig, lives=0.1), Watches(rig, lives=0.1), Watches(rig, [(CANARY_RELEASE, None, release("a", 12))])]
        await supervised(rig, runs, 30)
        assert rig.woken == [] and rig.cache.get(CANARY_RELEASE, *A) == {
            "apiVersion": CANARY_RELEASE.api_version,
            "kind": "CanaryRelease",
            **release("a", 12),
        }

    run(main())


@pytest.mark.parametrize("hangs", [pytest.param(True, id="and hang"), pytest.param(False, id="and end when asked to")])
def test_watches_that_fall_silent_are_given_up_and_started_again(hangs: bool) -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        silent = Watches(rig, hangs=hangs)
        await supervised(rig, [silent, Watches(rig, [(CANARY_RELEASE, "MODIFIED", release("a", 12))])], DEAF + 60)
        assert (silent.asked_to_stop, rig.known("a")) == (True, "12")

    run(main())


def test_one_stream_with_bookmarks_is_enough_to_leave_the_watches_alone() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        task = asyncio.create_task(supervised(rig, [Watches(rig)], 3600))
        while not task.done():
            rig.intake.heard(SERVICE)
            await asyncio.sleep(60)
        await task

    run(main())


def test_a_vanished_service_wakes_its_release() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        rig.intake.tell(SERVICE, "ADDED", {"metadata": {"namespace": "shop", "name": "a", "resourceVersion": "11"}, "spec": {}})
        rig.intake.tell(
            VIRTUAL_SERVICE, "ADDED", {"metadata": {"namespace": "x", "name": "y", "resourceVersion": "11"}, "spec": {"hosts": ["z"]}}
        )
        rig.woken.clear()
        rig.lists.version = 20
        await supervised(rig, [Watches(rig, [(CANARY_RELEASE, None, release("a"))])], 20)
        assert rig.woken == [A]
        assert sorted(kind.kind for _, kind in rig.lists.asked) == ["Service", "VirtualService"]

    run(main())


def test_the_last_object_of_a_kind_is_missed_too() -> None:
    """An empty list tells of no object: that it was asked for is enough."""

    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        task = asyncio.create_task(supervised(rig, [Watches(rig, [(CANARY_RELEASE, None, release("a"))])], 60))
        await asyncio.sleep(30)
        rig.lists.names, rig.lists.version = [], 20
        rig.intake.listing(CANARY_RELEASE)
        await task
        assert rig.cache.keys() == frozenset() and rig.woken == [A] and len(rig.lists.asked) == 1

    run(main())


def test_the_age_of_a_stream_is_that_of_its_last_word() -> None:
    async def main() -> None:
        metrics = Metrics()
        intake = Intake(Lists(), Cache(), lambda key: None, metrics, (), clock=now)

        def age() -> float | None:
            return metrics.registry.get_sample_value("canary_operator_watch_age_seconds", {"kind": "CanaryRelease"})

        await asyncio.sleep(5)
        assert age() == 5
        intake.heard(CANARY_RELEASE, "shop")
        await asyncio.sleep(3)
        intake.heard(CANARY_RELEASE, "infra")
        assert age() == 3, "of several namespaces the one that says least counts"

    run(main())


def test_a_list_of_lower_versions_after_a_restore_of_etcd_replaces_what_was_known() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        rig.intake.tell(CANARY_RELEASE, "MODIFIED", release("a", 900))
        rig.intake.tell(CANARY_RELEASE, "ADDED", release("b", 901))
        rig.woken.clear()
        rig.lists.version = 40  # the backup was made at "a" alone, in version 1
        await supervised(rig, [Watches(rig, [(CANARY_RELEASE, None, release("a"))])], 20)
        assert (rig.known("a"), rig.cache.keys(), set(rig.woken)) == ("1", {A}, {B})
        rig.intake.tell(CANARY_RELEASE, "MODIFIED", release("a", 41))
        assert rig.known("a") == "41"

    run(main())


def test_a_read_that_is_older_than_what_was_known_lists_everything_anew_and_watches_from_there() -> None:
    async def main() -> None:
        rig = Rig("a")
        await rig.fill()
        rig.intake.tell(CANARY_RELEASE, "MODIFIED", release("a", 900))
        deaf = Watches(rig)
        again = Watches(rig)
        task = asyncio.create_task(supervised(rig, [deaf, again], 30))
        await asyncio.sleep(12)
        rig.lists.version, rig.lists.failures = 40, 1
        rig.lists.asked.clear()
        rig.cache.went_back = True
        await asyncio.sleep(5)
        assert deaf.asked_to_stop and not again.asked_to_stop and rig.known("a") == "1" and not rig.cache.went_back
        await task

    run(main())


def test_pages_that_begin_again_count_alone() -> None:
    class Expired(Lists):
        async def pages(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[Page]:
            if kind == CANARY_RELEASE:
                yield Page([release("a")], "10", True)
                yield Page([release("b", 11)], "12", True)

    async def main() -> None:
        rig = Rig()
        rig.intake = Intake(Expired(), rig.cache, rig.woken.append, Metrics(), (), clock=lambda: 0.0)
        await rig.intake.fill(CANARY_RELEASE)
        assert rig.cache.keys() == {B}

    run(main())
