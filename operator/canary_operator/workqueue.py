"""Which CanaryRelease is looked at next: a queue of keys. Knows nothing of what a pass does.

A key is in work at most once; a key added meanwhile is worked on once more afterwards (the semantics of client-go's workqueue). Each key
has at most one deadline: that of its newest pass. Keys that are urgent come before the others, and between two passes the event loop turns.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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

URGENT_IN_A_ROW = 8
"""Urgent keys that are taken before one that waits and is not."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a queue has still to do."""

    due: frozenset[Key] = frozenset()
    """To be looked at as soon as possible."""
    deadlines: Mapping[Key, float] = field(default_factory=dict)
    """By the clock of the event loop: when to look at each at the latest."""


class WorkQueue:
    """A queue with its workers.

    Args:
        look: One pass.
        known: Whether a key still exists; one that does not is not looked at again by itself.
        urgent: Whether a key is to be looked at before those that are not: traffic moves, or somebody waits.
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
        urgent: Callable[[Key], bool] = lambda key: False,
        failed: Callable[[Key, Exception, float], None] = lambda key, error, delay: None,
        workers: int = 8,
        recheck: float = 600,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._look = look
        self._known = known
        self._urgent = urgent
        self._failed = failed
        self._recheck = recheck
        self._chance = chance
        self._size = workers
        self._ready: tuple[dict[Key, None], dict[Key, None]] = ({}, {})
        """Those that wait, in their order: urgent ones, and others."""
        self._in_a_row = 0
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
        return sum(map(len, self._ready))

    def add(self, key: Key) -> None:
        """Look at this key as soon as a worker is free, or when it is calm again after a failure."""
        if key in self._dirty or self._stopped:
            self._dirty.add(key)
            if key in self._ready[1] and self._urgent(key):  # it has become so while it waited
                del self._ready[1][key]
                self._ready[0][key] = None
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
        self._timers[key] = asyncio.get_running_loop().call_later(max(delay, 0), self._ring, key)
        if self._stopped:
            self._timers[key].cancel()  # it only says when

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

    def resume(self, agenda: Agenda) -> None:
        """Takes up what another queue of this loop had still to do."""
        now = asyncio.get_running_loop().time()
        for key, at in agenda.deadlines.items():
            self.add_after(key, at - now)
        for key in sorted(agenda.due):
            self.add(key)

    def start(self) -> None:
        """Starts the workers; what was added before is worked on now."""
        self._workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._size)]

    async def stop(self, grace: float) -> Agenda:
        """Takes nothing up any more, and gives the passes in work so many seconds to end; answers what is left to do."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            pass
        interrupted = set(self._active)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        due = self._dirty | interrupted
        return Agenda(frozenset(due), {key: timer.when() for key, timer in self._timers.items() if key not in due})

    async def _work(self) -> None:
        while True:
            await self._wanted.acquire()
            if self._stopped:
                return
            key = self._next()
            self._dirty.discard(key)
            self._active.add(key)
            self._idle.clear()
            try:
                await self._pass(key)
            finally:
                self._active.discard(key)
                if not self._active:
                    self._idle.set()
                if key in self._dirty and not self._stopped:
                    self._dirty.discard(key)
                    self.add(key)
            await asyncio.sleep(0)  # a pass that waited for nothing has not let anything else run

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
        self._ready[0 if self._urgent(key) else 1][key] = None
        self._wanted.release()

    def _next(self) -> Key:
        urgent, others = self._ready
        first = urgent if urgent and (self._in_a_row < URGENT_IN_A_ROW or not others) else others
        self._in_a_row = self._in_a_row + 1 if first is urgent else 0
        key = next(iter(first))
        del first[key]
        return key

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


def is_expected(error: Exception) -> bool:
    """Whether an error of a pass is the cluster's or that of an object in it, and no fault in this program."""
    return isinstance(error, CanaryOperatorError)
