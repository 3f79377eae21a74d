"""A weight that is not served holds the release: what the brake says, what it must not be fooled by, and what becomes of whole releases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.analysis.samples import Point, Samples, Series
from canary_operator.api.pace import Pace
from canary_operator.api.status import Outcome, State
from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.release import reasons
from canary_operator.release.model import Beside, Extras
from canary_operator.simulation.traffic import Obeying
from canary_operator.simulation.world import World
from tests.builders import NOW, Situation, finding, release, weights
from tests.pure.release.invariants import Watcher
from tests.pure.release.scenarios import begin, reaches

HELD = reasons.WEIGHT_NOT_SERVED
STEP = release().at_step(2, since=60)
"""At 10 percent."""
PREVIEW = Preview(match=(PreviewMatch(header="x-preview", exact="yes"),))


def reason(situation: Situation) -> str:
    return situation.decide().because.reason


@pytest.mark.parametrize(
    ("situation", "share"),
    [
        pytest.param(release().at_step(0, since=60), 0.5, id="half of the requests before the first weight"),
        pytest.param(release().at_step(0, since=60), 0.03, id="three points before the first weight"),
        pytest.param(release().at_step(1, since=60), 0.5, id="half at weight 5"),
        pytest.param(STEP, 0.0, id="none at weight 10"),
        pytest.param(release().at_step(4, since=60), 0.05, id="a twentieth at weight 50"),
        pytest.param(release().baking(since=200), 0.5, id="half at 100 %"),
        pytest.param(release().baking(since=200), 0.97, id="three points are stable's at 100 %"),
    ],
)
def test_a_share_that_is_not_the_weights_holds_and_blames_nobody(situation: Situation, share: float) -> None:
    decision = situation.sharing(share).decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (HELD, "Blocked", [])
    assert decision.state.state is situation.state.state
    assert "skip" in decision.because.message and "weight" in decision.because.message


@pytest.mark.parametrize(
    ("situation", "share"),
    [
        pytest.param(release().at_step(0, since=60), 0.0, id="nothing at weight 0"),
        pytest.param(STEP, 0.1, id="weight 10 as it is written"),
        pytest.param(STEP, 0.15, id="half as much again"),
        pytest.param(release().baking(since=200), 1.0, id="everything at 100 %"),
    ],
)
def test_a_share_near_the_weight_holds_nothing(situation: Situation, share: float) -> None:
    assert reason(situation.sharing(share)) != HELD


def test_the_first_scrape_alone_holds_without_a_word_of_its_own() -> None:
    """It may be the first look at a weight whose proxies are a push behind."""
    settled = NOW - timedelta(seconds=8)
    once = STEP.having(settle=timedelta(0)).sharing(0.5).routing(since=settled)
    decision = once.decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.GATHERING, None, [])


def test_a_passed_step_is_held_at_the_first_scrape_already() -> None:
    """Nothing else is missing, and still the weight does not rise before the next scrape has told."""
    passed = STEP.sharing(0.5, seconds=400, rate=400).recorded(observed_seconds=400)
    skipped = replace(passed, state=replace(passed.state, asked=replace(passed.state.asked, skip=True)))
    assert weights(skipped.decide()) == [25]
    once = passed.having(settle=timedelta(0)).routing(since=NOW - timedelta(seconds=8)).decide()
    assert weights(once) == []
    assert "the next scrape is awaited" in once.because.message or once.because.reason == reasons.GATHERING


@pytest.mark.parametrize(
    "situation", [pytest.param(STEP, id="at a weight"), pytest.param(release().at_step(0, since=60), id="before the first")]
)
def test_skip_passes_it(situation: Situation) -> None:
    held = situation.sharing(0.5)
    assert reason(held) == HELD
    assert reason(held.acting("skip/1/1")) != HELD


def test_skip_passes_it_at_100_percent_too() -> None:
    held = release().baking(since=200).sharing(0.5)
    assert reason(held) == HELD
    assert reason(held.acting("skip/1/1")) != HELD


def test_a_verdict_against_the_canary_comes_first() -> None:
    failing = release().at_step(1, since=60).failing(1.0, rate=1000)
    assert reason(failing) == reasons.MORE_FAILURES


def test_a_suspicion_is_told_first() -> None:
    """Whatever the share is: the canary fails, though not by enough to be blamed yet."""
    suspect = release().at_step(4, since=60).sharing(0.05)
    samples = suspect.seen.samples
    assert isinstance(samples, Samples)
    labels, points = {**samples.series[0].labels, "response_code": "503"}, samples.series[0].points
    bad = Series(labels, tuple(Point(each.time, float(round(0.02 * each.value))) for each in points))
    assert reason(suspect.observing(samples=Samples((*samples.series, bad)))) == reasons.SUSPECT


def test_what_must_be_mended_by_a_finding_is_told_first() -> None:
    assert reason(STEP.sharing(0.5).observing(findings=(finding(),))) == "PolicyShadowed"


def test_an_abort_and_another_version_take_the_traffic_back_all_the_same() -> None:
    assert weights(STEP.sharing(0.5).acting("abort/1/1").decide()) == [0]
    assert weights(STEP.sharing(0.5).wanting("v3").decide()) == [0]


def test_after_the_deadline_it_is_withdrawn_and_the_share_is_what_was_missing() -> None:
    decision = release().at_step(2, since=3601).sharing(0.5).decide()
    assert decision.state.ending and decision.state.ending.outcome is Outcome.WITHDRAWN
    assert "missing: the canary got" in decision.because.message


@pytest.mark.parametrize(
    ("share", "beside", "held"),
    [
        pytest.param(0.0, Beside(stable=True), False, id="other routes send to stable: the canary may get less"),
        pytest.param(0.5, Beside(stable=True), True, id="and not more"),
        pytest.param(0.0, Beside(canary=True), False, id="other routes send past the subsets: nobody can tell"),
        pytest.param(0.5, Beside(canary=True), False, id="neither way"),
    ],
)
def test_routes_that_are_not_managed(share: float, beside: Beside, held: bool) -> None:
    assert (reason(STEP.sharing(share).observing(beside=beside)) == HELD) is held


@pytest.mark.parametrize(("share", "held"), [(0.5, False), (0.0, True)])
def test_a_preview_may_bring_the_canary_more_and_never_less(share: float, held: bool) -> None:
    shown = STEP.having(preview=PREVIEW).routing(extras=Extras(preview=True))
    assert (reason(shown.sharing(share)) == HELD) is held


def copied(reporter: str) -> Situation:
    """Before the first weight half of what is counted are copies that the called pods' proxies take for requests."""
    situation = release().at_step(0, since=60).having(mirror=Mirror(percent=100, hold=timedelta(seconds=30))).sharing(0.5)
    samples = situation.seen.samples
    assert isinstance(samples, Samples)
    series = tuple(Series({**each.labels, "reporter": reporter, "source_workload": "web"}, each.points) for each in samples.series)
    return situation.observing(samples=Samples(series)).routing(extras=Extras(mirror=100)).recorded(mirror_since=NOW - timedelta(seconds=5))


