"""Prometheus' answer, checked once at the edge: after `parse` a sample can be trusted.

Never raises and never guesses: what is not exactly a list of counter samples becomes `NoData` or `QueryFailed`, with
a sentence that says which. Format: Prometheus HTTP API, "Expression queries", range vectors.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

MAX_POINTS = 200_000
"""More samples than this in one answer are refused: the query is not the one this operator writes."""
MAX_VALUE = 2.0**53
"""The largest count that a float holds exactly."""
LONGEST_QUOTE = 120
"""Characters of a foreign text that a sentence repeats."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of one series."""

    time: float
    """When it was scraped, seconds since 1970."""
    value: float
    """The counter, 0 or more."""


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels and its samples, at least one, in strictly rising order of time."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """A complete answer with at least one series; no two series carry the same labels."""

    series: tuple[Series, ...]
    lasting: float | None = None
    """Seconds that stable's requests lasted on average lately, 0 or more. None: not asked, or unknown."""


@dataclass(frozen=True, slots=True)
class NoData:
    """Prometheus answered, but not with samples to judge by: never a pass, never a failure."""

    why: str
    """One clause for a person."""


@dataclass(frozen=True, slots=True)
class QueryFailed:
    """Prometheus gave no usable answer: never a pass, never a failure."""

    why: str
    """One clause for a person."""


Answer = Samples | NoData | QueryFailed


class _Malformed(Exception):
    """Private to this module: ends the reading of an answer with a sentence."""


def parse(document: object) -> Answer:
    """Reads the JSON document of `/api/v1/query`, or the list under `data.result` alone. Never raises."""
    try:
        if isinstance(document, Mapping):
            if texts(document.get("warnings")):
                return NoData(f"Prometheus calls its answer incomplete: {texts(document.get('warnings'))}")
            document = _result(document)
        if not isinstance(document, list):
            return QueryFailed(f"the answer is {_kind(document)}, not a list of series")
        if not document:
            return NoData("no series match the query")
        return _samples(document)
    except _Malformed as malformed:
        return QueryFailed(str(malformed))


def _result(document: Mapping[object, object]) -> object:
    if document.get("status") != "success":
        error = document.get("error") or f"status {short(document.get('status'))}"
        raise _Malformed(f"Prometheus refused the query: {short(error)}")
    data = document.get("data")
    if not isinstance(data, Mapping):
        raise _Malformed(f"the answer holds {_kind(data)} where its data should be")
    if data.get("resultType") != "matrix":
        raise _Malformed(f"the answer is of type {short(data.get('resultType'))}, not a matrix of samples")
    result: object = data.get("result")
    return result


def _samples(rows: Sequence[object]) -> Samples:
    series: list[Series] = []
    seen: set[frozenset[tuple[str, str]]] = set()
    room = MAX_POINTS
    for row in rows:
        if not isinstance(row, Mapping):
            raise _Malformed(f"a series is {_kind(row)}, not an object")
        labels = _labels(row.get("metric"))
        points = _points(row, room)
        room -= len(points)
        identity = frozenset(labels.items())
        if identity in seen:
            raise _Malformed("two series carry the same labels")
        seen.add(identity)
        series.append(Series(labels, points))
    return Samples(tuple(series))


def _labels(metric: object) -> Mapping[str, str]:
    if not isinstance(metric, Mapping):
        raise _Malformed(f"the labels of a series are {_kind(metric)}, not an object")
    labels = {key: value for key, value in metric.items() if isinstance(key, str) and isinstance(value, str)}
    if len(labels) != len(metric):
        raise _Malformed("a label is not a text")
    return labels


def _points(row: Mapping[object, object], room: int) -> tuple[Point, ...]:
    if row.get("histograms"):
        raise _Malformed("a series holds native histograms, not counters")
    if "value" in row:
        raise _Malformed("the answer is a vector of single values, not a matrix of samples")
    values = row.get("values")
    if not isinstance(values, list) or not values:
        raise _Malformed("a series holds no list of samples")
    if len(values) > room:
        raise _Malformed(f"the answer holds more than {MAX_POINTS} samples")
    points = tuple(_point(pair) for pair in values)
    if any(later.time <= earlier.time for earlier, later in zip(points, points[1:], strict=False)):
        raise _Malformed("the times of a series do not rise")
    return points


def _point(pair: object) -> Point:
    match pair:
        case [bool(), _]:
            raise _Malformed("a sample has no time")
        case [int() | float() as time, str(text)]:
            return Point(_time(time), _value(text))
        case _:
            raise _Malformed("a sample is not a pair of time and text")


def _time(time: float) -> float:
    if not 0 <= time <= MAX_VALUE:  # also refuses NaN, and integers that no float can hold
        raise _Malformed("a sample lies outside all time")
    return float(time)


def _value(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise _Malformed(f"a sample is {short(text)}, not a number")
    value = float(text)
    if not isfinite(value) or value > MAX_VALUE:
        raise _Malformed(f"a counter of {short(text)} is too large to be true")
    if value < 0:
        raise _Malformed(f"a counter is negative: {short(text)}")
    return value


def texts(warnings: object) -> str:
    """Warnings of an answer in one clause; empty when there are none."""
    if not warnings:
        return ""
    return "; ".join(short(text) for text in warnings[:3]) if isinstance(warnings, list) else short(warnings)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"of type {type(value).__name__}"


def short(value: object) -> str:
    """A foreign text, or the kind of what is no text, short enough to be repeated."""
    text = value if isinstance(value, str) else type(value).__name__
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
