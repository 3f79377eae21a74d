"""The sampler: looks follow the scrapes, one question in flight, and nobody is woken without news."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.analysis.samples import Answer, NoData, Point, QueryFailed, Samples, Series
from canary_operator.cache import Cache, Key
from canary_operator.release.model import Ask
from canary_operator.sampler import AT_ONCE, Question, Rhythm, Sampler, next_look, rhythm, window
from tests.shell.virtual_time import now, run

KEY = Key("shop", "reviews")
EPOCH = 1_000_000.0


def question(since: float | None = None, canary: str = "reviews-v2", provider: str = "default") -> Question:
    return Question(provider, "Source", "reviews", Ask((canary,), ("reviews-v1",), since))


class World:
    """A Prometheus that scrapes each target every `spacing` seconds, at the target's own phase, and answers after `latency`."""

    def __init__(self, spacing: float = 5, phases: tuple[float, ...] = (0,), latency: float = 0.01, skew: float = 0) -> None:
        self.spacing, self.phases, self.latency, self.skew = spacing, phases, latency, skew
        self.asked: list[float] = []
        self.texts: list[str] = []
        self.flying = self.most = 0
        self.broken: Callable[[], Answer | None] = lambda: None

    async def query(self, provider: str, text: str) -> Answer:
        self.asked.append(now())
        self.texts.append(text)
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(self.latency)
        self.flying -= 1
        return self.broken() or self.samples()

    def samples(self) -> Answer:
        series = []
        for number, phase in enumerate(self.phases):
            last = int((now() - phase + 100) // self.spacing)
            points = tuple(Point(EPOCH + self.skew + phase - 100 + n * self.spacing, float(n)) for n in range(max(last - 10, 0), last + 1))
            series.append(Series({"pod": str(number)}, points))
        return Samples(tuple(series))


def play(world: World, seconds: float, script: Callable[[Sampler, Cache], object] | None = None) -> list[float]:
    """Seconds at which the CanaryRelease was woken."""
    woken: list[float] = []

    async def main() -> None:
        cache = Cache()
        sampler = Sampler(world, cache, lambda key: woken.append(now()), wall=lambda: EPOCH + asyncio.get_running_loop().time())
        sampler.start()
        if script is None:
            sampler.want(KEY, question())
        else:
            script(sampler, cache)
        await asyncio.sleep(seconds)
        await sampler.stop()

    run(main())
    return woken


def test_looks_follow_the_scrapes() -> None:
    world = World(spacing=5, phases=(2,))
    woken = play(world, 23)
    assert world.asked == pytest.approx([0, 2.25, 7.25, 12.25, 17.25, 22.25], abs=0.05)
    assert len(woken) == 6


def test_every_target_is_seen_soon_after_its_own_scrape() -> None:
    world = World(spacing=15, phases=(1, 6, 11))
    play(world, 40)
    for scrape in (16, 21, 26, 31, 36):
        assert any(scrape < at < scrape + 1 for at in world.asked), scrape


def test_a_late_scrape_is_asked_for_a_few_times_and_then_at_the_scrapes_pace() -> None:
    world = World(spacing=5)
    stopped: list[Answer] = []

    def broken() -> Answer | None:
        if now() < 8:
            return None
        stopped.append(stopped[0] if stopped else world.samples())
        return stopped[-1]

    world.broken = broken
    play(world, 60)
    late = [at for at in world.asked if at > 15]
    gaps = [later - earlier for earlier, later in zip(late, late[1:], strict=False)]
    assert len(late) < 20 and max(gaps) <= 5.3


def test_nobody_is_woken_when_nothing_new_came() -> None:
    world = World()
    world.broken = lambda: NoData("no series match the query")
    assert len(play(world, 30)) == 1
    assert world.asked == pytest.approx([2.01 * n for n in range(15)], abs=0.2)


def test_a_failing_prometheus_is_asked_every_five_seconds() -> None:
    world = World(latency=0)
    world.broken = lambda: QueryFailed("connection refused")
    assert len(play(world, 21)) == 1
    assert world.asked == [0, 5, 10, 15, 20]


def test_nothing_is_asked_when_nothing_is_wanted() -> None:
    world = World()
    kept: list[Answer | None] = []

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question())
        asyncio.get_running_loop().call_later(3, stop, sampler, cache)

    def stop(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, None)
        kept.append(cache.answer(KEY))

    play(world, 60, script)
    assert world.asked[-1] < 3 and kept == [None]


def test_other_workloads_are_asked_for_at_once_and_the_old_answer_is_dropped() -> None:
    world = World()
    answers: list[Answer | None] = []

    def change(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question(canary="reviews-v3"))
        answers.append(cache.answer(KEY))

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question())
        asyncio.get_running_loop().call_later(3, change, sampler, cache)

    play(world, 4, script)
    assert 3 in world.asked and "reviews-v3" in world.texts[world.asked.index(3)]
    assert answers == [None]


def test_an_answer_to_an_old_question_is_thrown_away() -> None:
    world = World(latency=2)
    seen: list[Answer | None] = []

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question())
        loop = asyncio.get_running_loop()
        loop.call_later(1, sampler.want, KEY, None)
        loop.call_later(3, lambda: seen.append(cache.answer(KEY)))

    assert play(world, 5, script) == []
    assert seen == [None]


