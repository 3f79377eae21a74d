"""Requests that callers gave up, and labels that are missing, in a release: what is decided, told and stored."""

from dataclasses import replace

import pytest

from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Evidence, Suspect
from canary_operator.analysis.samples import Samples, Series
from canary_operator.api.record import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.record import evidence_of, record_of
from tests.builders import Situation, release, weights

RUNNING = release().at_step(2, since=60)


def relabelled(situation: Situation, workload: str, **labels: str | None) -> Situation:
    """The samples, with other labels on the series of a workload; None: without the label."""

    def of(series: Series) -> Series:
        if series.labels["destination_workload"] != workload:
            return series
        return Series({key: value for key, value in {**series.labels, **labels}.items() if value is not None}, series.points)

    assert isinstance(situation.seen.samples, Samples)
    return situation.observing(samples=Samples(tuple(map(of, situation.seen.samples.series))))


HANGING = relabelled(RUNNING.healthy(), "app-v2", response_code="0", response_flags="DC")


def test_a_canary_whose_requests_are_all_given_up_is_rolled_back():
    decision = HANGING.decide()
    assert (decision.because.reason, decision.state.state, weights(decision)) == (reasons.GIVEN_UP, State.ROLLING_BACK, [0])
    assert decision.state.ending and decision.state.ending.outcome is Outcome.ROLLED_BACK
    assert decision.because.message.startswith(
        "at 10 % callers gave up 600 of 600 requests to the canary, 0 of 5400 to stable in the same 1m;"
    )


@pytest.mark.parametrize(
    ("label", "situation"),
    [
        pytest.param("response_code", relabelled(RUNNING.healthy(), "app-v1", response_code=None), id="stable without codes"),
        pytest.param("response_code", relabelled(RUNNING.healthy(), "app-v2", response_code=None), id="the canary without codes"),
        pytest.param("grpc_response_status", relabelled(RUNNING.healthy(), "app-v2", request_protocol="grpc"), id="gRPC without statuses"),
    ],
)
def test_a_label_that_is_missing_holds_the_weight_and_is_named(label: str, situation: Situation):
    decision = situation.decide()
    assert (decision.because.reason, weights(decision)) == (reasons.METRICS_UNAVAILABLE, [])
    assert f"without the label `{label}`" in decision.because.message
    assert decision.metrics is not None


def test_no_first_weight_is_given_while_a_label_is_missing():
    before = relabelled(release().at_step(0, since=60).healthy().before_a_scrape(), "app-v1", response_code=None)
    assert weights(before.decide()) == []
    assert before.decide().because.reason == reasons.METRICS_UNAVAILABLE


def test_what_was_given_up_is_stored_and_read_again():
    part = Segment(10, Counts(90, 1), Counts(800), canary_given_up=10, stable_given_up=3)
    evidence = Evidence(
        weight=10,
        segments=(part,),
        opened=1,
        settled_canary=Counts(90, 1),
        settled_canary_given_up=10,
        settled_stable_given_up=3,
        suspect_given_up=Suspect(1_763_847_000.0, 10),
    )
    stored = replace(RUNNING.state, evidence=record_of(evidence))
    assert evidence_of(stored) == evidence
