"""Asks Prometheus the users' own queries, each at its own interval, and wakes the CanaryRelease when an answer says something new. Judges none."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from canary_operator.analysis.value import QueryAsk, Value, ValueAnswer
from canary_operator.cache import Cache, Key

AT_ONCE = 4
"""Queries at the same time, over all CanaryReleases: slow ones leave threads for the counters that every verdict rests on."""


class Prometheus(Protocol):
    """What is asked; never raises."""

    async def value(self, provider: str, text: str, lookback: timedelta | None) -> ValueAnswer:
        """The answer to an instant query. Lookback None: without samples, to see whether it is a query at all."""


@dataclass(slots=True)
class _Line:
    """One CanaryRelease that is asked about."""

    provider: str
    answers: dict[QueryAsk, ValueAnswer] = field(default_factory=dict)
    asking: dict[QueryAsk, asyncio.Task[None]] = field(default_factory=dict)


class Asker:
    """Holds what is asked, and asks it.

    Args:
        prometheus: The client.
        cache: Where answers go.
        wake: Called when an answer says something new.
        count: Is told provider and outcome (`Value`, `NoData`, `QueryFailed`, `Refused`) of every query.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        cache: Cache,
        wake: Callable[[Key], None],
        *,
        count: Callable[[str, str], None] = lambda provider, outcome: None,
    ) -> None:
        self._prometheus, self._cache, self._wake, self._count = prometheus, cache, wake, count
        self._lines: dict[Key, _Line] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def asking(self) -> frozenset[Key]:
        """The CanaryReleases that something is asked for."""
        return frozenset(self._lines)

    async def stop(self) -> None:
        """Stops asking, at once. What was answered is dropped."""
        tasks = [task for line in self._lines.values() for task in line.asking.values()]
        for key in list(self._lines):
            self.want(key, "", ())
        await asyncio.gather(*tasks, return_exceptions=True)

    def want(self, key: Key, provider: str, asks: tuple[QueryAsk, ...]) -> None:
        """What the last decision needs. What was asked before goes on in its rhythm; what is not needed any more is dropped, with its answer."""
        line = self._lines.get(key)
        if line is not None and (line.provider != provider or not asks):
            for task in line.asking.values():
                task.cancel()
            del self._lines[key]
            self._cache.put_values(key, {})
            line = None
        if not asks:
            return
        if line is None:
            line = self._lines[key] = _Line(provider)
        for ask in [ask for ask in line.asking if ask not in asks]:
            line.asking.pop(ask).cancel()
            line.answers.pop(ask, None)
        for ask in asks:
            if ask not in line.asking:
                line.asking[ask] = asyncio.create_task(self._ask(key, line, ask), name=f"query of {key.namespace}/{key.name}")
        self._cache.put_values(key, dict(line.answers))

    async def _ask(self, key: Key, line: _Line, ask: QueryAsk) -> None:
        while True:
            async with self._slots:
                answer = await self._prometheus.value(line.provider, ask.text, ask.interval)
            self._count(line.provider, type(answer).__name__)
            news = isinstance(answer, Value) or line.answers.get(ask) != answer
            line.answers[ask] = answer
            self._cache.put_values(key, dict(line.answers))
            if news:
                self._wake(key)
            if ask.interval is None:
                return
            # Counted from the answer, so that no two looks are nearer than the interval by Prometheus' clock.
            await asyncio.sleep(ask.interval.total_seconds())
