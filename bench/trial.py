"""One release on a service of its own, under traffic that is counted at the client: how it ended, what it cost, and when."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import Lab
from lab.report import PROXY, Count, Report, good
from lab.revisions import Revisions
from lab.waiting import until
from lab.workloads import Workload

NAME = "reviews"
FULL = 100
MERGE = "application/merge-patch+json"
PART = 250.0
"""Requests per second that one source sends and one pod serves, on a machine that has other work too."""
LOOK = 0.25
"""Seconds between two looks at an object: many trials run side by side, and the API server shall have time for the operator."""
GATEWAY = 'scrape_duration_seconds{source_workload="gateway"}'


def nothing(trial: "Trial") -> None:
    """Lets the release go its way."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One kind of release, and how often it is tried."""

    name: str
    ends: str
    """RolledBack, Promoted or Withdrawn: anything else is a wrong verdict."""
    runs: int = 5
    canary: Mapping[str, Any] = field(default_factory=dict)
    """How the new version behaves: fields of `lab.behaviour.Behaviour`."""
    stable: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Beside service, version, traffic and a short drain; what is left out has its default."""
    script: Callable[["Trial"], None] = nothing
    """What happens while the release runs."""
    rate: float = 100.0
    """Requests per second through the gateway."""
    protocol: str = "http"
    patience: float = 5.0
    """Seconds after which a caller gives up."""
    goal: float | None = None
    """The median of the canary's failed requests may be so much, where Prometheus scrapes every 5 s."""
    longest: float | None = None
    """Seconds that each release may take from its first weight to 100 percent."""
    restarts: bool = False
    """The operator is killed every 20 s meanwhile."""
    alone: bool = False
    """The script harms the whole lab: nothing else runs meanwhile."""


@dataclass(frozen=True)
class Row:
    """What one release cost."""

    outcome: str
    reason: str
    message: str
    failed: int
    """Requests that the canary failed, or that no backend answered, until all traffic was back."""
    canary: int
    """Answers of the canary."""
    lost: int
    """Requests that no backend answered."""
    timeouts: int
    given_up: int
    """Requests to the canary that callers gave up, as the gateway counted them."""
    seconds: float | None
    """From the first weight in the API server to weight 0, or to the end of the bake."""
    full: float | None
    """From the first weight to 100 percent; None: it never had them."""
    look: float | None
    """From the newest sample that Prometheus could answer to weight 0 in the API server."""
    weights: list[tuple[float, int]]
    """When the API server had which weight of the canary, in seconds since the first."""
    scrapes: list[float]
    """When the gateway was scraped, in seconds since the first weight."""
    failing: list[tuple[int, int]]
    """Failed requests of the canary in each second since the first weight."""
    p99_ms: float


