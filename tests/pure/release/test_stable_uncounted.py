"""Prometheus has no series of stable: its reporter is off, its labels are gone, or the store dropped them. The canary is not left to itself."""

import pytest

from canary_operator.api.record import BaselineRecord, Tally
from canary_operator.release import reasons
from tests.builders import Situation, release, weights

STEP = release().at_step(2, since=60)
KNOWN = STEP.recorded(baseline=BaselineRecord(stable=Tally(requests=6000, failures=60)))


@pytest.mark.parametrize(
    ("situation", "back"),
    [
        pytest.param(KNOWN.failing_alone(0.19), True, id="it fails 19 %, stable failed 1 % before the release"),
        pytest.param(KNOWN.failing_alone(1.0), True, id="it fails everything"),
        pytest.param(KNOWN.failing_alone(0.05), False, id="4 points more than stable before the release may be anybody's fault"),
        pytest.param(KNOWN.failing_alone(0.0), False, id="it is healthy"),
        pytest.param(STEP.failing_alone(1.0), True, id="nobody counted stable before either, and it is plainly down"),
        pytest.param(STEP.failing_alone(0.3), False, id="nobody counted stable before either: 30 % may be what stable fails too"),
    ],
)
def test_the_canary_is_judged_by_what_stable_was_before_the_release(situation: Situation, back: bool) -> None:
    decision = situation.decide()
    assert weights(decision) == ([0] if back else [])
    assert decision.because.reason == (reasons.MORE_FAILURES if back else reasons.METRICS_UNAVAILABLE)


def test_no_weight_rises_without_a_comparison() -> None:
    calm = KNOWN.failing_alone(0.0, seconds=600).recorded(observed_seconds=600)
    assert weights(calm.decide()) == []


def test_the_message_says_what_it_was_compared_with() -> None:
    message = KNOWN.failing_alone(0.19).decide().because.message
    assert "canary failed " in message
    assert "stable 60 of 6000 before the release; nobody counts stable now" in message
