"""A canary that ends none of its requests loses its weight at once: in whole releases, and what the guard must not be fooled by."""

from dataclasses import replace

import pytest

from canary_operator.analysis.samples import Point, Samples, Series
from canary_operator.api.record import BaselineRecord, Tally
from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.model import Beside
from canary_operator.simulation.world import World
from tests.builders import Situation, release, weights
from tests.pure.release.scenarios import begin, reaches

MEASURED = BaselineRecord(stable=Tally(requests=9000, failures=0), lasting=0.02)
STEP = release().at_step(2, since=60).recorded(baseline=MEASURED)
"""At 10 percent."""


def spoken(situation: Situation, requests: int = 300) -> Situation:
    """The canary has ended requests in this release before."""
    evidence = situation.state.evidence
    first = replace(evidence.segments[0], canary=Tally(requests=requests, failures=0), stable=Tally(requests=20 * requests, failures=0))
    return situation.recorded(evidence=replace(evidence, segments=(first, *evidence.segments[1:])))


def test_silent_from_the_first_request_on_it_rises_again_once() -> None:
    decision = STEP.sharing(0.0).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.CANARY_NOT_ANSWERING, [0])
    assert (decision.state.state, decision.state.step, decision.state.ending) == (State.PROGRESSING, 0, None)


def test_the_second_time_it_is_withdrawn_without_blame() -> None:
    decision = STEP.recorded(lost=True).sharing(0.0).decide()
    assert weights(decision) == [0]
    assert decision.state.ending and (decision.state.ending.outcome, decision.state.ending.reason) == (
        Outcome.WITHDRAWN,
        reasons.CANARY_SILENT,
    )


def test_what_callers_gave_up_blames_it() -> None:
    """So few that the witness of its own has not reached its bar, or stable's given up ones are as many."""
    situation = STEP.sharing(0.0)
    samples = situation.seen.samples
    assert isinstance(samples, Samples)
    stable = samples.series[-1]
    left = {**stable.labels, "response_code": "0", "response_flags": "DC"}
    points = tuple(Point(each.time, float(round(each.value * 0.08))) for each in stable.points)
    series = (*samples.series, Series({**left, "destination_workload": "app-v2"}, points), Series(left, stable.points))
    decision = situation.observing(samples=Samples(series)).decide()
    assert weights(decision) == [0]
    assert decision.state.ending and (decision.state.ending.outcome, decision.state.ending.reason) == (
        Outcome.ROLLED_BACK,
        reasons.GIVEN_UP,
    )


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(STEP.recorded(baseline=replace(MEASURED, lasting=None)).sharing(0.0), id="nobody knows how long requests last"),
        pytest.param(STEP.recorded(baseline=replace(MEASURED, lasting=60.0)).sharing(0.0), id="streams of a minute"),
        pytest.param(STEP.sharing(0.02), id="fewer than half of its weight"),
    ],
)
def test_what_only_holds(situation: Situation) -> None:
    decision = situation.decide()
    assert (decision.because.reason, weights(decision)) == (reasons.WEIGHT_NOT_SERVED, [])


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(STEP.sharing(0.0).observing(beside=Beside(stable=True)), id="other routes send to stable"),
        pytest.param(STEP.sharing(0.0).acting("skip/1/1"), id="a person passes the step"),
        pytest.param(STEP.sharing(0.0, rate=2), id="a service with few requests"),
        pytest.param(STEP.without_samples(), id="no samples"),
        pytest.param(release().baking(since=200).recorded(baseline=MEASURED).sharing(0.0, rate=0), id="a quiet service at 100 percent"),
    ],
)
def test_what_is_no_silence(situation: Situation) -> None:
    decision = situation.decide()
    assert decision.because.reason not in (reasons.CANARY_SILENT, reasons.CANARY_NOT_ANSWERING)
    assert 0 not in weights(decision)


def test_counted_by_the_called_pods_it_may_be_their_telemetry_that_is_silent() -> None:
    situation = STEP.sharing(0.0)
    samples = situation.seen.samples
    assert isinstance(samples, Samples)
    labels = {"reporter": "destination", "source_workload": "web"}
    series = tuple(Series({**each.labels, **labels}, each.points) for each in samples.series)
    assert weights(situation.observing(samples=Samples(series)).decide()) == []


# ------------------------------------------------------------------------------------------------------------- whole releases


def measured() -> World:
    """A release whose proxies tell how long requests last."""
    world = begin()
    world.prometheus.lasting = 0.02
    return world


def last(world: World) -> tuple[Outcome, str] | None:
    resource = world.cluster.now.resource
    assert resource and resource.status
    past = resource.status.last_release
    return past and (past.outcome, past.reason)


def test_a_version_that_never_answers_is_asked_twice_and_withdrawn() -> None:
    world = measured()
    world.traffic.hanging.add("v2@t1")
    world.run(200)
    assert last(world) == (Outcome.WITHDRAWN, reasons.CANARY_SILENT)
    assert world.weight == 0
    assert world.traffic.hung < 2 * 10 * 20  # 10 % of 100 requests/s, twice, for less than 20 s


def test_a_version_that_stops_to_answer_is_withdrawn_at_once() -> None:
    world = measured()
    reaches(world, 10)
    world.run(15)
    world.traffic.hanging.add("v2@t1")
    world.run(90)
    assert last(world) == (Outcome.WITHDRAWN, reasons.CANARY_SILENT)
    assert world.weight == 0


def test_a_good_version_is_promoted_all_the_same() -> None:
    world = measured()
    world.run(2000)
    assert last(world) == (Outcome.PROMOTED, reasons.PROMOTED)