class Trial:
    """One release of a cell in a namespace of its own."""

    def __init__(self, lab: Lab, revisions: Revisions, cell: Cell, number: int, *, scrape: float, phase: float) -> None:
        """Nothing yet.

        Args:
            lab: With an operator that runs.
            revisions: Recorder of the VirtualServices.
            cell: What is tried.
            number: Different from every other trial's in this lab.
            scrape: Prometheus' interval in seconds.
            phase: When in the interval the release begins, 0 to 1: the runs of a cell are spread over it.
        """
        self.lab, self.cell, self.scrape, self.phase = lab, cell, scrape, phase
        self._revisions = revisions
        self.namespace = f"trial-{number}"
        self._host = f"{self.namespace}.example.com"
        self.path = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{self.namespace}/canaryreleases/{NAME}"
        lab.namespace(self.namespace)
        self.service = lab.service(NAME, self.namespace, port_name=cell.protocol)
        self._parts = max(1, round(cell.rate / PART))
        self.stable = self._deploy("v1")
        self.canary = self.stable

    def prepare(self) -> None:
        """Both versions are ready and the service is taken over; nothing asks for it yet."""
        self.stable.behave(**self.cell.stable)
        self.stable.wait_ready()
        self._apply(self._host)
        until(lambda: self.status.get("phase") == "Stable", "adopted", 60, LOOK)
        self.canary = self._deploy("v2")
        self.canary.behave(**self.cell.canary)
        self.canary.wait_ready()

    def run(self) -> Row:
        """From the first request to the end of the release."""
        cell, host = self.cell, self._host
        loads = [
            self.lab.load(
                self.service, rate=cell.rate / self._parts, through=["gateway"], host=host, protocol=cell.protocol, timeout=cell.patience
            )
            for _ in range(self._parts)
        ]
        try:
            until(lambda: all(load.report.versions.get("v1") for load in loads), "served", 60, LOOK)
            lost, begun = sum(load.report.lost for load in loads), time.time()
            self.wait_until(begun + max(20.0, 2 * self.scrape))
            self.wait_until(self.scrape * (time.time() // self.scrape + 1 + self.phase))
            self.lab.api.patch(self.path, {"spec": {"version": "v2"}}, MERGE)
            cell.script(self)
            past = until(self._past, f"{cell.name} ended", 3600, LOOK)
            return self._row(past, Report.together([load.stop() for load in loads]), lost)
        finally:
            for load in loads:
                load.kill()

    def remove(self) -> None:
        """Release and pods of both versions are gone."""
        try:
            self.lab.api.delete(self.path)
            until(lambda: self.lab.api.find(self.path) is None, "the CanaryRelease is gone", 60, LOOK)
        finally:
            for workload in (self.stable, self.canary):
                workload.delete()

    @property
    def status(self) -> dict[str, Any]:
        """Of the CanaryRelease."""
        return (self.lab.api.find(self.path) or {}).get("status") or {}

    @property
    def weights(self) -> list[tuple[float, int]]:
        """When the API server had which weight of the canary; one entry per change."""
        found: list[tuple[float, int]] = []
        for revision in self._revisions.all:
            if revision.object["metadata"]["namespace"] == self.namespace and revision.type != "DELETED":
                weight = _weight(revision.object)
                if not found or found[-1][1] != weight:
                    found.append((revision.received, weight))
        return found

    def wait_weight(self, weight: int) -> None:
        """Until the canary has this weight."""
        until(lambda: self.status.get("weight") == weight, f"weight {weight}: {self.status.get('message')}", 1800, LOOK)

    def wait_until(self, moment: float) -> None:
        """Until this time, in seconds since the epoch."""
        until(lambda: time.time() >= moment, "the time has come", 3600)

    def _deploy(self, version: str) -> Workload:
        return self.lab.workload(self.service, version, replicas=max(2, self._parts), protocol=self.cell.protocol)

    def _apply(self, host: str) -> None:
        owned = {"owned": {"gateways": ["infra/public", "mesh"], "hosts": [host]}}
        document = {
            "apiVersion": "canary.rollouts.dev/v1beta1",
            "kind": "CanaryRelease",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"service": {"name": NAME}, "version": "v1", "traffic": owned, "drain": "5s", **self.cell.spec},
        }
        self.lab.api.apply(document)

    def _past(self) -> dict[str, Any]:
        """The record of the release; empty while it runs."""
        past: dict[str, Any] = self.status.get("lastRelease") or {}
        return past if past.get("number") == 1 else {}

    def _row(self, past: dict[str, Any], report: Report, lost_before: int) -> Row:
        rises = self.weights
        first = next((at for at, weight in rises if weight > 0), time.time())
        zero = next((at for at, weight in rises if at > first and weight == 0), None)
        scrapes = self._scrapes(first)
        ended = zero if past["outcome"] != "Promoted" else time.time()
        failed = [row for row in report.rows if row.version in ("v2", PROXY) and not good(row.status) and row.second >= int(first)]
        failed = [row for row in failed if row.status != "timeout"]
        visible = [at + duration for at, duration in scrapes if zero is not None and at + duration <= zero]
        return Row(
            outcome=past["outcome"],
            reason=past["reason"],
            message=past["message"],
            failed=sum(row.answers for row in failed),
            canary=report.versions.get("v2", 0),
            lost=report.lost - lost_before,
            timeouts=report.timeouts,
            given_up=self._given_up(),
            seconds=None if ended is None else round(ended - first, 2),
            full=next((round(at - first, 2) for at, weight in rises if weight == FULL), None),
            look=round(zero - max(visible), 3) if zero is not None and visible else None,
            weights=[(round(at - first, 2), weight) for at, weight in rises],
            scrapes=[round(at - first, 2) for at, _ in scrapes if at > first - self.scrape],
            failing=_by_second(failed, int(first)),
            p99_ms=round(report.percentile_ms(99), 1),
        )

    def _given_up(self) -> int:
        labels = f'destination_service_namespace="{self.namespace}",destination_workload="{self.canary.name}",response_code="0"'
        return round(sum(float(series["value"][1]) for series in self.lab.query(f"sum(istio_requests_total{{{labels}}})")))

    def _scrapes(self, since: float) -> list[tuple[float, float]]:
        """When the gateway was scraped, and how long that took."""
        found = self.lab.query(f"{GATEWAY}[{round(time.time() - since + 2 * self.scrape)}s]")
        return [(at, float(duration)) for series in found for at, duration in series["values"]]


def _by_second(rows: Iterable[Count], first: int) -> list[tuple[int, int]]:
    found: dict[int, int] = {}
    for row in rows:
        found[row.second - first] = found.get(row.second - first, 0) + row.answers
    return sorted(found.items())


def _weight(route: Mapping[str, Any]) -> int:
    shares = [share for http in route["spec"]["http"] for share in http.get("route") or ()]
    return next((int(share["weight"]) for share in shares if share["destination"].get("subset") == "canary"), 0)
