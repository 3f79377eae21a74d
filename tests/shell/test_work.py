"""The passes of one replica: everything when it leads for the first time, and only what changed, moves or is due when it leads again."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from canary_operator.api.names import ACTION
from canary_operator.cache import Cache, Key
from canary_operator.cli.work import Work
from canary_operator.clients.kinds import CANARY_RELEASE
from canary_operator.clients.kubernetes import Cluster
from canary_operator.instrumentation import Metrics
from canary_operator.preflight.reading import Read
from canary_operator.settings import Provider, Settings
from canary_operator.shell import Shell
from canary_operator.workqueue import Pass
from tests.shell.virtual_time import now, run

A, B, C = (Key("shop", name) for name in "abc")


class Idle:
    """A Prometheus that has nothing, and a cluster that never answers."""

    async def find(self, *_: object, most: int | None = None) -> list[dict[str, Any]]:
        await asyncio.sleep(1e6)
        return []


def release(name: str, version: int, *, metadata: Mapping[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    named = {"namespace": "shop", "name": name, "resourceVersion": str(version), **(metadata or {})}
    return {"metadata": named, "spec": {"service": {"name": name}}, "status": status}


class Replica:
    """One replica with three CanaryReleases; notes its passes."""

    def __init__(self) -> None:
        self.cache = Cache()
        for number, key in enumerate((A, B, C), 1):
            self.cache.store(CANARY_RELEASE, release(key.name, number, release={"state": "Stable"}))
        self.seen: list[tuple[float, Key]] = []
        self.again: dict[Key, timedelta] = {}
        self.reads: dict[Key, tuple[Read, ...]] = {}
        unused = cast(Any, Idle())
        self.work = Work(
            cast(Cluster, unused),
            self.cache,
            Metrics(),
            Settings(prometheus={"default": Provider("http://prometheus:9090")}),
            unused,
            self.make,
        )

    def make(self, shell: Shell) -> Pass:
        async def look(key: Key) -> timedelta | None:
            self.seen.append((now(), key))
            shell.surroundings.want(key, self.reads.get(key, ()))
            return self.again.get(key)

        return look

    async def lead(self, seconds: float) -> list[tuple[float, Key]]:
        """The passes of so many seconds as the leader."""
        self.seen.clear()
        self.work.start()
        await asyncio.sleep(seconds)
        await self.work.stop(0)
        return list(self.seen)


def test_who_leads_for_the_first_time_looks_at_everything() -> None:
    async def main() -> None:
        replica = Replica()
        replica.work.add(B)  # while it stands by
        assert sorted(await replica.lead(1)) == [(0, A), (0, B), (0, C)]

    run(main())


def test_who_leads_again_looks_at_what_has_changed_and_at_the_rest_when_it_is_due() -> None:
    async def main() -> None:
        replica = Replica()
        replica.again = {C: timedelta(seconds=30)}
        await replica.lead(1)
        await asyncio.sleep(9)
        replica.work.add(B)
        assert await replica.lead(10) == [(10, B)]
        assert await replica.lead(20) == [(30, C)]

    run(main())


def test_who_leads_again_asks_again_for_what_moves() -> None:
    async def main() -> None:
        replica = Replica()
        replica.reads = {A: (Read("Namespace", name="shop"),)}
        await replica.lead(1)
        assert await replica.lead(1) == [(1, A)]

    run(main())


def test_a_release_that_is_new_or_gone_is_looked_at_too() -> None:
    async def main() -> None:
        replica = Replica()
        await replica.lead(1)
        for key in replica.cache.remove(CANARY_RELEASE, release("a", 10)):
            replica.work.add(key)
        for key in replica.cache.store(CANARY_RELEASE, release("d", 11)):
            replica.work.add(key)
        assert sorted(await replica.lead(1)) == [(1, A), (1, Key("shop", "d"))]

    run(main())


@pytest.mark.parametrize(
    "moving",
    [
        pytest.param(release("c", 10, release={"state": "Progressing"}), id="traffic moves"),
        pytest.param(release("c", 10, release={"state": "RollingBack"}), id="traffic goes back"),
        pytest.param(release("c", 10, metadata={"annotations": {ACTION: "abort"}}, release={"state": "Stable"}), id="a person waits"),
        pytest.param(release("c", 10, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), id="it is deleted"),
    ],
)
def test_what_moves_or_is_waited_for_comes_first(moving: dict[str, Any]) -> None:
    async def main() -> None:
        replica = Replica()
        replica.cache.store(CANARY_RELEASE, moving)
        assert [key for _, key in await replica.lead(1)][0] == C

    run(main())


def test_an_action_that_was_answered_waits_for_its_turn() -> None:
    async def main() -> None:
        replica = Replica()
        answered = release("c", 10, metadata={"annotations": {ACTION: "abort"}}, release={"state": "Stable"}, lastAction="abort")
        replica.cache.store(CANARY_RELEASE, answered)
        assert [key for _, key in await replica.lead(1)] == [A, B, C]

    run(main())
