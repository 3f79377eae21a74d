"""Wires the operator together, starts it in the right order and ends it in time. Decides nothing.

First the lists, by our own client, which also shows what is missing in the cluster; then the watches; passes last, and only while this replica leads.
A replica that stands by keeps lists and watches, so that it can take over at once.
"""

import asyncio
import logging
import os
import random
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from importlib import import_module
from math import inf
from typing import Any

from canary_operator import __version__
from canary_operator.api.names import MANAGER
from canary_operator.cache import Cache, Key
from canary_operator.candidate import Candidate, Opened, Told, Turns
from canary_operator.cli.missing import MissingInCluster, mending, mending_lease
from canary_operator.cli.work import Work
from canary_operator.clients.errors import ClusterError, Forbidden, NotFound
from canary_operator.clients.kinds import WATCHED, Kind
from canary_operator.clients.kubernetes import Cluster
from canary_operator.clients.login import LoginFailed, api_client, kubeconfig_path, log_in, own_namespace
from canary_operator.domain import cluster_domain
from canary_operator.instrumentation import Metrics, Pulse, exposition, log, serve, set_up_logging, verdict
from canary_operator.leadership import Leadership
from canary_operator.lease import Timings
from canary_operator.mesh.config import Mesh
from canary_operator.settings import Election, Settings
from canary_operator.shell import Reconciler
from canary_operator.switch import Switch
from canary_operator.watching import Intake

WRONG_CONFIGURATION, MISSING_IN_CLUSTER = 2, 3
GRACE = 1.5
"""Seconds for passes in work when the operator ends. All in all it ends within 5, and another replica works within 3."""
CONFIRMATIONS = 3
"""An API server that has just started denies kinds and rights that it has: it is asked this often."""
AGENT = f"{MANAGER}/{__version__}"


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


def identity() -> str:
    """Who this process is for others. A pod's name is enough, and lets a container that was started again take its own lease up at once."""
    return os.environ.get("POD_NAME") or f"{socket.gethostname()}-{secrets.token_hex(4)}"


