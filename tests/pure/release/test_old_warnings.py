"""Warnings that rest on what is read go when they are refuted, and with the release that needed the look."""

from datetime import timedelta

import pytest

from canary_operator.api.status import CanaryReleaseStatus, Outcome
from canary_operator.release import reasons
from canary_operator.release.model import Because
from tests.builders import NOW, Situation, release

MISSING = Because("TelemetryMissing", "no proxy has counted a request")
OUTSIDE = Because("CallersOutsideMesh", "some requests come from outside the mesh")
RUNNING = release().at_step(2, since=50)
ENDED = release().ended(Outcome.PROMOTED, reasons.PROMOTED).wanting("v1")
ADOPTED = release().at_rest().wanting("v1")


def told(situation: Situation, before: CanaryReleaseStatus | None = None) -> list[str]:
    return [each.reason for each in situation.status(before).warnings]


def test_missing_telemetry_is_refuted_by_samples() -> None:
    """It is read once a minute only: traffic that begins meanwhile is seen in the samples first."""
    assert told(RUNNING.healthy().observing(warnings=(MISSING, OUTSIDE))) == ["CallersOutsideMesh"]
    assert told(RUNNING.healthy().observing(remembered=(MISSING,))) == []


@pytest.mark.parametrize("situation", [RUNNING, RUNNING.without_samples(), RUNNING.prometheus_down()], ids=["unasked", "none", "down"])
def test_without_samples_it_stays(situation: Situation) -> None:
    assert told(situation.observing(warnings=(MISSING,))) == ["TelemetryMissing"]


def test_while_a_release_runs_what_was_read_before_a_restart_stays_until_it_is_read_again() -> None:
    assert told(RUNNING.observing(remembered=(OUTSIDE,))) == ["CallersOutsideMesh"]


def test_when_a_release_is_over_it_goes() -> None:
    assert told(ENDED.observing(remembered=(OUTSIDE,))) == []
    assert told(ENDED.observing(warnings=(OUTSIDE,))) == ["CallersOutsideMesh"], "what is watched is still true"


@pytest.mark.parametrize(("minutes", "stays"), [(59, True), (61, False)])
def test_what_the_adoption_found_stands_for_an_hour(minutes: int, stays: bool) -> None:
    before = CanaryReleaseStatus(phase="Stable", reason=reasons.AT_REST, since=NOW - timedelta(minutes=minutes))
    assert told(ADOPTED.observing(remembered=(OUTSIDE,)), before) == (["CallersOutsideMesh"] if stays else [])
