"""No traffic moves before what surrounds the release was looked at; traffic that goes back waits for nothing. Warnings are told once."""

from dataclasses import replace

import pytest

from canary_operator.api.status import CanaryReleaseStatus, State
from canary_operator.release import reasons
from canary_operator.release.model import Because
from canary_operator.release.report import MOST_WARNINGS, status_of, told, worth_writing
from tests.builders import Situation, finding, release, weights

UNREAD = Because(reasons.INSPECTING, "reading pods")
WARNING = Because("TelemetryMissing", "no proxy has counted a request")
WANTED = release().at_rest().deployed("v2")


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(release(), id="before the adoption"),
        pytest.param(WANTED, id="before a release"),
        pytest.param(release().at_step(0).healthy(), id="before the first weight"),
        pytest.param(release().at_step(1, since=120).healthy(seconds=120), id="before the next weight"),
    ],
)
def test_nothing_moves_while_the_surroundings_are_unread(situation: Situation) -> None:
    decision = situation.observing(unread=UNREAD).decide()
    assert (decision.because, decision.phase, decision.effects, decision.inspect) == (UNREAD, "Waiting", (), True)


def test_what_is_found_already_is_told_first() -> None:
    decision = WANTED.observing(unread=UNREAD, findings=(finding(),)).decide()
    assert (decision.because, decision.phase) == (finding(), "Blocked")


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(release().at_step(1, since=120).failing(1.0), reasons.MORE_FAILURES, id="a failing canary"),
        pytest.param(release().at_step(1, since=120).acting("abort/1/1"), reasons.ABORTED, id="an abort"),
    ],
)
def test_traffic_goes_back_at_once(situation: Situation, reason: str) -> None:
    decision = situation.observing(unread=UNREAD).decide()
    assert (decision.because.reason, weights(decision)) == (reason, [0])


@pytest.mark.parametrize(
    ("situation", "inspect"),
    [
        pytest.param(release(), True, id="while it is taken over"),
        pytest.param(release().at_rest().wanting("v1"), False, id="at rest"),
        pytest.param(release().at_rest(), False, id="while the wanted version is not deployed"),
        pytest.param(WANTED.observing(findings=(finding(),)), True, id="while it is blocked"),
        pytest.param(release().at_step(1, since=10).healthy(), True, id="while it progresses"),
        pytest.param(release().baking(since=10).healthy(), False, id="while it bakes"),
    ],
)
def test_the_surroundings_are_asked_for_only_while_they_matter(situation: Situation, inspect: bool) -> None:
    assert situation.decide().inspect is inspect


def test_a_version_that_the_service_does_not_select_is_told_and_not_called_missing() -> None:
    assert release().at_rest().observing(findings=(finding(),)).decide().because == finding()


def test_a_moment_of_reading_is_not_written_and_a_read_that_fails_is() -> None:
    first = WANTED.status()
    failing = replace(UNREAD, reason=reasons.SURROUNDINGS_UNREAD)
    assert not worth_writing(first, WANTED.observing(unread=UNREAD).status(first))
    assert worth_writing(first, WANTED.observing(unread=failing).status(first))


def test_a_warning_is_written_and_told_once() -> None:
    calm, warned = WANTED.status(), WANTED.observing(warnings=(WARNING,)).status()
    assert [(each.reason, each.message) for each in warned.warnings] == [(WARNING.reason, WARNING.message)]
    assert worth_writing(calm, warned) and worth_writing(warned, calm)
    assert not worth_writing(warned, WANTED.observing(warnings=(WARNING,)).status(warned))
    assert [(each.because, each.warning) for each in told(calm, warned)] == [(WARNING, True)]
    assert told(warned, warned) == told(warned, calm) == ()


def test_warnings_are_bounded() -> None:
    many = tuple(Because("HostCovered", str(number) * 2000) for number in range(100, 200))
    status = status_of(WANTED.spec, CanaryReleaseStatus(), WANTED.decide(), replace(WANTED.seen, warnings=many))
    assert len(status.warnings) == MOST_WARNINGS
    assert {len(each.message) for each in status.warnings} == {1024}


def test_the_machine_keeps_its_place_while_it_reads() -> None:
    decision = release().at_step(1, since=120).healthy(seconds=120).observing(unread=UNREAD).decide()
    assert (decision.state.state, decision.state.step) == (State.PROGRESSING, 1)
