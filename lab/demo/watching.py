"""Looks at everything at once: the traffic source's counts, the routing, the pods, and what the operator says. Changes nothing."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab import Lab, Load
from lab.audit import Request
from lab.demo.operator_process import SpeakingOperator, Statement
from lab.demo.results import Counts
from lab.demo.setting import NAMESPACE, RELEASES, ROUTES, RULES
from lab.demo.shares import Shift, shifts
from lab.operator import USER
from lab.report import Report

PODS_SECONDS = 1.0
RATE_SECONDS = 2
"""The rate now is that of the last whole seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One version."""

    version: str
    role: str
    weight: int
    """Percent of the traffic, by the routing."""
    ready: int
    wanted: int
    rate: float
    """Answers per second, now."""
    requests: int
    failures: int


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown of one moment. Counts are those of the present release, or since the last one ended."""

    title: str
    phase: str
    step: str
    weights: Sequence[int]
    """The new version's share in percent since the release began, one for each second."""
    statement: Statement | None
    """What the operator said last."""
    age: float
    """How long ago that was, seconds."""
    rows: Sequence[Row]
    lost: int
    timeouts: int


class Watcher:
    """One for the whole demo."""

    def __init__(self, lab: Lab, operator: SpeakingOperator) -> None:
        self._lab, self._operator = lab, operator
        self._revisions = lab.revisions(RELEASES, ROUTES, RULES)
        self._load: Load | None = None
        self._before: Counts = Counter()
        self._release: tuple[str, str, float] | None = None
        self._statement: Statement | None = None
        self._pods: dict[str, tuple[int, int]] = {}
        self._pods_seen = 0.0
        self.news: list[Statement] = []
        """Statements that came with the last look."""

    def watch(self, load: Load) -> None:
        """Counts this traffic from now on."""
        self._load = load

    def begin(self, source: str, to: str, at: float) -> None:
        """A release begins: counts start at 0."""
        self._release = (source, to, at)
        self._before = self.report.counts

    @property
    def report(self) -> Report:
        """All traffic so far."""
        return self._load.report if self._load else Report()

    @property
    def counted(self) -> Counts:
        """Answers since the release began."""
        return self.report.counts - self._before

    @property
    def shifts(self) -> list[Shift]:
        """Every change of the traffic's shares so far."""
        return shifts(self._revisions.all)

    @property
    def status(self) -> Mapping[str, Any]:
        """The CanaryRelease's, as last written."""
        found = self._revisions.of("CanaryRelease")
        status: Mapping[str, Any] = found[-1].object.get("status", {}) if found else {}
        return status

    def ended(self, version: str, number: int) -> tuple[str, float] | None:
        """Outcome and time, once a release later than this number has ended that tested this version."""
        for revision in self._revisions.of("CanaryRelease"):
            last = revision.object.get("status", {}).get("lastRelease", {})
            if last.get("number", 0) > number and last["revision"].startswith(f"{version}@"):
                return last["outcome"], revision.received
        return None

    def ready(self, version: str) -> bool:
        """All pods of this version, when last looked at."""
        ready, wanted = self._pods.get(version, (0, 0))
        return ready == wanted > 0

    def api_requests(self, begun: float, ended: float) -> list[Request]:
        """The operator's, between these times."""
        return [request for request in self._lab.audit.requests(user=USER, since=begun) if request.time < ended]

    def look(self) -> View:
        """The present moment."""
        self.news = self._operator.news()
        self._statement = self.news[-1] if self.news else self._statement
        now, status = time.time(), self.status
        self._look_at_pods(now)
        during = Report(counts=self.counted)
        found = self.shifts
        share = found[-1].versions if found else {}
        source, to, begun = self._release or (next(iter(share), ""), "", now)
        return View(
            title=f"{source} → {to}" if to else source,
            phase=status.get("phase", ""),
            step=status.get("step", ""),
            weights=_weights(found, to, begun, now),
            statement=self._statement,
            age=now - self._statement.at if self._statement else 0.0,
            rows=[self._row(version, status, share, during, now) for version in sorted(self._pods)],
            lost=during.lost,
            timeouts=during.timeouts,
        )

    def _row(self, version: str, status: Mapping[str, Any], share: Mapping[str, int], during: Report, now: float) -> Row:
        roles = {_version(status.get("canary")): "canary", _version(status.get("stable")): "stable"}
        ready, wanted = self._pods[version]
        second = int(now)
        recent = self.report.count(version=version, since=second - RATE_SECONDS, until=second)
        return Row(
            version=version,
            role=roles.get(version, ""),
            weight=share.get(version, 0),
            ready=ready,
            wanted=wanted,
            rate=recent / RATE_SECONDS,
            requests=during.count(version=version),
            failures=during.count(version=version, status="5"),
        )

    def _look_at_pods(self, now: float) -> None:
        if now - self._pods_seen < PODS_SECONDS:
            return
        self._pods_seen = now
        deployments = self._lab.api.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
        self._pods = {
            found["metadata"]["labels"]["version"]: (found.get("status", {}).get("readyReplicas", 0), found["spec"]["replicas"])
            for found in deployments
        }


def _version(revision: str | None) -> str:
    return (revision or "").partition("@")[0]


def _weights(found: Sequence[Shift], version: str, begun: float, now: float) -> list[int]:
    """The version's share at the end of each second since the release began."""
    if not version:
        return []
    moments = [begun + passed for passed in range(1, int(now - begun) + 1)] + [now]
    return [next((shift.versions.get(version, 0) for shift in reversed(found) if shift.at <= moment), 0) for moment in moments]
