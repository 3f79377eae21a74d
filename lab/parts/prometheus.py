"""Prometheus: scrapes the proxies and gives their counters Istio's names and labels."""

import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import programs
from lab.addresses import PROMETHEUS_PORT
from lab.part import Part, answers
from lab.parts.envoy import Envoy

_WANTED = "envoy_istio_(requests_total|request_duration_milliseconds_(bucket|sum|count))"
_HOST = r"outbound\|\d+\|[^|]*\|([^.]+)\.([^.]+)\.svc\..*"


class Prometheus(Part):
    """Keeps its samples over a restart."""

    def __init__(
        self,
        directory: Path,
        scrape: str,
        *,
        destination_reporter: bool = False,
        number: int = 0,
        jobs: int = 1,
        rules: Mapping[str, str] | None = None,
    ) -> None:
        """The part, not started yet.

        Args:
            directory: The lab's.
            scrape: The scrape interval, e.g. "5s".
            destination_reporter: Serve every counter a second time as the server's sidecar would report it, for programs that ask for that.
            number: 0: the lab's own. Another one beside it needs a number of its own: it decides name and port.
            jobs: So many scrape jobs read each proxy.
            rules: Recording rules, evaluated as often as it scrapes: the name of each with its expression.
        """
        super().__init__(directory)
        self.name = f"prometheus-{number}" if number else "prometheus"
        self._port = PROMETHEUS_PORT + number
        self.url = f"http://127.0.0.1:{self._port}"
        self._jobs, self._rules = jobs, rules or {}
        self._scrape = scrape
        self._destination_reporter = destination_reporter
        self._proxies: list[Envoy] = []

    def scrape(self, *proxies: Envoy) -> None:
        """Adds proxies to what is scraped."""
        self._proxies.extend(proxies)
        self._configure()
        if self.alive:
            self._running().send_signal(signal.SIGHUP)

    def rescrape(self, every: str) -> None:
        """Scrapes at another interval from now on; "1h" freezes it in all but its answers."""
        self._scrape = every
        self._configure()
        self._running().send_signal(signal.SIGHUP)

    def command(self) -> Sequence[str | Path]:
        """Its configuration is written anew at every start."""
        return [
            *(programs.path(programs.PROMETHEUS), "--config.file", self._configure(), "--log.level", "warn"),
            *(
                "--storage.tsdb.path",
                self.directory / f"{self.name}.tsdb",
                "--storage.tsdb.no-lockfile",
                "--web.listen-address",
                f"127.0.0.1:{self._port}",
            ),
        ]

    def is_ready(self) -> bool:
        """Its own word: /-/ready."""
        return answers(self._port, "/-/ready")

    def _configure(self) -> Path:
        file = self.directory / f"{self.name}.json"
        timing = {"scrape_interval": self._scrape, "evaluation_interval": self._scrape}
        recorded = [{"record": name, "expr": expression} for name, expression in self._rules.items()]
        rules = self.directory / f"{self.name}.rules.json"
        rules.write_text(json.dumps({"groups": [{"name": "recorded", "rules": recorded}]}))
        file.write_text(json.dumps({"global": timing, "rule_files": [str(rules)], "scrape_configs": self._scrape_configs()}))
        return file

    def _scrape_configs(self) -> list[dict[str, object]]:
        jobs = [self._job("envoy" if number == 0 else f"envoy-{number}", _relabelling()) for number in range(self._jobs)]
        if self._destination_reporter:
            destination: dict[str, object] = {"target_label": "reporter", "replacement": "destination"}
            jobs.append(self._job("envoy-as-destination", [*_relabelling(), destination]))
        return jobs

    def _job(self, name: str, relabelling: list[dict[str, object]]) -> dict[str, object]:
        targets = [
            {
                "targets": [f"127.0.0.1:{proxy.admin_port}"],
                "labels": {"source_workload": proxy.workload, "source_workload_namespace": proxy.namespace},
            }
            for proxy in self._proxies
        ]
        return {
            "job_name": name,
            "metrics_path": "/stats/prometheus",
            "static_configs": targets,
            "metric_relabel_configs": relabelling,
        }


def _relabelling() -> list[dict[str, object]]:
    """Envoy's counter becomes `istio_requests_total` as Istio's own proxy has it.

    Failures without a chosen endpoint (UH, NC) keep workload and version `unknown`: no endpoint, no metadata.

    One label more than Istio's: `subset`. Istio's proxy counts a workload once; Envoy counts it once per cluster, and two series that
    become one by relabelling are refused by Prometheus, which keeps the first: a version that was canary and is stable now would stand
    still for ever.
    """
    return [
        {"source_labels": ["__name__"], "regex": _WANTED, "action": "keep"},
        _label(["__name__"], "envoy_(istio_.*)", "__name__"),
        _label(["upstream_cluster"], r"outbound\|\d+\|[^|]*\|(.+)", "destination_service"),
        _label(["upstream_cluster"], r"outbound\|\d+\|([^|]*)\|.+", "subset"),
        _label(["upstream_cluster"], _HOST, "destination_service_name"),
        _label(["upstream_cluster"], _HOST, "destination_service_namespace", "$2"),
        {"target_label": "destination_workload", "replacement": "unknown"},
        {"target_label": "destination_workload_namespace", "replacement": "unknown"},
        {"target_label": "destination_version", "replacement": "unknown"},
        {"target_label": "destination_canonical_revision", "replacement": "latest"},
        {"target_label": "request_protocol", "replacement": "http"},
        _label(["grpc_response_status"], ".+", "request_protocol", "grpc"),
        _label(["workload"], "([^;]+);.*", "destination_workload"),
        _label(["workload"], "[^;]+;([^;]+);.*", "destination_workload_namespace"),
        _label(["workload"], "[^;]+;[^;]*;[^;]*;([^;]+);.*", "destination_canonical_revision"),
        _label(["workload"], "[^;]+;[^;]*;[^;]*;([^;]+);.*", "destination_version"),
        {"regex": "workload|upstream_cluster", "action": "labeldrop"},
    ]


def _label(sources: list[str], regex: str, target: str, replacement: str = "$1") -> dict[str, object]:
    return {"source_labels": sources, "regex": regex, "target_label": target, "replacement": replacement}
