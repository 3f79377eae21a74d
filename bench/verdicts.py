"""Simulated releases through the product's own counting and verdict: good canaries rolled back, failed requests of bad ones.

python -m bench.verdicts [healthy] [faulty] [adverse] [--releases N] [--seed N]

Requests are Poisson, scrapes regular, every proxy has a phase of its own. Nothing here needs a cluster; a few minutes on two cores.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import exp
from pathlib import Path
from random import Random

from canary_operator.analysis.beat import Beat
from canary_operator.analysis.counters import Interval
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.odds import NOTHING, Counts, noise_factor
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.verdict import Rules, incident, judge, judge_bake
from canary_operator.release.plan import DEFAULT_WEIGHTS

OUT = Path("build/bench/verdicts.json")
LARGE = 60.0
"""From this mean on a Poisson number is drawn from the normal distribution."""
HISTORY = 900.0
"""Seconds before the release of which stable's failures are known."""
SETTLE = 5.0
BAKE = 120.0
DEADLINE = 3600.0
INCIDENT_HOLD = 180.0


@dataclass(frozen=True)
class Situation:
    """One kind of release."""

    rate: float
    """Requests per second, over all proxies."""
    stable: float
    """Share of stable's requests that fail, 0 to 1."""
    canary: float
    """The same for the canary."""
    spacing: float = 15.0
    """Seconds between two scrapes."""
    proxies: int = 1
    clump: int = 1
    """Failures come in groups of so many."""
    incident: tuple[float, float, float] | None = None
    """From and until these seconds of the release so large a share of both arms fails more."""
    reaction: float = 0.75
    """Seconds from a scrape to the new weight in all proxies."""


@dataclass(frozen=True)
class Played:
    """How a release went."""

    outcome: str
    failed: int
    """Failed requests of the canary until all traffic was back."""
    seconds: float
    """From the first weight to the end."""


def poisson(random: Random, mean: float) -> int:
    """A Poisson number."""
    if mean > LARGE:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, drawn = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        drawn += 1
    return drawn


class Release:
    """One release in virtual time; second 0 is the first weight."""

    def __init__(self, situation: Situation, random: Random) -> None:
        self.situation, self.random = situation, random
        self.weights: list[tuple[float, int]] = [(0.0, DEFAULT_WEIGHTS[0])]
        self.failed = 0
        scraped = [-random.uniform(0, situation.spacing) for _ in range(situation.proxies)]
        # The first weight waits for its moment before a scrape, as the operator does.
        waited = Beat(situation.spacing, tuple(scraped), situation.rate).wait(DEFAULT_WEIGHTS[0], 0.0)
        self.scraped = [at - waited for at in scraped]
        before = [self.counts(1.0, situation.spacing, situation.stable) for _ in range(int(HISTORY / situation.spacing) * len(scraped))]
        total = sum(before, start=NOTHING)
        self.base = total.failures / total.requests if total.requests else 0.0
        self.noise = noise_factor(before)

    def counts(self, part: float, seconds: float, share: float) -> Counts:
        """What an arm that gets this part (0 to 1) of the traffic got in so many seconds at one proxy."""
        it = self.situation
        requests = poisson(self.random, it.rate / it.proxies * part * seconds)
        if not requests or not share:
            return Counts(requests, 0)
        failures = it.clump * poisson(self.random, requests * share / it.clump)
        return Counts(requests, min(requests, failures))

    def exposed(self, since: float, until: float) -> Iterable[tuple[float, float, float]]:
        """Spans of one weight and one state of the world: weight (0 to 1), seconds, additional failing share."""
        edges = {since, until, *(at for at, _ in self.weights), *(self.situation.incident or ())[:2]}
        inside = sorted(edge for edge in edges if since <= edge <= until)
        for start, end in itertools.pairwise(inside):
            weight = next((weight for at, weight in reversed(self.weights) if at <= start), 0)
            worse = self.situation.incident
            yield weight / 100, end - start, worse[2] if worse and worse[0] <= start < worse[1] else 0.0

    def interval(self, proxy: int, until: float) -> Interval:
        """The next scrape of a proxy; what fails in it is counted as failed for users too."""
        since, it = self.scraped[proxy], self.situation
        canary = stable = NOTHING
        for weight, seconds, more in self.exposed(since, until):
            canary += self.counts(weight, seconds, min(1.0, it.canary + more))
            stable += self.counts(1.0 - weight, seconds, min(1.0, it.stable + more))
        self.scraped[proxy] = until
        self.failed += canary.failures
        return Interval(f"proxy-{proxy}", since, until, canary, stable, True, True)

    def end(self, outcome: str, at: float) -> Played:
        """The release is over: what is still served until the drop has reached the proxies fails too."""
        gone = at + self.situation.reaction
        for proxy in range(self.situation.proxies):
            self.interval(proxy, gone)
        return Played(outcome, self.failed, gone)

    def play(self) -> Played:
        """To its end."""
        evidence, recent, incident_since = Evidence(), list[Interval](), None
        step, since = 0, 0.0
        while True:
            proxy = min(range(self.situation.proxies), key=self.scraped.__getitem__)
            now = self.scraped[proxy] + self.situation.spacing
            found = self.interval(proxy, now)
            recent = [each for each in recent if each.until > now - 60.0] + [found]
            weight = self.weights[-1][1]
            full = weight == 100
            rules = Rules(noise=self.noise, hold_min=BAKE if full else 60.0)
            # What no proxy lags behind is stored; the rest is folded again at the next look, as the operator does.
            known = recent[-3 * self.situation.proxies :]
            folded = fold(evidence, known, weight=weight, since=since, settled_at=since + SETTLE, rules=rules)
            evidence = folded.committed
            if folded.now.blame is not None:
                return self.end("rolled back", now)
            incident_since = (now if incident_since is None else incident_since) if incident(recent, self.base) and not full else None
            lasted = 0.0 if incident_since is None else now - incident_since + 1e-3
            if lasted >= INCIDENT_HOLD or now - since > DEADLINE:
                return self.end("withdrawn", now)
            verdict = judge_bake(folded.now, None, rules) if full else judge(folded.now, rules, incident_for=lasted)
            if not verdict.advances:
                continue
            if full:
                return self.end("promoted", now)
            step += 1
            since = now + self.situation.reaction
            self.weights.append((since, DEFAULT_WEIGHTS[step] if step < len(DEFAULT_WEIGHTS) else 100))


