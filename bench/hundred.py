"""A hundred releases in a row under load: how many requests were lost to routing. Writes build/bench/hundred.json.

python -m lab isolated -- python -m bench.hundred --releases 100 --seed 7

Good, bad, superseded, aborted and deleted mid-way, in an order that the seed decides. `--resume` goes on where the file ends, so that a run that
was cut short is not lost.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.releases import MERGE, NAME, NAMESPACE, PATH, Bench
from lab import Lab, Load
from lab.waiting import until
from lab.workloads import Workload
from tests import rules

RATE = 200
SPEC = {
    "steps": [{"weight": weight, "hold": {"min": "1s", "max": "20s"}} for weight in (25, 50)],
    "bake": "3s",
    "drain": "1s",
    "settle": "1s",
    "analysis": {"errors": {"ruleOut": "5%"}},
}
OUTCOMES = {
    "good": {"Promoted"},
    "bad": {"RolledBack"},
    "superseded": {"Superseded"},
    "aborted": {"Withdrawn"},
    "deleted": {"Deleted"},
}
"""How a release of each kind must end."""
BLOCK = ("good",) * 4 + ("bad",) * 2 + ("superseded",) * 2 + ("aborted", "deleted")
"""Ten releases; each block is shuffled."""
OUT = Path("build/bench/hundred.json")
COLLECTIONS = (
    "/apis/canary.rollouts.dev/v1beta1/canaryreleases",
    "/apis/networking.istio.io/v1/virtualservices",
    "/apis/networking.istio.io/v1/destinationrules",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One release of the row."""

    kind: str
    weight: int
    """The canary's weight at which a person or a newer version interferes; of no meaning for good and bad ones."""


def plan(releases: int, seed: int) -> list[Planned]:
    """The row. A superseded release needs one after it, so the last is a good one."""
    chance = random.Random(seed)
    row: list[Planned] = []
    while len(row) < releases:
        block = list(BLOCK)
        chance.shuffle(block)
        row += [Planned(kind, chance.choice((25, 50, 100) if kind in ("aborted", "deleted") else (25, 50))) for kind in block]
    return [*row[: releases - 1], Planned("good", 25)]


@dataclass(slots=True)
class Row:
    """Releases on one service, one after another."""

    bench: Bench
    stable: str
    deployed: dict[str, Workload] = field(default_factory=dict)
    canary: str = ""
    """The version under test; empty between releases."""
    number: int = 0

    def deploy(self, kind: str) -> str:
        """The next version, ready; a bad one fails a third of its requests."""
        bench = self.bench
        bench.generation += 1
        version = f"v{bench.generation}"
        workload = bench.lab.workload(bench.service, version, replicas=2, error_share=0.33 if kind == "bad" else 0.0)
        bench.lab.wait_ready(workload)
        self.deployed[version] = workload
        return version

    def begin(self, kind: str) -> None:
        """A release of a new version."""
        self.canary = self.deploy(kind)
        self.number = self.bench.want(self.canary)

    def run(self, planned: Planned, following: Planned | None) -> str:
        """One release until it has ended; answers how."""
        if not self.canary:
            self.begin(planned.kind)
        number = self.number
        match planned.kind:
            case "superseded" if following:
                self.reach(planned.weight)
                self.canary = self.deploy(following.kind)
                self.bench.lab.api.patch(PATH, {"spec": {"version": self.canary}}, MERGE)
                self.number += 1
                return str(self.bench.ended(number)["outcome"])
            case "aborted":
                self.reach(planned.weight)
                action = {"canary.rollouts.dev/action": f"abort/{number}/1"}
                self.bench.lab.api.patch(PATH, {"metadata": {"annotations": action}}, MERGE)
            case "deleted":
                self.reach(planned.weight)
                self.delete()
                return "Deleted"
        outcome = str(self.bench.ended(number)["outcome"])
        self.stable = str(self.bench.status["stable"]).partition("@")[0]
        self.canary = ""
        self.tidy()
        return outcome

    def reach(self, weight: int) -> None:
        """Waits until the canary has this weight, or more."""
        until(lambda: (self.bench.status.get("weight") or 0) >= weight, f"weight {weight}: {self.bench.status.get('message')}", 60)

    def delete(self) -> None:
        """Deletes the CanaryRelease in the middle of its release, and applies it again as its message for that case says."""
        bench = self.bench
        bench.lab.api.delete(PATH)
        until(lambda: bench.lab.api.find(PATH) is None, "the CanaryRelease is gone", 60)
        rule = bench.lab.api.get(bench.lab.api.path("networking.istio.io/v1", "DestinationRule", NAMESPACE, NAME))
        self.stable, self.canary = rule["spec"]["subsets"][0]["labels"]["version"], ""
        self.tidy()
        for kind in ("VirtualService", "DestinationRule"):
            path = bench.lab.api.path("networking.istio.io/v1", kind, NAMESPACE, NAME)
            bench.lab.api.patch(path, {"metadata": {"labels": {"canary.rollouts.dev/release": NAME}}}, MERGE)
        bench.apply(self.stable, {**SPEC, "stableVersion": self.stable})

    def tidy(self) -> None:
        """Takes away what gets no traffic any more."""
        for version in [each for each in self.deployed if each not in (self.stable, self.canary)]:
            self.deployed.pop(version).delete()


