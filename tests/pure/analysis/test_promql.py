"""No value leaves its place in a query."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.promql import Subject, any_of, bounds, counters, duration, lasting, quote
from tests.pure.analysis.worlds import few

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")


def unquote(literal: str) -> str:
    """As Go reads a double-quoted string, for the escapes that PromQL knows."""
    whole = LITERAL.fullmatch(literal)
    assert whole is not None, f"not one string literal: {literal!r}"
    return ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1], whole[1])


SUBJECT = Subject("Source", "reviews", "shop", ("reviews-v1", "reviews-v2"))
SELECTED = (
    'reporter=~"source",destination_service_name="reviews",destination_service_namespace="shop",'
    'destination_workload_namespace=~"shop|unknown",destination_workload=~"reviews-v1|reviews-v2|unknown"'
)


def test_asks_for_the_raw_counters_of_both_arms_at_the_caller_and_of_what_reached_nobody():
    assert counters(SUBJECT, timedelta(seconds=75)) == f"istio_requests_total{{{SELECTED}}}[75s]"


def test_one_question_brings_failures_and_slow_answers():
    assert counters(SUBJECT, timedelta(seconds=75), timedelta(milliseconds=250)) == (
        f'{{__name__=~"istio_requests_total|istio_request_duration_milliseconds_bucket",{SELECTED},le=~"|250([.]0)?|[+]Inf"}}[75s]'
    )


def test_asks_which_bounds_the_histogram_has():
    assert bounds(SUBJECT) == f"(group by (le) (istio_request_duration_milliseconds_bucket{{{SELECTED}}}))[10s:1s]"


@pytest.mark.parametrize(
    ("reporter", "asked"),
    [
        pytest.param("Destination", '"destination"', id="the versions' own proxies"),
        pytest.param("Waypoint", '"waypoint"', id="a waypoint"),
        pytest.param("Auto", '"source|waypoint|destination"', id="whoever counts"),
    ],
)
def test_asks_the_reporter_that_is_named(reporter, asked):
    assert counters(replace(SUBJECT, reporter=reporter), timedelta(seconds=75)).startswith(f"istio_requests_total{{reporter=~{asked},")


def test_what_is_no_text_becomes_a_question_mark_and_not_an_operator():
    assert any_of(["\ud800"]) == r'"\\?"'


def test_a_dot_in_a_workload_matches_a_dot_only():
    assert any_of(["reviews.v1"]) == r'"reviews\\.v1"'


def test_no_workload_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="at least one workload"):
        any_of([])


@pytest.mark.parametrize(
    ("span", "text"),
    [
        pytest.param(timedelta(minutes=2), "120s", id="whole seconds"),
        pytest.param(timedelta(milliseconds=1500), "1500ms", id="parts of a second"),
        pytest.param(timedelta(microseconds=1999), "1ms", id="below a millisecond is cut off"),
    ],
)
def test_a_range_is_written_as_promql_reads_it(span, text):
    assert duration(span) == text


@pytest.mark.parametrize("span", [timedelta(0), timedelta(seconds=-1), timedelta(microseconds=999)])
def test_an_empty_range_is_a_mistake_of_the_caller(span):
    with pytest.raises(ValueError, match="at least 1 ms"):
        duration(span)


@few
@given(st.text())
def test_a_quoted_text_reads_back_as_itself(text):
    assert unquote(quote(text)) == text.encode("utf-8", "replace").decode()


def test_how_long_requests_last_is_asked_of_one_reporter_at_a_time():
    query = lasting(Subject("Auto", "reviews", "shop", ("reviews-v1",)), timedelta(minutes=15))
    assert LITERAL.sub("@", query).count("istio_request_duration_milliseconds_sum{") == 1
    assert query.startswith("max(sum by (reporter) (increase(") and query.endswith(" > 0))[10s:5s]")


def test_what_cannot_be_sent_is_replaced():
    assert quote("a\ud800b") == '"a?b"'


hostile = st.text(alphabet=st.sampled_from('"\\}{[]()^$+?,=~|.*\n\x00ab'), max_size=12)


@few
@given(hostile, hostile, st.lists(hostile, min_size=1, max_size=3))
def test_no_value_breaks_out_of_the_selector(service, namespace, workloads):
    query = counters(Subject("Source", service, namespace, tuple(workloads)), timedelta(seconds=75))
    skeleton = LITERAL.sub("@", query)
    assert skeleton == (
        "istio_requests_total{reporter=~@,destination_service_name=@,destination_service_namespace=@,"
        "destination_workload_namespace=~@,destination_workload=~@}[75s]"
    )


@few
@given(st.lists(hostile, min_size=1, max_size=3), hostile)
def test_alternatives_match_the_given_workloads_and_no_others(workloads, other):
    matches = re.compile(unquote(any_of(workloads)), re.DOTALL).fullmatch
    assert [bool(matches(name)) for name in (*workloads, other)] == [True] * len(workloads) + [other in workloads]