@pytest.mark.parametrize(("reporter", "held"), [("source", True), ("destination", False), ("waypoint", False)])
def test_copies_are_no_requests_of_callers(reporter: str, held: bool) -> None:
    situation = copied(reporter)
    situation = situation.having(analysis=replace(situation.spec.analysis, reporter=reporter.capitalize()))
    assert (reason(situation) == HELD) is held


def test_after_a_restart_the_weight_must_settle_anew() -> None:
    assert reason(STEP.sharing(0.5).routing(since=NOW)) != HELD


def test_a_weight_that_is_not_the_recorded_one_is_not_judged() -> None:
    assert reason(STEP.sharing(0.5).routing(weight=0)) != HELD


def test_samples_that_are_too_old_say_nothing() -> None:
    assert reason(STEP.sharing(0.5).observing(now=NOW + timedelta(minutes=5))) == reasons.METRICS_UNAVAILABLE


def test_two_versions_of_one_workload_cannot_be_told_apart() -> None:
    both = STEP.sharing(0.5)
    versions = dict(both.seen.versions or {})
    same = both.observing(versions={**versions, "v1": replace(versions["v1"], workloads=("app-v1", "app-v2"))})
    assert reason(same) != HELD


# ------------------------------------------------------------------------------------------------------------- whole releases


