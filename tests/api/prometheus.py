"""A Prometheus that counts what the routes send where; only those workloads fail that a test names: evidence is never what it waits for."""

import json
import re
import threading
import time
from collections.abc import Container, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.revisions import Revision, Revisions

SCRAPE = 0.25
"""Seconds between two samples, unless a test says otherwise."""
RATE = 40_000
"""Requests per second of each service; before it has a route, of each workload."""
_ASKED = re.compile(
    r'destination_service_name="([^"]+)",destination_service_namespace="([^"]+)".*destination_workload=~"([^"]+)".*\[(\d+)(ms|s)\]'
)
Shares = Mapping[str, float]
"""Share (0 to 1) of a service's requests, by workload; one that is not named has none."""
History = Sequence[tuple[float, Shares | None]]
"""From which time on (Unix seconds) the requests are split like this; None: there is no route."""


class Routes:
    """What was written of each service's routing, found without a walk over all services."""

    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions
        self._read = 0
        self._by_service: dict[tuple[str, str], list[Revision]] = {}
        self._lock = threading.Lock()

    def of(self, namespace: str, service: str) -> Sequence[Revision]:
        """The revisions of VirtualServices and DestinationRules that name the service, in the order of writing."""
        with self._lock:
            for revision in self._revisions.after(self._read):
                self._read += 1
                for name in _services(revision.object.get("spec") or {}):
                    self._by_service.setdefault((revision.object["metadata"]["namespace"], name), []).append(revision)
            return sorted(self._by_service.get((namespace, service), ()), key=lambda each: each.number)


def _services(spec: Mapping[str, Any]) -> set[str]:
    """The first labels of the hosts that a VirtualService sends to, or that a DestinationRule is for."""
    hosts = [spec.get("host"), *(each["destination"].get("host") for http in spec.get("http") or () for each in http.get("route") or ())]
    return {str(host).partition(".")[0] for host in hosts if host}


def history(revisions: Sequence[Revision], service: str) -> History:
    """How the routes of a service split its requests, from what was written of it so far."""
    routes: dict[str, Mapping[str, int]] = {}
    subsets: dict[str, str] = {}
    found: list[tuple[float, Shares | None]] = []
    for revision in revisions:
        document, spec = revision.object, revision.object.get("spec") or {}
        if document["kind"] == "DestinationRule" and _names(spec.get("host"), service):
            subsets = {each["name"]: (each.get("labels") or {}).get("version", "") for each in spec.get("subsets") or ()}
        elif document["kind"] == "VirtualService":
            weights = {} if revision.type == "DELETED" else _weights(spec, service)
            routes = {**routes, document["metadata"]["name"]: weights}
        weights = next((each for each in routes.values() if each), None)
        found.append((revision.received, weights and _shares(weights, subsets, service)))
    return found


def _names(host: object, service: str) -> bool:
    return str(host).partition(".")[0] == service


def _weights(spec: Mapping[str, Any], service: str) -> Mapping[str, int]:
    """Weight per subset of the last route that names two subsets of the service; none: there is no such route."""
    found: dict[str, int] = {}
    for http in spec.get("http") or ():
        ends = [(each["destination"], each.get("weight", 0)) for each in http.get("route") or ()]
        ours = {to["subset"]: weight for to, weight in ends if _names(to.get("host"), service) and to.get("subset")}
        found = ours if len(ours) > 1 else found
    return found


def _shares(weights: Mapping[str, int], subsets: Mapping[str, str], service: str) -> Shares:
    shares: dict[str, float] = {}
    for subset, weight in weights.items():
        workload = f"{service}-{subsets.get(subset, '')}"
        shares[workload] = shares.get(workload, 0.0) + weight / 100
    return shares


def counted(workload: str, split: History, at: float) -> int:
    """Requests of a workload until this time, Unix seconds."""
    total, since, share = 0.0, 0.0, 1.0
    for begun, shares in split:
        if begun >= at:
            break
        total, since = total + share * (begun - since), begun
        share = 1.0 if shares is None else shares.get(workload, 0.0)
    return int(RATE * (total + share * (at - since)))


def matrix(query: str, now: float, scrape: float, failing: Container[str], routes: Routes) -> list[object]:
    """The samples of the workloads that the query names, as many as its range holds.

    Args:
        query: As the operator asks it.
        now: Seconds since the epoch.
        scrape: Seconds between two samples.
        failing: Workloads of which every other request fails.
        routes: Of all services.
    """
    if query.startswith("sum by (reporter, source_workload"):
        caller = {"reporter": "source", "source_workload": "web", "source_workload_namespace": "clients"}
        return [{"metric": caller, "values": [[now, str(RATE)]]}]
    if query.startswith("max(sum by (reporter) (increase(istio_request_duration"):
        return [{"metric": {}, "values": [[now, "20"]]}]
    found = _ASKED.search(query)
    assert found, query
    service, namespace, workloads, number, unit = found.groups()
    seconds = int(number) / (1000 if unit == "ms" else 1)
    last = int(now / scrape)
    times = [count * scrape for count in range(last - int(seconds / scrape), last + 1)]
    split = history(routes.of(namespace, service), service)
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
            "values": [[at, str(counted(workload, split, at))] for at in times],
        }
        for workload in workloads.replace("\\\\", "").split("|")
        for code in ("200", "503")[: 1 + (f"{namespace}/{workload}" in failing)]
    ]


class Prometheus:
    """Serves until closed."""

    def __init__(self, routes: Revisions) -> None:
        """Begins to serve.

        Args:
            routes: Records VirtualServices and DestinationRules, which it goes by.
        """
        self._routes = Routes(routes)
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
                result = [] if outer.down else matrix(asked["query"][0], time.time(), outer.scrape, outer.failing, outer._routes)
                content = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
                self.send_response(503 if outer.down else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler
