"""From the watches into cache and queue, also when the watches fail. Decides nothing about releases.

Kopf never says that an object has vanished while it was not watching: after each start and each new list, whatever the list did not name
is looked for, by one list of our own, and only if there is such an object.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from canary_operator.cache import Cache, Key
from canary_operator.clients.errors import ClusterError
from canary_operator.clients.kinds import WATCHED, Kind
from canary_operator.clients.kubernetes import Page
from canary_operator.instrumentation import Metrics, log
from canary_operator.trimming import name_of, version_of

QUIET = 3.0
"""Seconds without an object from a list, after which the list has ended."""
LISTING = 8.0
"""The same from when a list is asked for: it may be empty, or slow."""
LONGEST_PAUSE = 8.0
"""Seconds between two starts of watches that end at once."""
DEAF = 180.0
"""Seconds without a word on any stream, bookmarks included, after which the watches are given up: servers send one a minute.

Kopf was seen to hang when it gave up on a fault in one stream while its credentials were refused: it neither ended nor watched any more."""
LISTEN = 5.0
"""Seconds between two times at which that is asked; and that watches are given to end when they are asked to."""


class Deaf(Exception):
    """No stream says anything any more."""


class Lists(Protocol):
    """What is needed of the cluster."""

    def pages(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[Page]:
        """All objects of a kind, in a namespace or in all, page by page."""


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
        self._due: dict[Kind, float] = {}
        self._heard: dict[Kind, dict[str | None, float]] = {kind: {} for kind in WATCHED}
        self._began = clock()
        for kind in WATCHED:
            metrics.age.labels(kind.kind).set_function(partial(self._age, kind))
        self._watches: Running | None = None
        self._stopped = False

    async def fill(self, kind: Kind) -> None:
        """Takes a whole list in, page by page: it replaces what was known."""
        for namespace in self._namespaces or (None,):
            where = () if namespace is None else (namespace,)
            listing = self._cache.listing(kind, where)
            async for page in self._cluster.pages(kind, namespace):
                if page.first:
                    listing = self._cache.listing(kind, where)
                self._wake(listing.take(page.items, page.version))
            self._wake(listing.end())

    def tell(self, kind: Kind, event: str | None, document: Mapping[str, Any]) -> None:
        """One event of a watch; None: the object is on a list."""
        self._metrics.events.labels(kind.kind).inc()
        metadata = document["metadata"]
        if kind in self._missing:
            self._missing[kind].discard((metadata.get("namespace", ""), metadata["name"]))
            if event is None:
                self._due[kind] = self._clock() + QUIET
                self._compare(kind, document)
        self._wake(self._cache.remove(kind, document) if event == "DELETED" else self._cache.store(kind, document))

    def _compare(self, kind: Kind, document: Mapping[str, Any]) -> None:
        """An object on a list is not older than it is known, unless etcd was restored: then our own list replaces what is known."""
        known = self._cache.get(kind, *name_of(document))
        if known is not None and (version_of(document) or 0) < (version_of(known) or 0):
            self._missing[kind].add(name_of(document))

    def listing(self, kind: Kind, namespace: str | None = None) -> None:
        """The watches ask for a whole list, of this namespace or of all: what it will not name has vanished."""
        known = {(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in self._cache.all(kind, namespace)}
        self._missing[kind] = self._missing.get(kind, set()) | known
        self._due[kind] = self._clock() + LISTING

    def heard(self, kind: Kind, namespace: str | None = None) -> None:
        """The watch of a kind lives."""
        self._heard[kind][namespace] = self._clock()

    async def supervise(self, start: Callable[[], Running], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Runs the watches again and again until `stop`."""
        pause = 0.5
        while not self._stopped:
            began = self._clock()
            self._watches = start()
            try:
                await self._listen(self._watches)
                reason: object = "ended"
            except Exception as error:  # noqa: BLE001  (whatever Kopf gives up on, the answer is to start it again)
                reason = error
            if self._ended():
                return
            pause = 0.5 if self._clock() - began > 60 else min(pause * 2, LONGEST_PAUSE)
            self._metrics.restarts.inc()
            log(logging.WARNING, "the watches ended and are started again", reason=str(reason) or type(reason).__name__, pause=pause)
            await sleep(pause * (0.5 + random.random() / 2))

    async def _listen(self, watches: Running) -> None:
        """As long as they run and are heard of.

        Raises:
            Deaf: Nothing was heard for too long. They were asked to end; if they have not, what they may still say does no harm.
        """
        running, began = asyncio.ensure_future(watches.run()), self._clock()
        try:
            while not (await asyncio.wait([running], timeout=LISTEN))[0]:
                if self._clock() - max(began, self._last_word()) > DEAF:
                    watches.stop()
                    await asyncio.wait([running], timeout=LISTEN)
                    running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody waits for it
                    raise Deaf(f"no stream said a word for {DEAF:g} s")
            await running
        finally:
            running.cancel()

    def stop(self) -> None:
        """Ends the watches for good."""
        self._stopped = True
        if self._watches is not None:
            self._watches.stop()

    async def seek(self) -> None:
        """Looks for what lists did not name, until it is cancelled."""
        while True:
            await asyncio.sleep(1)
            if self._cache.went_back and await self._list_anew():
                self._cache.went_back = False
            for kind in [kind for kind, at in self._due.items() if self._clock() > at]:
                if not await self._sought(kind):
                    self._due[kind] = self._clock() + QUIET  # later again

    async def _list_anew(self) -> bool:
        """Whether everything was listed anew, and is watched from there."""
        log(logging.WARNING, "the API server shows an older state than before, as after a restore of etcd: everything is listed anew")
        try:
            for kind in WATCHED:
                await self.fill(kind)
        except ClusterError as error:
            log(logging.WARNING, "it could not be listed, trying again", error=str(error))
            return False
        if self._watches is not None:
            self._watches.stop()  # which would wait for versions that come much later; `supervise` starts them again
        return True

    async def _sought(self, kind: Kind) -> bool:
        missing = {name for name in self._missing.get(kind, ()) if self._cache.get(kind, *name) is not None}
        if missing:
            try:
                await self.fill(kind)
            except ClusterError as error:
                log(logging.WARNING, "objects that a list did not name could not be looked for", kind=kind.kind, error=str(error))
                return False
        self._missing.pop(kind, None)
        self._due.pop(kind, None)
        return True

    def _ended(self) -> bool:
        return self._stopped

    def _last_word(self) -> float:
        """When any stream was last heard."""
        return max((at for streams in self._heard.values() for at in streams.values()), default=self._began)

    def _age(self, kind: Kind) -> float:
        return self._clock() - min(self._heard[kind].values(), default=self._began)

    def _wake(self, keys: frozenset[Key]) -> None:
        if self._cache.synced:
            for key in keys:
                self._add(key)
