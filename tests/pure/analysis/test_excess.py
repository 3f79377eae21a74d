"""What a canary has cost beyond stable."""

from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.witnesses import excess


def test_failures_that_stable_would_have_had_too_cost_nothing() -> None:
    beside = (Segment(10, Counts(100, 30), Counts(900, 90)), Segment(100, Counts(500, 50)))
    assert excess(beside) == 20


def test_without_a_request_of_stable_every_failure_counts() -> None:
    assert excess((Segment(10, Counts(100, 30)),)) == 30
