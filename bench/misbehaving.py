"""A real Prometheus behind a proxy that misbehaves, a good and a bad canary for each way. Writes build/bench/misbehaving.json.

python -m lab isolated -- python -m bench.misbehaving

The canary has its first weight when the misbehaviour begins, and the bad one fails half of its requests from then on. While it lasts, nothing may
be promoted, no weight may rise, and nobody may be rolled back; afterwards the good ones are promoted and the bad ones rolled back.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.trial import MERGE, NAME
from bench.ways import HARMLESS, WAYS, Way
from lab import Lab
from lab.operator import Operator
from lab.waiting import until
from lab.workloads import Service, Workload

OUT = Path("build/bench/misbehaving.json")
LASTS = 45.0
"""Seconds of misbehaviour: longer than the hold of the first step, and than samples stay fresh."""
FIRST = 25
SPEC: Mapping[str, Any] = {
    "steps": [{"weight": FIRST, "hold": {"min": "8s", "max": "20s"}}, {"weight": 50, "hold": {"min": "4s", "max": "20s"}}],
    "bake": "5s",
    "settle": "1s",
    "drain": "1s",
}
RATE = 8.0
"""Requests per second of each service."""
RELEASES = "/apis/canary.rollouts.dev/v1beta1/canaryreleases"


@dataclass
class Case:
    """One way and one canary."""

    way: str
    bad: bool
    namespace: str
    service: Service
    canary: Workload | None = None
    since: float = 0.0
    over: bool = False
    during: list[str] = field(default_factory=list)
    """What the status said while it lasted, each phrase once."""
    weights: list[int] = field(default_factory=list)
    """The weights that the status had while it lasted."""
    outcome: str = ""

    def row(self) -> dict[str, Any]:
        """For the file."""
        canary = "fails 50 %" if self.bad else "good"
        return {"way": self.way, "canary": canary, "weights meanwhile": self.weights, "said meanwhile": self.during, "ended": self.outcome}


class Proxy(ThreadingHTTPServer):
    """Between the operator and Prometheus; misbehaves for some namespaces."""

    daemon_threads = True

    def __init__(self, prometheus: str) -> None:
        self.prometheus = prometheus
        self.ways: dict[str, Way] = {}
        """By namespace."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: whoever has given up on a slow answer has closed the connection."""


