"""The Prometheus of the world: scrapes, forgets nothing, and can fail in every way that matters."""

from bisect import bisect_left
from enum import StrEnum

from canary_operator.analysis.samples import Answer, NoData, Point, QueryFailed, Samples, Series
from canary_operator.release.model import Ask
from canary_operator.simulation.traffic import Counter

FIRST_WINDOW = 300.0
"""Seconds that are asked for while nothing is recorded."""
EXTRA_SCRAPES = 2
"""Scrapes before the recorded ones that are asked for too: counters are compared with their predecessors."""


class Mode(StrEnum):
    """How Prometheus does."""

    WORKING = "working"
    FROZEN = "frozen"
    """Answers, but scrapes no more."""
    EMPTY = "empty"
    """Scrapes, but answers that no series match."""
    REFUSING = "refusing"
    """Scrapes, but answers no question."""
    DOWN = "down"
    """Neither scrapes nor answers."""
    CANARY_BLIND = "canary blind"
    """Everything but the canary's series is there."""


class Prometheus:
    """What was scraped, and what a question is answered with."""

    def __init__(self, spacing: float, first: float) -> None:
        self.spacing = spacing
        self.due = first
        """When the next scrape is due, Unix seconds."""
        self.mode = Mode.WORKING
        self.scraped: list[float] = []
        """When it has scraped, Unix seconds."""
        self._times: dict[Counter, list[float]] = {}
        self._points: dict[Counter, list[Point]] = {}

    def scrape(self, counters: dict[Counter, int]) -> None:
        """Reads all counters, if it does."""
        time, self.due = self.due, self.due + self.spacing
        if self.mode in (Mode.FROZEN, Mode.DOWN):
            return
        self.scraped.append(time)
        for counter, value in counters.items():
            self._times.setdefault(counter, []).append(time)
            self._points.setdefault(counter, []).append(Point(time, float(value)))

    def answer(self, ask: Ask, now: float) -> Answer:
        """What the question is answered with at this time."""
        if self.mode in (Mode.REFUSING, Mode.DOWN):
            return QueryFailed("connection refused")
        since = now - FIRST_WINDOW if ask.since is None else ask.since - EXTRA_SCRAPES * self.spacing - 1e-3
        workloads = {*ask.stable, *(() if self.mode is Mode.CANARY_BLIND else ask.canary)}
        found = (
            ()
            if self.mode is Mode.EMPTY
            else tuple(
                Series(_labels(counter), tuple(points[bisect_left(self._times[counter], since) :]))
                for counter, points in self._points.items()
                if counter[1] in workloads and self._times[counter][-1] >= since
            )
        )
        return Samples(found) if found else NoData("no series match the query")


def _labels(counter: Counter) -> dict[str, str]:
    target, workload, code = counter
    return {"instance": target, "destination_workload": workload, "response_code": code, "response_flags": "-"}
