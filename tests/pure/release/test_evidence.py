"""What a release makes of its samples: baseline, reporters, latency, and the way into status and back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.analysis.baseline import Baseline
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.samples import Samples
from canary_operator.api.analysis import Analysis, Latency
from canary_operator.api.record import ReleaseRecord, Tally
from canary_operator.api.status import State
from canary_operator.release import reasons
from canary_operator.release.evidence import look, rules_of
from canary_operator.release.record import baseline_of, baseline_record, evidence_of, record_of
from tests.builders import NOW, Situation, release, weights

LATENCY = Analysis(latency=Latency(threshold=timedelta(milliseconds=250)))
SLOW = release().having(analysis=LATENCY)


def looked(situation: Situation) -> ReleaseRecord:
    return situation.decide().state


# ------------------------------------------------------------------------------------------------ before the release
def test_stable_is_known_from_before_the_first_weight() -> None:
    found = look(release().spec, release().at_step(0).state, release().at_step(0).failing(0.0, stable=0.1, seconds=60).seen).baseline
    assert found is not None and found.stable == Tally(requests=6000, failures=600)


def test_it_is_kept_through_the_release() -> None:
    before = baseline_record(Baseline(Counts(100, 1), noise=2.5))
    assert looked(release().at_step(2, since=60).failing(0.0, stable=0.2).recorded(baseline=before)).baseline == before


def test_noise_weakens_what_speaks_against_the_canary() -> None:
    quiet = release().at_step(1, since=60).failing(0.02, seconds=60)
    noisy = quiet.recorded(baseline=baseline_record(Baseline(Counts(6000, 60), noise=40.0)))
    odds = [look(each.spec, each.state, each.seen).verdict.ln_worse for each in (quiet, noisy)]
    assert odds[0] > odds[1]


def test_a_bake_whose_stable_had_no_requests_beside_the_canary_is_judged_by_what_it_did_before() -> None:
    baking = release().baking(since=30).failing(0.1, seconds=30)
    known = baking.recorded(evidence=record_of(Evidence(100)), baseline=baseline_record(Baseline(Counts(5000, 0))))
    assert look(known.spec, known.state, known.seen).verdict.stable == Counts(5000, 0)
    assert known.decide().state.state is State.ROLLING_BACK


# ------------------------------------------------------------------------------------------------ latency
def test_the_spec_sets_the_rules_of_latency() -> None:
    known = SLOW.at_step(1).recorded(baseline=baseline_record(Baseline(Counts(10, 0), slow_noise=3.0)))
    slowness = rules_of(known.spec, known.state).slowness
    assert slowness is not None and (slowness.tolerance, slowness.rule_out, slowness.warmup, slowness.noise) == (0.01, 0.05, 30.0, 3.0)


def timed(situation: Situation, canary: float, stable: float) -> Situation:
    """The same samples with a histogram, in which these shares of the answers are slow."""
    assert isinstance(situation.seen.samples, Samples)
    buckets = [
        replace(
            series, labels={**series.labels, "le": le}, points=tuple(replace(p, value=float(round(p.value * part))) for p in series.points)
        )
        for series in situation.seen.samples.series
        for le, part in (("+Inf", 1.0), ("250", 1.0 - (canary if series.labels["destination_workload"] == "app-v2" else stable)))
    ]
    return situation.observing(samples=Samples((*situation.seen.samples.series, *buckets)))


def test_a_canary_that_answers_slowly_is_rolled_back() -> None:
    decision = timed(SLOW.at_step(2, since=90).healthy(seconds=90), canary=0.3, stable=0.01).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.SLOWER, [0])
    assert "canary was slow in" in decision.because.message


def test_the_odds_of_every_witness_are_told() -> None:
    told = timed(SLOW.at_step(2, since=20).healthy(seconds=20), canary=0.01, stable=0.01).decide().verdict
    assert told is not None and [part.split(" ", 1)[1] for part in told.split(", ")] == ["worse", "slower", "not worse"]


def test_a_canary_as_fast_as_stable_gets_more() -> None:
    decision = timed(SLOW.at_step(2, since=90).healthy(seconds=90), canary=0.01, stable=0.01).decide()
    assert weights(decision) == [25]


def test_without_a_histogram_no_traffic_moves_and_the_missing_series_is_named() -> None:
    decision = SLOW.at_step(0).healthy().decide()
    assert (decision.because.reason, decision.phase, weights(decision)) == (reasons.LATENCY_UNKNOWN, "Blocked", [])
    assert "istio_request_duration_milliseconds_bucket" in decision.because.message


def test_a_threshold_that_cannot_be_told_does_not_shield_a_canary_that_fails() -> None:
    assert weights(SLOW.at_step(2, since=60).failing(0.5).decide()) == [0]


# ------------------------------------------------------------------------------------------------ into status and back
EVIDENCE = Evidence(
    5,
    (Segment(5, Counts(9, 1), Counts(90, 2), 3, Counts(8, 4), Counts(80, 5)),),
    1,
    Counts(7, 1),
    Counts(70, 2),
    reached=NOW.timestamp(),
    covered=10.0,
    observed=10.0,
    settled_lost=2,
    settled_canary_timed=Counts(6, 3),
    settled_stable_timed=Counts(60, 4),
)


def test_evidence_survives_status() -> None:
    stored = ReleaseRecord(weight=5, observed_seconds=10.0, evidence=record_of(EVIDENCE))
    assert evidence_of(stored) == EVIDENCE


@pytest.mark.parametrize("known", [None, Baseline(Counts(9, 1)), Baseline(Counts(9, 1), Counts(8, 2), 3, 1.5, 2.5)])
def test_a_baseline_survives_status(known: Baseline | None) -> None:
    assert baseline_of(baseline_record(known)) == known


def test_what_is_not_judged_is_not_stored() -> None:
    tally = record_of(replace(EVIDENCE, settled_canary_timed=Counts(), settled_lost=0))
    assert (tally.canary.timed, tally.canary.slow, tally.lost) == (None, None, None)


# ------------------------------------------------------------------------------------------------ who counted
def test_an_answer_of_nobody_is_no_data() -> None:
    situation = release().having(analysis=Analysis(reporter="Destination")).at_step(2, since=60).healthy()
    assert isinstance(situation.seen.samples, Samples)
    foreign = tuple(replace(each, labels={**each.labels, "reporter": "source"}) for each in situation.seen.samples.series)
    decision = situation.observing(samples=Samples(foreign)).decide()
    assert (decision.because.reason, decision.metrics is not None) == (reasons.METRICS_UNAVAILABLE, True)


def test_a_stable_that_nobody_counts_is_named_with_the_query_that_finds_nothing() -> None:
    situation = release().at_step(2, since=60).healthy()
    assert isinstance(situation.seen.samples, Samples)
    alone = tuple(each for each in situation.seen.samples.series if each.labels["destination_workload"] == "app-v2")
    decision = situation.observing(samples=Samples(alone)).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.METRICS_UNAVAILABLE, [])
    assert 'istio_requests_total{destination_workload=~"app-v1"} is empty' in decision.because.message


def test_a_canary_that_nobody_counts_is_named_with_the_query_that_finds_nothing() -> None:
    situation = release().at_step(2, since=60).healthy()
    assert isinstance(situation.seen.samples, Samples)
    alone = tuple(each for each in situation.seen.samples.series if each.labels["destination_workload"] == "app-v1")
    decision = situation.observing(samples=Samples(alone)).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.WEIGHT_NOT_SERVED, [])
    assert (
        'Prometheus has no series of the canary: istio_requests_total{destination_workload=~"app-v2"} is empty' in decision.because.message
    )
