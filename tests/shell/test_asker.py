"""The asker: each query at its own interval, one that is only checked once, and nothing is asked that nobody wants."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.value import QueryAsk, Refused, Value, ValueAnswer
from canary_operator.asker import AT_ONCE, Asker
from canary_operator.cache import Cache, Key
from tests.shell.virtual_time import now, run

KEY = Key("shop", "reviews")
TEN = timedelta(seconds=10)
DEPTH, AGE, CHECK = QueryAsk("one", "depth", TEN), QueryAsk("two", "age", timedelta(seconds=25)), QueryAsk("one", "depth", None)


class World:
    """A Prometheus that answers with its clock, after a while."""

    def __init__(self, latency: float = 0.5) -> None:
        self.latency = latency
        self.asked: list[tuple[float, str, timedelta | None]] = []
        self.flying = self.most = 0
        self.answer: Callable[[], ValueAnswer] = lambda: Value(now(), 1.0)

    async def value(self, provider: str, text: str, lookback: timedelta | None) -> ValueAnswer:
        self.asked.append((now(), text, lookback))
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(self.latency)
        self.flying -= 1
        return self.answer()

    def times(self, text: str = "depth") -> list[float]:
        return [at for at, asked, _ in self.asked if asked == text]


def play(world: World, seconds: float, script: Callable[[Asker, Cache], object]) -> list[float]:
    """Seconds at which the CanaryRelease was woken."""
    woken: list[float] = []

    async def main() -> None:
        cache = Cache()
        asker = Asker(world, cache, lambda key: woken.append(now()))
        script(asker, cache)
        await asyncio.sleep(seconds)
        await asker.stop()
        assert cache.values(KEY) == {}
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("query")]

    run(main())
    return woken


def test_each_query_is_asked_at_its_interval_after_its_answer_and_looks_back_no_further() -> None:
    world = World()
    woken = play(world, 30, lambda asker, cache: asker.want(KEY, "default", (DEPTH, AGE)))
    assert (world.times(), world.times("age")) == (pytest.approx([0, 10.5, 21]), pytest.approx([0, 25.5]))
    assert {(text, lookback) for _, text, lookback in world.asked} == {("depth", TEN), ("age", timedelta(seconds=25))}
    assert woken == pytest.approx([0.5, 0.5, 11, 21.5, 26])


def test_a_query_that_is_only_checked_is_asked_once_whatever_comes_of_it() -> None:
    for answer in (Refused("no PromQL"), NoData("no series match it"), QueryFailed("down")):
        world = World()
        world.answer = lambda answer=answer: answer  # type: ignore[misc]

        def script(asker: Asker, cache: Cache) -> None:
            for second in range(1, 50):
                asyncio.get_running_loop().call_later(second, asker.want, KEY, "default", (CHECK,))

        assert play(world, 100, script) == [1.5]
        assert world.asked == [(1, "depth", None)]


def test_the_same_wish_keeps_the_rhythm() -> None:
    world = World()

    def script(asker: Asker, cache: Cache) -> None:
        for second in range(30):
            asyncio.get_running_loop().call_later(second, asker.want, KEY, "default", (DEPTH,))

    play(world, 30, script)
    assert world.times() == pytest.approx([0, 10.5, 21])


def test_nobody_is_woken_when_there_is_still_no_value() -> None:
    world = World()
    world.answer = lambda: NoData("no series match it")
    assert play(world, 60, lambda asker, cache: asker.want(KEY, "default", (DEPTH,))) == [0.5]


@pytest.mark.parametrize(
    ("provider", "asks"),
    [
        pytest.param("default", (), id="nothing"),
        pytest.param("default", (AGE,), id="another query"),
        pytest.param("other", (AGE,), id="of another"),
    ],
)
def test_what_is_not_wanted_any_more_is_dropped_with_its_answer(provider: str, asks: tuple[QueryAsk, ...]) -> None:
    world = World()
    kept: list[object] = []

    def script(asker: Asker, cache: Cache) -> None:
        asker.want(KEY, "default", (DEPTH,))
        loop = asyncio.get_running_loop()
        loop.call_later(5, asker.want, KEY, provider, asks)
        loop.call_later(5, lambda: kept.append(DEPTH in cache.values(KEY)))

    play(world, 60, script)
    assert (world.times(), kept) == ([0], [False])


def test_an_answer_to_a_query_that_is_not_wanted_any_more_is_thrown_away() -> None:
    world = World(latency=2)

    def script(asker: Asker, cache: Cache) -> None:
        asker.want(KEY, "default", (DEPTH,))
        asyncio.get_running_loop().call_later(1, asker.want, KEY, "default", ())

    assert play(world, 30, script) == []


def test_no_more_than_the_bound_is_in_flight() -> None:
    world = World(latency=1)

    def script(asker: Asker, cache: Cache) -> None:
        for number in range(50):
            asker.want(Key("shop", str(number)), "default", (DEPTH,))

    play(world, 10, script)
    assert world.most == AT_ONCE
