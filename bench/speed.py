"""How fast releases are played, and what a look at a hundred proxies costs.

python -m bench.speed [--runs N]

Prints processor time, which other work on the machine lengthens less than time on the clock; the load average stands beside it. What must not grow
is asserted as counts by `tests/pure/simulation/test_cost.py`.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from datetime import timedelta
from random import Random

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.witnesses import Rules
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import play

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")
HELD = Hold(min=timedelta(minutes=10), max=timedelta(minutes=20))
HOUR = replace(SPEC, steps=tuple(Step(weight=weight, hold=HELD) for weight in (2, 5, 10, 25, 50)), bake=timedelta(minutes=10))
KINDS = {
    "good, 100/s, scrape 15 s": (SPEC, Assumed()),
    "good, 100/s, scrape 5 s": (SPEC, Assumed(scrape=5.0)),
    "good, 10/s, scrape 15 s": (SPEC, Assumed(rate=10.0)),
    "good, 100/s, two proxies": (SPEC, Assumed(proxies=2)),
    "canary fails 5 %, 100/s": (SPEC, Assumed(canary_fails=0.05)),
    "good, 100/s, scrape 15 s, an hour": (HOUR, Assumed()),
}


def proxies(number: int, scrapes: int, *, failing: float) -> list[Interval]:
    """What so many proxies counted, each scraped at times of its own."""
    random, found = Random(1), list[Interval]()  # noqa: S311
    for proxy in range(number):
        phase = random.uniform(0.0, 5.0)
        for scrape in range(scrapes):
            since = 100.0 + 5.0 * scrape + phase
            failed = int(random.uniform(0.0, 1.0) < failing)
            found.append(Interval(f"proxy-{proxy}", since, since + 5.0, Counts(10, failed), Counts(90, failed), True, True))
    return found


def main(arguments: list[str]) -> int:
    """Prints one line for each kind of release, and for each look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="releases of each kind")
    asked = parser.parse_args(arguments)
    for name, (spec, assumed) in KINDS.items():
        began = time.process_time()
        played = [play(spec, assumed, chance(f"1/{number}", assumed.proxies), most=7200.0) for number in range(asked.runs)]
        each = (time.process_time() - began) / asked.runs
        minutes = sum(one.seconds for one in played) / 60 / asked.runs
        on_two = round(each * 10_000 / 2)
        print(
            json.dumps({"release": name, "ms each": round(1000 * each, 1), "minutes": round(minutes, 1), "s for 10,000 on 2 cores": on_two})
        )
    for number, scrapes, failing in ((100, 1, 0.0), (100, 12, 0.0), (100, 12, 0.05)):
        found = proxies(number, scrapes, failing=failing)
        began = time.process_time()
        for _ in range(5):
            fold(Evidence(), found, weight=10, since=100.0, settled_at=105.0, rules=Rules())
        spent = (time.process_time() - began) / 5
        print(
            json.dumps({"look": f"{number} proxies, {scrapes} scrapes of each, {failing:.0%} with a failure", "ms": round(1000 * spent, 1)})
        )
    print(json.dumps({"load average": os.getloadavg()[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
