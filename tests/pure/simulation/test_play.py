"""Releases that are played before they are applied: traffic, telemetry and trouble as they were assumed."""

from dataclasses import replace
from datetime import timedelta
from math import log

import pytest

from canary_operator.analysis.failures import FailureCodes
from canary_operator.analysis.samples import NoData, Samples
from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.release.model import Ask
from canary_operator.simulation.assumed import Assumed, Incident
from canary_operator.simulation.draws import expected, steady
from canary_operator.simulation.objects import Route, Subsets
from canary_operator.simulation.play import Chance, Story, play, story
from canary_operator.simulation.prometheus import Mode, Prometheus
from canary_operator.simulation.recorded import recording
from canary_operator.simulation.world import EPOCH, World

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
REST = replace(SPEC, version="v1")


def told(spec: CanaryReleaseSpec = SPEC, **assumed: object) -> Story:
    """A release in which nothing is left to chance."""
    chosen = Assumed(**assumed)  # type: ignore[arg-type]
    phases = tuple(number / chosen.proxies for number in range(chosen.proxies))
    return story(spec, chosen, Chance(expected(), steady(), phases), most=4 * 3600)


def weights(played: Story, since: float, until: float) -> set[int]:
    return {each.weight for each in played.moments if since < each.seconds < until}


# ------------------------------------------------------------------------------------------------------ half an hour without Prometheus


def test_while_prometheus_is_away_the_weight_is_held() -> None:
    played = told(outages=((180.0, 1980.0),))
    assert weights(played, 180, 1980) == {25}
    assert any(line.reason == "MetricsUnavailable" for line in played.lines)
    assert played.played.outcome == "Promoted"
    assert played.played.seconds > 1980


def test_back_again_it_counts_what_happened_meanwhile() -> None:
    """A fault that began while nobody could see is found with the first samples."""
    played = told(outages=((180.0, 1980.0),), canary_fails=0.05, fails_from=600.0, stable_fails=0.0)
    assert (played.played.outcome, played.played.reason) == ("RolledBack", "MoreFailures")
    assert 1980 < played.played.seconds < 2030


def test_who_wants_no_canary_without_samples_gets_the_traffic_back() -> None:
    analysis = replace(SPEC.analysis, no_data="Withdraw")
    played = told(replace(SPEC, analysis=analysis), outages=((0.0, 2100.0),))
    assert (played.played.outcome, played.played.reason) == ("Withdrawn", "NoData")
    assert 300 <= played.played.seconds < 330


def test_a_deadline_ends_the_waiting() -> None:
    analysis = replace(SPEC.analysis, deadline=timedelta(minutes=20))
    played = told(replace(SPEC, analysis=analysis), outages=((180.0, 1980.0),))
    assert (played.played.outcome, played.played.reason) == ("Withdrawn", "DeadlineExceeded")
    assert played.played.seconds < 1500


# ------------------------------------------------------------------------------------------------------------------------- trouble


def test_an_incident_of_both_blames_nobody() -> None:
    played = told(incident=Incident(60.0, 180.0, 0.3))
    assert played.played.outcome == "Promoted"
    assert played.moments[-1].canary.failures > 50


def test_failures_come_in_clumps() -> None:
    played = told(stable_fails=0.01, clump=10)
    assert {each.stable.failures % 10 for each in played.moments} == {played.moments[0].stable.failures % 10}


def test_what_fails_until_the_proxies_obey_is_counted() -> None:
    one, other = (told(canary_fails=1.0, fails_from=90.0, reaction=reaction) for reaction in (0.0, 2.0))
    assert one.played.seconds == other.played.seconds
    weight = max(each.weight for each in one.moments)
    assert other.played.failed - one.played.failed == pytest.approx(2 * weight, abs=1), "2 s of the canary's part of 100 requests/s"


def test_a_gate_that_nobody_opens_is_not_over() -> None:
    gated = replace(SPEC, steps=(Step(weight=10, hold=Hold()), Step(weight=50, approval="Required")))
    played = told(gated, approve_after=None)
    assert (played.played.outcome, played.played.reason) == ("Unfinished", "ApprovalRequired")


# ------------------------------------------------------------------------------------------------------------ proxies and recordings


def test_proxies_obey_after_their_reaction_time() -> None:
    world = World(REST, rate=100)
    world.process = None
    world.deploy("v1")
    world.deploy("v2")
    world.proxies.reaction = 3.0
    world.drift(route=Route(0), subsets=Subsets("v1", "v2"))
    world.run(10)
    world.drift(route=Route(100))
    world.run(10)
    assert world.traffic.served == {"v1@t1": 1300, "v2@t1": 700}


def test_every_proxy_is_scraped_at_times_of_its_own_in_whole_milliseconds() -> None:
    world = World(REST, rate=100, spacing=15.0, targets=2)
    world.process = None
    world.deploy("v1")
    world.prometheus.stagger({"gateway-0": 0.123456, "gateway-1": 7.000049})
    world.run(60)
    assert [round(time - EPOCH, 3) for time in world.prometheus.scraped] == [7.623, 14.5, 22.623, 29.5, 37.623, 44.5, 52.623, 59.5]
    assert all(round(time, 3) == time for time in world.prometheus.scraped)


