"""The table of docs/pace.md: simulated releases by steps and by pace, through the product's own counting, verdict and choice of weights.

python -m bench.paces [main] [scrapes] [adverse] [--releases N] [--seed N]

The world is that of `bench.verdicts`: Poisson requests, regular scrapes, a weight is served 0.75 s after the scrape that earned it.
"""

import argparse
import itertools
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from random import Random

from bench.verdicts import BAKE, DEADLINE, INCIDENT_HOLD, SETTLE, Played, Release, Situation
from canary_operator.analysis.beat import Beat
from canary_operator.analysis.counters import Interval
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.odds import NOTHING
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.verdict import Rules, Verdict, incident, judge, judge_bake
from canary_operator.release.pace import Price, Spent, Tempo, choose, measured, spent
from canary_operator.release.plan import DEFAULT_WEIGHTS, PACED

MINIMUM = 300.0
LONGEST = 7200.0


@dataclass(frozen=True)
class Paced(Situation):
    """One kind of release, by a budget or by the default steps."""

    budget: int | None = 20
    """None: by the default steps, 1 to 5 minutes each."""
    minimum: float = MINIMUM
    """`pace.minDuration` in seconds."""
    ceiling: int = 50
    """`pace.maxWeight`."""
    from_weight: int = 0
    """Percent, from which on the canary fails; before, it is as stable."""
    from_time: float = 0.0
    """Seconds after the first weight, from which on the canary fails."""


class PacedRelease(Release):
    """One release; ends when everything is the canary's, or nothing."""

    situation: Paced

    def __init__(self, situation: Paced, random: Random) -> None:
        super().__init__(situation, random)
        it, tempo = situation, Tempo(situation.rate, situation.spacing, SETTLE)
        self.price = Price(it.budget or 1, it.ceiling)
        first = choose(self.price, 0, Spent(), tempo).weight if it.budget else DEFAULT_WEIGHTS[0]
        scraped = [-random.uniform(0, it.spacing) for _ in range(it.proxies)]
        waited = Beat(it.spacing, tuple(scraped), it.rate).wait(first, 0.0)
        self.scraped, self.weights = [at - waited for at in scraped], [(0.0, first)]

    def interval(self, proxy: int, until: float) -> Interval:
        """The next scrape of a proxy; a canary may begin to fail at a weight or at a time."""
        since, it = self.scraped[proxy], self.situation
        edges = sorted({since, until, *(at for at, _ in self.weights if since < at < until), min(max(it.from_time, since), until)})
        canary = stable = NOTHING
        for start, end in itertools.pairwise(edges):
            weight = next((weight for at, weight in reversed(self.weights) if at <= start), 0)
            bad = weight >= it.from_weight and start >= it.from_time
            canary += self.counts(weight / 100, end - start, it.canary if bad else it.stable)
            stable += self.counts(1 - weight / 100, end - start, it.stable)
        self.scraped[proxy] = until
        self.failed += canary.failures
        return Interval(f"proxy-{proxy}", since, until, canary, stable, True, True)

    def play(self) -> Played:
        """To 100 percent, or back."""
        it, evidence, recent, since = self.situation, Evidence(), list[Interval](), 0.0
        incident_since: float | None = None
        while True:
            proxy = min(range(it.proxies), key=self.scraped.__getitem__)
            now = self.scraped[proxy] + it.spacing
            recent = [each for each in recent if each.until > now - 60.0] + [self.interval(proxy, now)]
            weight = self.weights[-1][1]
            rules = self._rules(weight)
            folded = fold(evidence, recent[-3 * it.proxies :], weight=weight, since=since, settled_at=since + SETTLE, rules=rules)
            evidence = folded.committed
            if folded.now.blame is not None:
                return self.end("rolled back", now)
            incident_since = (incident_since or now) if incident(recent, self.base) and weight < 100 else None
            lasted = 0.0 if incident_since is None else now - incident_since + 1e-3
            if lasted >= INCIDENT_HOLD or (now > LONGEST if it.budget else now - since > DEADLINE):
                return self.end("withdrawn", now)
            verdict = judge_bake(folded.now, None, rules) if weight == 100 else judge(folded.now, rules, incident_for=lasted)
            if weight == 100 and verdict.advances:
                return Played("promoted", self.failed, self.weights[-1][0])
            if verdict.advances and (following := self._following(weight, verdict, folded.committed, recent)) > weight:
                since = now + it.reaction
                self.weights.append((since, following))

    def _rules(self, weight: int) -> Rules:
        if weight == 100:
            return Rules(noise=self.noise, hold_min=BAKE)
        if self.situation.budget is None:
            return Rules(noise=self.noise)
        patience = PACED.max.total_seconds() if weight >= self.situation.ceiling else 0.0
        return Rules(noise=self.noise, hold_min=0.0, hold_max=patience, budget=float(self.situation.budget))

    def _following(self, weight: int, verdict: Verdict, known: Evidence, recent: Sequence[Interval]) -> int:
        if self.situation.budget is None:
            return next((each for each in DEFAULT_WEIGHTS if each > weight), 100)
        if weight >= self.situation.ceiling:
            return 100 if verdict.evidence.observed >= self.situation.minimum else weight
        return choose(self.price, weight, spent(known.segments, self.noise), measured(recent, SETTLE)).weight


