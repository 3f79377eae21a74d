"""Reads the metadata of pods that no name tells of: once, when an EndpointSlice names one, and never at rest. Reads, keeps, wakes; judges nothing.

Pods are listed by the Service's selector; one that the list lacks is looked for by its name, since slices written by hand may name any pod.
No pass waits for it: a pass says which pods it does not know, and is woken when they are known.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from canary_operator.cache import Cache, Key
from canary_operator.clients.errors import Forbidden, TooManyRequests, Unauthorized
from canary_operator.clients.kinds import POD, Kind
from canary_operator.known_pods import Wish
from canary_operator.workloads.reading import pod_of
from canary_operator.workloads.source import Identity

RETRY = 0.5
LONGEST_RETRY = 30.0
"""Seconds to the next try after a read that failed, at first and at most."""
DENIED = 60.0
"""Seconds to the next try after a read that was refused, and only while a release needs it."""
AT_ONCE = 4
"""Reads at the same time, over all CanaryReleases."""
BY_NAME = 8
"""So many pods that the list lacks are looked for one by one; for more of them the whole namespace is listed."""


class Finds(Protocol):
    """What is needed of the cluster."""

    async def find_metadata(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        """Metadata of all objects with these labels and fields."""


@dataclass(slots=True)
class _Line:
    """One CanaryRelease that lacks pods."""

    wish: Wish
    failures: int = 0
    trouble: str | None = None
    refused: bool = False
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    asked: frozenset[Identity] = frozenset()
    """By the last read that was begun."""


class Lister:
    """Holds what is not known, and reads it.

    Args:
        cluster: Where it reads.
        cache: Where it keeps what it read.
        wake: Called for a CanaryRelease when what it lacked is known, or why it is not.
    """

    def __init__(self, cluster: Finds, cache: Cache, wake: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._cache = cache
        self._wake = wake
        self._lines: dict[Key, _Line] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def trouble(self, key: Key) -> str | None:
        """Why what the CanaryRelease lacks could not be read yet; None: nothing failed."""
        line = self._lines.get(key)
        return line.trouble if line is not None else None

    @property
    def waiting(self) -> int:
        """Reads that are due later."""
        return sum(line.timer is not None for line in self._lines.values())

    def want(self, key: Key, wish: Wish | None) -> None:
        """What the CanaryRelease does not know, from now on. None: nothing."""
        line = self._lines.get(key)
        if wish is None or not wish.pods:
            if line is not None:
                _hush(line)
                del self._lines[key]
            return
        if line is None:
            line = self._lines[key] = _Line(wish)
        line.wish = wish
        if line.task is not None or line.timer is not None:
            return  # under way, or due: it reads what is wanted then
        if line.refused and wish.pods <= line.asked:
            if wish.urgent:
                self._later(key, line, DENIED)
            return
        self._begin(key, line)

    def asking(self) -> frozenset[Key]:
        """The CanaryReleases that lack something."""
        return frozenset(self._lines)

    async def stop(self) -> None:
        """Ends all reads, at once."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for key in list(self._lines):
            self.want(key, None)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: Key, line: _Line) -> None:
        line.asked = line.wish.pods
        line.task = asyncio.get_running_loop().create_task(self._fetch(key, line), name=f"pods of {key.namespace}/{key.name}")

    def _later(self, key: Key, line: _Line, pause: float) -> None:
        line.timer = asyncio.get_running_loop().call_later(pause, self._again, key, line)

    def _again(self, key: Key, line: _Line) -> None:
        line.timer = None
        if self._lines.get(key) is line and line.task is None:
            self._begin(key, line)

    async def _fetch(self, key: Key, line: _Line) -> None:
        wish, pause, before, known = line.wish, 0.0, (line.trouble, line.refused), False
        try:
            async with self._gate:
                await self._read(key.namespace, wish)
            line.trouble, line.refused, line.failures, known = None, False, 0, True
        except Exception as error:  # noqa: BLE001  (whatever failed, what is wanted is asked for again)
            pause = self._failed(key, line, error)
        finally:
            line.task = None
        if self._lines.get(key) is not line:
            return
        if pause:
            self._later(key, line, pause)
        if known or before != (line.trouble, line.refused):
            self._wake(key)

    def _failed(self, key: Key, line: _Line, error: Exception) -> float:
        """Notes what failed, and answers the seconds to the next try; 0: none follows by itself."""
        line.refused = isinstance(error, Forbidden) and not isinstance(error, Unauthorized)
        if line.refused:
            self._cache.pods.deny(key.namespace)
            line.trouble, line.failures = None, 0
            return DENIED if line.wish.urgent else 0.0
        pause = min(RETRY * 2.0**line.failures, LONGEST_RETRY)
        line.trouble, line.failures = str(error), line.failures + 1
        return max(pause, error.retry_after) if isinstance(error, TooManyRequests) else pause

    async def _read(self, namespace: str, wish: Wish) -> None:
        found = await self._cluster.find_metadata(POD, namespace, labels=wish.selector) if wish.selector else []
        known = _by_identity(found)
        missing = [each for each in sorted(wish.pods) if each not in known]
        if len(missing) > BY_NAME:
            known |= _by_identity(await self._cluster.find_metadata(POD, namespace))
        else:
            for name, _ in missing:
                known |= _by_identity(await self._cluster.find_metadata(POD, namespace, fields=f"metadata.name={name}"))
        self._cache.pods.put(namespace, {each: known.get(each) for each in wish.pods})


def _by_identity(documents: Iterable[dict[str, Any]]) -> dict[Identity, Any]:
    """Each pod by its name and uid, and by its name alone, for slices that give no uid."""
    pods = [pod_of(document) for document in documents]
    return {identity: pod for pod in pods for identity in ((pod.name, pod.uid), (pod.name, ""))}


def _hush(line: _Line) -> None:
    if line.timer is not None:
        line.timer.cancel()
        line.timer = None
    if line.task is not None:
        line.task.cancel()