class Handler(BaseHTTPRequestHandler):
    """One connection of the operator's."""

    server: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Asks the real Prometheus, and answers in the way of the namespace that is asked for."""
        with urlopen(Request(self.server.prometheus + self.path), timeout=10) as answered:  # noqa: S310
            body = answered.read()
        found = re.search(r"odd-\d+", self.path)
        way = self.server.ways.get(found[0]) if found else None
        self.close_connection = way is not None
        if way is None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            way(self.wfile, json.loads(body)["data"]["result"])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


class Bench:
    """All cases side by side."""

    def __init__(self, lab: Lab, proxy: Proxy) -> None:
        self.lab, self.proxy = lab, proxy
        ways = [*WAYS, *HARMLESS]
        self.cases = [self._case(number, way, bad) for number, (way, bad) in enumerate((way, bad) for way in ways for bad in (False, True))]

    def run(self) -> None:
        """From the first deployment to the end of all releases."""
        for workload in [self.lab.workload(case.service, "v1") for case in self.cases]:
            workload.wait_ready(120)
        for case in self.cases:
            self.lab.api.apply(self._release(case))
        until(lambda: all(found.get("phase") == "Stable" for found in self._statuses().values()), "all are adopted", 120, 0.5)
        loads = [self.lab.load(*(case.service for case in self.cases), rate=RATE * len(self.cases), through=["mesh"])]
        try:
            until(lambda: loads[0].report.versions.get("v1", 0) > 20 * RATE * len(self.cases), "traffic", 120, 0.5)
            for case in self.cases:
                case.canary = self.lab.workload(case.service, "v2")
            for case in self.cases:
                case.canary and case.canary.wait_ready(120)  # type: ignore[func-returns-value]
            for case in self.cases:
                self.lab.api.patch(self._path(case), {"spec": {"version": "v2"}}, MERGE)
            until(self._look, "all releases have ended", 400, 0.25)
        finally:
            for load in loads:
                load.kill()

    def _look(self) -> bool:
        """Begins and ends the misbehaviour of each, and notes what was seen; whether all is over."""
        statuses, now = self._statuses(), time.time()
        for case in self.cases:
            status = statuses[case.namespace]
            past = status.get("lastRelease") or {}
            if past.get("number") == 1:
                case.outcome = case.outcome or f"{past['outcome']} ({past['reason']})"
            if not case.since and status.get("weight") == FIRST:
                case.since = now
                self.proxy.ways[case.namespace] = ({**WAYS, **HARMLESS})[case.way]()
                if case.bad and case.canary:
                    case.canary.behave(error_share=0.5)
            elif case.since and not case.over:
                self._note(case, status)
                if now > case.since + LASTS:
                    case.over = True
                    del self.proxy.ways[case.namespace]
        return all(case.outcome and case.over for case in self.cases)

    def _note(self, case: Case, status: Mapping[str, Any]) -> None:
        message, weight = f"{status.get('reason')}: {status.get('message')}"[:200], status.get("weight")
        if message not in case.during and len(case.during) < 6:
            case.during.append(message)
        if weight is not None and weight not in case.weights:
            case.weights.append(weight)

    def wrong(self, case: Case) -> str | None:
        """What must not have been; None: nothing."""
        if not case.outcome.startswith("RolledBack" if case.bad else "Promoted"):
            return f"{case.way}, {'bad' if case.bad else 'good'} canary: {case.outcome}"
        if case.way in WAYS and case.weights != [FIRST]:
            return f"{case.way}, {'bad' if case.bad else 'good'} canary: had the weights {case.weights} while it lasted"
        return None

    def _case(self, number: int, way: str, bad: bool) -> Case:
        namespace = f"odd-{number}"
        self.lab.namespace(namespace)
        return Case(way, bad, namespace, self.lab.service(NAME, namespace))

    def _path(self, case: Case) -> str:
        return f"/apis/canary.rollouts.dev/v1beta1/namespaces/{case.namespace}/canaryreleases/{NAME}"

    def _release(self, case: Case) -> dict[str, Any]:
        return {
            "apiVersion": "canary.rollouts.dev/v1beta1",
            "kind": "CanaryRelease",
            "metadata": {"name": NAME, "namespace": case.namespace},
            "spec": {"service": {"name": NAME}, "version": "v1", **SPEC},
        }

    def _statuses(self) -> dict[str, dict[str, Any]]:
        return {each["metadata"]["namespace"]: each.get("status") or {} for each in self.lab.api.list(RELEASES)}


def main() -> int:
    """Answers 1 when something was wrong."""
    with Lab(scrape="2s") as lab:
        proxy = Proxy(lab.prometheus_url)
        operator = Operator(lab, proxy.url)
        operator.start()
        operator.wait_ready()
        bench = Bench(lab, proxy)
        try:
            bench.run()
        finally:
            wrong = [sentence for case in bench.cases if (sentence := bench.wrong(case))]
            rows = [case.row() for case in bench.cases]
            OUT.parent.mkdir(parents=True, exist_ok=True)
            OUT.write_text(json.dumps({"scrape": "2s", "lasts, s": LASTS, "spec": SPEC, "wrong": wrong, "cases": rows}, indent=1) + "\n")
        operator.terminate()
    for case in bench.cases:
        print(f"{case.way:50} {'bad ' if case.bad else 'good'} {case.weights} {case.outcome}")
    print("\n".join(wrong) or f"{len(bench.cases)} cases, none wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
