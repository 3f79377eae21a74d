"""A candidate for the Lease in a thread of its own, with a loop and a connection of its own: no pass, however long, holds up a renewal.

What this process may do follows from the Lease and the clock alone (`seconds_left`), whichever thread asks. The loop that does the work is told
when it begins and when it ends; while it has not turned for long, as when it hangs for good, the Lease is not renewed: another replica works.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from canary_operator.instrumentation import log

HUNG = 60.0
"""Seconds without a turn of the loop that does the work, after which it is given up. Its liveness probe fails long before."""
BEAT = 1.0
"""Seconds between two questions whether it turns."""

Told = Callable[[bool], None]
Turns = Callable[[], bool]


class Campaign(Protocol):
    """What runs in the thread; `leadership.Leadership` is the one that counts."""

    def seconds_left(self) -> float:
        """How long a write that is sent now may take."""

    async def run(self) -> None:
        """Until it is cancelled; raises what cannot be mended."""

    async def give_back(self) -> None:
        """Lets the next one begin at once."""


Opened = tuple[Campaign, Callable[[], Awaitable[None]]]
"""A campaign, and what closes its connection."""


class Candidate:
    """One candidate; belongs to the loop that creates it.

    Args:
        open: Called in the thread, with whom to tell when the answer to "do I lead?" changes, and whom to ask whether the other loop turns.
        told: Called in the loop that creates this object when that answer changes.
    """

    def __init__(
        self,
        open: Callable[[Told, Turns], Awaitable[Opened]],
        *,
        told: Told = lambda leads: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._told, self._clock = open, told, clock
        self._home = asyncio.get_running_loop()
        self._won, self._lost = asyncio.Event(), asyncio.Event()
        self._ended: asyncio.Future[None] = self._home.create_future()
        self._campaign: Campaign | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._ending = threading.Event()
        self._beat = clock()

    def seconds_left(self) -> float:
        """How long a write that is sent now may take; 0: nothing may be written. Of any thread."""
        return self._campaign.seconds_left() if self._campaign is not None else 0.0

    async def won(self) -> None:
        """Returns when this process is to work."""
        await self._won.wait()

    async def lost(self) -> None:
        """Returns when it is to stop."""
        await self._lost.wait()

    async def run(self) -> None:
        """Starts the thread, and returns when it has ended.

        Raises:
            Forbidden: From the start on, there is no right on the Lease.
            NotFound: From the start on, there is no namespace for it.
        """
        self._beat = self._clock()
        threading.Thread(target=self._main, name="lease", daemon=True).start()
        await asyncio.shield(self._ended)

    async def end(self) -> None:
        """Gives the Lease back. To be called when nothing is written any more."""
        self._ending.set()
        if self._loop is not None and self._over is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)
        if self._loop is not None:
            await asyncio.wait([self._ended])
            self._ended.exception()  # which `run` raises

    def _main(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._stand())
        except BaseException as raised:  # noqa: BLE001  (handed over to the other thread, which decides)
            error = raised
        self._call(self._finish, error)

    async def _stand(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        if self._ending.is_set():
            return
        campaign, close = await self._open(lambda leads: self._call(self._turned, leads), self._turns)
        self._campaign = campaign
        run, over = asyncio.ensure_future(campaign.run()), asyncio.ensure_future(self._over.wait())
        asking = asyncio.ensure_future(self._ask())
        try:
            await asyncio.wait([run, over], return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                run.result()
        finally:
            for task in (run, over, asking):
                task.cancel()
            await asyncio.gather(run, over, asking, return_exceptions=True)
            await campaign.give_back()
            await close()

    async def _ask(self) -> None:
        """Asks the other loop to show that it turns."""
        while True:
            self._call(self._show)
            await asyncio.sleep(BEAT)

    def _show(self) -> None:
        self._beat = self._clock()

    def _turns(self) -> bool:
        return self._clock() - self._beat < HUNG

    def _turned(self, leads: bool) -> None:
        (self._lost if leads else self._won).clear()
        (self._won if leads else self._lost).set()
        self._told(leads)

    def _finish(self, error: BaseException | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._home.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the other loop has ended before this one
            log(logging.DEBUG, "the other loop has ended")
