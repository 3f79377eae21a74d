"""What came of the demo: the report, and the second-by-second record that the picture is drawn from."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.audit import Request
from lab.demo.shares import Shift
from lab.report import PROXY, Report

Counts = Counter[tuple[int, str, str, str, str]]
"""Answers by second, path, service, version and status."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One release as the report tells it."""

    source: str
    """`from`: the version that served before."""
    to: str
    outcome: str
    """As the operator recorded it, or Unfinished."""
    seconds: float
    """From the change of `spec.version` to the recorded outcome."""
    requests: int
    """Answers and losses of all versions in that time."""
    canary_failures: int
    """Answers 5xx of the new version."""
    lost_to_routing: int
    """Requests that no backend answered: a proxy's own 503 or 404, a refused or cut connection."""
    timeouts: int
    """Requests without an answer within 5 s; on a busy machine that is the machine."""
    max_weight: int
    """The highest weight of the canary in any revision of the VirtualService, percent."""
    api_requests: int
    """The operator's requests to the API server, watches and its lease aside."""

    def as_json(self) -> dict[str, Any]:
        """As in report.json."""
        values = asdict(self)
        return {"from": values.pop("source"), **values}


@dataclass(frozen=True, slots=True)
class Second:
    """What one version answered within one second."""

    second: int
    version: str
    requests: int
    failures: int


@dataclass(frozen=True, slots=True)
class Span:
    """A release on the clock, seconds since the epoch."""

    begun: float
    ended: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that the picture shows."""

    spans: Sequence[Span]
    shifts: Sequence[Shift]
    seconds: Sequence[Second]
    unanswered: Mapping[str, int]
    """Requests that no backend answered, in the whole run, by way and what the proxy said; time-outs included."""


def measure(
    versions: tuple[str, str],
    ended_as: str,
    times: tuple[float, float],
    counts: Counts,
    shifts: Iterable[Shift],
    requests: Iterable[Request],
) -> Outcome:
    """The figures of one release.

    Args:
        versions: From and to.
        ended_as: The outcome.
        times: Begin and end, seconds since the epoch.
        counts: What was answered in between.
        shifts: Of the whole demo.
        requests: The operator's, of this release.
    """
    source, to = versions
    begun, ended = times
    during = Report(counts=counts)
    return Outcome(
        source=source,
        to=to,
        outcome=ended_as,
        seconds=round(ended - begun, 1),
        requests=during.answered,
        canary_failures=during.count(version=to, status="5"),
        lost_to_routing=during.lost,
        timeouts=during.timeouts,
        max_weight=max((shift.weight for shift in shifts if begun <= shift.at <= ended), default=0),
        api_requests=sum(request.verb != "watch" and request.resource != "leases" for request in requests),
    )


def by_second(report: Report) -> list[Second]:
    """Answers of backends, by second and version."""
    requests: Counter[tuple[int, str]] = Counter()
    failures: Counter[tuple[int, str]] = Counter()
    for row in report.rows:
        if row.version != PROXY:
            requests[row.second, row.version] += row.answers
            failures[row.second, row.version] += row.answers * row.status.startswith("5")
    return [Second(*key, requests[key], failures[key]) for key in sorted(requests)]


def write(folder: Path, timeline: Timeline) -> None:
    """`report.json` and `timeline.json`."""
    report = {"releases": [span.outcome.as_json() for span in timeline.spans]}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (folder / "timeline.json").write_text(json.dumps(asdict(timeline)) + "\n", encoding="utf-8")
