"""What operators of the operator see: log lines, metrics, probes. Decides nothing."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from canary_operator.cache import Key

if TYPE_CHECKING:
    from aiohttp import web

Page = tuple[int, str]
"""Status and text."""
LOG = logging.getLogger("canary_operator")
_PASS = logging.getLogger("canary_operator.pass")
CALM = 15.0
"""Seconds between two lines on failing watches."""
BEAT = 1.0
"""Seconds between two looks at the clock of the loop."""
STUCK = 10.0
"""Seconds without a beat after which /healthz fails."""


class Metrics:
    """The operator's own metrics; one registry per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.passes = Histogram(
            "canary_operator_pass_duration_seconds", "Duration of a pass, by result.", ["result"], registry=self.registry
        )
        self.decisions = Counter(
            "canary_operator_decisions", "Decisions that changed something, by reason.", ["reason"], registry=self.registry
        )
        self.writes = Counter(
            "canary_operator_writes", "Writes to the Kubernetes API.", ["kind", "verb", "outcome"], registry=self.registry
        )
        self.queries = Counter(
            "canary_operator_queries", "Queries to Prometheus, by what they brought.", ["provider", "outcome"], registry=self.registry
        )
        self.stable_gone = Gauge(
            "canary_operator_stable_gone",
            "CanaryReleases whose stable version has no ready pod.",
            registry=self.registry,
        )
        self._gone: set[Key] = set()
        self.events = Counter("canary_operator_watch_events", "Events that the watches brought.", ["kind"], registry=self.registry)
        self.restarts = Counter("canary_operator_watch_restarts", "Restarts of all watches after a failure.", registry=self.registry)
        self.age = Gauge(
            "canary_operator_watch_age_seconds",
            "Seconds since the watch of a kind said anything; bookmarks come about every minute.",
            ["kind"],
            registry=self.registry,
        )
        self.depth = Gauge("canary_operator_queue_depth", "CanaryReleases that wait for a worker.", registry=self.registry)
        self.leader = Gauge("canary_operator_leader", "1 while this replica works, 0 while it stands by.", registry=self.registry)
        self.rises = Gauge(
            "canary_operator_rises", "1 while weights may rise, 0 while the configuration says `rises: false`.", registry=self.registry
        )
        self.rises.set(1)
        self.lag = Gauge("canary_operator_loop_lag_seconds", "How late the event loop ran in the last second.", registry=self.registry)

    def count_write(self, kind: str, verb: str, outcome: str) -> None:
        """For `Cluster`."""
        self.writes.labels(kind, verb, outcome).inc()

    def note_stable(self, key: Key, *, gone: bool) -> None:
        """Whether the stable version of a CanaryRelease is gone, as the last pass saw it."""
        (self._gone.add if gone else self._gone.discard)(key)
        self.stable_gone.set(len(self._gone))

    def count_query(self, provider: str, outcome: str) -> None:
        """For `Sampler`."""
        self.queries.labels(provider, outcome).inc()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(), **_fields(record)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {key}={json.dumps(value, default=str, ensure_ascii=False)}" for key, value in _fields(record).items())
        text = f"{at} {record.levelname:<7} {record.getMessage()}{fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Calm(logging.Filter):
    """Kopf reports each failed try of each watch; one line in a while says as much."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -CALM

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("kopf") or not record.msg.startswith("Request attempt"):
            return True
        if record.created - self._last < CALM:
            return False
        self._last = record.created
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return getattr(record, "fields", {})


def set_up_logging(form: str, *, verbose: bool = False) -> None:
    """Everything goes to standard error, one line per record."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    handler.addFilter(_Calm())
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.DEBUG if verbose else logging.INFO)
    # Kopf retries by itself and says so at every turn; the supervisor reports what it cannot mend.
    logging.getLogger("kopf").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.ERROR)


def log(level: int, message: str, **fields: object) -> None:
    """One log line: a constant message and its values."""
    LOG.log(level, message, extra={"fields": fields})


def pass_line(key: Key, *, reason: str, message: str, changed: bool, seconds: float, warns: bool = False, **details: object) -> None:
    """The one line of a pass: a warning when people are warned by an event too, info when something was decided anew, else debug."""
    level = logging.WARNING if changed and warns else logging.INFO if changed else logging.DEBUG
    if _PASS.isEnabledFor(level):
        fields = {"namespace": key[0], "name": key[1], "reason": reason, **details, "milliseconds": round(seconds * 1000, 1)}
        _PASS.log(level, message, extra={"fields": fields})


class Pulse:
    """Whether the event loop turns."""

    def __init__(self, metrics: Metrics, depth: Callable[[], int]) -> None:
        self._metrics = metrics
        self._depth = depth
        self._last = time.monotonic()

    async def beat(self) -> None:
        """Runs until it is cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            self._last = time.monotonic()
            self._metrics.lag.set(max(self._last - before - BEAT, 0))
            self._metrics.depth.set(self._depth())

    @property
    def alive(self) -> bool:
        """The last beat is not long ago."""
        return time.monotonic() - self._last < STUCK


async def serve(address: tuple[str, int], routes: Mapping[str, Callable[[], Page]]) -> "web.AppRunner":
    """An HTTP server for these paths; ended by `cleanup()`."""
    from aiohttp import web  # takes a while to load, and is of no use when both addresses are off

    app = web.Application()
    for path, answer in routes.items():
        app.router.add_get(path, _handler(answer, web.Response))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, address[0] or None, address[1]).start()
    return runner


def _handler(answer: Callable[[], Page], response: type["web.Response"]) -> "Callable[[web.Request], Awaitable[web.Response]]":
    async def handle(request: "web.Request") -> "web.Response":
        status, text = answer()
        return response(status=status, text=text, content_type="text/plain", charset="utf-8")

    return handle


def verdict(ok: bool, text: str) -> Page:
    """The answer of a probe."""
    return 200 if ok else 503, f"{text}\n"


def exposition(metrics: Metrics) -> Page:
    """The metrics in the text format."""
    return 200, generate_latest(metrics.registry).decode()