def _played(task: tuple[Situation, int, int]) -> list[Played]:
    situation, seed, releases = task
    return [Release(situation, Random(f"{seed}/{number}")).play() for number in range(releases)]


@dataclass(frozen=True)
class Cell:
    """A situation, and how often it is played."""

    name: str
    situation: Situation
    releases: int

    def row(self, played: Sequence[Played]) -> dict[str, object]:
        """The figures of this cell."""
        failed = sorted(each.failed for each in played)
        times = {kind: [each.seconds for each in played if each.outcome == kind] for kind in ("rolled back", "promoted", "withdrawn")}
        share = {kind: round(100 * len(found) / len(played), 3) for kind, found in times.items()}
        return {
            "cell": self.name,
            "releases": len(played),
            "% rolled back": share["rolled back"],
            "% withdrawn": share["withdrawn"],
            "% promoted": share["promoted"],
            "failed, median": statistics.median(failed),
            "failed, mean": round(statistics.fmean(failed), 1),
            "failed, 95th": failed[int(0.95 * (len(failed) - 1))],
            "minutes, median": round(statistics.median(each.seconds for each in played) / 60, 1),
        }


RATES = (0.2, 1.0, 10.0, 100.0, 1000.0)


def healthy(releases: int) -> Iterable[Cell]:
    """Canaries that fail exactly as often as stable: 30 cells, one or two proxies."""
    cells = list(itertools.product((0.0, 0.001, 0.005, 0.01, 0.02, 0.05), RATES, (1, 2)))
    for share, rate, proxies in cells:
        name = f"healthy, both {share:.1%}, {rate:g}/s, {proxies} proxies"
        yield Cell(name, Situation(rate, share, share, proxies=proxies), max(1, releases // len(cells)))


def faulty(releases: int) -> Iterable[Cell]:
    """Bad canaries beside a stable that fails 0.1 %, scraped as the reference assumes (15 s), and as the lab does."""
    shares = (1.0, 0.2, 0.05, 0.02)
    for share, rate in itertools.product(shares, RATES[1:]):
        yield Cell(f"canary {share:.0%}, {rate:g}/s, scrape 15 s", Situation(rate, 0.001, share), max(1, releases // 100))
    for proxies, share, spacing in itertools.product((1, 2), shares, (5.0, 15.0, 30.0)):
        lab = Situation(100.0, 0.0, share, spacing=spacing, proxies=proxies)
        yield Cell(f"canary {share:.0%}, 100/s, {proxies} proxies, scrape {spacing:g} s", lab, max(1, releases // 100))


def adverse(releases: int) -> Iterable[Cell]:
    """Good canaries on bad days."""
    for rate in RATES[1:]:
        for clump, proxies in ((3, 1), (10, 1), (10, 2)):
            it = Situation(rate, 0.01, 0.01, clump=clump, proxies=proxies)
            yield Cell(f"good 1 %, clumps of {clump}, {rate:g}/s, {proxies} proxies", it, max(1, releases // 60))
        it = Situation(rate, 0.001, 0.001, proxies=2, incident=(30.0, 150.0, 0.3))
        yield Cell(f"good, both fail 30 % more for 2 minutes, {rate:g}/s", it, max(1, releases // 60))


TABLES: dict[str, Callable[[int], Iterable[Cell]]] = {"healthy": healthy, "faulty": faulty, "adverse": adverse}
AT_A_TIME = 50


def run(cells: Sequence[Cell], seed: int) -> list[dict[str, object]]:
    """All cells, on all cores."""
    tasks = [
        (number, (cell.situation, seed + 1000 * number + part, min(AT_A_TIME, cell.releases - part)))
        for number, cell in enumerate(cells)
        for part in range(0, cell.releases, AT_A_TIME)
    ]
    played: list[list[Played]] = [[] for _ in cells]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (number, _), found in zip(tasks, pool.map(_played, [task for _, task in tasks]), strict=True):
            played[number] += found
    return [cell.row(found) for cell, found in zip(cells, played, strict=True)]


def main(arguments: list[str]) -> int:
    """Prints a table of each kind, and writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all when left out")
    parser.add_argument("--releases", type=int, default=60_000, help="of the healthy table; the others take a fixed part of it")
    parser.add_argument("--seed", type=int, default=20_261_123)
    asked = parser.parse_args(arguments)
    figures: dict[str, object] = {"seed": asked.seed, "releases": asked.releases}
    print(f"seed {asked.seed}", flush=True)
    for name in asked.tables or TABLES:
        began = time.monotonic()
        rows = figures[name] = run(list(TABLES[name](asked.releases)), asked.seed)
        for row in rows:
            print(json.dumps(row), flush=True)
        if name == "healthy":
            total = sum(int(str(row["releases"])) for row in rows)
            back = sum(float(str(row["% rolled back"])) * int(str(row["releases"])) / 100 for row in rows)
            print(f"healthy: {back:.0f} of {total} rolled back")
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
