"""The same requests give the same verdict, however they were looked at: in one look or many, with restarts, resets, and answers in disorder."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.analysis.samples import Point, Samples, Series
from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.api.status import CanaryReleaseStatus, ReleaseRecord, State
from canary_operator.reconcile import as_json
from canary_operator.release.evidence import Look, look
from canary_operator.release.model import Observation, RouteSeen, Serving
from canary_operator.release.plan import plan_of
from canary_operator.release.record import record_of
from tests.builders import UID
from tests.pure.analysis.worlds import EPOCH, World, worlds

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
VERSIONS = {each: Serving(each, f"{each}@t1", (f"reviews-{each}",), 4, 4) for each in ("v1", "v2")}
WRITTEN = 12.7
"""Seconds after the beginning of a world at which the canary got its weight; not a whole second, as in life."""
STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)
few = settings(max_examples=60, deadline=None)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(EPOCH + seconds, UTC)


def begun() -> ReleaseRecord:
    """The canary has had its first weight since `WRITTEN`."""
    plan, since = plan_of(SPEC), at(WRITTEN)
    return ReleaseRecord(
        number=1, state=State.PROGRESSING, from_="v1@t1", to="v2@t1", plan=plan, step=1, weight=5, weight_since=since, seq=9
    )


def through_status(record: ReleaseRecord) -> ReleaseRecord:
    """The record as another process reads it: written as JSON to the API server, and read back."""
    stored = STATUS.validate_python(json.loads(json.dumps(as_json(CanaryReleaseStatus(release=record)))))
    assert stored.release is not None
    return stored.release


def no_change(samples: Samples) -> Samples:
    return samples


@dataclass
class Operator:
    """Looks at one world now and then, and keeps of it what is in status."""

    world: World
    change: Callable[[Samples], Samples] = no_change
    """What becomes of an answer on its way."""
    record: ReleaseRecord = field(default_factory=begun)

    def answer(self, until: float) -> Samples:
        """What Prometheus answers at this time: from two scrapes before the recorded time on."""
        reached = self.record.evidence.reached
        since = -1.0 if reached is None else reached.timestamp() - EPOCH - 2 * self.world.spacing - 0.001
        return self.change(self.world.answer(until, since))

    def judge(self, answer: Samples, now: float) -> Look:
        route = RouteSeen(5, intact=True, mark=None, since=at(WRITTEN))
        seen = Observation(at(now), UID, 1, stable="v1@t1", versions=VERSIONS, route=route, samples=answer)
        return look(SPEC, self.record, seen)

    def keep(self, found: Look) -> None:
        evidence, covered = record_of(found.committed), found.committed.covered
        self.record = through_status(replace(self.record, evidence=evidence, observed_seconds=covered))

    def follow(self, looks: Iterable[float], stored: Callable[[], bool] = lambda: True) -> Any:
        """The verdict of the look that ended the release, or of the last one; looks at these shares of the time, and at its end."""
        for each in looks:
            until = each * self.world.end
            found = self.judge(self.answer(until), until)
            if found.worse:
                return verdict(found)
            if stored():  # else the next look asks for it again
                self.keep(found)
        return verdict(self.judge(self.answer(self.world.end), self.world.end))


def verdict(found: Look) -> Any:
    """What a look means, with all that it rests on; of one that ends the release only why, since nobody looked later."""
    known = found.verdict
    evidence = replace(known.evidence, last=NOTHING, coming=0.0)  # of the newest scrape alone: gone once it is stored
    return known.blame or (known.word, found.told, evidence, known.testimony, known.ln_not_worse)


def at_once(world: World) -> Any:
    """The verdict when all of it is seen in one look at the end."""
    return Operator(world).follow(())


def comparable(world: World) -> None:
    """Something to judge by was counted after the write."""
    assume(world.end > WRITTEN + 2 * world.spacing)


def test_after_a_restart_too_a_scrape_just_before_the_write_belongs_to_the_weight_before():
    scraped_every_5s_from_2_4s_on = World(5.0, (2.4,), (((20, 5, 500, 0),) * 4,))
    operator = Operator(scraped_every_5s_from_2_4s_on, record=through_status(begun()))
    assert operator.judge(operator.answer(18.0), 18.0).now.segments[-1].canary == Counts(25, 5)


times = st.lists(st.floats(0.0, 1.0), max_size=8).map(sorted)


@few
@given(worlds(), times, st.randoms(use_true_random=False))
def test_many_looks_of_many_processes_judge_as_one_does(world: World, looks: list[float], random: Random) -> None:
    """Whatever was stored, whoever read it back, and whenever a look came: blame needs no luck."""
    comparable(world)
    assert Operator(world).follow(looks, stored=lambda: random.random() < 0.6) == at_once(world)


@few
@given(worlds(), st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6))
def test_an_answer_that_comes_late_or_twice_changes_nothing(world: World, looks: list[float]) -> None:
    """Looks in any order of time: the samples say when they were taken."""
    comparable(world)
    operator = Operator(world)
    for until in (each * world.end for each in (*looks, *looks[:2])):
        found = operator.judge(world.answer(until), until)
        if not found.worse:
            operator.keep(found)
    assert operator.follow(()) == at_once(world)


@few
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_series_in_an_answer_changes_nothing(world: World, random: Random) -> None:
    comparable(world)
    shuffled = Operator(world, lambda answer: Samples(tuple(random.sample(answer.series, len(answer.series)))))
    assert shuffled.follow(()) == at_once(world)


# -------------------------------------------------------------------------------------------------- counters that misbehave
def points_of(series: Series, values: Iterable[float]) -> Series:
    return replace(series, points=tuple(Point(point.time, value) for point, value in zip(series.points, values, strict=True)))


@dataclass(frozen=True)
class Restarted(World):
    """The same requests, but proxies began to count again at some scrape: every counter has lost what it held."""

    at: int = 1
    held: float = 0.0
    """What all counters held before the world began, so that a fall is seen as one."""

    def series(self) -> list[Series]:
        return [self._fallen(each) for each in super().series()]

    def _fallen(self, series: Series) -> Series:
        values = [self.held + point.value for point in series.points]
        lost = values[self.at - 1]
        return points_of(series, [value - (lost if number >= self.at else 0) for number, value in enumerate(values)])


@few
@given(worlds(), times, st.data())
def test_proxies_that_begin_to_count_again_change_nothing(world: World, looks: list[float], data: st.DataObject) -> None:
    comparable(world)
    cut = data.draw(st.integers(1, len(world.scrapes[0]) - 1))
    operator = Operator(Restarted(world.spacing, world.offsets, world.scrapes, cut, 10_000.0))
    assert operator.follow(looks) == at_once(world)


@dataclass(frozen=True)
class Late(World):
    """The same requests, but a failure's series appears with its first failure, as Envoy creates it."""

    def series(self) -> list[Series]:
        found = []
        for each in super().series():
            grown = points_of(each, [point.value - each.points[0].value for point in each.points])
            if each.labels["response_code"] == "503":
                grown = replace(grown, points=tuple(point for point in grown.points if point.value))
            if grown.points:
                found.append(grown)
        return found


@few
@given(worlds(), times)
def test_a_series_that_appears_late_changes_nothing(world: World, looks: list[float]) -> None:
    comparable(world)
    operator = Operator(Late(world.spacing, world.offsets, world.scrapes))
    assert operator.follow(looks) == at_once(world)
