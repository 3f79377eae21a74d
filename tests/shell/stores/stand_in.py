"""A store of samples that does what Prometheus, Thanos, Mimir, VictoriaMetrics and the managed services do to them. Knows no operator.

What each switch stands for is said in docs/stores.md, with the documentation that it was taken from.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from zlib import crc32

Labels = frozenset[tuple[str, str]]
_NAME = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)?\{")
_MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_RANGE = re.compile(r"\}\[(\d+)(ms|s)\]$")
_ESCAPE = re.compile(r'\\(x[0-9a-f]{2}|[\\"])')


@dataclass(frozen=True, slots=True)
class Switches:
    """What a store does to samples. Times are in seconds."""

    late: float = 0.0
    """From a scrape until a sample can be had."""
    apart: float = 0.0
    """Series of one scrape arrive within so long after that, each at a time of its own."""
    replicas: int = 1
    """So many Prometheus servers scrape each proxy, at times of their own."""
    replica_label: str | None = "prometheus_replica"
    """What tells their series apart; None: nothing, both write into the same series."""
    deduplicates: bool = False
    """Of the replicas one is heard; another one after it has been silent for `failover`."""
    failover: float = 30.0
    silent: tuple[float, float] | None = None
    """The first replica writes nothing between these times, in seconds since the release began."""
    keeps_one_in: float = 0.0
    """Of the samples of one series only the last in so many seconds is kept; 0: all are."""
    evaluates_every: float = 0.0
    """Only sums over all proxies are kept, as a recording rule makes them this often; 0: series as they were scraped."""
    jobs: int = 1
    """So many scrape jobs read each proxy."""
    rebased: bool = False
    """A counter begins at 0 with its first sample, whatever that was."""
    external: Mapping[str, str] = field(default_factory=dict)
    """Labels that every series gets which does not have them."""
    other_cluster: bool = False
    """Another cluster, whose Service of the same name fails, writes into the store too."""
    renames: str | None = None
    """The name of the counters, as a recording rule gives them one of its own."""
    exact_names: bool = False
    """A query that does not name the counters exactly is refused."""
    incomplete: bool = False
    """A part of the store does not answer, and every answer says so."""


@dataclass(slots=True)
class _Line:
    """One series."""

    points: list[tuple[float, float, float]] = field(default_factory=list)
    """Time, value, and when it can be had."""
    base: float | None = None


class Store:
    """Samples of all replicas, and what a query is answered with."""

    def __init__(self, switches: Switches, begins: float) -> None:
        """Empty.

        Args:
            switches: What it does.
            begins: When the release begins, Unix seconds.
        """
        self.switches, self._begins = switches, begins
        self._lines: dict[Labels, _Line] = {}
        self._raw: dict[Labels, float] = {}
        """The newest value of each scraped series, for recording rules."""
        self._evaluated = float("-inf")
        self._heard: tuple[int, float] = (0, float("-inf"))
        """The replica that is heard, and when it was last."""
        self.asked: list[str] = []

    def write(self, time: float, replica: int, series: Mapping[Labels, float]) -> None:
        """One scrape of one proxy by one replica.

        Args:
            time: Unix seconds.
            replica: From 0.
            series: Values of its counters.
        """
        if self._is_silent(time, replica) or not self._hears(time, replica):
            return
        if self.switches.evaluates_every:
            self._raw.update(series)
            if time >= self._evaluated + self.switches.evaluates_every:
                self._evaluated = time
                self._add(time, self._sums())
            return
        told = {} if self.switches.deduplicates else self._told_apart(replica)
        for job in range(self.switches.jobs):
            more = {**told, **({"job": f"istio-{job}"} if self.switches.jobs > 1 else {})}
            self._add(time, {_with(labels, more): value for labels, value in series.items()})

    def query(self, text: str, now: float) -> dict[str, object]:
        """The document of `/api/v1/query` for a selector with a range."""
        self.asked.append(text)
        if self.switches.exact_names and "__name__=~" in text:
            return {"status": "error", "errorType": "bad_data", "error": "only exact matching on metric names is supported"}
        wanted, span = _parsed(text)
        rows = []
        for labels, line in self._lines.items():
            if all(matches(dict(labels).get(label, "")) for label, matches in wanted):
                points = [(at, value) for at, value, had in line.points if now - span < at <= now and had <= now]
                if points:
                    rows.append({"metric": dict(labels), "values": [[at, f"{value:g}"] for at, value in points]})
        more = {"warnings": ["1 of 2 stores did not answer"]} if self.switches.incomplete else {}
        return {"status": "success", "data": {"resultType": "matrix", "result": rows}, **more}

    def _is_silent(self, time: float, replica: int) -> bool:
        silent = self.switches.silent
        return silent is not None and replica == 0 and silent[0] <= time - self._begins < silent[1]

    def _hears(self, time: float, replica: int) -> bool:
        if not self.switches.deduplicates:
            return True
        heard, last = self._heard
        if replica != heard and time - last <= self.switches.failover:
            return False
        self._heard = replica, time
        return True

    def _told_apart(self, replica: int) -> dict[str, str]:
        label = self.switches.replica_label
        return {label: f"prometheus-{replica}"} if self.switches.replicas > 1 and label else {}

    def _sums(self) -> dict[Labels, float]:
        sums: dict[Labels, float] = {}
        for labels, value in self._raw.items():
            rest = frozenset(label for label in labels if label[0] not in ("instance", "pod", "job"))
            sums[rest] = sums.get(rest, 0.0) + value
        return sums

    def _add(self, time: float, series: Mapping[Labels, float]) -> None:
        for bare, value in series.items():
            renamed = {"__name__": self.switches.renames} if self.switches.renames else {}
            labels = frozenset({**self.switches.external, **dict(bare), **renamed}.items())
            line = self._lines.setdefault(labels, _Line())
            line.base = value if line.base is None else line.base
            wait = self.switches.late + self.switches.apart * (crc32(repr(sorted(labels)).encode()) % 100) / 100
            if (every := self.switches.keeps_one_in) and line.points and line.points[-1][0] // every == time // every:
                line.points.pop()
            line.points.append((time, value - line.base if self.switches.rebased else value, time + wait))


def _with(labels: Labels, more: Mapping[str, str]) -> Labels:
    return frozenset({**dict(labels), **more}.items())


def _parsed(text: str) -> tuple[list[tuple[str, Callable[[str], bool]]], float]:
    """The matchers of a selector, and the seconds of its range. Anything else is refused: this is no PromQL engine."""
    named, ranged = _NAME.search(text), _RANGE.search(text)
    if not named or not ranged:
        raise ValueError(f"not a selector with a range: {text}")
    matchers = list(_matchers(text[named.end() : ranged.start()]))
    if named[1]:
        matchers.append(("__name__", lambda value, name=named[1]: value == name))
    return matchers, int(ranged[1]) / (1000 if ranged[2] == "ms" else 1)


def _matchers(text: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    for label, how, quoted in _MATCHER.findall(text):
        wanted = _ESCAPE.sub(lambda found: chr(int(found[1][1:], 16)) if found[1].startswith("x") else found[1], quoted)
        if how == "=":
            yield label, lambda value, wanted=wanted: value == wanted
        elif how == "!=":
            yield label, lambda value, wanted=wanted: value != wanted
        else:
            yield label, lambda value, wanted=wanted, same=how == "=~": bool(re.fullmatch(wanted, value)) is same
