"""No value leaves its place in a query."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.promql import any_of, duration, quote, requests_total
from tests.pure.analysis.worlds import few

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")


def unquote(literal: str) -> str:
    """As Go reads a double-quoted string, for the escapes that PromQL knows."""
    whole = LITERAL.fullmatch(literal)
    assert whole is not None, f"not one string literal: {literal!r}"
    return ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1], whole[1])


def test_asks_for_the_raw_counters_of_both_arms_at_the_caller():
    assert requests_total("source", "reviews", "shop", ["reviews-v1", "reviews-v2"], timedelta(seconds=75)) == (
        'istio_requests_total{reporter="source",destination_service_name="reviews",destination_service_namespace="shop",'
        'destination_workload_namespace="shop",destination_workload=~"reviews-v1|reviews-v2"}[75s]'
    )


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


def test_what_cannot_be_sent_is_replaced():
    assert quote("a\ud800b") == '"a?b"'


hostile = st.text(alphabet=st.sampled_from('"\\}{[]()^$+?,=~|.*\n\x00ab'), max_size=12)


@few
@given(hostile, hostile, hostile, st.lists(hostile, min_size=1, max_size=3))
def test_no_value_breaks_out_of_the_selector(reporter, service, namespace, workloads):
    query = requests_total(reporter, service, namespace, workloads, timedelta(seconds=75))
    skeleton = LITERAL.sub("@", query)
    assert skeleton == (
        "istio_requests_total{reporter=@,destination_service_name=@,destination_service_namespace=@,"
        "destination_workload_namespace=@,destination_workload=~@}[75s]"
    )


@few
@given(st.lists(hostile, min_size=1, max_size=3), hostile)
def test_alternatives_match_the_given_workloads_and_no_others(workloads, other):
    matches = re.compile(unquote(any_of(workloads)), re.DOTALL).fullmatch
    assert [bool(matches(name)) for name in (*workloads, other)] == [True] * len(workloads) + [other in workloads]
