"""What takes traffic back never depends on the evidence; every value that the schema allows can be judged; status holds any number of segments."""

from dataclasses import replace
from typing import get_args, get_type_hints

import pytest

from canary_operator.analysis.failures import GRPC_CODES, FailureCodes, Outcome
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Evidence
from canary_operator.api.analysis import Analysis, Errors, GrpcCode
from canary_operator.api.record import MAX_SEGMENTS, BaselineRecord, State, Tally
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.record import record_of
from tests.builders import LONG_AGO, Situation, release, weights

RUNNING = release().at_step(2, since=60).healthy()


def unjudgeable(situation: Situation) -> Situation:
    """A noise of 0, which no operator writes: to divide by it is a fault of the program."""
    return situation.recorded(baseline=BaselineRecord(stable=Tally(requests=100), noise=0))


def test_a_fault_of_the_evidence_is_told_and_holds_the_weight():
    decision = unjudgeable(RUNNING).decide()
    assert decision.because.reason == reasons.ANALYSIS_FAILED
    assert "ZeroDivisionError" in decision.because.message
    assert (decision.phase, weights(decision)) == ("Blocked", [])


def test_a_fault_of_the_evidence_keeps_what_is_stored_of_it():
    situation = unjudgeable(RUNNING)
    assert situation.decide().state.evidence == situation.state.evidence


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        pytest.param(RUNNING.acting("abort/1/1"), reasons.ABORTED, id="abort"),
        pytest.param(RUNNING.wanting("v1"), reasons.RETARGETED, id="the stable version is wanted again"),
        pytest.param(RUNNING.pods("v2", 0), reasons.CANARY_LOST, id="the canary loses its pods"),
        pytest.param(release().baking(since=60).healthy().acting("abort/1/1"), reasons.ABORTED, id="abort at 100 %"),
    ],
)
def test_a_fault_of_the_evidence_does_not_keep_traffic_on_the_canary(situation: Situation, reason: str):
    decision = unjudgeable(situation).decide()
    assert (decision.because.reason, weights(decision)) == (reason, [0])


def test_a_fault_of_the_evidence_does_not_keep_a_deletion():
    decision = unjudgeable(RUNNING).observing(deleting=True).decide()
    assert decision.because.reason == reasons.DELETING
    assert decision.effects


# ------------------------------------------------------------------------------------------------- values that the schema allows


def judged(spec: CanaryReleaseSpec) -> str:
    return replace(RUNNING, spec=spec).decide().because.reason


@pytest.mark.parametrize("code", list(GrpcCode))
def test_every_grpc_code_of_the_schema_can_be_judged(code: GrpcCode):
    analysis = Analysis(errors=Errors(grpc=(code,)))
    assert judged(replace(RUNNING.spec, analysis=analysis)) != reasons.ANALYSIS_FAILED
    labels = {"request_protocol": "grpc", "response_code": "200", "grpc_response_status": str(GRPC_CODES[code])}
    assert FailureCodes.from_names((), (code,)).outcome(labels) is Outcome.FAILED


def test_grpc_codes_have_the_numbers_of_grpc():
    assert (GRPC_CODES["Cancelled"], GRPC_CODES["DeadlineExceeded"], GRPC_CODES["Unavailable"], GRPC_CODES["Unauthenticated"]) == (
        1,
        4,
        14,
        16,
    )


_CHOICES = [
    (name, value)
    for name, kind in get_type_hints(Analysis).items()
    for value in get_args(kind)
    if get_args(kind) and all(isinstance(each, str) for each in get_args(kind))
]


def test_the_choices_of_the_schema_are_found():
    assert ("reporter", "Waypoint") in _CHOICES
    assert ("no_data", "Withdraw") in _CHOICES


@pytest.mark.parametrize(("name", "value"), _CHOICES)
def test_every_choice_of_the_schema_can_be_judged(name: str, value: str):
    assert judged(replace(RUNNING.spec, analysis=replace(Analysis(), **{name: value}))) != reasons.ANALYSIS_FAILED


# -------------------------------------------------------------------------------------------------------------------- segments


def part(weight: int, requests: int = 10, failures: int = 1) -> Segment:
    return Segment(weight, Counts(requests, failures), Counts(100, 2), lost=1)


def stored(*segments: Segment, opened: int = 1) -> tuple[tuple[int, int, int], ...]:
    record = record_of(Evidence(weight=segments[-1].weight, segments=segments, opened=opened))
    return tuple((each.weight, each.canary.requests, each.canary.failures) for each in record.segments)


def test_as_many_segments_as_status_holds_are_stored_as_they_are():
    assert stored(*(part(weight % 100) for weight in range(MAX_SEGMENTS))) == tuple((n % 100, 10, 1) for n in range(MAX_SEGMENTS))


def test_of_more_the_oldest_neighbours_of_one_weight_are_merged():
    found = stored(part(1), part(2), part(2), *(part(3 + n % 90) for n in range(MAX_SEGMENTS - 2)))
    assert (len(found), found[:3]) == (MAX_SEGMENTS, ((1, 10, 1), (2, 20, 2), (3, 10, 1)))


def test_without_neighbours_of_one_weight_the_two_oldest_keep_the_larger():
    found = stored(*(part(5 + n % 50) for n in range(MAX_SEGMENTS + 1)))
    assert (len(found), found[:2]) == (MAX_SEGMENTS, ((6, 20, 2), (7, 10, 1)))


def test_nothing_that_was_counted_is_lost():
    segments = tuple(part(n % 7) for n in range(MAX_SEGMENTS + 40))
    found = stored(*segments)
    assert (len(found), sum(each[1] for each in found), sum(each[2] for each in found)) == (MAX_SEGMENTS, 10 * len(segments), len(segments))


def test_a_release_with_more_segments_than_status_holds_goes_on():
    full = record_of(Evidence(weight=10, segments=tuple(part(n % 7, failures=0) for n in range(MAX_SEGMENTS)), opened=1))
    decision = RUNNING.recorded(evidence=replace(full, reached=LONG_AGO)).decide()
    assert decision.state.state is State.PROGRESSING
    assert len(decision.state.evidence.segments) <= MAX_SEGMENTS
