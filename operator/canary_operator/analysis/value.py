"""A user's own query and Prometheus' answer to it, checked once at the edge: exactly one finite value, or it is no verdict.

Never raises and never guesses. Format: Prometheus HTTP API, "Instant queries".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

from canary_operator.analysis.samples import NoData, QueryFailed, short, texts

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueryAsk:
    """One of the user's own queries, as it is to be asked."""

    name: str
    """What the user calls it."""
    text: str
    """PromQL."""
    interval: timedelta | None
    """Between two looks, and how far each reaches back. None: once, without samples, to see whether it is a query at all."""


@dataclass(frozen=True, slots=True)
class Value:
    """The one value that a query answered."""

    at: float
    """When Prometheus computed it, by its own clock, seconds since 1970. The samples it rests on are older."""
    value: float
    """Finite."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The query itself is wrong, whatever the samples are: it must be written otherwise."""

    why: str
    """One clause for a person."""


ValueAnswer = Value | NoData | QueryFailed | Refused


def parse_value(document: object) -> ValueAnswer:
    """Reads the JSON document of `/api/v1/query`."""
    if not isinstance(document, Mapping):
        return QueryFailed("the answer is no JSON object")
    if document.get("status") != "success":
        why = f"Prometheus refused the query: {short(document.get('error') or 'it does not say why')}"
        return Refused(why) if document.get("errorType") == "bad_data" else QueryFailed(why)
    if told := texts(document.get("warnings")):
        return NoData(f"Prometheus calls its answer incomplete: {told}")
    data = document.get("data")
    match data.get("resultType") if isinstance(data, Mapping) else None, data.get("result") if isinstance(data, Mapping) else None:
        case "vector", []:
            return NoData("no series match it")
        case "vector", [Mapping() as only]:
            return _single(only.get("value")) if "value" in only else Refused("its value is a native histogram, not a number")
        case "vector", list() as several:
            return Refused(f"it answers {len(several)} values where one is needed; write sum(...), max(...) or the like around it")
        case "scalar", pair:
            return _single(pair)
        case ("matrix" | "string") as kind, _:
            return Refused(f"it answers a {kind} where a single value is needed; write an expression for one point in time")
        case _:
            return QueryFailed("the answer holds no result that is understood")


def _single(pair: object) -> ValueAnswer:
    match pair:
        case [bool(), _]:
            return QueryFailed("a value has no time")
        case [int() | float() as time, "NaN" | "+Inf" | "-Inf" as text] if isfinite(time):
            return NoData(f"its value is {text}, which is no number to judge by")
        case [int() | float() as time, str(text)] if isfinite(time) and _NUMBER.fullmatch(text) and isfinite(float(text)):
            return Value(float(time), float(text))
        case _:
            return QueryFailed("the answer holds no pair of time and number")