class Process:
    """One run of the operator."""

    def __init__(self, settings: Settings, reconciler: Reconciler | None = None) -> None:
        self._settings = settings
        self._reconciler = reconciler
        self._metrics = Metrics()
        self._cache = Cache(mesh=Mesh(domain=cluster_domain(settings.cluster_domain), config_map=settings.mesh_config))
        self._stop = asyncio.Event()
        self._work: Work | None = None
        self._election = _election(settings)
        self._candidate: Candidate | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def run(self) -> int:
        """Until a signal; answers the exit code."""
        log(logging.INFO, "starting", version=__version__, namespaces=list(self._settings.namespaces) or "all")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        cluster = Cluster(
            api_client(await log_in(self._settings.kubeconfig)), agent=AGENT, count=self._metrics.count_write, gate=self._seconds_left
        )
        intake = Intake(cluster, self._cache, self._add, self._metrics, self._settings.namespaces)
        servers = await self._serve()
        try:
            if await self._or_stop(self._fill(intake)):
                self._cache.mark_synced()
                await self._follow(cluster, intake)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for server in servers:
                await server.cleanup()
            await cluster.close()
        log(logging.INFO, "stopped")
        return 0

    async def _follow(self, cluster: Cluster, intake: Intake) -> None:
        """Watches, and works whenever it is this replica's turn."""
        prometheus = (await _load("canary_operator.clients.prometheus")).Prometheus(self._settings.prometheus)
        make = self._reconciler or (await _load("canary_operator.reconcile")).reconciler
        switch = Switch(self._settings, self._metrics, self._add_all)
        self._work = Work(cluster, self._cache, self._metrics, self._settings, prometheus, make, switch.off)
        watches = asyncio.create_task(self._watch(intake), name="watches")
        self._tasks += [watches, asyncio.create_task(intake.seek(), name="seek"), asyncio.create_task(switch.follow(), name="switch")]
        if self._election is None:
            self._metrics.leader.set(1)
            await self._term(self._work, self._stop.wait())
        else:
            await self._campaign(self._work, self._election)
        log(logging.INFO, "stopping")
        intake.stop()
        await asyncio.wait([watches], timeout=1)
        prometheus.close()

    async def _campaign(self, work: Work, election: Election) -> None:
        """Works as often and as long as it is elected."""
        timings, home = Timings(election.lease.total_seconds()), asyncio.get_running_loop()
        namespace = election.namespace or own_namespace() or MANAGER

        async def open_campaign(told: Told, turns: Turns) -> Opened:
            # A connection of its own: nothing that goes on elsewhere may hold up a renewal.
            cluster = Cluster(api_client(await log_in(self._settings.kubeconfig)), agent=AGENT, timeout=timings.timeout)
            restored = partial(home.call_soon_threadsafe, self._cache.note_restore)
            campaign = Leadership(cluster, identity(), namespace, MANAGER, timings, told=told, turns=turns, went_back=restored)
            return campaign, cluster.close

        candidate = self._candidate = Candidate(open_campaign, told=self._metrics.leader.set)
        campaign = asyncio.create_task(candidate.run(), name="lease")
        try:
            while await self._or_stop(candidate.won(), campaign):
                await self._term(work, candidate.lost(), campaign)
        except (Forbidden, NotFound) as error:
            raise MissingInCluster(mending_lease(namespace, error)) from error
        finally:
            campaign.cancel()
            await asyncio.gather(campaign, return_exceptions=True)
            await candidate.end()

    async def _term(self, work: Work, over: Coroutine[Any, Any, object], campaign: asyncio.Task[None] | None = None) -> None:
        work.start()
        try:
            await self._or_stop(over, campaign)
        finally:
            await work.stop(GRACE if self._seconds_left() else 0)

    def _seconds_left(self) -> float:
        """How long a write that is sent now may take."""
        if self._candidate is not None:
            return self._candidate.seconds_left()
        return inf if self._election is None else 0

    async def _watch(self, intake: Intake) -> None:
        handlers = await _load("canary_operator.handlers")
        await intake.supervise(lambda: handlers.Watches(intake, kubeconfig=self._settings.kubeconfig, namespaces=self._settings.namespaces))

    async def _fill(self, intake: Intake) -> None:
        """All first lists; tries again and again while the API does not answer."""
        pause, missing = 0.25, 0
        left = list(WATCHED)
        while left:
            failed = [(kind, error) for kind in left if (error := await self._filled(intake, kind)) is not None]
            for kind, error in failed:
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

    async def _filled(self, intake: Intake, kind: Kind) -> ClusterError | None:
        """Takes the first list of a kind in, one kind after the other: whole documents of one page at a time are enough."""
        try:
            await intake.fill(kind)
        except ClusterError as error:
            return error
        return None

    async def _or_stop(self, work: Coroutine[Any, Any, object], beside: asyncio.Task[None] | None = None) -> bool:
        """Whether the work was done before a signal came. What goes on beside it never ends but by an error, which is raised."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait([each for each in (task, stop, beside) if each is not None], return_when=asyncio.FIRST_COMPLETED)
            if beside is not None and beside.done():
                beside.result()
            if task.done():
                task.result()
            return task.done() and not self._stop.is_set()
        finally:
            for each in (task, stop):
                each.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(task, stop, return_exceptions=True)

    async def _serve(self) -> list[Any]:
        pulse = Pulse(self._metrics, lambda: self._work.depth if self._work else 0)
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

    def _add_all(self) -> None:
        if self._work is not None:
            self._work.add_all()

    def _add(self, key: Key) -> None:
        if self._work is not None:
            self._work.add(key)


def _election(settings: Settings) -> Election | None:
    """Whether and how this process shares its work; not by default when a person starts it with a kubeconfig."""
    if settings.leader_election is None:
        return Election() if kubeconfig_path(settings.kubeconfig) is None else None
    return settings.leader_election or None


async def _load(module: str) -> Any:
    """Imports a heavy module without holding up the loop for all of it."""
    return await asyncio.get_running_loop().run_in_executor(None, import_module, module)