def test_a_newer_record_keeps_the_rhythm_and_narrows_the_window() -> None:
    world = World(phases=(2,))

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question())
        asyncio.get_running_loop().call_later(1, sampler.want, KEY, question(since=EPOCH))

    play(world, 8, script)
    assert world.asked == pytest.approx([0, 2.25, 7.25], abs=0.05)
    assert [found[1] for text in world.texts if (found := re.search(r"\[(\w+)\]", text))] == ["900s", "60s", "60s"]


def test_a_first_question_that_fails_is_asked_for_half_the_time() -> None:
    world = World()
    world.broken = lambda: QueryFailed("the answer is larger than 32 MiB") if len(world.asked) < 3 else None
    play(world, 12)
    assert [found[1] for text in world.texts if (found := re.search(r"\[(\w+)\]", text))][:3] == ["900s", "450s", "225s"]


def test_the_query_that_finds_nothing_is_named() -> None:
    world = World()
    world.broken = lambda: NoData("no series match the query")
    found: list[Answer | None] = []

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, question())
        asyncio.get_running_loop().call_later(1, lambda: found.append(cache.answer(KEY)))

    play(world, 1.5, script)
    assert found == [NoData(f"no series match the query: {world.texts[0]}")]


def test_a_threshold_that_is_no_bound_is_asked_about() -> None:
    world = World()
    labels = {"destination_workload": "reviews-v1", "le": "+Inf"}
    world.broken = lambda: Samples((Series({"le": "250"} if "group by" in world.texts[-1] else labels, (Point(EPOCH, 1.0),)),))
    found: list[Answer | None] = []

    def script(sampler: Sampler, cache: Cache) -> None:
        sampler.want(KEY, replace(question(), threshold=timedelta(milliseconds=300)))
        asyncio.get_running_loop().call_later(1, lambda: found.append(cache.answer(KEY)))

    play(world, 1.5, script)
    (answer,) = found
    assert isinstance(answer, Samples) and [series.labels["le"] for series in answer.series] == ["+Inf", "250"]


def lasting_asked(answer: Answer) -> tuple[World, Answer | None]:
    """A release before its first weight, and after it; the question how long requests last is answered like this."""
    world, got = World(), Cache()
    plain = world.samples
    world.samples = lambda: answer if "duration" in world.texts[-1] else plain()  # type: ignore[method-assign]
    asks = question()

    def script(sampler: Sampler, cache: Cache) -> None:
        nonlocal got
        got = cache
        sampler.want(KEY, replace(asks, ask=replace(asks.ask, lasting=True)))
        loop = asyncio.get_running_loop()
        loop.call_later(8, lambda: seen.append(cache.answer(KEY)))
        loop.call_later(9, sampler.want, KEY, asks)
        loop.call_later(9.1, lambda: seen.append(cache.answer(KEY)))

    seen: list[Answer | None] = []
    play(world, 20, script)
    assert seen[0] is seen[1], "the answer is kept when no more is asked"
    return world, seen[0]


def test_how_long_requests_last_is_asked_before_the_first_weight_only() -> None:
    world, answer = lasting_asked(Samples((Series({}, (Point(EPOCH, 21.0), Point(EPOCH + 5, 25.0))),)))
    assert isinstance(answer, Samples) and answer.lasting == 0.025
    durations = [at for at, text in zip(world.asked, world.texts, strict=True) if "duration" in text]
    assert durations and max(durations) < 9
    assert "reviews-v2" not in next(text for text in world.texts if "duration" in text)


@pytest.mark.parametrize("unknown", [NoData("no series"), QueryFailed("a sample is NaN, not a number")])
def test_durations_that_nobody_knows_change_no_answer(unknown: Answer) -> None:
    _, answer = lasting_asked(unknown)
    assert isinstance(answer, Samples) and answer.lasting is None


def test_no_more_than_the_bound_is_in_flight() -> None:
    world = World(latency=1)

    def script(sampler: Sampler, cache: Cache) -> None:
        for number in range(50):
            sampler.want(Key("shop", str(number)), question())

    play(world, 10, script)
    assert world.most == AT_ONCE


def test_clocks_that_differ_delay_looks_by_little() -> None:
    for skew in (-30, -3, 3, 30):
        world = World(phases=(2,), skew=skew)
        woken = play(world, 60)
        gaps = [later - earlier for earlier, later in zip(woken, woken[1:], strict=False)]
        assert max(gaps) <= 10.5, skew
        assert len(world.asked) < 60, skew


@pytest.mark.parametrize(
    ("since", "spacing", "seconds"),
    [
        pytest.param(None, None, 900, id="first look: a quarter of an hour"),
        pytest.param(EPOCH - 10, 5.0, 60, id="at least a minute"),
        pytest.param(EPOCH - 100, 15.0, 135, id="two spacings further than the record"),
        pytest.param(EPOCH - 3600, None, 3609, id="after a long restart: all of it"),
    ],
)
def test_the_window_reaches_behind_the_record(since: float | None, spacing: float | None, seconds: float) -> None:
    assert window(since, spacing, EPOCH).total_seconds() == seconds


def test_a_dead_target_does_not_hold_the_rhythm() -> None:
    alive = Series({"pod": "a"}, tuple(Point(float(at), 1) for at in range(0, 101, 5)))
    dead = Series({"pod": "b"}, tuple(Point(float(at), 1) for at in range(2, 60, 5)))
    seen = rhythm(Samples((alive, dead)), Rhythm())
    assert seen.newest == {100.0} and seen.spacing == 5
    assert next_look(Samples((alive, dead)), seen, 100.5) == pytest.approx(4.75)
