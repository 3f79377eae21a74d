"""From the watches into cache and queue, also when the watches fail. Decides nothing about releases.

Kopf never says that an object has vanished while it was not watching: after each start and each new list, whatever the list did not name
is looked for, by one list of our own, and only if there is such an object.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from canary_operator.cache import Cache, Key
from canary_operator.clients.errors import ClusterError
from canary_operator.clients.kinds import WATCHED, Kind
from canary_operator.instrumentation import Metrics, log

QUIET = 3.0
"""Seconds without an object from a list, after which the list has ended."""
LONGEST_PAUSE = 15.0


class Lists(Protocol):
    """What is needed of the cluster."""

    async def list_all(self, kind: Kind, namespaces: Sequence[str] = ()) -> tuple[list[dict[str, Any]], str]:
        """All objects of a kind."""


class Running(Protocol):
    """One run of the watches."""

    async def run(self) -> None:
        """Until stopped, or raises."""

    def stop(self) -> None:
        """Ends it."""


class Intake:
    """Takes events in, keeps the watches running."""

    def __init__(
        self,
        cluster: Lists,
        cache: Cache,
        add: Callable[[Key], None],
        metrics: Metrics,
        namespaces: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self._cache = cache
        self._add = add
        self._metrics = metrics
        self._namespaces = namespaces
        self._missing: dict[Kind, set[tuple[str, str]]] = {}
        self._listed: dict[Kind, float] = {}
        self._watches: Running | None = None
        self._stopped = False

    async def fill(self, kind: Kind) -> None:
        """Takes a whole list in."""
        items, version = await self._cluster.list_all(kind, self._namespaces)
        self._wake(self._cache.replace(kind, items, version, self._namespaces))

    def tell(self, kind: Kind, event: str | None, document: Mapping[str, Any]) -> None:
        """One event of a watch; None: the object is on a list."""
        self._metrics.events.labels(kind.kind).inc()
        metadata = document["metadata"]
        if event is None and kind not in self._missing:
            self._expect(kind)
        if kind in self._missing:
            self._missing[kind].discard((metadata.get("namespace", ""), metadata["name"]))
            if event is None:
                self._listed[kind] = self._clock()
        self._wake(self._cache.remove(kind, document) if event == "DELETED" else self._cache.store(kind, document))

    async def supervise(self, start: Callable[[], Running], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Runs the watches again and again until `stop`."""
        pause = 0.5
        while not self._stopped:
            began = self._clock()
            self._watches = start()
            for kind in WATCHED:
                self._expect(kind)
            try:
                await self._watches.run()
                reason: object = "ended"
            except Exception as error:  # noqa: BLE001  (whatever Kopf gives up on, the answer is to start it again)
                reason = error
            if self._ended():
                return
            pause = 0.5 if self._clock() - began > 60 else min(pause * 2, LONGEST_PAUSE)
            self._metrics.restarts.inc()
            log(logging.WARNING, "the watches ended and are started again", reason=str(reason) or type(reason).__name__, pause=pause)
            await sleep(pause * (0.5 + random.random() / 2))

    def stop(self) -> None:
        """Ends the watches for good."""
        self._stopped = True
        if self._watches is not None:
            self._watches.stop()

    async def seek(self) -> None:
        """Looks for what lists did not name, until it is cancelled."""
        while True:
            await asyncio.sleep(1)
            for kind in [kind for kind, at in self._listed.items() if self._clock() - at > QUIET]:
                if not await self._sought(kind):
                    self._listed[kind] = self._clock()  # later again

    async def _sought(self, kind: Kind) -> bool:
        missing = {name for name in self._missing.get(kind, ()) if self._cache.get(kind, *name) is not None}
        if missing:
            try:
                await self.fill(kind)
            except ClusterError as error:
                log(logging.WARNING, "objects that a list did not name could not be looked for", kind=kind.kind, error=str(error))
                return False
        self._missing.pop(kind, None)
        self._listed.pop(kind, None)
        return True

    def _ended(self) -> bool:
        return self._stopped

    def _expect(self, kind: Kind) -> None:
        self._missing[kind] = {(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in self._cache.all(kind)}
        self._listed[kind] = self._clock()

    def _wake(self, keys: frozenset[Key]) -> None:
        if self._cache.synced:
            for key in keys:
                self._add(key)
