"""Asks Prometheus what the last decision of each CanaryRelease needs, and wakes it when something new came. Judges no sample.

The rhythm is Prometheus' own: the next look follows the next scrape that the samples let expect, so that a bad sample is seen at once and
nothing is asked in between.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from canary_operator.analysis import promql
from canary_operator.analysis.latency import lacks_bound, with_bounds, with_lasting
from canary_operator.analysis.samples import Answer, NoData, QueryFailed, Samples
from canary_operator.cache import Cache, Key
from canary_operator.release.model import Ask

LAG = 0.25
"""Seconds from a scrape to its samples being answered."""
RETRY = 0.5
RETRIES = 4
"""A scrape that is late is asked for this often, this many seconds apart."""
UNKNOWN = 2.0
"""Seconds to the next look while the scrape interval is unknown."""
FAILING = 5.0
"""Seconds to the next look after a query that failed."""
FIRST_WINDOW = 900.0
"""Seconds to ask for while nothing is recorded: how clumpy stable's failures are shows only in a longer time."""
LASTING_WINDOW = timedelta(minutes=15)
"""Over which the time that stable's requests last is averaged."""
LEAST_WINDOW = 60.0
SLACK = 5.0
"""Seconds by which the clocks of Prometheus and of this process may differ."""
AT_ONCE = 8
"""Queries at the same time, over all CanaryReleases."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for one CanaryRelease."""

    provider: str
    """Name of the Prometheus provider."""
    reporter: str
    """Source, Destination, Waypoint or Auto."""
    service: str
    """Name of the Service."""
    ask: Ask
    threshold: timedelta | None = None
    """An answer that takes longer is slow; None: latency is not judged."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the scrapes come, as the samples show it."""

    newest: frozenset[float] = frozenset()
    """Times of the newest sample of every target that is still scraped."""
    spacing: float | None = None
    """Seconds between two scrapes; None: unknown."""
    misses: int = 0
    """Looks in a row that brought nothing new."""


class Prometheus(Protocol):
    """What is asked; never raises."""

    async def query(self, provider: str, text: str) -> Answer:
        """The answer to an instant query."""


def rhythm(answer: Answer, before: Rhythm) -> Rhythm:
    """The rhythm after an answer."""
    if not isinstance(answer, Samples):
        return Rhythm(frozenset(), before.spacing)
    gaps = [later.time - earlier.time for each in answer.series for earlier, later in zip(each.points, each.points[1:], strict=False)]
    spacing = statistics.median(gaps) if gaps else before.spacing
    last = {each.points[-1].time for each in answer.series}
    alive = frozenset(at for at in last if spacing is None or at > max(last) - 1.5 * spacing)
    return Rhythm(alive, spacing, before.misses + 1 if alive == before.newest else 0)


def next_look(answer: Answer, seen: Rhythm, now: float) -> float:
    """Seconds to the next look.

    Args:
        answer: What Prometheus answered last.
        seen: The rhythm with that answer.
        now: Unix seconds.
    """
    if isinstance(answer, QueryFailed):
        return FAILING
    if not isinstance(answer, Samples) or not seen.spacing:
        return UNKNOWN
    due = [at + seen.spacing + LAG for at in seen.newest]
    if seen.misses < RETRIES and any(at <= now for at in due):
        return RETRY
    coming = min((at - now for at in due if at > now), default=seen.spacing)
    return min(max(coming, RETRY), seen.spacing + LAG)


def window(since: float | None, spacing: float | None, now: float, first: float = FIRST_WINDOW) -> timedelta:
    """How far back to ask: two scrapes further than what is recorded, since counters are compared with their predecessors.

    Args:
        since: Unix seconds up to which samples are recorded; None: none are.
        spacing: Seconds between two scrapes; None: unknown.
        now: Unix seconds.
        first: Seconds to ask for while nothing is recorded.
    """
    if since is None:
        return timedelta(seconds=first)
    return timedelta(seconds=round(max(LEAST_WINDOW, now - since + 2 * (spacing or UNKNOWN) + SLACK)))


@dataclass(slots=True)
class _Line:
    """One CanaryRelease that is asked about."""

    question: Question
    rhythm: Rhythm = Rhythm()
    first: float = FIRST_WINDOW
    """Seconds to ask for while nothing is recorded; less after each answer that failed: it may have been too large."""
    timer: asyncio.TimerHandle | None = None
    busy: bool = False


