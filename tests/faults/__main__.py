"""Every crash point of every scenario: `python -m tests.faults --report docs/faults.json`; one of them: `--plan good:7:lost`."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from lab.programs import CLUSTER
from tests.faults.conftest import BENCHES
from tests.faults.outcome import MASK
from tests.faults.plans import ERRORS, Plan, errors, pairs, singles
from tests.faults.proxy import UNCOUNTED
from tests.faults.rig import Rig
from tests.faults.runs import Model, Run, models, run, run_all
from tests.faults.scenarios import FROZEN, SCENARIOS

SEED = 1
SUMS = ("kills", "pairs", "errors", "planned", "fired", "diverged", "flaky", "violations", "revisions", "selfDifferences")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers 1 if anything diverged, or a fault did not strike."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--report", type=Path, help="where the figures go, as JSON")
    parser.add_argument(
        "--plan", action="append", type=Plan.parse, default=[], help="only this plan, with the operator's log; may be repeated"
    )
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, default=[], help="only this scenario; may be repeated")
    parser.add_argument("--pairs", type=int, default=24, help="how many pairs of faults per scenario, at most (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=600, help="begin no further plan after so many (default: %(default)s)")
    parser.add_argument("--usual", action="store_true", help="no faults at all: only the runs that all others are compared with")
    parser.add_argument("--events", action="store_true", help="strike at Events, too")
    parser.add_argument("--benches", type=int, default=BENCHES, help="how many stories run side by side (default: %(default)s)")
    options = parser.parse_args(arguments)
    with Rig(options.benches, UNCOUNTED - {"events"} if options.events else UNCOUNTED) as rig:
        if options.plan:
            return max([_replay(rig, plan) for plan in options.plan])
        began, load, commit = time.monotonic(), os.getloadavg()[0], _commit()
        found, left = _all(rig, options, began + options.minutes * 60)
    total = {key: sum(one[key] for one in found.values()) for key in SUMS} | {"notBegun": left}
    conditions = {
        "ended": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": commit,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end",
        "versions": {
            "Python": platform.python_version(),
            "kopf": version("kopf"),
            **{program.name: program.version for program in CLUSTER},
        },
        "seed": SEED,
        "sideBySide": options.benches,
        "seconds": round(time.monotonic() - began),
        "notCompared": MASK,
    }
    report = {"conditions": conditions, "total": total, "scenarios": found}
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(total), f"in {conditions['seconds']} s")
    return int(any(one["diverged"] or one["selfDifferences"] or one["missed"] for one in found.values()))


def _all(rig: Rig, options: argparse.Namespace, until: float) -> tuple[dict[str, dict[str, Any]], int]:
    """All plans of these scenarios: the figures, and how many plans were not begun for lack of time."""
    names = options.scenario or list(SCENARIOS)
    usual = models(rig, names)
    for name, model in usual.items():
        print(f"{name}: {model.writes} writes", *(f"without faults: {line}" for line in model.faulty), sep="\n  ", flush=True)
    planned: list[Plan] = []
    for name in names if not options.usual else ():
        planned += [] if usual[name].faulty else _plans(name, usual[name].writes, options.pairs)
    # Single kills first, then pairs, then errors; within them in no order, but always in the same: a run that is cut short has seen every story.
    Random(SEED).shuffle(planned)
    planned.sort(key=lambda plan: (any(fault.instant in ERRORS for fault in plan.faults), len(plan.faults)))
    begun = (plan for plan in planned if time.monotonic() < until)
    runs: list[Run] = []
    for number, one in enumerate(run_all(rig, begun), 1):
        runs.append(one)
        if lines := one.against(usual[one.plan.scenario].first):
            print(f"{one.plan} DIVERGED", *lines, sep="\n  ", flush=True)
        if not number % 50:
            print(f"{number} of {len(planned)} plans", flush=True)
    figures = {name: _figures(rig, usual[name], [one for one in runs if one.plan.scenario == name]) for name in names}
    return figures, len(planned) - len(runs)


def _plans(name: str, writes: int, most: int) -> Sequence[Plan]:
    """Kills, pairs of kills, errors, and what diverged once."""
    frozen = [plan for text in FROZEN if (plan := Plan.parse(text)).scenario == name]
    return list(dict.fromkeys((*singles(name, writes), *pairs(name, writes, most, SEED), *errors(name, writes), *frozen)))


def _figures(rig: Rig, usual: Model, runs: Sequence[Run]) -> dict[str, Any]:
    diverged = [(one, lines) for one in runs if (lines := one.against(usual.first))]
    failing = sum(one.plan.faults[0].instant in ERRORS for one in runs)
    return {
        "writes": [f"{write.method} {write.kind}" for write in usual.first.writes],
        "kills": sum(len(one.plan.faults) == 1 for one in runs) - failing,
        "pairs": sum(len(one.plan.faults) == 2 for one in runs),
        "errors": failing,
        "planned": len(runs),
        "fired": sum(one.counts for one in runs),
        "diverged": len(diverged),
        "flaky": sum(not run(rig, one.plan).against(usual.first) for one, _ in diverged),
        "violations": sum(len(one.violations) for one in runs),
        "revisions": sum(one.revisions for one in runs),
        "selfDifferences": len(usual.faulty),
        "missed": [str(one.plan) for one in runs if not one.counts],
        "divergences": [{"plan": str(one.plan), "lines": lines, "log": one.log} for one, lines in diverged],
    }


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _replay(rig: Rig, plan: Plan) -> int:
    usual: Model = models(rig, [plan.scenario])[plan.scenario]
    one: Run = run(rig, plan)
    print(one.log)
    for write in one.writes:
        print(write, "<- killed here" if write in one.fired else "")
    lines = (*usual.faulty, *one.against(usual.first))
    print(f"{plan}: {'struck' if one.counts else 'did not strike'};", "as without faults" if not lines else "DIVERGED", *lines, sep="\n  ")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