def past(world: World) -> tuple[Outcome, str] | None:
    resource = world.cluster.now.resource
    assert resource and resource.status
    last = resource.status.last_release
    return last and (last.outcome, last.reason)


def highest(world: World) -> int:
    return max(each.route.weight for each in world.cluster.log if each.route)


@pytest.mark.parametrize("paced", [False, True], ids=["steps", "pace"])
@pytest.mark.parametrize(
    ("obeying", "most"),
    [
        pytest.param(lambda share: 0.5, 0, id="half of the requests whatever the weight is"),
        pytest.param(lambda share: 0.0, 10, id="no weight is obeyed"),
        pytest.param(lambda share: 5 * share, 10, id="five times the weight"),
    ],
)
def test_a_mesh_that_does_not_obey_holds_the_release_where_it_shows(obeying: Obeying, most: int, paced: bool) -> None:
    how = {"pace": Pace(failure_budget=20, min_duration=timedelta(seconds=60)), "steps": None} if paced else {}
    world = begin(**how)
    world.obey(obeying)
    world.run(500)
    assert world.phase == "Blocked"
    assert highest(world) <= most
    resource = world.cluster.now.resource
    assert resource and resource.status and resource.status.reason == HELD


def test_at_100_percent_the_old_version_stays_the_way_back_while_it_is_asked() -> None:
    world = begin()
    reaches(world, 40)
    world.obey(lambda share: 0.9 if share == 1.0 else share)
    reaches(world, 100)
    world.run(300)
    assert (world.state, world.weight, world.phase) == (State.PROMOTING, 100, "Blocked")
    assert world.cluster.now.subsets and world.cluster.now.subsets.stable == "v1"
    world.obey(lambda share: share)
    world.run(200)
    assert past(world) == (Outcome.PROMOTED, reasons.PROMOTED)


@pytest.mark.parametrize("rate", [10.0, 100.0, 1000.0])
def test_once_the_mesh_obeys_the_release_goes_on(rate: float) -> None:
    world = begin()
    world.traffic.rate = rate
    world.obey(lambda share: 0.5)
    world.run(200)
    assert world.phase == "Blocked"
    world.obey(lambda share: share)
    world.run(500)
    assert past(world) == (Outcome.PROMOTED, reasons.PROMOTED)


def test_a_canary_that_fails_in_a_mesh_that_does_not_obey_is_rolled_back() -> None:
    world = begin(fails=0.3)
    reaches(world, 10)
    world.obey(lambda share: 0.5 if share else 0.0)
    assert world.run(120, until=lambda each: each.state is State.ROLLING_BACK)


def test_the_rules_hold_in_a_mesh_that_does_not_obey() -> None:
    world = begin()
    watcher = Watcher(world)
    world.obey(lambda share: min(1.0, 4 * share))
    world.run(300)
    watcher.check()


def test_the_status_is_written_once_while_the_numbers_change() -> None:
    world = begin()
    world.obey(lambda share: 0.5)
    world.run(100)
    assert world.phase == "Blocked"
    before = len([each for each in world.cluster.log if each.what == "resource"])
    world.run(300)
    assert len([each for each in world.cluster.log if each.what == "resource"]) - before <= 6
