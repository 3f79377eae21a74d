"""The Prometheus of the world: scrapes, forgets nothing, and can fail in every way that matters."""

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Mapping, Set
from enum import StrEnum

from canary_operator.analysis.samples import Answer, NoData, Point, QueryFailed, Samples, Series
from canary_operator.release.model import Ask
from canary_operator.simulation.objects import MILLISECOND
from canary_operator.simulation.traffic import Counter

FIRST_WINDOW = 300.0
"""Seconds that are asked for while nothing is recorded, unless said otherwise."""
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
        self.first_window = FIRST_WINDOW
        self.lag = 0.0
        """Seconds from a scrape until its samples are in an answer."""
        self.lasting: float | None = None
        """Seconds that requests last on average, as the proxies' histograms say; None: they have none."""
        self.scraped: list[float] = []
        """When it has scraped, Unix seconds."""
        self._turns: deque[tuple[float, frozenset[str]]] = deque()
        """When which targets are scraped next, in order of time; empty: all are scraped together."""
        self._read: list[dict[Counter, int]] = []
        """What the counters of the scraped targets had, at each time in `scraped`."""

    def stagger(self, phases: Mapping[str, float]) -> None:
        """Every target is scraped at times of its own: so many seconds (0 up to the spacing) after the common time.

        Sample times are whole milliseconds, as Prometheus has them: the record keeps no more of them.
        """
        dues = {target: round(self.due + phase, 3) for target, phase in phases.items()}
        self._turns = deque((due, frozenset(each for each in dues if dues[each] == due)) for due in sorted({*dues.values()}))
        self.due = self._turns[0][0] if self._turns else self.due

    def scrape(self, counters: dict[Counter, int]) -> frozenset[str]:
        """Reads all counters of the targets whose turn it is, if it does; returns these targets."""
        time, of = self.due, self._whose_turn(counters)
        if self.mode in (Mode.FROZEN, Mode.DOWN):
            return frozenset()
        self.scraped.append(time)
        self._read.append({counter: value for counter, value in counters.items() if counter[0] in of})
        return of

    def _whose_turn(self, counters: dict[Counter, int]) -> frozenset[str]:
        """The targets that are scraped now; and sets when the next are."""
        if not self._turns:
            self.due += self.spacing
            return frozenset(counter[0] for counter in counters)
        due, turn = self._turns.popleft()
        self._turns.append((round(due + self.spacing, 3), turn))
        self.due = self._turns[0][0]
        return turn

    def hides(self, now: float) -> bool:
        """The newest samples are in no answer yet."""
        return bool(self.scraped) and self.scraped[-1] > now - self.lag + MILLISECOND

    def answer(self, ask: Ask, now: float) -> Answer:
        """What the question is answered with at this time."""
        if self.mode in (Mode.REFUSING, Mode.DOWN):
            return QueryFailed("connection refused")
        since = now - self.first_window if ask.since is None else ask.since - EXTRA_SCRAPES * self.spacing - 1e-3
        until = now - self.lag + MILLISECOND
        workloads = {*ask.stable, *(() if self.mode is Mode.CANARY_BLIND else ask.canary)}
        points = {} if self.mode is Mode.EMPTY else self._points(since, until, workloads)
        found = tuple(Series(_labels(counter), tuple(of)) for counter, of in points.items())
        return Samples(found, self.lasting if ask.lasting else None) if found else NoData("no series match the query")

    def _points(self, since: float, until: float, workloads: Set[str]) -> dict[Counter, list[Point]]:
        """What was scraped of the counters of these workloads in this time, Unix seconds."""
        found = defaultdict[Counter, list[Point]](list)
        for place in range(bisect_left(self.scraped, since), bisect_right(self.scraped, until)):
            time = self.scraped[place]
            for counter, value in self._read[place].items():
                if counter[1] in workloads:
                    found[counter].append(Point(time, float(value)))
        return found


def _labels(counter: Counter) -> dict[str, str]:
    target, workload, code, bound = counter
    labels = {"instance": target, "destination_workload": workload, "response_code": code, "response_flags": "-"}
    return {**labels, "le": bound} if bound else labels
