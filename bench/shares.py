"""The tables of docs/served.md: how often a weight that is served is held, and how soon one that is not is found.

python -m bench.shares [healthy] [deviating] [--hours N] [--seed N]

Poisson requests through one proxy, each sent to the canary with the chance that its weight says (or `clump` of them together), judged at every
scrape as the operator does. Nothing here needs a cluster; about two minutes on one core.
"""

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.served import Judged, NotServed, Pool, not_served
from canary_operator.cli.chance import chance
from canary_operator.simulation.play import Chance

RATES = (1, 10, 100, 1_000, 10_000)
WEIGHTS = (0, 1, 5, 10, 25, 50, 75, 90, 100)
CLUMPS = (1, 3, 10, 30)
SCRAPES = (5.0, 15.0, 60.0)
DEVIATIONS = ((5, 0.5), (50, 0.05), (10, 0.0), (0, 0.03), (0, 0.5), (100, 0.97), (100, 0.5))
"""Weight in percent, and the share (0 to 1) that is really served."""
LATELY = 12
"""Scrapes that an answer brings."""
RUNS = 10
"""Of each deviation."""


@dataclass(frozen=True)
class Look:
    """What one scrape was told to mean."""

    seconds: float
    """Since the weight had settled."""
    found: NotServed | None


def looks(rate: float, weight: int, share: float, scrape: float, clump: int, left_to: Chance, until: float) -> Iterator[Look]:
    """One look after each scrape, until so many seconds have passed."""
    known: deque[Interval] = deque(maxlen=LATELY)
    step = Pool()
    for number in range(int(until / scrape)):
        groups = left_to.arrive(rate * scrape / clump)
        ours = clump * left_to.draw(groups, share)
        theirs = clump * groups - ours
        known.append(Interval("proxy", number * scrape, (number + 1) * scrape, Counts(ours), Counts(theirs), True, True))
        step = step + Pool(ours, theirs) if weight else step
        yield Look((number + 1) * scrape, not_served(known, weight / 100, 0.0, Judged(), step))


def healthy(seed: int, hours: float) -> Iterator[str]:
    """Looks at which a served weight is held: all, then those with a reason of their own (twice in a row)."""
    yield f"| requests/s | {' | '.join(f'in groups of {clump}' for clump in CLUMPS)} |\n|---|{'---|' * len(CLUMPS)}"
    for rate in RATES:
        cells = []
        for clump in CLUMPS:
            once = twice = total = 0
            for weight in WEIGHTS:
                for scrape in SCRAPES:
                    left_to = chance(f"{seed}/{rate}/{clump}/{weight}/{scrape}", 1)
                    for each in looks(rate, weight, weight / 100, scrape, clump, left_to, hours * 3600 * scrape / SCRAPES[0]):
                        total += 1
                        once += each.found is not None
                        twice += each.found is not None and each.found.twice
            cells.append(f"{once}, {twice} of {total:,}")
        yield f"| {rate:,} | {' | '.join(cells)} |"


def deviating(seed: int, hours: float) -> Iterator[str]:
    """Median seconds from settled to held with a reason; of those that are held within the hour."""
    yield f"| served at weight | {' | '.join(f'{rate:,}/s' for rate in RATES)} |\n|---|{'---|' * len(RATES)}"
    for scrape in SCRAPES[:2]:
        for weight, share in DEVIATIONS:
            cells = []
            for rate in RATES:
                found = sorted(_held(rate, weight, share, scrape, chance(f"{seed}/{rate}/{run}", 1)) for run in range(RUNS))
                median = found[RUNS // 2]
                cells.append("-" if median == float("inf") else f"{median:.0f} s")
            yield f"| {100 * share:g} % at {weight}, scrape {scrape:g} s | {' | '.join(cells)} |"


def _held(rate: float, weight: int, share: float, scrape: float, left_to: Chance) -> float:
    each = (look.seconds for look in looks(rate, weight, share, scrape, 1, left_to, 1800.0) if look.found and look.found.twice)
    return next(each, float("inf"))


TABLES = {"healthy": healthy, "deviating": deviating}


def main(arguments: list[str]) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all when left out")
    parser.add_argument("--hours", type=float, default=1.0, help="of each healthy cell, at scrapes of 5 s; longer at longer ones")
    parser.add_argument("--seed", type=int, default=20_261_130)
    asked = parser.parse_args(arguments)
    for name in asked.tables or TABLES:
        print(f"{name}, seed {asked.seed}\n")
        for line in TABLES[name](asked.seed, asked.hours):
            print(line, flush=True)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
