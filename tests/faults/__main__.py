"""Every crash point of every scenario: `python -m tests.faults --report build/faults.json`; one of them: `--plan good:7:lost`."""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.conftest import BENCHES
from tests.faults.outcome import MASK
from tests.faults.plans import Plan, pairs, singles
from tests.faults.proxy import UNCOUNTED
from tests.faults.rig import Rig
from tests.faults.runs import Model, Run, model, run, run_all
from tests.faults.scenarios import SCENARIOS

SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers 1 if anything diverged."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--report", type=Path, help="where the figures go, as JSON")
    parser.add_argument(
        "--plan", action="append", type=Plan.parse, default=[], help="only this plan, with the operator's log; may be repeated"
    )
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, default=[], help="only this scenario; may be repeated")
    parser.add_argument("--pairs", type=int, default=150, help="how many pairs of faults per scenario, at most (default: %(default)s)")
    parser.add_argument("--events", action="store_true", help="strike at Events, too")
    parser.add_argument("--benches", type=int, default=BENCHES, help="how many stories run side by side (default: %(default)s)")
    options = parser.parse_args(arguments)
    with Rig(options.benches, UNCOUNTED - {"events"} if options.events else UNCOUNTED) as rig:
        if options.plan:
            return max(_replay(rig, plan) for plan in options.plan)
        began = time.monotonic()
        found = {name: _scenario(rig, name, options.pairs) for name in options.scenario or SCENARIOS}
    report = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": SEED,
        "mask": MASK,
        "seconds": round(time.monotonic() - began),
        "total": {
            key: sum(one[key] for one in found.values())
            for key in ("planned", "fired", "diverged", "flaky", "violations", "revisions", "selfDifferences")
        },
        "scenarios": found,
    }
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["total"]), f"in {report['seconds']} s")
    return int(any(one["diverged"] or one["selfDifferences"] for one in found.values()))


def _scenario(rig: Rig, name: str, most: int) -> dict[str, Any]:
    """All plans of one scenario, and the figures."""
    began, usual = time.monotonic(), model(rig, name)
    for line in usual.faulty:
        print(f"{name} without faults: {line}")
    plans = [*singles(name, usual.writes), *pairs(name, usual.writes, most, SEED)]
    runs, diverged, flaky = [], [], 0
    for one in run_all(rig, plans):
        runs.append(one)
        if lines := one.against(usual.first):
            flaky += not run(rig, one.plan).against(usual.first)
            diverged.append({"plan": str(one.plan), "lines": lines, "log": one.log})
            print(f"{one.plan} DIVERGED", *lines, sep="\n  ", flush=True)
    figures = {
        "writes": [str(write) for write in usual.first.writes],
        "planned": len(plans),
        "fired": sum(one.counts for one in runs),
        "diverged": len(diverged),
        "flaky": flaky,
        "violations": sum(len(one.violations) for one in runs),
        "revisions": sum(one.revisions for one in runs),
        "selfDifferences": len(usual.faulty),
        "seconds": round(time.monotonic() - began),
        "divergences": diverged,
        "missed": [str(one.plan) for one in runs if not one.counts],
    }
    told = (f"{figures[key]} {key}" for key in ("planned", "fired", "diverged", "violations", "revisions", "seconds"))
    print(f"{name}: {usual.writes} writes; {', '.join(told)}", flush=True)
    return figures


def _replay(rig: Rig, plan: Plan) -> int:
    usual: Model = model(rig, plan.scenario)
    one: Run = run(rig, plan)
    print(one.log)
    for write in one.writes:
        print(write, "<- killed here" if write in one.fired else "")
    lines = (*usual.faulty, *one.against(usual.first))
    print(f"{plan}: {'struck' if one.counts else 'did not strike'};", "as without faults" if not lines else "DIVERGED", *lines, sep="\n  ")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