def _played(task: tuple[Paced, str, int]) -> list[Played]:
    situation, seed, releases = task
    return [PacedRelease(situation, Random(f"{seed}/{number}")).play() for number in range(releases)]


def main_table() -> Iterator[tuple[str, Paced]]:
    """Stable fails 0.1 %, scraped every 5 s, one gateway."""
    for rate in (1.0, 10.0, 100.0, 1000.0):
        yield f"{rate:g}/s, good", Paced(rate, 0.001, 0.001, spacing=5.0)
        yield f"{rate:g}/s, good, both 1 %", Paced(rate, 0.01, 0.01, spacing=5.0)
        for share in (1.0, 0.2, 0.05, 0.02, 0.006):
            yield f"{rate:g}/s, {100 * share:g} %", Paced(rate, 0.001, share, spacing=5.0)
    for rate in (100.0, 1000.0):
        yield f"{rate:g}/s, 20 % from weight 30 on", Paced(rate, 0.001, 0.2, spacing=5.0, from_weight=30)
        yield f"{rate:g}/s, 20 % from minute 2 on", Paced(rate, 0.001, 0.2, spacing=5.0, from_time=120.0)


def scrapes_table() -> Iterator[tuple[str, Paced]]:
    """Scraped more rarely, and by two gateways."""
    for spacing, proxies in ((15.0, 1), (30.0, 1), (15.0, 2)):
        for share in (0.001, 1.0, 0.2, 0.05, 0.02):
            words = "good" if share == 0.001 else f"{100 * share:g} %"
            yield f"scrape {spacing:g} s, {proxies} gateways, 100/s, {words}", Paced(100.0, 0.001, share, spacing=spacing, proxies=proxies)


def adverse_table() -> Iterator[tuple[str, Paced]]:
    """Good canaries whose failures, like stable's, come in clumps."""
    for rate, clump in itertools.product((1.0, 10.0, 100.0, 1000.0), (3, 10)):
        yield f"{rate:g}/s, good, both 1 % in clumps of {clump}", Paced(rate, 0.01, 0.01, spacing=5.0, clump=clump)


TABLES = {"main": main_table, "scrapes": scrapes_table, "adverse": adverse_table}


def _words(played: Sequence[Played]) -> str:
    failed, seconds = sorted(each.failed for each in played), sorted(each.seconds for each in played)
    back, withdrawn = (100 * sum(each.outcome == word for each in played) / len(played) for word in ("rolled back", "withdrawn"))
    late = f", {withdrawn:.3g} % withdrawn" if withdrawn else ""
    last = int(0.95 * (len(played) - 1))
    times = f"{statistics.median(seconds):.0f} ({seconds[last]:.0f}) s"
    return f"{statistics.median(failed):.0f} ({failed[last]}), {back:.3g} %{late}, {times}"


def main(arguments: list[str]) -> int:
    """Prints a table of each kind: failed requests of the canary, median (95th percentile), share rolled back, seconds to 100 % or back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all when left out")
    parser.add_argument("--releases", type=int, default=200, help="of each cell")
    parser.add_argument("--seed", type=int, default=20_261_123)
    asked = parser.parse_args(arguments)
    with ProcessPoolExecutor() as pool:
        for name in asked.tables or TABLES:
            cells = list(TABLES[name]())
            both = [each for _, situation in cells for each in (replace(situation, budget=None), situation)]
            tasks = [(situation, f"{asked.seed}/{name}/{number // 2}", asked.releases) for number, situation in enumerate(both)]
            print(
                f"{name}, seed {asked.seed}, {asked.releases} releases a cell\n| | steps 5, 10, 25, 50 | pace, F = 20 |\n|---|---|---|",
                flush=True,
            )
            found = pool.map(_played, tasks)
            for title, _ in cells:
                print(f"| {title} | {_words(next(found))} | {_words(next(found))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
