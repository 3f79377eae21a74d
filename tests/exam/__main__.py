"""Breaks the operator in one place after the other, and runs the tests that have to notice: `python -m tests.exam`; `M3` after it: only that one.

A mutant counts as killed when every test that is named for it goes red with it, and all of them are green without any.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.exam.killers import ROOT, Killer, Laboratory, Outcome, killer
from tests.exam.mutant import PACKAGE, Mutant
from tests.exam.mutants import MUTANTS

SIDE_BY_SIDE = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers 1 if a mutant survived, or a test is red without one."""
    parser = argparse.ArgumentParser(prog="python -m tests.exam", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--report", type=Path, help="where the list goes, as Markdown")
    parser.add_argument("--no-lab", action="store_true", help="without the tests that need an API server")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    wanted = {text: killer(text) for mutant in chosen for text in mutant.killers}
    wanted = {text: each for text, each in wanted.items() if not (each.needs_lab and options.no_lab)}
    began = time.monotonic()
    with Laboratory(any(each.needs_lab for each in wanted.values())) as lab, ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        green = dict(zip(wanted, threads.map(lambda each: each.run(ROOT, lab), wanted.values()), strict=True))
        for text, outcome in green.items():
            print("" if not outcome.red else f"RED WITHOUT A MUTANT: {text}\n{outcome.told}\n", end="", flush=True)
        found = dict(zip(chosen, threads.map(lambda mutant: examine(mutant, wanted, lab), chosen), strict=True))
    survived = [mutant for mutant, outcomes in found.items() if not killed(outcomes)]
    for mutant in survived:
        print(f"{mutant.name} SURVIVED: {mutant.what}")
    seconds = time.monotonic() - began
    print(f"{len(found) - len(survived)} of {len(found)} mutants killed in {seconds:.0f} s")
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(report(found, seconds), encoding="utf-8")
    return int(bool(survived) or any(outcome.red for outcome in green.values()))


def examine(mutant: Mutant, wanted: Mapping[str, Killer], lab: Laboratory) -> dict[str, Outcome]:
    """What the tests that are named for a mutant say of it."""
    with broken(mutant) as tree:
        outcomes = {text: wanted[text].run(tree, lab) for text in mutant.killers if text in wanted}
    told = ", ".join(f"{text} {'red' if outcome.red else 'GREEN'} in {outcome.seconds:.0f} s" for text, outcome in outcomes.items())
    print(f"{mutant.name}: {told}", flush=True)
    return outcomes


def killed(outcomes: Mapping[str, Outcome]) -> bool:
    """Every test noticed, and there was one."""
    return bool(outcomes) and all(outcome.red for outcome in outcomes.values())


@contextmanager
def broken(mutant: Mutant) -> Iterator[Path]:
    """A copy of the operator with this mutant in it.

    Raises:
        ValueError: The text that it replaces does not stand there once.
    """
    with tempfile.TemporaryDirectory(prefix=f"{mutant.name}-") as directory:
        tree = Path(directory)
        shutil.copytree(ROOT / "operator", tree / "operator")
        file = tree / PACKAGE / mutant.file
        text = file.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.name}: {mutant.file} has its text {text.count(mutant.old)} times")
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        yield tree


def report(found: Mapping[Mutant, Mapping[str, Outcome]], seconds: float) -> str:
    """The list for the docs."""
    dead = sum(killed(outcomes) for outcomes in found.values())
    lines = [
        "# The exam of the tests",
        "",
        "The operator is broken on purpose in one place at a time; a test that is named for it has to go red, and is",
        "green without it. No test of a day without faults counts: each either kills the operator, lets its requests, its samples or its watches",
        "fail, or judges every stored revision by the rules.",
        "A plan such as `good:4:lost` is replayed by `python -m tests.faults --plan good:4:lost`.",
        "",
        f"**{dead} of {len(found)} killed**, in {seconds:.0f} s on {os.cpu_count()} cores.",
        "",
        "| | what is broken | where | noticed by | |",
        "|---|---|---|---|---|",
    ]
    for mutant, outcomes in found.items():
        tests = "<br>".join(f"`{text.removeprefix('tests/')}`" for text in outcomes)
        lines.append(f"| {mutant.name} | {mutant.what} | `{mutant.file}` | {tests} | {'killed' if killed(outcomes) else '**survived**'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
