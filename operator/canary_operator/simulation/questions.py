"""The users' own queries in the world: each is asked at its own interval, and answers within its bounds unless a test says otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.value import QueryAsk, Value, ValueAnswer
from canary_operator.api.analysis import Query
from canary_operator.simulation.prometheus import Mode, Prometheus

Answers = Callable[[float], ValueAnswer]
"""What a query answers at a time, Unix seconds."""


@dataclass(slots=True)
class Questions:
    """What one process asks, and what it was answered."""

    answered: dict[QueryAsk, ValueAnswer] = field(default_factory=dict)
    _due: dict[QueryAsk, float] = field(default_factory=dict)

    @property
    def due(self) -> float:
        """When the next one is asked, Unix seconds."""
        return min(self._due.values(), default=float("inf"))

    def want(self, asks: tuple[QueryAsk, ...], now: float) -> None:
        """What the last decision needs; what is new is asked at once."""
        for ask in [ask for ask in {*self._due, *self.answered} if ask not in asks]:
            self._due.pop(ask, None)
            self.answered.pop(ask, None)
        for ask in asks:
            if ask not in self._due and ask not in self.answered:
                self._due[ask] = now

    def ask(self, now: float, answer: Callable[[QueryAsk], ValueAnswer]) -> bool:
        """Asks what is due; True: an answer says something new."""
        news = False
        for ask in [ask for ask, due in self._due.items() if due <= now]:
            found, before = answer(ask), self.answered.get(ask)
            self.answered[ask] = found
            news |= isinstance(found, Value) or found != before
            if ask.interval is None:
                del self._due[ask]
            else:
                self._due[ask] = now + ask.interval.total_seconds()
        return news


def answer(ask: QueryAsk, prometheus: Prometheus, now: float, *, wishes: tuple[Query, ...], told: Mapping[str, Answers]) -> ValueAnswer:
    """What Prometheus says to a query.

    Args:
        ask: The query.
        prometheus: How it does.
        now: Unix seconds.
        wishes: `spec.analysis.queries`; one that nothing is told of answers a bound of its own, which is good.
        told: What queries answer, by name.
    """
    if prometheus.mode in (Mode.REFUSING, Mode.DOWN):
        return QueryFailed("connection refused")
    last = prometheus.scraped[-1] if prometheus.scraped else 0.0
    if ask.interval is None or prometheus.mode is Mode.EMPTY or last <= now - ask.interval.total_seconds():
        return NoData("no series match it")
    if ask.name in told:
        return told[ask.name](now)
    bound = next((wish.max if wish.max is not None else wish.min for wish in wishes if wish.name == ask.name), None)
    return Value(now, float(bound or 0))