def test_an_outage_ends() -> None:
    world = World(REST)
    world.prometheus_is(Mode.DOWN)
    world.run(60)
    world.prometheus_is(Mode.WORKING)
    world.run(60)
    assert len(world.prometheus.scraped) == 12


def matrix(**codes: list[float]) -> dict[str, object]:
    """What Prometheus answers: counters of one proxy, every 30 s."""
    rows = [
        {
            "metric": {"destination_workload": "app", "response_code": code.removeprefix("c"), "instance": "gateway"},
            "values": [[EPOCH + 30 * number, str(value)] for number, value in enumerate(values)],
        }
        for code, values in codes.items()
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": rows}}


def test_a_recording_is_read_as_requests_per_second_and_share_over_time() -> None:
    found = recording(matrix(c200=[0, 300, 1200, 1200], c503=[0, 0, 300, 300]), FailureCodes())
    assert (found.length, found.proxies, found.seconds) == (30.0, 1, 90.0)
    assert [(each.rate, each.share) for each in found.stretches] == [(10.0, 0.0), (40.0, 0.25), (0.0, 0.0)]


def test_a_recording_begins_anew_when_it_is_over() -> None:
    found = recording(matrix(c200=[0, 300, 900]), FailureCodes())
    assert [found.at(seconds).rate for seconds in (-30.0, 0.0, 29.9, 30.0, 60.0)] == [20.0, 10.0, 10.0, 20.0, 10.0]


def test_with_a_recording_the_canary_fails_at_least_as_stable_does() -> None:
    found = recording(matrix(c200=[0, 150, 450], c503=[0, 150, 150]), FailureCodes())
    assumed = Assumed(recorded=found, canary_fails=0.2)
    assert [assumed.canary_share(seconds, 10) for seconds in (0.0, 30.0)] == [0.5, 0.2]


def test_the_last_odds_that_are_drawn_are_those_that_ended_it() -> None:
    played = told(canary_fails=0.2)
    judged = [each for each in played.moments if each.ln_worse is not None]
    assert judged[-1].seconds == played.played.seconds
    assert judged[-1].ln_worse is not None and judged[-1].ln_worse > log(100)


# ------------------------------------------------------------------------------------------------------------------- two ways to play


@pytest.mark.parametrize(
    "assumed",
    [{}, {"canary_fails": 0.2}, {"incident": Incident(60.0, 600.0, 0.3)}, {"canary_fails": 0.2, "fails_from_weight": 100, "reaction": 3.0}],
    ids=["promoted", "rolled back", "withdrawn", "from the bake"],
)
def test_who_does_not_watch_sees_the_same_end(assumed: dict[str, object]) -> None:
    watched, chosen = told(**assumed), Assumed(**assumed)  # type: ignore[arg-type]
    assert play(SPEC, chosen, Chance(expected(), steady(), (0.0,)), most=4 * 3600) == watched.played
    assert watched.lines[-1].phase == {"Promoted": "Stable"}.get(watched.played.outcome, watched.played.outcome)
    assert watched.lines[-1].message == watched.played.message


@pytest.mark.parametrize(("share", "outcome"), [pytest.param(0.001, "Promoted", id="good"), pytest.param(0.5, "RolledBack", id="bad")])
@pytest.mark.parametrize("drain", [timedelta(0), timedelta(seconds=30)])
def test_a_release_without_a_settle_time_ends_as_what_it_was(share: float, outcome: str, drain: timedelta) -> None:
    ended = told(replace(SPEC, settle=timedelta(0), drain=drain), canary_fails=share).played
    assert (ended.outcome, ended.reason) == (outcome, "Promoted" if outcome == "Promoted" else "MoreFailures")


def test_a_weight_of_a_pace_lasts_a_scrape_longer_where_the_answer_comes_after_it() -> None:
    """Settled 5 s after its write: where that is the scrape itself the next interval counts, a moment later only the one after."""
    paced = replace(SPEC, pace=Pace(failure_budget=20, min_duration=timedelta(seconds=60)))
    at_once, later = (told(paced, rate=1000.0, scrape=5.0, lag=lag) for lag in (0.0, 0.3))
    assert lasts(later, 5) > lasts(at_once, 5) + 4


def lasts(played: Story, weight: int) -> float:
    """Seconds between the first and the last moment of this weight."""
    at = [each.seconds for each in played.moments if each.weight == weight]
    return max(at) - min(at)


def test_a_sample_is_in_no_answer_before_its_time() -> None:
    prometheus, ask = Prometheus(5.0, 1000.0), Ask(("app-v2",), ("app-v1",), None)
    prometheus.lag = 0.3
    prometheus.scrape({("gateway-0", "app-v2", "200", ""): 7})
    assert isinstance(prometheus.answer(ask, 1000.2), NoData)
    assert isinstance(prometheus.answer(ask, 1000.3), Samples)
