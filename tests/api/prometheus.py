"""A Prometheus in which every workload serves the same all the time, and only those fail that a test names: evidence is never what it waits for."""

import json
import re
import threading
import time
from collections.abc import Container
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SCRAPE = 0.25
"""Seconds between two samples, unless a test says otherwise."""
RATE = 40_000
"""Requests per second of each workload."""
_ASKED = re.compile(
    r'destination_service_name="([^"]+)",destination_service_namespace="([^"]+)".*destination_workload=~"([^"]+)".*\[(\d+)(ms|s)\]'
)


def matrix(query: str, now: float, scrape: float = SCRAPE, failing: Container[str] = ()) -> list[object]:
    """The samples of the workloads that the query names, as many as its range holds.

    Args:
        query: As the operator asks it.
        now: Seconds since the epoch.
        scrape: Seconds between two samples.
        failing: Workloads of which every other request fails.
    """
    if query.startswith("sum by (reporter, source_workload"):
        caller = {"reporter": "source", "source_workload": "web", "source_workload_namespace": "clients"}
        return [{"metric": caller, "values": [[now, str(RATE)]]}]
    found = _ASKED.search(query)
    assert found, query
    service, namespace, workloads, number, unit = found.groups()
    seconds = int(number) / (1000 if unit == "ms" else 1)
    last = int(now / scrape)
    times = [count * scrape for count in range(last - int(seconds / scrape), last + 1)]
    labels = {
        "__name__": "istio_requests_total",
        "instance": "gateway-0",
        "job": "envoy",
        "reporter": "source",
        "destination_service_name": service,
        "destination_service_namespace": namespace,
        "destination_workload_namespace": namespace,
        "response_flags": "-",
    }
    return [
        {
            "metric": {**labels, "destination_workload": workload, "response_code": code},
            "values": [[at, str(int(at * RATE))] for at in times],
        }
        for workload in workloads.replace("\\\\", "").split("|")
        for code in ("200", "503")[: 1 + (f"{namespace}/{workload}" in failing)]
    ]


class Prometheus:
    """Serves until closed."""

    def __init__(self) -> None:
        self.down = False
        """True: every query is answered with 503."""
        self.scrape = SCRAPE
        """Seconds between two samples."""
        self.failing: set[str] = set()
        """Workloads, as `namespace/name`, of which every other request fails."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Serves no more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                self._answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

            def _answer(self, asked: dict[str, list[str]]) -> None:
                result = [] if outer.down else matrix(asked["query"][0], time.time(), outer.scrape, outer.failing)
                content = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
                self.send_response(503 if outer.down else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler
