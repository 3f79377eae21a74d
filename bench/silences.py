"""How often a healthy canary is called silent: releases in which requests last for milliseconds, minutes, or 30 s of long polling.

python -m bench.silences [--releases N] [--seed N]

Requests come as a Poisson process, last exponentially long (long polls too), and are counted when they end, which makes Poisson numbers again:
of those sent at one a second for a time t, t - m (1 - exp(-t / m)) have ended. Each release has four steps of five minutes, scraped every 15 s,
and is judged at every scrape. Nothing here needs a cluster; a few minutes on one core.
"""

import argparse
import sys
from collections.abc import Iterator
from math import exp

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.silence import silent
from canary_operator.cli.chance import chance
from canary_operator.simulation.play import Chance

RATES = (0.2, 1, 10, 100, 1_000)
LASTING = (0.02, 2.0, 60.0, 600.0)
"""Mean seconds that a request lasts which is no long poll."""
POLLS = (0.0, 0.05, 0.1)
"""Share (0 to 1) of long polls."""
POLL = 30.0
"""Mean seconds that a long poll lasts."""
STEPS = ((0.0, 0.05), (0.05, 0.1), (0.1, 0.25), (0.25, 0.5))
"""The canary's share (0 to 1) before a step and in it."""
SCRAPE = 15.0
SCRAPES = 20
"""Of each step."""
LATELY = 6
"""Scrapes that an answer brings."""


def ended(time: float, polls: float, lasting: float) -> float:
    """How many requests have ended on average of those sent at one a second for this time, in seconds; this share (0 to 1) are long polls."""
    return sum(part * (time - of * (1 - exp(-time / of))) for part, of in ((1 - polls, lasting), (polls, POLL)) if part)


def taken_back(rate: float, polls: float, lasting: float, left_to: Chance, canary_slower: float = 1.0) -> bool:
    """Whether one healthy release, at so many requests a second, is called silent at any scrape; its canary takes so many times as long."""
    known, mean = 0, (1 - polls) * lasting + polls * POLL
    theirs_ended = [ended(SCRAPE * number, polls, lasting) for number in range(SCRAPES + 1)]
    ours_ended = [canary_slower * ended(SCRAPE * number / canary_slower, polls, lasting) for number in range(SCRAPES + 1)]
    for before, weight in STEPS:
        found: list[Interval] = []
        canary = stable = 0
        for number in range(SCRAPES):
            new, of_new = theirs_ended[number + 1] - theirs_ended[number], ours_ended[number + 1] - ours_ended[number]
            ours = left_to.arrive(rate * (weight * of_new + before * (SCRAPE - of_new)))
            theirs = left_to.arrive(rate * ((1 - weight) * new + (1 - before) * (SCRAPE - new)))
            canary, stable = canary + ours, stable + theirs
            counts = Counts(ours), Counts(theirs)
            found = [
                *found[1 - LATELY :],
                Interval("proxy", SCRAPE * number, SCRAPE * (number + 1), *counts, canary_seen=True, stable_seen=True),
            ]
            step = Segment(round(100 * weight), Counts(canary), Counts(stable))
            if silent(found, weight, 0.0, mean, step, (Segment(1, Counts(known)), step)):
                return True
        known += canary
    return False


def table(seed: int, releases: int) -> Iterator[str]:
    """Releases taken back, by rate and by how long requests last."""
    yield f"| requests/s | {' | '.join(f'{lasting:g} s' for lasting in LASTING)} |\n|---|{'---|' * len(LASTING)}"
    each = releases // (len(RATES) * len(LASTING) * len(POLLS))
    for rate in RATES:
        cells = []
        for lasting in LASTING:
            taken = 0
            for polls in POLLS:
                left_to = chance(f"{seed}/{rate}/{lasting}/{polls}", 1)
                taken += sum(taken_back(rate, polls, lasting, left_to) for _ in range(each))
            cells.append(f"{taken} of {each * len(POLLS)}")
        yield f"| {rate:,} | {' | '.join(cells)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=20261201)
    asked = parser.parse_args()
    for line in table(asked.seed, asked.releases):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
