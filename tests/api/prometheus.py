"""A Prometheus in which every workload has always served the same, and never fails: releases begin, and nothing but time ends their steps."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SCRAPE = 0.5
"""Seconds between two samples."""
RATE = 100
"""Requests per second of each workload."""
_ASKED = re.compile(
    r'destination_service_name="([^"]+)",destination_service_namespace="([^"]+)".*destination_workload=~"([^"]+)".*\[(\d+)(ms|s)\]'
)


def matrix(query: str, now: float) -> list[object]:
    """The samples of the workloads that the query names, as many as its range holds."""
    found = _ASKED.search(query)
    assert found, query
    service, namespace, workloads, number, unit = found.groups()
    seconds = int(number) / (1000 if unit == "ms" else 1)
    last = int(now / SCRAPE)
    times = [count * SCRAPE for count in range(last - int(seconds / SCRAPE), last + 1)]
    return [
        {
            "metric": {
                "__name__": "istio_requests_total",
                "instance": "gateway-0",
                "job": "envoy",
                "reporter": "source",
                "destination_service_name": service,
                "destination_service_namespace": namespace,
                "destination_workload_namespace": namespace,
                "destination_workload": workload,
                "response_code": "200",
                "response_flags": "-",
            },
            "values": [[at, str(int(at * RATE) % 10**9)] for at in times],
        }
        for workload in workloads.replace("\\\\", "").split("|")
    ]


class Prometheus:
    """Serves until closed."""

    def __init__(self) -> None:
        self.down = False
        """True: every query is answered with 503."""
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
                result = [] if outer.down else matrix(asked["query"][0], time.time())
                content = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
                self.send_response(503 if outer.down else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler
