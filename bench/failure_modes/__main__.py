"""Failure modes with known labels, simulated: recall, precision, the confusion table, hurt requests and seconds.

python -m bench.failure_modes [--runs N] [--seed N] [--rate R]... [--scrape S]... [--only NAME]... [--pace]

More than 20 kinds of failure, and good versions on days of all sorts, at 10, 100 and 1,000 requests/s and scrapes of 5, 15 and 30 s. Answers 1
when a goal is missed. Nothing here needs a cluster. Writes build/bench/failure-modes.json.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from bench.failure_modes import world
from bench.failure_modes.modes import FailureMode, load
from bench.failure_modes.scores import STRONG, Result, precision, recall, report
from canary_operator.api.pace import Pace

OUT = Path("build/bench/failure-modes.json")
RATES, SCRAPES = (10.0, 100.0, 1000.0), (5.0, 15.0, 30.0)
LEAST_RECALL, LEAST_PRECISION = 1.0, 0.99


def _played(task: tuple[FailureMode, float, float, str, bool]) -> Result:
    mode, rate, scrape, seed, paced = task
    spec = world.spec_of(mode)
    return world.play(replace(spec, pace=Pace(failure_budget=20)) if paced else spec, mode, rate, scrape, seed)


def run(modes: Sequence[FailureMode], asked: argparse.Namespace) -> list[Result]:
    """All cells, on all cores."""
    tasks = [
        (mode, rate, scrape, f"{asked.seed}/{mode.name}/{rate:g}/{scrape:g}/{number}", asked.pace)
        for mode, rate, scrape in itertools.product(modes, asked.rate or RATES, asked.scrape or SCRAPES)
        for number in range(asked.runs)
    ]
    began, found = time.monotonic(), list[Result]()
    with ProcessPoolExecutor(asked.jobs) as pool:
        for result in pool.map(_played, tasks):
            found.append(result)
            if len(found) % 50 == 0:
                print(f"{len(found)} of {len(tasks)} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def main(arguments: list[str]) -> int:
    """Prints the report in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each cell")
    parser.add_argument("--seed", type=int, default=20_261_201)
    parser.add_argument("--rate", type=float, action="append", help="requests/s; again for more; 10, 100 and 1,000 when left out")
    parser.add_argument("--scrape", type=float, action="append", help="seconds; again for more; 5, 15 and 30 when left out")
    parser.add_argument("--only", action="append", default=[], help="modes whose name contains this; again for more")
    parser.add_argument("--pace", action="store_true", help="a pace with failureBudget 20 in the place of the default steps")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(arguments)
    results = run([mode for mode in load() if not asked.only or any(part in mode.name for part in asked.only)], asked)
    print(f"seed {asked.seed}, {asked.runs} releases a cell, {'pace, budget 20' if asked.pace else 'default steps'}\n")
    print("\n".join(report(results)))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    found = recall(result for result in results if result.hurts >= STRONG), precision(results)
    missed = any(share is not None and share < least for share, least in zip(found, (LEAST_RECALL, LEAST_PRECISION), strict=True))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
