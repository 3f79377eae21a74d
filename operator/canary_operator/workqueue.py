"""Which CanaryRelease is looked at next: a queue of keys. Knows nothing of what a pass does.

A key is in work at most once; a key added meanwhile is worked on once more afterwards (the semantics of client-go's workqueue). Each key
has at most one deadline: that of its newest pass.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta

from canary_operator.cache import Key
from canary_operator.clients.errors import CanaryOperatorError, Conflict, TooManyRequests

Pass = Callable[[Key], Awaitable[timedelta | None]]
"""One pass over a key; answers when to look again at the latest. None: when something changes."""

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 10.0
"""Seconds. Doubled with each failure in a row, and spread by half. Also how late the return of the API server is noticed at most."""
CALM = 1.0
"""Seconds after a failure for which news of a key does not shorten its back-off below them."""


class WorkQueue:
    """A queue with its workers.

    Args:
        look: One pass.
        known: Whether a key still exists; one that does not is not looked at again by itself.
        failed: Is told of every pass that raised, and of the seconds until the next try.
        workers: Passes at the same time.
        recheck: Seconds after which every known key is looked at again, whatever happens; spread by a tenth.
        chance: Random numbers from 0 to 1.
    """

    def __init__(
        self,
        look: Pass,
        *,
        known: Callable[[Key], bool] = lambda key: True,
        failed: Callable[[Key, Exception, float], None] = lambda key, error, delay: None,
        workers: int = 8,
        recheck: float = 600,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._look = look
        self._known = known
        self._failed = failed
        self._recheck = recheck
        self._chance = chance
        self._size = workers
        self._ready: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._active: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._calm: dict[Key, float] = {}
        self._wanted = asyncio.Semaphore(0)
        self._workers: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    def add(self, key: Key) -> None:
        """Look at this key as soon as a worker is free, or when it is calm again after a failure."""
        if self._stopped or key in self._dirty:
            return
        calm = self._calm.get(key, 0.0) - asyncio.get_running_loop().time()
        if calm > 0:
            self.add_after(key, calm)
            return
        self._dirty.add(key)
        if key not in self._active:
            self._enqueue(key)

    def add_after(self, key: Key, delay: float) -> None:
        """Look at this key after so many seconds at the latest. Replaces the deadline that the key has."""
        self._cancel(key)
        if not self._stopped:
            self._timers[key] = asyncio.get_running_loop().call_later(max(delay, 0), self._ring, key)

    def add_with_backoff(self, key: Key, least: float = 0) -> float:
        """Look at this key after a pause that grows with each failure; answers its seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(FIRST_BACKOFF * 2.0 ** min(failures, 16), LONGEST_BACKOFF)
        delay = max(least, pause * (0.5 + self._chance() / 2))
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """No deadline and no failures any more."""
        self._cancel(key)
        self._failures.pop(key, None)
        self._calm.pop(key, None)

    def start(self) -> None:
        """Starts the workers; what was added before is worked on now."""
        self._workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._size)]

    async def stop(self, grace: float) -> None:
        """Takes nothing up any more, and gives the passes in work so many seconds to end."""
        self._stopped = True
        for key in list(self._timers):
            self._cancel(key)
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            pass
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._wanted.acquire()
            if self._stopped:
                return
            key = self._ready.popleft()
            self._dirty.discard(key)
            self._active.add(key)
            self._idle.clear()
            try:
                await self._pass(key)
            finally:
                self._active.discard(key)
                if not self._active:
                    self._idle.set()
                if key in self._dirty:
                    self._dirty.discard(key)
                    self.add(key)

    async def _pass(self, key: Key) -> None:
        try:
            again = await self._look(key)
        except Exception as error:  # noqa: BLE001  (the one place: a key that fails must not end the worker)
            least = error.retry_after if isinstance(error, TooManyRequests) else 0
            delay = self.add_with_backoff(key, least)
            if not isinstance(error, Conflict):  # after which what is known is new
                self._calm[key] = asyncio.get_running_loop().time() + max(least, min(delay, CALM))
            self._failed(key, error, delay)
            return
        self.forget(key)
        if not self._known(key):
            return
        recheck = self._recheck * (0.9 + self._chance() / 5)
        self.add_after(key, min(recheck, again.total_seconds()) if again is not None else recheck)

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _enqueue(self, key: Key) -> None:
        self._ready.append(key)
        self._wanted.release()

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


def is_expected(error: Exception) -> bool:
    """Whether an error of a pass is the cluster's or that of an object in it, and no fault in this program."""
    return isinstance(error, CanaryOperatorError)