def measure(lab: Lab, row: list[Planned], begun: int, deadline: float) -> dict[str, Any]:
    """Releases from number `begun` on, until the row or the time is over."""
    bench, revisions = Bench(lab), lab.revisions(*COLLECTIONS)
    first = Row(bench, "v1")
    first.stable = first.deploy("good")
    bench.apply(first.stable, SPEC)
    lab.wait_served(bench.service, first.stable)
    load = bench.load(RATE)
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    done = begun
    for number in range(begun, len(row)):
        following = row[number + 1] if number + 1 < len(row) else None
        since, outcome = time.time(), first.run(row[number], following)
        ends[f"{row[number].kind}: {outcome}"] += 1
        if outcome not in OUTCOMES[row[number].kind]:
            wrong.append(f"release {number + 1}, {row[number]}: {outcome}; {bench.status.get('message')}")
        done = number + 1
        _tell(done, row[number], outcome, time.time() - since, load)
        if time.time() > deadline and not first.canary:
            break
    report = load.stop()
    bench.operator.terminate()
    return {
        "releases": [begun + 1, done],
        "ends": dict(sorted(ends.items())),
        "unexpected": wrong,
        "requests": report.answered,
        "lost to routing": report.lost,
        "no answer in time": report.timeouts,
        "what proxies said": dict(report.details),
        "p99 ms": round(report.percentile_ms(99), 1),
        "violations of rules": rules.check(revisions.all),
    }


def _tell(number: int, planned: Planned, outcome: str, seconds: float, load: Load) -> None:
    report = load.report
    print(
        f"{number:3} {planned.kind:10} {outcome:11} {seconds:5.1f} s   {report.answered:7} requests, {report.lost} lost, "
        f"{report.timeouts} timed out",
        flush=True,
    )


def _total(parts: list[dict[str, Any]]) -> dict[str, Any]:
    ends: Counter[str] = Counter()
    for part in parts:
        ends.update(part["ends"])
    sums = {name: sum(part[name] for part in parts) for name in ("requests", "lost to routing", "no answer in time")}
    return {"releases": sum(ends.values()), "ends": dict(sorted(ends.items())), **sums}


def main(arguments: list[str]) -> int:
    """Runs the row, and answers 1 when a request was lost, a release ended otherwise than planned, or a rule was broken."""
    parser = argparse.ArgumentParser(description="Releases in a row under load.")
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60, help="begin no release after this time")
    parser.add_argument("--resume", action="store_true", help="go on where the file ends")
    chosen = parser.parse_args(arguments)
    parts: list[dict[str, Any]] = json.loads(OUT.read_text())["parts"] if chosen.resume and OUT.exists() else []
    begun = parts[-1]["releases"][1] if parts else 0
    print(f"releases {begun + 1} to {chosen.releases}, seed {chosen.seed}, {RATE} requests/s through gateway and mesh client", flush=True)
    with Lab(scrape="1s") as lab:
        parts.append(measure(lab, plan(chosen.releases, chosen.seed), begun, time.time() + 60 * chosen.minutes))
    conditions = {"rate": RATE, "scrape": "1s", "seed": chosen.seed, "spec": SPEC}
    found = {"conditions": conditions, "total": _total(parts), "parts": parts}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["total"], indent=1))
    clean = not any(part["unexpected"] or part["violations of rules"] for part in parts)
    return 0 if clean and not found["total"]["lost to routing"] and not found["total"]["no answer in time"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
