"""The passes of this replica, from when it begins to lead until it ends or another takes over. Decides nothing about releases."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from canary_operator import asker, sampler
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
from canary_operator.workqueue import Pass, WorkQueue, is_expected


class Prometheus(sampler.Prometheus, asker.Prometheus, Protocol):
    """What is asked; never raises."""


class Work:
    """One per process; nothing is done between `start` and `stop`, and nothing of one stretch is left for the next but the cache."""

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
        self._sampler: Sampler | None = None
        self._asker: Asker | None = None
        self._surroundings: Surroundings | None = None
        self._lister: Lister | None = None

    def start(self) -> None:
        """Looks at every CanaryRelease, and from then on at those that something happens to."""
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
        self._queue = WorkQueue(self._timed(look), known=self._known, failed=self._failed, workers=self._settings.workers)
        for key in sorted(self._cache.keys()):
            self._queue.add(key)
        self._sampler.start()
        self._queue.start()
        log(logging.INFO, "working", releases=len(self._cache.keys()))

    async def stop(self, grace: float) -> None:
        """Ends passes and questions; those in work have so many seconds."""
        parts = (self._sampler, self._asker, self._surroundings, self._lister)
        if self._queue is not None:
            await asyncio.gather(self._queue.stop(grace), *(part.stop() for part in parts if part is not None))
        self._queue = self._sampler = self._asker = self._surroundings = self._lister = None

    def add(self, key: Key) -> None:
        """Something happened to this CanaryRelease."""
        if self._queue is not None:
            self._queue.add(key)

    def add_all(self) -> None:
        """Something happened that concerns every CanaryRelease."""
        for key in sorted(self._cache.keys()):
            self.add(key)

    @property
    def depth(self) -> int:
        """CanaryReleases that wait for a worker."""
        return self._queue.depth if self._queue is not None else 0

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
