"""Only what is surely a list of counter samples is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis import samples
from canary_operator.analysis.samples import NoData, Point, QueryFailed, Samples, Series, parse
from tests.pure.analysis.worlds import few

ROW = {"metric": {"pod": "a"}, "values": [[1.5, "3"], [2, "4.0"]]}
GOOD = Samples((Series({"pod": "a"}, (Point(1.5, 3.0), Point(2.0, 4.0))),))


def document(result, **more):
    return {"status": "success", "data": {"resultType": "matrix", "result": result}} | more


def row(values):
    return [{"metric": {}, "values": values}]


@pytest.mark.parametrize(
    "given_document",
    [
        pytest.param(document([ROW]), id="the HTTP document"),
        pytest.param([ROW], id="the list that custom_query returns"),
        pytest.param(document([ROW], infos=["metric might not be a counter"]), id="with a remark"),
        pytest.param(document([ROW], warnings=[]), id="with no warnings"),
    ],
)
def test_reads_samples(given_document):
    assert parse(given_document) == GOOD


@pytest.mark.parametrize("number", ["0", "1e3", "+5", "12.", ".5", "9007199254740992", "-0"])
def test_reads_every_way_to_write_a_count(number):
    assert parse(row([[1, number]])) == Samples((Series({}, (Point(1.0, float(number)),)),))


@pytest.mark.parametrize(
    ("given_document", "why"),
    [
        pytest.param(document([]), "no series match the query", id="empty"),
        pytest.param([], "no series match the query", id="empty list"),
        pytest.param(document([ROW], warnings=["one store is down"]), "incomplete: one store is down", id="partial"),
        pytest.param(document([ROW], warnings="odd"), "incomplete: odd", id="partial, oddly said"),
    ],
)
def test_says_why_there_is_no_data(given_document, why):
    answer = parse(given_document)
    assert isinstance(answer, NoData)
    assert why in answer.why


FAILURES = {
    "refused": ({"status": "error", "error": "parse error"}, "refused the query: parse error"),
    "no status": ({}, "refused the query: status NoneType"),
    "a long error": ({"status": "error", "error": "x" * 500}, "x" * 119 + "…"),
    "no data": ({"status": "success"}, "holds nothing where its data should be"),
    "a vector": ({"status": "success", "data": {"resultType": "vector"}}, "of type vector, not a matrix"),
    "a scalar": ({"status": "success", "data": {"resultType": "scalar"}}, "of type scalar, not a matrix"),
    "a string": ({"status": "success", "data": {"resultType": "string"}}, "of type string, not a matrix"),
    "no result": ({"status": "success", "data": {"resultType": "matrix"}}, "the answer is nothing"),
    "a text": ("<html>", "the answer is of type str"),
    "a list of texts": (["x"], "a series is of type str"),
    "no labels": ([{"values": [[1, "1"]]}], "labels of a series are nothing"),
    "a number as label": ([{"metric": {"a": 1}, "values": [[1, "1"]]}], "a label is not a text"),
    "a vector as list": ([{"metric": {}, "value": [1, "1"]}], "vector of single values"),
    "native histograms": ([{"metric": {}, "histograms": [[1, {}]]}], "native histograms"),
    "no samples": (row([]), "no list of samples"),
    "samples in a text": (row("1"), "no list of samples"),
    "a lone time": (row([[1]]), "not a pair"),
    "a number as value": (row([[1, 2]]), "not a pair"),
    "true as time": (row([[True, "1"]]), "has no time"),
    "time before 1970": (row([[-1, "1"]]), "outside all time"),
    "NaN as time": (row([[float("nan"), "1"]]), "outside all time"),
    "a time no float holds": (row([[10**400, "1"]]), "outside all time"),
    "NaN": (row([[1, "NaN"]]), "a sample is NaN, not a number"),
    "infinity": (row([[1, "+Inf"]]), "a sample is +Inf, not a number"),
    "underscores": (row([[1, "1_0"]]), "not a number"),
    "foreign digits": (row([[1, "٣"]]), "not a number"),
    "below zero": (row([[1, "-1"]]), "negative: -1"),
    "overflow": (row([[1, "1e999"]]), "too large to be true"),
    "beyond exact floats": (row([[1, "1e16"]]), "too large to be true"),
    "times that fall": (row([[2, "1"], [1, "1"]]), "do not rise"),
    "times that stand": (row([[1, "1"], [1, "1"]]), "do not rise"),
    "the same series twice": ([ROW, ROW], "two series carry the same labels"),
}


@pytest.mark.parametrize(("given_document", "why"), FAILURES.values(), ids=FAILURES)
def test_says_why_an_answer_is_unusable(given_document, why):
    answer = parse(given_document)
    assert isinstance(answer, QueryFailed)
    assert why in answer.why


def test_refuses_an_answer_with_too_many_samples(monkeypatch):
    monkeypatch.setattr(samples, "MAX_POINTS", 3)
    answer = parse([{"metric": {"n": str(n)}, "values": [[1, "1"], [2, "1"]]} for n in range(2)])
    assert answer == QueryFailed("the answer holds more than 3 samples")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "NaN", "success", "matrix"])
keys = st.sampled_from(["status", "data", "resultType", "result", "metric", "values", "value", "warnings", "histograms"])
trees = st.recursive(scalars, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=4), max_leaves=12)
pairs = st.lists(st.lists(st.integers() | st.floats() | st.text(max_size=3), max_size=3) | scalars, max_size=3)
rows = st.lists(st.fixed_dictionaries({"metric": st.just({}) | trees, "values": pairs | trees}), max_size=2)


@few
@given(trees | rows | rows.map(document))
def test_never_raises(tree):
    assert isinstance(parse(tree), Samples | NoData | QueryFailed)
