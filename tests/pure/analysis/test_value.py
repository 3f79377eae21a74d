"""Exactly one finite value, or it is no verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.samples import NoData, QueryFailed
from canary_operator.analysis.value import Refused, Value, ValueAnswer, parse_value


def vector(*values: object) -> object:
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": value} for value in values]}}


def of_type(kind: object, result: object) -> object:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def refused(kind: str, error: object = "1:5: parse error: unexpected <by>") -> object:
    return {"status": "error", "errorType": kind, "error": error}


READ: list[object] = [
    pytest.param(vector([1.5, "3"]), Value(1.5, 3.0), id="one series"),
    pytest.param(of_type("scalar", [2, "-1e3"]), Value(2.0, -1000.0), id="a scalar"),
    pytest.param(vector(), NoData("no series match it"), id="no series"),
    pytest.param(vector([1, "NaN"]), NoData("its value is NaN, which is no number to judge by"), id="NaN, as of a share of nothing"),
    pytest.param(vector([1, "+Inf"]), NoData("its value is +Inf, which is no number to judge by"), id="infinite"),
]
KINDS = [
    pytest.param(vector([1, "1"], [1, "2"]), Refused, "answers 2 values where one is needed; write sum(...)", id="two series"),
    pytest.param(of_type("vector", [{"metric": {}, "histogram": [1, {}]}]), Refused, "native histogram", id="a native histogram"),
    pytest.param(of_type("matrix", []), Refused, "a matrix where a single value", id="a range"),
    pytest.param(of_type("string", [1, "up"]), Refused, "a string where a single value", id="a text"),
    pytest.param(refused("bad_data"), Refused, "1:5: parse error: unexpected <by>", id="no PromQL"),
    pytest.param(refused("execution", "many-to-many matching not allowed"), QueryFailed, "many-to-many", id="it cannot be computed"),
    pytest.param(refused("timeout", 7), QueryFailed, "refused", id="an error that is no text"),
    pytest.param({**vector([1, "1"]), "warnings": ["a store is away"]}, NoData, "a store is away", id="a part is missing"),  # type: ignore[dict-item]
    pytest.param([], QueryFailed, "no JSON object", id="a list"),
    pytest.param({"status": "success"}, QueryFailed, "no result", id="nothing"),
    pytest.param(of_type(None, [1, "2"]), QueryFailed, "no result", id="no type"),
    pytest.param(vector([True, "1"]), QueryFailed, "no time", id="true as a time"),
    pytest.param(vector([1, 1]), QueryFailed, "no pair", id="a number that is no text"),
    pytest.param(vector([1, "0x10"]), QueryFailed, "no pair", id="a hexadecimal number"),
    pytest.param(vector([1, "1e999"]), QueryFailed, "no pair", id="a number beyond all floats"),
    pytest.param(vector([float("nan"), "1"]), QueryFailed, "no pair", id="a time that is no number"),
]


@pytest.mark.parametrize(("document", "answer"), READ)
def test_reads(document: object, answer: ValueAnswer) -> None:
    assert parse_value(document) == answer


@pytest.mark.parametrize(("document", "kind", "said"), KINDS)
def test_says_why_there_is_no_value(document: object, kind: type, said: str) -> None:
    answer = parse_value(document)
    assert isinstance(answer, kind)
    assert said in answer.why  # type: ignore[union-attr]


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(JSON, JSON)
def test_never_raises(one: object, other: object) -> None:
    for document in (one, of_type(one, other), vector(one), of_type("scalar", one), {"status": "error", "error": one, "errorType": other}):
        assert isinstance(parse_value(document), Value | NoData | QueryFailed | Refused)
