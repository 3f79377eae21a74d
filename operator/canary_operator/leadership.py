"""Carries the rules of the Lease out: looks, takes, renews and gives back. What a replica may do follows from its view and the clock alone."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from canary_operator import lease
from canary_operator.clients.errors import ClusterError, Conflict, Forbidden, NotFound
from canary_operator.clients.kinds import LEASE, Kind
from canary_operator.instrumentation import log
from canary_operator.lease import Look, Timings, View, Wait

CONFIRMATIONS = 3
"""An API server that has just started denies rights that one has: it is asked this often."""


class Leases(Protocol):
    """What is needed of the cluster."""

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object."""

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
        """Creates it."""

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Changes it."""


def steady() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Leadership:
    """One candidate.

    Args:
        cluster: For the Lease alone; its timeout is that of the timings.
        me: Who this process is. Two processes that live at the same time never share it.
        namespace: Of the Lease.
        name: Of the Lease.
        timings: Of this candidate.
        told: Called when the answer to "do I lead?" changes.
        turns: Whether what does the work is alive; while it is not, nothing is renewed or taken.
        went_back: Called when the Lease has a lower resource version than it had: etcd was restored, and all else is older too.
    """

    def __init__(
        self,
        cluster: Leases,
        me: str,
        namespace: str,
        name: str,
        timings: Timings,
        *,
        told: Callable[[bool], None] = lambda leads: None,
        turns: Callable[[], bool] = lambda: True,
        went_back: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = steady,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._told, self._turns, self._clock, self._wall = told, turns, clock, wall
        self._went_back, self._version = went_back, 0
        self._view = View(me, timings)
        self._leading = False
        self._failures = 0
        self._served = False
        self._holder = ""

    def seconds_left(self) -> float:
        """How long a write that is sent now may take; 0: nothing may be written. By the clock: true also when `run` is late."""
        return self._view.seconds_left(self._clock())

    async def run(self) -> None:
        """Until it is cancelled.

        Raises:
            Forbidden: From the start on, there is no right on the Lease.
            NotFound: From the start on, there is no namespace for it.
        """
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = await self._turn()

    async def give_back(self) -> None:
        """Lets the next one begin at once. To be called when nothing is written any more, and `run` has ended."""
        view = self._view
        if view.record is None or not view.leads(self._clock()):
            return
        self._take_in(View(view.me, view.timings), logging.INFO)
        try:
            try:
                await self._change(view.record.version, lease.given_back())
            except Conflict:  # a renewal was on its way when `run` ended
                record = lease.read(await self._cluster.get(LEASE, self._namespace, self._name), view.timings)
                if record.holder == view.me:
                    await self._change(record.version, lease.given_back())
        except ClusterError as error:
            log(logging.WARNING, "the lease could not be given back; the next one waits until it runs out", error=str(error))

    async def _turn(self) -> float:
        """Does what is next; answers the seconds until there is more to do."""
        self._take_in(lease.checked(self._view, self._clock()))
        if not self._turns():
            return self._view.timings.look
        move = lease.move(self._view, self._clock())
        if isinstance(move, Wait):
            return move.seconds
        try:
            await (self._look() if isinstance(move, Look) else self._write())
        except ClusterError as error:
            self._take_in(lease.refused(self._view))
            self._complain(error)
            return self._view.timings.look
        if not isinstance(lease.move(self._view, self._clock()), lease.Write):
            self._served, self._failures = True, 0
        return 0.0

    async def _look(self) -> None:
        try:
            record = lease.read(await self._cluster.get(LEASE, self._namespace, self._name), self._view.timings)
        except NotFound:
            record = None
        self._take_in(lease.seen(self._view, record, self._clock()))

    async def _write(self) -> None:
        view, sent = self._view, self._clock()
        spec = lease.content(view, self._wall())
        if view.record is None:
            metadata = {"namespace": self._namespace, "name": self._name}
            document = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
            stored = await self._cluster.create(LEASE, document)
        else:
            stored = await self._change(view.record.version, spec)
        self._take_in(lease.written(view, lease.read(stored, view.timings), sent, self._clock()))

    async def _change(self, version: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        return await self._cluster.merge_patch(LEASE, self._namespace, self._name, body)

    def _take_in(self, view: View, loss: int = logging.WARNING) -> None:
        """A new view; says what has changed, a loss at this level."""
        self._view = view
        version = int(view.record.version) if view.record is not None and view.record.version.isdecimal() else None
        if version is not None and version < self._version:
            self._went_back()
        self._version = self._version if version is None else version
        leads = view.leads(self._clock())
        if leads and not self._leading:
            log(logging.INFO, "leading", identity=view.me, lease=f"{self._namespace}/{self._name}")
            self._leading = True
            self._told(True)
        elif not leads and self._leading:
            log(loss, "no longer leading", identity=view.me, holder=view.record.holder if view.record else "")
            self._leading = False
            self._told(False)
        holder = view.record.holder if view.record is not None else ""
        if holder != self._holder and holder not in ("", view.me):
            log(logging.INFO, "standing by", identity=view.me, holder=holder)
        self._holder = holder

    def _complain(self, error: ClusterError) -> None:
        self._failures += 1
        if not self._served and isinstance(error, Forbidden | NotFound) and self._failures >= CONFIRMATIONS:
            raise error
        if self._failures == 1 and not isinstance(error, Conflict):  # which only says that somebody else was there first
            log(logging.WARNING, "the lease cannot be reached, trying on", leading=self._leading, error=str(error))