class Sampler:
    """Holds what is asked, and asks it.

    Args:
        prometheus: The client.
        cache: Where answers go.
        wake: Called when an answer says something new.
        wall: Unix seconds.
        count: Is told provider and outcome (`Samples`, `NoData`, `QueryFailed`) of every query.
        matchers: The label matchers of a provider, as `promql.matchers` writes them.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        cache: Cache,
        wake: Callable[[Key], None],
        *,
        wall: Callable[[], float] = time.time,
        count: Callable[[str, str], None] = lambda provider, outcome: None,
        matchers: Callable[[str], str] = lambda provider: "",
    ) -> None:
        self._prometheus = prometheus
        self._cache = cache
        self._wake = wake
        self._wall = wall
        self._count = count
        self._matchers = matchers
        self._lines: dict[Key, _Line] = {}
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts asking."""
        self._workers = [asyncio.create_task(self._work(), name=f"sampler {number}") for number in range(AT_ONCE)]

    def asking(self) -> frozenset[Key]:
        """The CanaryReleases that something is asked for."""
        return frozenset(self._lines)

    async def stop(self) -> None:
        """Stops asking, at once. What was answered is dropped: whoever asks again later must not find it."""
        for key, line in self._lines.items():
            _hush(line)
            self._cache.put_answer(key, None)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def want(self, key: Key, question: Question | None) -> None:
        """What the last decision needs. None: nothing; then the last answer is dropped too."""
        line = self._lines.get(key)
        if question is not None and line is not None and _same(line.question, question):
            line.question = question
            return
        if line is not None:
            _hush(line)
            del self._lines[key]
        self._cache.put_answer(key, None)
        if question is not None:
            self._lines[key] = _Line(question)
            self._due.put_nowait(key)

    async def _work(self) -> None:
        while True:
            key = await self._due.get()
            line = self._lines.get(key)
            if line is not None and not line.busy:
                line.busy = True
                await self._look(key, line)

    async def _look(self, key: Key, line: _Line) -> None:
        question = line.question
        answer = await self._ask(key, question, line)
        line.busy = False
        if isinstance(answer, QueryFailed):
            line.first = max(LEAST_WINDOW, line.first / 2)
        self._count(question.provider, type(answer).__name__)
        if self._lines.get(key) is not line:
            return  # something else is asked by now, or nothing
        seen = rhythm(answer, line.rhythm)
        news = seen.newest != line.rhythm.newest or type(answer) is not type(self._cache.answer(key))
        line.rhythm = seen
        self._cache.put_answer(key, answer)
        delay = next_look(answer, seen, self._wall())
        line.timer = asyncio.get_running_loop().call_later(delay, self._due.put_nowait, key)
        if news:
            self._wake(key)

    async def _ask(self, key: Key, question: Question, line: _Line) -> Answer:
        ask = question.ask
        workloads = tuple(sorted({*ask.canary, *ask.stable}))
        if not workloads:
            return QueryFailed("no workload is known to ask for")
        matchers = self._matchers(question.provider)
        subject = promql.Subject(question.reporter, question.service, key.namespace, workloads, matchers)
        text = promql.counters(subject, window(ask.since, line.rhythm.spacing, self._wall(), line.first), question.threshold)
        answer = await self._prometheus.query(question.provider, text)
        if isinstance(answer, NoData):
            return NoData(f"{answer.why}: {text}")
        if ask.lasting:  # once or a few times for a release, before its first weight
            of_stable = replace(subject, workloads=tuple(sorted(ask.stable)))
            answer = with_lasting(answer, await self._prometheus.query(question.provider, promql.lasting(of_stable, LASTING_WINDOW)))
        if question.threshold is None or not lacks_bound(answer, question.threshold):
            return answer
        # Rare, and nothing moves until it is mended: what the histogram has instead is worth a second question.
        bounds = await self._prometheus.query(question.provider, promql.bounds(subject))
        return with_bounds(answer, bounds)


def _same(one: Question, other: Question) -> bool:
    """Whether two questions differ in nothing but how far back they reach, and whether they ask how long requests last."""
    return _timeless(one) == _timeless(other)


def _timeless(question: Question) -> Question:
    return replace(question, ask=replace(question.ask, since=None, lasting=False))


def _hush(line: _Line) -> None:
    if line.timer is not None:
        line.timer.cancel()
        line.timer = None
