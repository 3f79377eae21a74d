"""Placeholders in a user's PromQL: values go where a label's value stands, and nowhere else, whatever they hold."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.template import NAMES, TemplateError, render
from tests.pure.analysis.test_promql import unquote

HALF_MINUTE = timedelta(seconds=30)
VALUES = {
    "canary.version": ("v2",),
    "stable.version": ("v1.0",),
    "canary.workload": ("reviews-v2", "reviews-v2.b"),
    "service": ("reviews",),
    "namespace": ("shop",),
}

FILLED = [
    pytest.param('max(depth{version="{{canary.version}}"})', 'max(depth{version="v2"})', id="in double quotes"),
    pytest.param("max(depth{version='{{ canary.version }}'})", 'max(depth{version="v2"})', id="in single quotes, with blanks"),
    pytest.param("max(depth{version=`{{canary.version}}`})", 'max(depth{version="v2"})', id="in backticks"),
    pytest.param('a{v!="{{stable.version}}"}', 'a{v!="v1.0"}', id="a label that must differ"),
    pytest.param('a{v=~"{{stable.version}}"}', r'a{v=~"(?:v1\\.0)"}', id="a regular expression: the dot is a dot"),
    pytest.param(
        'a{w=~"{{canary.workload}}-.*"}', r'a{w=~"(?:reviews-v2|reviews-v2\\.b)-.*"}', id="several workloads are alternatives of one group"
    ),
    pytest.param("a{w!~`x\\d|{{canary.version}}`}", r'a{w!~"x\\d|(?:v2)"}', id="a regular expression in backticks keeps its backslash"),
    pytest.param('a{w=~"x\\\\d{{canary.version}}"}', r'a{w=~"x\\d(?:v2)"}', id="the same in double quotes"),
    pytest.param('a{w=~"[{]{{canary.version}}"}', r'a{w=~"[{](?:v2)"}', id="after a class"),
    pytest.param('a{w=~"[]x]{{canary.version}}"}', r'a{w=~"[]x](?:v2)"}', id="after a class that begins with its end"),
    pytest.param('a{w="\\u00e9\\t{{canary.version}}\\x41"}', 'a{w="é\\x09v2A"}', id="escapes beside it mean what they meant"),
    pytest.param('a{w="{{service}}.{{namespace}}.svc"}', 'a{w="reviews.shop.svc"}', id="two in one text"),
    pytest.param("rate(a[{{interval}}])", "rate(a[30s])", id="the interval as a range"),
    pytest.param("max_over_time(a[5m:{{interval}}])", "max_over_time(a[5m:30s])", id="the interval as a resolution"),
    pytest.param("a - a offset {{interval}}", "a - a offset 30s", id="the interval as an offset"),
    pytest.param(
        'a{v="x"} # "quotes" in a comment\n+ b', 'a{v="x"} # "quotes" in a comment\n+ b', id="without placeholders nothing changes"
    ),
    pytest.param("a{v='x\\'y', w=\"\\\"\"}", "a{v='x\\'y', w=\"\\\"\"}", id="literals without placeholders stay"),
    pytest.param('a{v= # =\n"{{canary.version}}"}', 'a{v= # =\n"v2"}', id="a comment between"),
]


@pytest.mark.parametrize(("query", "filled"), FILLED)
def test_values_go_into_label_values(query: str, filled: str) -> None:
    assert render(query, VALUES, HALF_MINUTE) == filled


WRONG = [
    pytest.param(
        "depth_{{canary.version}}", 'outside of quotes; write it inside a text, such as label="{{canary.version}}"', id="outside quotes"
    ),
    pytest.param("sum by ({{service}}) (a)", "outside of quotes", id="as a label's name"),
    pytest.param('a{v="{{canary.name}}"}', "the unknown placeholder {{canary.name}}; write one of {{canary.version}}", id="unknown"),
    pytest.param("a[{{canary.interval}}]", "the unknown placeholder {{canary.interval}}", id="unknown outside quotes"),
    pytest.param('a{v="{{interval}}"}', "inside quotes; write it as a duration", id="the interval inside quotes"),
    pytest.param("a > {{interval}}", "where no duration stands", id="the interval as a number"),
    pytest.param("a[{{interval}}m]", "where no duration stands", id="the interval glued to a unit"),
    pytest.param("a[1{{interval}}]", "where no duration stands", id="the interval glued to a number"),
    pytest.param("a # {{canary.version}}\n", "in a comment", id="in a comment"),
    pytest.param('a{v="{{canary.version"}', "{{ without }} inside quotes", id="not closed inside quotes"),
    pytest.param("a{{canary.version", "{{ without }}", id="not closed outside quotes"),
    pytest.param('a{v="{{canary.version}}}', "that is not closed", id="a quote that is not closed"),
    pytest.param('a{v="x\n{{canary.version}}"}', "that is not closed in its line", id="a text over two lines"),
    pytest.param('a{w="{{canary.workload}}"}', "there are reviews-v2, reviews-v2.b; write =~ (or !~)", id="several values where one fits"),
    pytest.param('a{v=~"\\\\{{canary.version}}"}', "after a backslash", id="escaped in a regular expression"),
    pytest.param("a{v=~`\\Q{{canary.version}}\\E`}", "after a backslash", id="quoted in a regular expression"),
    pytest.param('a{v=~"[{{canary.version}}]"}', "inside [...]", id="in a class"),
    pytest.param('a{v=~"[]{{canary.version}}]"}', "inside [...]", id="in a class that begins with its end"),
    pytest.param('label_replace(a, "x", "{{canary.version}}", "", "")', "is no label's value", id="an argument of a function"),
    pytest.param('a{v="\\{{canary.version}}"}', "unknown escape", id="after a backslash in a text"),
    pytest.param('a{v="\\xff{{canary.version}}"}', "write the character itself", id="a single byte"),
]


@pytest.mark.parametrize(("query", "said"), WRONG)
def test_a_placeholder_elsewhere_is_refused_with_what_to_write(query: str, said: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(query, VALUES, HALF_MINUTE)
    assert said in str(raised.value)
    assert str(raised.value).startswith(("has ", "holds "))


ANYTHING = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(
    st.sampled_from("\"'`\\{}[]()|.*+?^$=~!,#\n\r\0é💥x"), min_size=1
)
MATCHER = re.compile(r'm\{a(=|!=|=~|!~)("(?:[^"\\\n]|\\.)*"),b="c"\}')
STYLES = st.sampled_from(['"{}"', "'{}'", "`{}`"])


@given(value=ANYTHING, style=STYLES, operator=st.sampled_from(["=", "!="]), name=st.sampled_from(NAMES))
def test_whatever_a_value_holds_it_is_the_value_of_that_label(value: str, style: str, operator: str, name: str) -> None:
    query = f'm{{a{operator}{style.format(f"<{{{{{name}}}}}>")},b="c"}}'
    found = MATCHER.fullmatch(render(query, dict.fromkeys(NAMES, (value,)), HALF_MINUTE))
    assert found is not None
    assert (found[1], unquote(found[2])) == (operator, f"<{value}>")


@given(values=st.lists(ANYTHING, min_size=1, max_size=3, unique=True), style=STYLES, operator=st.sampled_from(["=~", "!~"]), other=ANYTHING)
def test_in_a_regular_expression_it_matches_itself_alone(values: list[str], style: str, operator: str, other: str) -> None:
    query = f'm{{a{operator}{style.format("x{{canary.workload}}y")},b="c"}}'
    found = MATCHER.fullmatch(render(query, {**VALUES, "canary.workload": tuple(values)}, HALF_MINUTE))
    assert found is not None
    expression = re.compile(unquote(found[2]), re.DOTALL)
    assert all(expression.fullmatch(f"x{value}y") for value in values)
    assert bool(expression.fullmatch(f"x{other}y")) == (other in values)


PIECES = st.sampled_from([*"ab\"'`{}#\\\n =~[]", "{{service}}", '"{{service}}"', "{{interval}}"])


@given(query=st.lists(PIECES, max_size=20).map("".join))
def test_a_query_is_filled_in_or_refused_and_nothing_else_happens(query: str) -> None:
    try:
        filled = render(query, VALUES, HALF_MINUTE)
    except TemplateError as error:
        assert str(error)
    else:
        assert "{{" not in filled
        assert filled == query or "{{" in query
