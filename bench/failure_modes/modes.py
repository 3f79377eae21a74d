"""Reads `modes.yaml`: how backends and callers behave over time, and what a person would say of it. Knows no controller."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("modes.yaml")
BAD, GOOD = "bad", "good"
ABSENT, HANG, LEAVE, CUT, REFUSE, SLOW, STREAM = "absent", "hang", "leave", "cut", "refuse", "slow", "stream"
_WORDS = frozenset({ABSENT, HANG, LEAVE, CUT, REFUSE, SLOW, STREAM})
_CODE = re.compile(r"[1-5][0-9]{2}|grpc ([0-9]|1[0-6])")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that backends do. Times are seconds since their version was deployed; shares are 0 to 1."""

    answer: str
    share: float = 1.0
    """Of the requests of the pods that do it."""
    pods: float = 1.0
    """The share of the version's pods that do it."""
    after: float = 0.0
    until: float = float("inf")
    grows: float = 0.0
    """Seconds in which the share grows from 0; 0: at once."""
    period: float = 0.0
    """Seconds after which it begins again; 0: never."""
    lasting: float = 0.0
    """Seconds that it lasts in each period; `for` in the table."""
    from_traffic: float = 0.0
    """Only while the version gets at least this share of all requests."""
    clump: int = 1
    lasts: float = 0.0
    """Seconds of a stream."""

    def at(self, seconds: float, traffic: float) -> float:
        """The share (0 to 1) of the version's requests that it befalls.

        Args:
            seconds: Since the version was deployed.
            traffic: The version's share of all requests, 0 to 1.
        """
        since = seconds - self.after
        if since < 0 or seconds >= self.until or traffic < self.from_traffic:
            return 0.0
        if self.period and since % self.period >= self.lasting:
            return 0.0
        grown = min(1.0, since / self.grows) if self.grows else 1.0
        return self.share * self.pods * grown


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the mesh does to its counters."""

    removes: str | None = None
    """A label of `istio_requests_total` that is taken off."""
    twice: bool = False
    """Two scrape jobs read each proxy."""


@dataclass(frozen=True, slots=True)
class FailureMode:
    """One row of the table."""

    name: str
    label: str
    """`bad` or `good`."""
    hurts: float = 0.0
    """Share (0 to 1) of the new version's requests that are hurt beyond what the old version does to them."""
    protocol: str = "http"
    objective: float | None = None
    """Seconds after which an answer is slow; None: the owner of the service names none."""
    patience: float = 2.0
    """Seconds after which a caller gives up."""
    new: tuple[Behaviour, ...] = ()
    old: tuple[Behaviour, ...] = ()
    telemetry: Telemetry = Telemetry()

    @property
    def bad(self) -> bool:
        """A person on call would want this version off the traffic."""
        return self.label == BAD


class TableError(ValueError):
    """A row that cannot be read; says which and why."""


def load(file: Path = FILE) -> tuple[FailureMode, ...]:
    """All failure modes, in the order of the table.

    Raises:
        TableError: A row has an unknown field or value, or a name stands twice.
    """
    modes = tuple(_mode(row) for row in yaml.safe_load(file.read_text()))
    names = [mode.name for mode in modes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TableError(f"several rows have the name {', '.join(sorted(twice))}")
    return modes


def _mode(row: Mapping[str, Any]) -> FailureMode:
    given = dict(row)
    for arm in ("new", "old"):
        given[arm] = tuple(_behaviour(row["name"], each) for each in row.get(arm, ()))
    if "hurts" in row:
        given["hurts"] = _share(row["hurts"])
    if "objective" in row:
        given["objective"] = float(row["objective"].removesuffix("ms")) / 1000
    given["telemetry"] = Telemetry(**row.get("telemetry", {}))
    mode: FailureMode = _made(row["name"], FailureMode, given)
    if mode.label not in (BAD, GOOD):
        raise TableError(f"{mode.name}: label is {mode.label!r}, write bad or good")
    if mode.bad != (mode.hurts > 0):
        raise TableError(f"{mode.name}: what is bad hurts some share of the requests, what is good hurts none")
    if mode.objective is None and any(each.answer == SLOW for each in mode.new + mode.old):
        raise TableError(f"{mode.name}: an answer is slow only where objective says what that is")
    return mode


def _behaviour(name: str, entry: Mapping[str, Any]) -> Behaviour:
    given = {("lasting" if key == "for" else key): value for key, value in entry.items()}
    for key in ("share", "pods", "from_traffic"):
        if key in given:
            given[key] = _share(given[key])
    given["answer"] = str(given.get("answer", ""))
    if given["answer"] not in _WORDS and not _CODE.fullmatch(given["answer"]):
        raise TableError(f"{name}: answer {given['answer']!r} is neither a code nor one of {', '.join(sorted(_WORDS))}")
    behaviour: Behaviour = _made(name, Behaviour, given)
    return behaviour


def _made(name: str, kind: Any, given: Mapping[str, Any]) -> Any:
    if unknown := given.keys() - {field.name for field in fields(kind)}:
        raise TableError(f"{name}: unknown {', '.join(sorted(unknown))}")
    return kind(**given)


def _share(text: str) -> float:
    return float(text.removesuffix("%")) / 100
