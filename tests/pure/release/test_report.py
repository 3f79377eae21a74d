"""Status, conditions and columns, per state."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.api.record import LONGEST_MESSAGE
from canary_operator.api.spec import Step
from canary_operator.api.status import Asked, CanaryReleaseStatus, Outcome
from canary_operator.release import reasons
from canary_operator.release.model import Because
from canary_operator.release.report import status_of, worth_writing
from tests.builders import NOW, Situation, finding, release

CONDITIONS = ("Ready", "Reconciling", "Stalled", "TrafficShifted", "MetricsAvailable", "Promoted")
RUNNING = release().at_step(2, since=50)
HELD = RUNNING.healthy(seconds=50)
AT_A_GATE = release().having(steps=(Step(weight=5), Step(weight=100, approval="Required"))).at_step(1, since=90).healthy(seconds=90)


def conditions(status: CanaryReleaseStatus) -> str:
    """T, F or ? in the order above."""
    found = {condition.type: condition.status[0].replace("U", "?") for condition in status.conditions}
    return "".join(found[name] for name in CONDITIONS)


@pytest.mark.parametrize(
    ("situation", "phase", "told"),
    [
        pytest.param(release(), "Initializing", "FTFF?F", id="the route is being taken over"),
        pytest.param(release().observing(versions={}), "Blocked", "FFTF?F", id="nothing serves: stalled"),
        pytest.param(release().at_rest().wanting("v1"), "Stable", "TFFF?T", id="at rest: ready"),
        pytest.param(
            release().at_rest().wanting("v1").observing(versions=None), "Blocked", "FFTF?F", id="the Service was deleted: not ready"
        ),
        pytest.param(release().at_rest(), "Waiting", "FTFF?F", id="the version is not deployed: not ready"),
        pytest.param(HELD, "Progressing", "FTFTTF", id="a release runs: traffic is shifted"),
        pytest.param(RUNNING, "Progressing", "FTFT?F", id="no samples yet: unknown, not false"),
        pytest.param(RUNNING.prometheus_down(), "Progressing", "FTFTFF", id="Prometheus is down: metrics are not available"),
        pytest.param(RUNNING.failing(0.5), "RollingBack", "FTFF?F", id="rolling back: traffic goes back in this pass"),
        pytest.param(HELD.pods("v1", 0), "Blocked", "FFTTTF", id="stable is gone: stalled"),
        pytest.param(release().at_step(0).healthy().observing(findings=(finding(),)), "Blocked", "FFTFTF", id="preflight: stalled"),
        pytest.param(
            release().ended(Outcome.ROLLED_BACK, reasons.MORE_FAILURES).deployed("v2"), "RolledBack", "FFTF?F", id="rolled back: stalled"
        ),
        pytest.param(release().ended(Outcome.WITHDRAWN, reasons.ABORTED).deployed("v2"), "Withdrawn", "FFTF?F", id="withdrawn: stalled"),
        pytest.param(
            release().ended(Outcome.WITHDRAWN, reasons.RETARGETED).wanting("v1"),
            "Stable",
            "TFFF?T",
            id="withdrawn and no longer wanted: ready",
        ),
        pytest.param(release().baking(since=10).healthy(), "Promoting", "FTFTTF", id="baking"),
        pytest.param(HELD.having(suspend=True), "Suspended", "FTFTTF", id="suspended mid-way"),
        pytest.param(HELD.recorded(asked=Asked(paused=True)), "Suspended", "FTFTTF", id="paused by hand"),
        pytest.param(release().at_rest().deployed("v2").having(suspend=True), "Suspended", "FTFF?F", id="suspended before a release"),
        pytest.param(release().at_rest().wanting("v1").having(suspend=True), "Stable", "TFFF?T", id="suspended with nothing to do: ready"),
        pytest.param(AT_A_GATE, "Waiting", "FTFTTF", id="waiting for approval"),
        pytest.param(release().at_rest().observing(deleting=True), "Deleting", "FTFF?F", id="being deleted"),
    ],
)
def test_phase_and_conditions(situation: Situation, phase: str, told: str) -> None:
    status = situation.status()
    assert (status.phase, conditions(status)) == (phase, told)
    assert status.observed_generation == situation.seen.generation
    assert all(condition.observed_generation == situation.seen.generation for condition in status.conditions)
    assert all(condition.reason and len(condition.message) <= LONGEST_MESSAGE for condition in status.conditions)


def test_every_reason_is_documented() -> None:
    for name, value in vars(reasons).items():
        if name.isupper() and isinstance(value, str):
            assert value in reasons.MEANING, f"{name} has no meaning"


def test_the_columns() -> None:
    status = HELD.status()
    assert (status.stable, status.canary, status.weight, status.step, status.service) == ("v1@t1", "v2@t1", 10, "2/4", "reviews")
    assert status.verdict and status.verdict.count(":1") == 2


def test_the_weight_is_the_routes() -> None:
    held = HELD.pods("v1", 0).routing(weight=33)
    assert held.status().weight == 33
    assert release().status().weight is None


def test_a_rise_is_printed_with_its_record() -> None:
    assert release().at_step(0).healthy().before_a_scrape().status().weight == 5


def test_times_move_only_when_something_changes() -> None:
    situation = HELD
    first = situation.status()
    later = situation.observing(now=NOW + timedelta(seconds=3))
    again = later.status(first)
    assert again.since == first.since == NOW
    assert [each.last_transition_time for each in again.conditions] == [NOW] * 6
    gone = later.pods("v1", 0).status(first)
    moved = {each.type for each in gone.conditions if each.last_transition_time != NOW}
    assert (gone.since, moved) == (later.seen.now, {"Stalled", "Reconciling"})


def test_history_keeps_the_last_ten_newest_first() -> None:
    status = CanaryReleaseStatus()
    for number in range(1, 15):
        situation = release().ended(Outcome.PROMOTED, reasons.PROMOTED).wanting("v1")
        past = replace(situation.seen.last_release, number=number)  # type: ignore[type-var]
        status = situation.observing(last_release=past).status(status)
    assert [past.number for past in status.history] == list(range(14, 4, -1))


def test_numbers_alone_are_no_news_until_a_minute_has_passed() -> None:
    situation = HELD
    first = situation.status()
    assert not worth_writing(first, situation.status(first))

    def shifted(seconds: int) -> CanaryReleaseStatus:
        assert first.release
        reached = NOW - timedelta(seconds=seconds)
        return replace(first, release=replace(first.release, evidence=replace(first.release.evidence, reached=reached)))

    assert not worth_writing(shifted(59), situation.status(shifted(59)))
    assert worth_writing(shifted(60), situation.status(shifted(60)))


@pytest.mark.parametrize(
    ("situation", "worth"),
    [
        pytest.param(HELD.pods("v1", 0), True, id="stable is gone"),
        pytest.param(RUNNING.prometheus_down(), True, id="Prometheus is down"),
        pytest.param(RUNNING.failing(0.008, seconds=50), True, id="the verdict word changes"),
        pytest.param(RUNNING, False, id="the first answer after a restart is awaited"),
        pytest.param(HELD.selecting(since=NOW), False, id="settling after a restart"),
    ],
)
def test_what_is_news(situation: Situation, worth: bool) -> None:
    first = HELD.status()
    assert worth_writing(first, situation.status(first)) is worth


def test_a_message_is_cut_to_what_the_schema_allows() -> None:
    situation = release().at_rest().observing(findings=(finding(),)).deployed("v2")
    decision = replace(situation.decide(), because=replace(situation.decide().because, message="x" * 5000))
    status = status_of(situation.spec, CanaryReleaseStatus(), decision, situation.seen)
    assert status.message == "x" * LONGEST_MESSAGE


def test_the_record_of_an_end_holds_no_message_that_the_schema_refuses() -> None:
    """A Gateway may have thousands of hosts, all of which the finding names: the record of the deadline would never be stored."""
    endless = Because("GatewayHostMissing", "x" * 100_000)
    ended = release().at_step(1, since=3700).healthy().observing(findings=(endless,)).decide().state.ending
    assert ended is not None and ended.reason == reasons.DEADLINE_EXCEEDED
    assert len(ended.message) <= LONGEST_MESSAGE
