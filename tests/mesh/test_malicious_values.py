"""Whatever a value holds, Prometheus reads the query that was meant: its own parser says so."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canary_operator.analysis.promql import Subject, counters
from canary_operator.analysis.template import NAMES, render
from lab import Lab

MINUTE = timedelta(minutes=1)
NASTY = [
    'v2"} or vector(1) or up{a="',
    "v2'} or up{a='",
    "v2`} or up{a=`",
    'v2\\"} or vector(1) #',
    "v2\\",
    "v2\n} or vector(1)",
    "v2\r\n",
    "v2\0",
    "v2|.*",
    ".*",
    "(v2",
    "[v2",
    "v2{1,9}",
    "v2]}[5m]) or vector(1)",
    "^v2$",
    "\\Q.*\\E",
    "(?i)V2",
    "é💥\u202e\ufeff\u2028",
    "{{service}}",
    "{{ canary.version }}",
    "$1",
    "%s%n",
    "\ud800",
]
"""Values that break out where they are not escaped."""
ANYTHING = st.sampled_from(NASTY) | st.text(max_size=20) | st.text(st.sampled_from("\"'`\\{}[]()|.*+?^$=~!,#\n\r\0"), max_size=12)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def parsed(lab: Lab, query: str) -> Any:
    """The query as Prometheus' own parser reads it."""
    with urlopen(f"{lab.prometheus_url}/api/v1/parse_query?{urlencode({'query': query})}", timeout=10) as answer:
        return json.load(answer)["data"]


def matchers(node: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Label, operator and value of each matcher of a selector."""
    return {each["name"]: (each["type"], each["value"]) for each in node["matchers"]}


def sent(value: str) -> str:
    """What arrives of a text that is no Unicode: the same that is sent."""
    return value.encode("utf-8", "replace").decode("utf-8")


QUERY = 'max(m{a="{{canary.version}}",b=\'<{{service}}>\',c!=`{{namespace}}`,d=~"x-{{canary.workload}}-.*",e="left alone"})'


@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_stays_in_its_matcher(lab: Lab, value: str) -> None:
    check(lab, value)


@SLOW
@given(value=ANYTHING)
def test_any_value_stays_in_its_matcher(lab: Lab, value: str) -> None:
    check(lab, value)


def check(lab: Lab, value: str) -> None:
    node = parsed(lab, render(QUERY, dict.fromkeys(NAMES, (value,)), MINUTE))
    assert (node["type"], node["op"], node["expr"]["type"], node["expr"]["name"]) == ("aggregation", "max", "vectorSelector", "m")
    found = matchers(node["expr"])
    assert found.pop("d")[0] == "=~"
    assert found == {
        "__name__": ("=", "m"),
        "a": ("=", sent(value)),
        "b": ("=", f"<{sent(value)}>"),
        "c": ("!=", sent(value)),
        "e": ("=", "left alone"),
    }


@SLOW
@given(values=st.lists(ANYTHING, min_size=1, max_size=3), other=ANYTHING)
def test_in_a_regular_expression_a_value_matches_itself_alone(lab: Lab, values: list[str], other: str) -> None:
    """Prometheus answers a comparison of a label that it is given with the expression that it is given."""
    query = render('m{a=~"{{canary.workload}}"}', {"canary.workload": tuple(values)}, MINUTE)
    expression = matchers(parsed(lab, query))["a"][1]
    for candidate in (*values, other):
        labelled = f"label_replace(vector(1), 'a', {go(candidate.replace('$', '$$'))}, '', '')"  # $$ stands for $ in a replacement
        found = lab.query(f"label_replace({labelled}, 'same', 'yes', 'a', {go(expression)})")
        assert (found[0]["metric"].get("same") == "yes") == (sent(candidate) in map(sent, values)), (candidate, expression)


def go(text: str) -> str:
    """A literal of PromQL, written by a hand that is not the product's."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in sent(text)) + '"'


@SLOW
@given(service=ANYTHING, namespace=ANYTHING, workloads=st.lists(ANYTHING, min_size=1, max_size=3))
def test_the_operators_own_question_has_exactly_its_matchers(lab: Lab, service: str, namespace: str, workloads: list[str]) -> None:
    node = parsed(lab, counters(Subject("Source", service, namespace, tuple(workloads)), MINUTE))
    assert (node["type"], node["name"], node["range"]) == ("matrixSelector", "istio_requests_total", 60_000)
    found = matchers(node)
    assert set(found) == {
        "__name__",
        "reporter",
        "destination_service_name",
        "destination_service_namespace",
        "destination_workload_namespace",
        "destination_workload",
    }
    assert (found["destination_service_name"], found["destination_service_namespace"]) == (("=", sent(service)), ("=", sent(namespace)))
