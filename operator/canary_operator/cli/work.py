"""The passes of this replica, whenever it leads, until it ends. Decides nothing about releases.

A replica that leads for the first time looks at every CanaryRelease. One that leads again looks at those that something has happened to since
its last pass, that traffic moves for, or whose deadline has passed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from canary_operator import asker, sampler
from canary_operator.api.names import ACTION
from canary_operator.api.record import State
from canary_operator.asker import Asker
from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE
from canary_operator.clients.kubernetes import Cluster
from canary_operator.instrumentation import Metrics, log
from canary_operator.lister import Lister
from canary_operator.sampler import Sampler
from canary_operator.settings import Settings
from canary_operator.shell import Reconciler, Shell
from canary_operator.surroundings import Reader, Surroundings
from canary_operator.workqueue import Agenda, Pass, WorkQueue, is_expected


class Prometheus(sampler.Prometheus, asker.Prometheus, Protocol):
    """What is asked; never raises."""


class Work:
    """One per process; nothing is done but between `start` and `stop`. Of one stretch the cache is left for the next, and what is still to do."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        metrics: Metrics,
        settings: Settings,
        prometheus: Prometheus,
        make: Reconciler,
        rises_off: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._cluster, self._cache, self._metrics, self._settings = cluster, cache, metrics, settings
        self._prometheus, self._make, self._rises_off = prometheus, make, rises_off
        self._queue: WorkQueue | None = None
        self._agenda: Agenda | None = None
        self._changed: set[Key] = set()
        self._sampler: Sampler | None = None
        self._asker: Asker | None = None
        self._surroundings: Surroundings | None = None
        self._lister: Lister | None = None

    def start(self) -> None:
        """Looks at every CanaryRelease the first time, and from then on at those that something happens to."""
        matchers = self._settings.matchers
        self._sampler = Sampler(self._prometheus, self._cache, self.add, count=self._metrics.count_query, matchers=matchers)
        self._asker = Asker(self._prometheus, self._cache, self.add, count=self._metrics.count_query)
        self._surroundings = Surroundings(Reader(self._cluster, self._prometheus, matchers).read, self.add)
        self._lister = Lister(self._cluster, self._cache, self.add)
        shell = Shell(
            self._cluster,
            self._cache,
            self._sampler,
            self._asker,
            self._surroundings,
            self._lister,
            self._metrics,
            self._settings,
            self.add,
            self._rises_off,
        )
        look = self._make(shell)
        self._queue = WorkQueue(
            self._timed(look), known=self._known, urgent=self._urgent, failed=self._failed, workers=self._settings.workers
        )
        due = self._due()
        self._queue.resume(due)
        self._sampler.start()
        self._queue.start()
        log(logging.INFO, "working", releases=len(self._cache.keys()), due=len(due.due))

    async def stop(self, grace: float) -> None:
        """Ends passes and questions; those in work have so many seconds."""
        parts = [part for part in (self._sampler, self._asker, self._surroundings, self._lister) if part is not None]
        queue, self._queue = self._queue, None  # what happens from now on is for the next stretch
        if queue is not None:
            moving = {key for part in parts for key in part.asking()}
            stopping = [asyncio.ensure_future(part.stop()) for part in parts]
            left = await queue.stop(grace)
            await asyncio.gather(*stopping)
            self._agenda = Agenda(left.due | moving, left.deadlines)
        self._sampler = self._asker = self._surroundings = self._lister = None

    def add(self, key: Key) -> None:
        """Something happened to this CanaryRelease."""
        if self._queue is not None:
            self._queue.add(key)
        else:
            self._changed.add(key)

    def add_all(self) -> None:
        """Something happened that concerns every CanaryRelease."""
        for key in sorted(self._cache.keys()):
            self.add(key)

    @property
    def depth(self) -> int:
        """CanaryReleases that wait for a worker."""
        return self._queue.depth if self._queue is not None else 0

    def _due(self) -> Agenda:
        """What there is to do when this replica begins to lead: everything that it did not look at since it changed."""
        everything, left, changed = self._cache.keys(), self._agenda, frozenset(self._changed)
        self._agenda = None
        self._changed.clear()
        if left is None:
            return Agenda(everything)
        known = {key: at for key, at in left.deadlines.items() if key in everything and key not in left.due | changed}
        return Agenda(everything - known.keys() | changed, known)

    def _timed(self, look: Pass) -> Pass:
        async def timed(key: Key) -> timedelta | None:
            began, result = time.monotonic(), "failed"
            try:
                again = await look(key)
                result = "ok"
                return again
            finally:
                self._metrics.passes.labels(result).observe(time.monotonic() - began)

        return timed

    def _urgent(self, key: Key) -> bool:
        """Traffic is moving, or a person waits: not at rest, an action that is not answered, or a deletion."""
        document = self._cache.get(CANARY_RELEASE, *key) or {"metadata": {}}
        status, metadata = document.get("status") or {}, document["metadata"]
        state = (status.get("release") or {}).get("state", State.INITIALIZING)
        unanswered = (metadata.get("annotations") or {}).get(ACTION) not in (None, status.get("lastAction"))
        return state not in (State.INITIALIZING, State.STABLE) or unanswered or bool(metadata.get("deletionTimestamp"))

    def _known(self, key: Key) -> bool:
        return self._cache.get(CANARY_RELEASE, *key) is not None

    def _failed(self, key: Key, error: Exception, delay: float) -> None:
        fields = {"namespace": key.namespace, "name": key.name, "error": str(error), "pause": round(delay, 2)}
        if is_expected(error):
            log(logging.WARNING, "the pass failed and is tried again", **fields)
        else:
            logging.getLogger("canary_operator").error(
                "the pass failed by a fault in the operator", exc_info=error, extra={"fields": fields}
            )
