"""What is read while a release needs it: namespaces, pods, gateways, policies, callers. Reads, keeps, wakes; judges nothing.

One read serves all CanaryReleases that want it. While one does, it is repeated every minute; at rest nothing is asked. No pass waits for
it: a pass says what it needs, and is woken when that is there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from canary_operator.analysis import promql
from canary_operator.analysis.samples import Answer, QueryFailed, Samples
from canary_operator.cache import Key
from canary_operator.clients.errors import Forbidden, NotFound, TooManyRequests, Unauthorized
from canary_operator.clients.kinds import LOOKED_UP, POD, Kind
from canary_operator.preflight.reading import Failed, Listing, NotPermitted, Read, Unserved
from canary_operator.trimming import looked_up

FRESH = 60.0
"""Seconds for which what was read counts."""
RETRY = 2.0
LONGEST_RETRY = 30.0
"""Seconds to the next try after a read that failed, at first and at most."""
AT_ONCE = 4
"""Reads at the same time, over all CanaryReleases."""
GATEWAY_PODS = 100
"""Pods of a gateway that are looked at: in which namespaces they stand, and whether one is ready."""
WINDOW = timedelta(minutes=10)
"""How far back callers are looked for."""

_KINDS = {kind.kind: kind for kind in LOOKED_UP}


class Finds(Protocol):
    """What is needed of the cluster."""

    async def find(
        self, kind: Kind, namespace: str | None, name: str | None, selector: str = "", *, most: int | None = None
    ) -> list[dict[str, Any]]:
        """One object, or all with these labels, or so many of them."""


class Asks(Protocol):
    """What is needed of Prometheus; never raises."""

    async def query(self, provider: str, text: str) -> Answer:
        """The answer to an instant query."""


class Reader:
    """Carries a read out."""

    def __init__(self, cluster: Finds, prometheus: Asks, matchers: Callable[[str], str] = lambda provider: "") -> None:
        self._cluster = cluster
        self._prometheus = prometheus
        self._matchers = matchers

    async def read(self, read: Read) -> Listing:
        """What came back.

        Raises:
            ClusterError: The API server did not answer; asking again may help.
        """
        if read.kind == "Telemetry":
            return await self._callers(read)
        kind = _KINDS[read.kind]
        try:
            # The selector is a Gateway's, which may stand in the namespace of a tenant: it cannot make the operator read all pods of a cluster.
            most = GATEWAY_PODS if kind == POD and read.namespace is None else None
            found = await self._cluster.find(kind, read.namespace, read.name, read.selector, most=most)
        except Unauthorized:
            raise
        except Forbidden:
            return NotPermitted()
        except NotFound:
            return Unserved()
        return tuple(looked_up(kind, each) for each in found)

    async def _callers(self, read: Read) -> Listing:
        query = promql.callers(read.name or "", read.namespace or "", WINDOW, self._matchers(read.selector))
        answer = await self._prometheus.query(read.selector, query)
        if isinstance(answer, QueryFailed):
            return Failed(answer.why)
        series = answer.series if isinstance(answer, Samples) else ()
        return tuple(
            {
                "reporter": each.labels.get("reporter", ""),
                "workload": each.labels.get("source_workload", ""),
                "namespace": each.labels.get("source_workload_namespace", ""),
                "from_cluster": each.labels.get("source_cluster", ""),
                "to_cluster": each.labels.get("destination_cluster", ""),
                "served_by": each.labels.get("destination_workload", ""),
                "version": each.labels.get("destination_version", ""),
                "revision": each.labels.get("destination_canonical_revision", ""),
                "requests": each.points[-1].value,
            }
            for each in series
        )


@dataclass(slots=True)
class _Entry:
    """One read that somebody wants, or wanted within the last minute."""

    listing: Listing | None = None
    at: float = 0.0
    trouble: str | None = None
    failures: int = 0
    wanted_by: set[Key] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None


class Surroundings:
    """Holds what is wanted, and reads it.

    Args:
        read: Carries one read out.
        wake: Called for every CanaryRelease that wants what has changed.
        monotonic: Seconds.
    """

    def __init__(
        self, read: Callable[[Read], Awaitable[Listing]], wake: Callable[[Key], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._wake = wake
        self._monotonic = monotonic
        self._entries: dict[Read, _Entry] = {}
        self._wants: dict[Key, frozenset[Read]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def known(self, key: Key) -> Mapping[Read, Listing]:
        """What was read of all that the CanaryRelease wants."""
        found = ((read, self._entries[read].listing) for read in self._wants.get(key, ()))
        return {read: listing for read, listing in found if listing is not None}

    def trouble(self, key: Key) -> str | None:
        """Why something that it wants could not be read yet; None: nothing failed."""
        entries = (self._entries[read] for read in self._wants.get(key, ()))
        return next((entry.trouble for entry in entries if entry.listing is None and entry.trouble), None)

    def want(self, key: Key, reads: Sequence[Read]) -> None:
        """All that the CanaryRelease needs from now on; nothing at rest."""
        before, after = self._wants.get(key, frozenset()), frozenset(reads)
        if before == after:
            return
        for read in before - after:
            self._leave(key, read)
        self._wants.pop(key, None)
        if after:
            self._wants[key] = after
        if [read for read in reads if read not in before and self._join(key, read)]:
            self._wake(key)  # what it asked for is there already

    def asking(self) -> frozenset[Key]:
        """The CanaryReleases that something is asked for."""
        return frozenset(self._wants)

    async def stop(self) -> None:
        """Ends all reads, at once."""
        for key in list(self._wants):
            self.want(key, ())
        for entry in self._entries.values():
            self._quiet(entry)
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join(self, key: Key, read: Read) -> bool:
        """Whether a listing that still counts is there."""
        entry = self._entries.setdefault(read, _Entry())
        if not entry.wanted_by:
            self._quiet(entry)
        entry.wanted_by.add(key)
        if entry.task is not None or entry.timer is not None:
            return entry.listing is not None
        left = entry.at + FRESH - self._monotonic()
        if entry.listing is not None and left > 0:
            self._later(read, entry, left)
            return True
        entry.listing = None
        self._begin(read, entry)
        return False

    def _leave(self, key: Key, read: Read) -> None:
        entry = self._entries[read]
        entry.wanted_by.discard(key)
        if not entry.wanted_by:
            self._quiet(entry)
            self._keep_a_while(read, entry)

    def _keep_a_while(self, read: Read, entry: _Entry) -> None:
        """Drops what nobody wants when it counts no more. Each by a timer of its own: no look at one is a walk over all."""
        if entry.task is not None:
            return
        left = entry.at + FRESH - self._monotonic()
        if entry.listing is None or left <= 0:
            del self._entries[read]
        else:
            entry.timer = asyncio.get_running_loop().call_later(left, self._entries.pop, read)

    def _quiet(self, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None

    def _later(self, read: Read, entry: _Entry, seconds: float) -> None:
        entry.timer = asyncio.get_running_loop().call_later(seconds, self._begin, read, entry)

    def _begin(self, read: Read, entry: _Entry) -> None:
        entry.timer = None
        entry.task = asyncio.create_task(self._fetch(read, entry), name=f"read {read.words}")

    async def _fetch(self, read: Read, entry: _Entry) -> None:
        before, pause = (entry.listing, entry.trouble), FRESH
        try:
            async with self._gate:
                entry.listing = await self._read(read)
            entry.at, entry.trouble, entry.failures = self._monotonic(), None, 0
            if isinstance(entry.listing, Failed):
                pause = LONGEST_RETRY / 3
        except Exception as error:  # noqa: BLE001  (whatever failed, what is wanted is asked for again)
            pause = min(RETRY * 2.0**entry.failures, LONGEST_RETRY)
            if isinstance(error, TooManyRequests):
                pause = max(pause, error.retry_after)
            entry.trouble, entry.failures = str(error), entry.failures + 1
        finally:
            entry.task = None
        if not entry.wanted_by:
            self._keep_a_while(read, entry)
            return
        self._later(read, entry, pause)
        if before != (entry.listing, entry.trouble):
            for key in sorted(entry.wanted_by):
                self._wake(key)
