"""A stand-in for Prometheus: request counters that grow as the present route splits them, scraped as often as the tests are in a hurry."""

import asyncio
import re
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from aiohttp import web

from tests.faults.bench import Bench
from tests.faults.mirror import Mirror

RATE = 40_000
"""Requests per second of every service: evidence is never what a test waits for."""
SCRAPE = 0.12
"""Seconds."""
HISTORY = 8
"""Scrapes that are there when a service is opened, so that its rhythm is known."""
NOBODY = "unknown"
"""Instead of a version: no pod was there to answer."""
_WINDOW = re.compile(r"\[(\d+)(ms|s)\]")


@dataclass(slots=True)
class Counters:
    """What the proxies counted for one service."""

    namespace: str
    service: str
    fallback: str
    """The version that serves while there is no route."""
    failing: Mapping[str, float]
    """Share of failed requests per version, 0 to 1."""
    forgetful: bool = False
    """Once traffic has left the failing versions, nobody remembers that they failed, and they fail no more."""
    absent: Set[str] = frozenset()
    """Versions without pods, whose requests reach nobody."""
    totals: dict[tuple[str, str], float] = field(default_factory=dict)
    frozen: bool = False
    """Nothing is scraped."""
    points: dict[tuple[str, str], list[tuple[float, int]]] = field(default_factory=dict)

    def grow(self, shares: Mapping[str, float], seconds: float) -> None:
        """Requests of so many seconds, split as the route does."""
        for version, share in (shares or {self.fallback: 1.0}).items():
            reached, failed = (NOBODY, 1.0) if version in self.absent else (version, self.failing.get(version, 0.0))
            for code, part in (("200", 1 - failed), ("503", failed)):
                if share * part > 0:
                    key = (reached, code)
                    self.totals[key] = self.totals.get(key, 0.0) + RATE * seconds * share * part

    def forget(self, shares: Mapping[str, float]) -> None:
        """Whatever was counted is lost, if it is that time."""
        failed = any(version in self.failing and code != "200" for version, code in self.totals)
        if self.forgetful and failed and not any(shares.get(version) for version in self.failing):
            self.failing = {}
            self.totals.clear()
            self.points.clear()

    def scrape(self, now: float) -> None:
        """One sample of every counter."""
        for key, total in self.totals.items():
            self.points.setdefault(key, []).append((round(now, 3), int(total)))

    def matrix(self, since: float) -> list[object]:
        """The samples as Prometheus answers them."""
        return [
            {"metric": self._labels(*key), "values": [[at, str(value)] for at, value in points if at >= since]}
            for key, points in self.points.items()
            if points[-1][0] >= since
        ]

    def _labels(self, version: str, code: str) -> dict[str, str]:
        return {
            "__name__": "istio_requests_total",
            "instance": "gateway-0",
            "job": "envoy",
            "reporter": "source",
            "destination_service_name": self.service,
            "destination_service_namespace": self.namespace,
            "destination_workload_namespace": self.namespace,
            "destination_workload": f"{self.service}-{version}" if version != NOBODY else "unknown",
            "response_code": code,
            "response_flags": "-" if version != NOBODY else "UH",
        }


class StubPrometheus:
    """One server for all; each service has a path prefix of its own. Lives in the loop that starts it."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._open: dict[str, Counters] = {}
        self._address = ""
        self.queries = 0

    async def start(self) -> None:
        """Listens and scrapes."""
        app = web.Application()
        app.router.add_route("*", "/{namespace}/api/v1/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._address = f"http://{host}:{port}"
        self._scraping = asyncio.create_task(self._scrape())

    async def stop(self) -> None:
        """Ends both."""
        self._scraping.cancel()
        await self._runner.cleanup()

    async def open(self, bench: Bench, version: str, failing: Mapping[str, float], *, forgetful: bool) -> None:
        """Traffic for a bench's service begins anew, on this version while there is no route."""
        counters, now = Counters(bench.namespace, bench.service, version, failing, forgetful, bench.absent), time.time()
        for number in range(HISTORY):
            counters.grow({}, SCRAPE)
            counters.scrape(now - (HISTORY - number) * SCRAPE)
        self._open[bench.namespace] = counters

    async def freeze(self, bench: Bench, *, on: bool) -> None:
        """Stops or goes on to scrape a bench's service."""
        self._open[bench.namespace].frozen = on

    def address_of(self, bench: Bench) -> str:
        """Where the operator of a bench asks."""
        return f"{self._address}/{bench.namespace}"

    async def _scrape(self) -> None:
        last = time.time()
        while True:
            await asyncio.sleep(SCRAPE)
            now = time.time()
            for counters in [each for each in self._open.values() if not each.frozen]:
                shares = self._mirror.shares(counters.namespace)
                counters.forget(shares)
                counters.grow(shares, now - last)
                counters.scrape(now)
            last = now

    async def _query(self, request: web.Request) -> web.Response:
        self.queries += 1
        asked = {**request.query, **(await request.post())}
        counters = self._open[request.match_info["namespace"]]
        found = _WINDOW.search(str(asked["query"]))
        assert found, asked["query"]
        seconds = int(found[1]) / (1000 if found[2] == "ms" else 1)
        result = counters.matrix(time.time() - seconds)
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})
