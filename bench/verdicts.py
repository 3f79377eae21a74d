"""Simulated releases, many of each kind: good canaries rolled back, failed requests of bad ones.

python -m bench.verdicts [healthy] [faulty] [adverse] [--releases N] [--seed N]

Each is played by `simulation/`, the same world that `canary-operator simulate` plays in: the operator's own decisions in virtual time, Poisson
requests, every proxy with a phase of its own. Nothing here needs a cluster; about a minute on two cores for 1,500 releases.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed, Incident
from canary_operator.simulation.play import Played, play
from canary_operator.simulation.table import table

OUT = Path("build/bench/verdicts.json")
SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
"""Everything by default: steps 5, 10, 25, 50, held 1 to 5 minutes, bake 2 minutes."""
MOST = 6 * 3600.0
"""Seconds of a release that are played at most."""
AT_A_TIME = 10


@dataclass(frozen=True)
class Cell:
    """One kind of release, and how often it is played."""

    name: str
    assumed: Assumed
    releases: int

    def row(self, played: Sequence[Played]) -> dict[str, object]:
        """The figures of this cell."""
        found = table(played)
        return {
            "cell": self.name,
            "releases": found.releases,
            "rolled back": sum(each.outcome == "RolledBack" for each in played),
            "% rolled back": found.rolled_back,
            "% withdrawn": found.withdrawn,
            "% promoted": found.promoted,
            "failed, median": found.failed_median,
            "failed, mean": found.failed_mean,
            "failed, 95th": found.failed_most,
            "minutes, median": found.minutes_median,
        }


RATES = (0.2, 1.0, 10.0, 100.0, 1000.0)


def healthy(releases: int) -> Iterable[Cell]:
    """Canaries that fail exactly as often as stable: 30 cells with one proxy, 30 with two."""
    cells = list(itertools.product((0.0, 0.001, 0.005, 0.01, 0.02, 0.05), RATES, (1, 2)))
    for share, rate, proxies in cells:
        name = f"healthy, both {share:.1%}, {rate:g}/s, {proxies} proxies"
        yield Cell(name, Assumed(rate=rate, stable_fails=share, proxies=proxies), max(1, releases // len(cells)))


def faulty(releases: int) -> Iterable[Cell]:
    """Bad canaries beside a stable that fails 0.1 %, scraped as the reference assumes (15 s) and as the lab does (5 s, two proxies)."""
    shares = (1.0, 0.2, 0.05, 0.02)
    for share, rate in itertools.product(shares, RATES[1:]):
        assumed = Assumed(rate=rate, stable_fails=0.001, canary_fails=share)
        yield Cell(f"canary {share:.0%}, {rate:g}/s, scrape 15 s", assumed, max(1, releases // 100))
    for share, scrape in itertools.product(shares, (5.0, 15.0, 30.0)):
        lab = Assumed(rate=100.0, stable_fails=0.0, canary_fails=share, scrape=scrape, proxies=2)
        yield Cell(f"canary {share:.0%}, 100/s, two proxies, scrape {scrape:g} s", lab, max(1, releases // 100))


def adverse(releases: int) -> Iterable[Cell]:
    """Good canaries on bad days."""
    for rate in RATES[1:]:
        for clump, proxies in ((3, 1), (10, 1), (10, 2)):
            assumed = Assumed(rate=rate, stable_fails=0.01, clump=clump, proxies=proxies)
            yield Cell(f"good 1 %, clumps of {clump}, {rate:g}/s, {proxies} proxies", assumed, max(1, releases // 60))
        assumed = Assumed(rate=rate, proxies=2, incident=Incident(30.0, 150.0, 0.3))
        yield Cell(f"good, both fail 30 % more for 2 minutes, {rate:g}/s", assumed, max(1, releases // 60))


TABLES: dict[str, Callable[[int], Iterable[Cell]]] = {"healthy": healthy, "faulty": faulty, "adverse": adverse}


def _some(task: tuple[Assumed, str, range]) -> list[Played]:
    assumed, seed, numbers = task
    return [play(SPEC, assumed, chance(f"{seed}/{number}", assumed.proxies), most=MOST) for number in numbers]


def run(cells: Sequence[Cell], seed: int) -> list[dict[str, object]]:
    """All cells, on all cores."""
    tasks = [
        (place, (cell.assumed, f"{seed}/{cell.name}", range(first, min(cell.releases, first + AT_A_TIME))))
        for place, cell in enumerate(cells)
        for first in range(0, cell.releases, AT_A_TIME)
    ]
    played: list[list[Played]] = [[] for _ in cells]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (place, _), found in zip(tasks, pool.map(_some, [task for _, task in tasks]), strict=True):
            played[place] += found
    return [cell.row(found) for cell, found in zip(cells, played, strict=True)]


def main(arguments: list[str]) -> int:
    """Prints a table of each kind, and writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all when left out")
    parser.add_argument("--releases", type=int, default=6_000, help="of the healthy table; the others take a fixed part of it")
    parser.add_argument("--seed", type=int, default=20_261_123)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(arguments)
    figures: dict[str, object] = {"seed": asked.seed, "releases": asked.releases}
    print(f"seed {asked.seed}", flush=True)
    for name in asked.tables or TABLES:
        began = time.monotonic()
        rows = figures[name] = run(list(TABLES[name](asked.releases)), asked.seed)
        for row in rows:
            print(json.dumps(row), flush=True)
        if name == "healthy":
            print(
                f"healthy: {sum(int(str(row['rolled back'])) for row in rows)} of {sum(int(str(row['releases'])) for row in rows)} rolled back"
            )
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
