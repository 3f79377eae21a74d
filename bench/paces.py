"""The tables of docs/pace.md: releases by the default steps and by a pace, played side by side in the one world.

python -m bench.paces [main] [scrapes] [adverse] [--releases N] [--seed N]
"""

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from bench.verdicts import MOST, SPEC
from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import Played, play

BUDGET = 20
PACED = replace(SPEC, pace=Pace(failure_budget=BUDGET))
Cells = Iterator[tuple[str, Assumed]]


def main_table() -> Cells:
    """Stable fails 0.1 %, scraped every 5 s, one gateway."""
    for rate in (1.0, 10.0, 100.0, 1000.0):
        yield f"{rate:g}/s, good", Assumed(rate=rate, scrape=5.0)
        yield f"{rate:g}/s, good, both 1 %", Assumed(rate=rate, stable_fails=0.01, scrape=5.0)
        for share in (1.0, 0.2, 0.05, 0.02, 0.006):
            yield f"{rate:g}/s, {100 * share:g} %", Assumed(rate=rate, canary_fails=share, scrape=5.0)
    for rate in (100.0, 1000.0):
        yield f"{rate:g}/s, 20 % from weight 30 on", Assumed(rate=rate, canary_fails=0.2, scrape=5.0, fails_from_weight=30)
        yield f"{rate:g}/s, 20 % from minute 2 on", Assumed(rate=rate, canary_fails=0.2, scrape=5.0, fails_from=120.0)


def scrapes_table() -> Cells:
    """Scraped more rarely, and by two gateways."""
    for (scrape, proxies), share in itertools.product(((15.0, 1), (30.0, 1), (15.0, 2)), (None, 1.0, 0.2, 0.05, 0.02)):
        words = "good" if share is None else f"{100 * share:g} %"
        gateways = "1 gateway" if proxies == 1 else f"{proxies} gateways"
        yield f"100/s, scrape {scrape:g} s, {gateways}, {words}", Assumed(canary_fails=share, scrape=scrape, proxies=proxies)


def adverse_table() -> Cells:
    """Good canaries whose failures, like stable's, come in clumps."""
    for rate, clump in itertools.product((1.0, 10.0, 100.0, 1000.0), (3, 10)):
        yield f"{rate:g}/s, good, both 1 % in clumps of {clump}", Assumed(rate=rate, stable_fails=0.01, scrape=5.0, clump=clump)


TABLES = {"main": main_table, "scrapes": scrapes_table, "adverse": adverse_table}


def _played(task: tuple[CanaryReleaseSpec, Assumed, str, int]) -> list[Played]:
    spec, assumed, seed, releases = task
    return [play(spec, assumed, chance(f"{seed}/{number}", assumed.proxies), most=MOST) for number in range(releases)]


def _words(played: Sequence[Played]) -> str:
    failed, seconds = sorted(each.failed for each in played), sorted(each.seconds for each in played)
    back, withdrawn = (100 * sum(each.outcome == word for each in played) / len(played) for word in ("RolledBack", "Withdrawn"))
    late, last = f", {withdrawn:.3g} % withdrawn" if withdrawn else "", int(0.95 * (len(played) - 1))
    times = f"{statistics.median(seconds):.0f} ({seconds[last]:.0f}) s"
    return f"{statistics.median(failed):.0f} ({failed[last]}), {back:.3g} %{late}, {times}"


def main(arguments: list[str]) -> int:
    """Prints tables: the canary's failed requests, median (95th percentile), share rolled back, seconds to the decision, median (95th percentile)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all when left out")
    parser.add_argument("--releases", type=int, default=100, help="of each cell")
    parser.add_argument("--seed", type=int, default=20_261_123)
    asked = parser.parse_args(arguments)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in asked.tables or TABLES:
            cells = list(TABLES[name]())
            tasks = [(spec, assumed, f"{asked.seed}/{title}", asked.releases) for title, assumed in cells for spec in (SPEC, PACED)]
            print(f"{name}, seed {asked.seed}, {asked.releases} releases a cell\n\n| | steps | pace |\n|---|---|---|", flush=True)
            found = pool.map(_played, tasks)
            for title, _ in cells:
                print(f"| {title} | {_words(next(found))} | {_words(next(found))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
