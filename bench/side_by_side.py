"""Trials side by side in one lab, as many as the machine serves."""

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from bench.figures import Figures
from bench.trial import Cell, Row, Trial
from lab import Lab
from lab.operator import Operator
from lab.waiting import until

PREPARED = 4
"""So many releases at most are prepared before there is room for them."""
RESTART = 20.0
"""Seconds between two kills of the operator, for cells that ask for it."""
ROUTES = "/apis/networking.istio.io/v1/virtualservices"


class Room:
    """So many requests per second are served at the same time; whoever wants to add some waits until there is room."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._taken = 0.0
        self._changed = threading.Condition()

    def enter(self, rate: float) -> None:
        """Waits until there is room for this rate; what is larger than all of it waits until nobody else is in it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + rate <= self._most)
            self._taken += rate

    def leave(self, rate: float) -> None:
        """Gives it back."""
        with self._changed:
            self._taken -= rate
            self._changed.notify_all()


class Yard:
    """One lab, one operator, many services."""

    def __init__(self, lab: Lab, figures: Figures, most: float) -> None:
        """Starts the operator.

        Args:
            lab: Up.
            figures: Where the rows go.
            most: Requests per second, over all trials at a time.
        """
        self._lab, self._figures, self._most = lab, figures, most
        self._operator = Operator(lab, lab.prometheus_url)
        self._operator.start()
        self._operator.wait_ready()
        self._revisions = lab.revisions(ROUTES)
        self._numbers = itertools.count(1)
        self._preparing = threading.Semaphore(PREPARED)

    def play(self, cells: Sequence[Cell]) -> None:
        """All runs; those that need the lab for themselves, or an operator that is killed again and again, after the others."""
        self._play([cell for cell in cells if not cell.restarts and not cell.alone])
        if restless := [cell for cell in cells if cell.restarts]:
            with self._killing():
                self._play(restless)
        for cell in (each for each in cells if each.alone):
            self._play([cell])
        self._operator.terminate()

    def _play(self, cells: Iterable[Cell]) -> None:
        room = Room(self._most)

        def take(cell: Cell, done: "Future[Row]") -> None:
            if done.cancelled():
                return
            if error := done.exception():
                self._figures.fail(cell, error)
            else:
                self._figures.add(cell, done.result())

        with ThreadPoolExecutor(128) as threads:
            try:
                for cell in cells:
                    for run in range(cell.runs):
                        trial = threads.submit(self._trial, cell, (run + 0.5) / cell.runs, room)
                        trial.add_done_callback(lambda done, of=cell: take(of, done))  # type: ignore[misc]
                threads.shutdown(wait=True)
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _trial(self, cell: Cell, phase: float, room: Room) -> Row:
        """One release. While those before it are still served, it is prepared; one that harms the lab has it for itself all the time."""
        rate = self._most if cell.alone else cell.rate
        with ExitStack() as after:
            with self._preparing:
                if cell.alone:
                    room.enter(rate)
                    after.callback(room.leave, rate)
                trial = Trial(self._lab, self._revisions, cell, next(self._numbers), scrape=self._figures.scrape, phase=phase)
                after.callback(trial.remove)
                trial.prepare()
                if not cell.alone:
                    room.enter(rate)
                    after.callback(room.leave, rate)
            return trial.run()

    @contextmanager
    def _killing(self) -> Iterator[None]:
        """SIGKILL for the operator every 20 s, and a new one at once."""
        over = threading.Event()

        def kill() -> None:
            while not over.wait(RESTART):
                self._operator.restart()

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            until(self._operator.is_ready, "the operator is ready", 60)
