"""Wires the operator together, starts it in the right order and ends it in time. Decides nothing.

First the lists, by our own client, which also shows what is missing in the cluster; then passes; the watches last, since Kopf takes
longest to load and lists again anyway.
"""

import asyncio
import logging
import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

from canary_operator import __version__
from canary_operator.api.names import MANAGER
from canary_operator.cache import Cache, Key
from canary_operator.cli.missing import MissingInCluster, mending
from canary_operator.clients.errors import ClusterError, Forbidden, NotFound
from canary_operator.clients.kinds import CANARY_RELEASE, WATCHED
from canary_operator.clients.kubernetes import Cluster
from canary_operator.clients.login import LoginFailed, api_client, log_in
from canary_operator.instrumentation import Metrics, Pulse, exposition, log, serve, set_up_logging, verdict
from canary_operator.sampler import Sampler
from canary_operator.settings import Settings
from canary_operator.shell import Reconciler, Shell
from canary_operator.watching import Intake
from canary_operator.workqueue import Pass, WorkQueue, is_expected

WRONG_CONFIGURATION, MISSING_IN_CLUSTER = 2, 3
GRACE = 2.5
"""Seconds for passes in work when the operator ends; all in all it ends within 5."""


CONFIRMATIONS = 3
"""An API server that has just started denies kinds and rights that it has: it is asked this often."""


def start(settings: Settings, *, verbose: bool = False, reconciler: Reconciler | None = None) -> int:
    """Runs the operator; answers the exit code."""
    set_up_logging(settings.log, verbose=verbose)
    try:
        code = asyncio.run(Process(settings, reconciler).run())
    except (MissingInCluster, LoginFailed) as error:
        print(f"canary-operator: {error}", file=sys.stderr)
        code = WRONG_CONFIGURATION if isinstance(error, LoginFailed) else MISSING_IN_CLUSTER
    # A thread that hangs in a system call must not hold the process: whatever had to be written is written.
    watchdog = threading.Timer(1.5, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()
    return code


class Process:
    """One run of the operator."""

    def __init__(self, settings: Settings, reconciler: Reconciler | None = None) -> None:
        self._settings = settings
        self._reconciler = reconciler
        self._metrics = Metrics()
        self._cache = Cache()
        self._stop = asyncio.Event()
        self._queue: WorkQueue | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def run(self) -> int:
        """Until a signal; answers the exit code."""
        log(logging.INFO, "starting", version=__version__, namespaces=list(self._settings.namespaces) or "all")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        cluster = Cluster(
            api_client(await log_in(self._settings.kubeconfig)), agent=f"{MANAGER}/{__version__}", count=self._metrics.count_write
        )
        intake = Intake(cluster, self._cache, self._add, self._metrics, self._settings.namespaces)
        servers = await self._serve()
        try:
            if await self._or_stop(self._fill(intake)):
                await self._work(cluster, intake)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for server in servers:
                await server.cleanup()
            await cluster.close()
        log(logging.INFO, "stopped")
        return 0

    async def _work(self, cluster: Cluster, intake: Intake) -> None:
        prometheus = (await _load("canary_operator.clients.prometheus")).Prometheus(self._settings.prometheus)
        sampler = Sampler(prometheus, self._cache, self._add, count=self._metrics.count_query)
        make: Reconciler = self._reconciler or (await _load("canary_operator.reconcile")).reconciler
        look = make(Shell(cluster, self._cache, sampler, self._metrics, self._settings))
        queue = WorkQueue(self._timed(look), known=self._known, failed=self._failed, workers=self._settings.workers)
        self._queue = queue
        self._cache.mark_synced()
        for key in sorted(self._cache.keys()):
            queue.add(key)
        sampler.start()
        queue.start()
        log(logging.INFO, "working", releases=len(self._cache.keys()))
        watches = asyncio.create_task(self._watch(intake), name="watches")
        self._tasks += [watches, asyncio.create_task(intake.seek(), name="seek")]
        await self._stop.wait()
        log(logging.INFO, "stopping")
        intake.stop()
        await asyncio.gather(queue.stop(GRACE), sampler.stop())
        await asyncio.wait([watches], timeout=1)
        prometheus.close()

    async def _watch(self, intake: Intake) -> None:
        handlers = await _load("canary_operator.handlers")
        await intake.supervise(
            lambda: handlers.Watches(intake.tell, kubeconfig=self._settings.kubeconfig, namespaces=self._settings.namespaces)
        )

    async def _fill(self, intake: Intake) -> None:
        """All first lists; tries again and again while the API does not answer."""
        pause, missing = 0.25, 0
        left = list(WATCHED)
        while left:
            results = await asyncio.gather(*(intake.fill(kind) for kind in left), return_exceptions=True)
            failed = [(kind, error) for kind, error in zip(left, results, strict=True) if error is not None]
            for kind, error in failed:
                if not isinstance(error, ClusterError):
                    raise error
                if isinstance(error, (NotFound, Forbidden)):
                    missing += 1
                    if missing >= CONFIRMATIONS:
                        raise MissingInCluster(mending(kind, error)) from error
                    break
            left = [kind for kind, _ in failed]
            if left:
                log(logging.WARNING, "the API server does not answer as it should, trying again", error=str(failed[0][1]), pause=pause)
                await asyncio.sleep(random.SystemRandom().uniform(pause / 2, pause))
                pause = min(pause * 2, 10)

    async def _or_stop(self, work: Any) -> bool:
        """Whether the work was done before a signal came."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return False

    async def _serve(self) -> list[Any]:
        pulse = Pulse(self._metrics, lambda: self._queue.depth if self._queue else 0)
        self._tasks.append(asyncio.create_task(pulse.beat(), name="pulse"))
        routes = {
            "/healthz": lambda: verdict(pulse.alive, "the loop turns" if pulse.alive else "the loop is stuck"),
            "/readyz": lambda: verdict(self._cache.synced, "ready" if self._cache.synced else "the first lists are not in"),
        }
        own = {"/metrics": lambda: exposition(self._metrics)}
        if self._settings.probe is not None and self._settings.probe == self._settings.metrics:
            return [await serve(self._settings.probe, routes | own)]
        wanted = ((self._settings.probe, routes), (self._settings.metrics, own))
        try:
            return [await serve(address, paths) for address, paths in wanted if address is not None]
        except OSError as error:
            raise LoginFailed(f"probe or metrics: cannot listen: {error.strerror}") from error

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

    def _add(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add(key)

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


async def _load(module: str) -> Any:
    """Imports a heavy module without holding up the loop for all of it."""
    return await asyncio.get_running_loop().run_in_executor(None, import_module, module)
