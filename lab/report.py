"""What a traffic source counted: every answer by second, path, service, version and status."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lab.tally import milliseconds

PROXY = "-"
"""The version of an answer that came from no backend."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many answers of one kind within one second."""

    second: int
    """Seconds since the epoch, when the answer came."""
    path: str
    """gateway or mesh (or what the target was named)."""
    service: str
    version: str
    status: str
    answers: int


@dataclass(slots=True)
class Report:
    """May be asked while the source runs: it is then as of a quarter of a second ago."""

    sent: int = 0
    latest_seconds: float = 0.0
    """The most a request left after its time because the source did not get the processor. Much more than 0.1 makes latencies doubtful."""
    counts: Counter[tuple[int, str, str, str, str]] = field(default_factory=Counter)
    latencies: Counter[tuple[str, int]] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    """What proxies said where no backend answered."""

    def add(self, line: dict[str, Any]) -> None:
        """Takes one line of the source's output."""
        self.sent = line["sent"]
        self.latest_seconds = max(self.latest_seconds, line["latest"])
        for *key, count in line["counts"]:
            second, path, service, version, status = key
            self.counts[second, path, service, version, status] += count
        for version, bucket, count in line["latencies"]:
            self.latencies[version, bucket] += count
        self.details.update(line["details"])

    @classmethod
    def together(cls, reports: "Iterable[Report]") -> "Report":
        """What several sources counted, as one."""
        whole = cls()
        for report in reports:
            whole.sent += report.sent
            whole.latest_seconds = max(whole.latest_seconds, report.latest_seconds)
            whole.counts.update(report.counts)
            whole.latencies.update(report.latencies)
            whole.details.update(report.details)
        return whole

    @property
    def rows(self) -> list[Count]:
        """In order of time."""
        return [Count(*key, answers) for key, answers in sorted(self.counts.items())]

    def count(
        self,
        *,
        version: str | None = None,
        status: str | None = None,
        path: str | None = None,
        service: str | None = None,
        since: float = 0,
        until: float = 1e12,
    ) -> int:
        """Answers of this kind; `since` and `until` are seconds since the epoch, whole seconds count. `status` "5" means every 5xx."""
        return sum(
            row.answers
            for row in self.rows
            if since <= row.second < until
            and version in (None, row.version)
            and path in (None, row.path)
            and service in (None, row.service)
            and (status is None or row.status == status or (len(status) == 1 and row.status[0] == status and row.status.isdigit()))
        )

    def failed(self, version: str | None = None) -> int:
        """Requests that did not succeed, whoever is to blame."""
        return sum(row.answers for row in self.rows if version in (None, row.version) and not good(row.status))

    @property
    def answered(self) -> int:
        """Requests whose outcome is known."""
        return sum(self.counts.values())

    @property
    def versions(self) -> dict[str, int]:
        """Answers by version; PROXY stands for those without."""
        found: Counter[str] = Counter()
        for row in self.rows:
            found[row.version] += row.answers
        return dict(found)

    @property
    def lost(self) -> int:
        """Answers that came from no backend: a proxy's own 503 or 404, a refused or cut connection. Time-outs are counted apart."""
        return sum(row.answers for row in self.rows if row.version == PROXY and row.status != "timeout")

    @property
    def timeouts(self) -> int:
        """Requests without an answer in time. On a busy machine that is the machine, not the routing."""
        return self.count(status="timeout")

    def served_last_second(self, wanted: set[tuple[str, str]]) -> bool:
        """Whether the last whole second has answers of each of these (path, version), and all its answers came from backends."""
        last = max((row.second for row in self.rows), default=0) - 1
        seen = {(row.path, row.version) for row in self.rows if row.second == last}
        return wanted <= seen and not any(version == PROXY for _, version in seen)

    def share(self, version: str, *, path: str | None = None, since: float = 0) -> float:
        """The version's part of all answers that came from backends, 0 to 1; 0 if there are none."""
        total = sum(row.answers for row in self.rows if row.version != PROXY and row.second >= since and path in (None, row.path))
        return self.count(version=version, path=path, since=since) / total if total else 0.0

    def percentile_ms(self, percent: float, version: str | None = None) -> float:
        """Latency in milliseconds, time-outs included; exact to 3 %."""
        ordered = sorted((bucket, count) for (of, bucket), count in self.latencies.items() if version in (None, of))
        rank = sum(count for _, count in ordered) * percent / 100
        for bucket, count in ordered:
            rank -= count
            if rank <= 0:
                return milliseconds(bucket)
        return 0.0

    def __str__(self) -> str:
        by = ", ".join(f"{version}: {count}" for version, count in sorted(self.versions.items()))
        return (
            f"{self.answered} answers ({by}), {self.failed()} failed, {self.lost} lost, {self.timeouts} timed out, "
            f"p50 {self.percentile_ms(50):.1f} ms, p99 {self.percentile_ms(99):.1f} ms, sent up to {self.latest_seconds * 1e3:.0f} ms late"
        )


def good(status: str) -> bool:
    """Whether an answer with this status is a success."""
    return status == "OK" or status[0] in "123"
