"""The failure modes that the lab's backends can show, on real traffic. Writes build/bench/failure-modes-lab-*.json.

python -m lab isolated -- python -m bench.failure_modes.lab [--rate R] [--scrape S] [--runs N] [--only NAME]...

Each release is on a service of its own with two pods a version, several side by side, as in `bench.trials`. Answers 1 when one is wrong.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.failure_modes.modes import ABSENT, CUT, HANG, Behaviour, FailureMode, load
from bench.failure_modes.scores import BACK, BLAMED, HELD, PROMOTED, Result, report
from bench.figures import Figures
from bench.side_by_side import Yard
from bench.trial import Cell, Row, Trial
from canary_operator.analysis.failures import GRPC_CODES
from lab import Lab
from lab.waiting import until

OUT = Path("build/bench")
ENDS = {"Promoted": PROMOTED, "RolledBack": BLAMED, "Withdrawn": BACK}
PODS = 2
LOOK = 0.5
"""Seconds between two looks at what backends have to do now."""
_GRPC = {
    number: "".join(f"_{letter}" if letter.isupper() else letter for letter in name).strip("_").upper()
    for name, number in GRPC_CODES.items()
}
"""The names that grpcio has for gRPC's codes, by their numbers."""


def shown(mode: FailureMode) -> bool:
    """The lab's backends can do this; its callers and its mesh do nothing of their own."""
    return (
        mode.objective is None
        and not mode.telemetry.removes
        and not mode.telemetry.twice
        and all(
            each.clump == 1 and (PODS * each.pods).is_integer() and (each.answer in (ABSENT, HANG, CUT) or each.answer[-1].isdigit())
            for each in mode.new + mode.old
        )
    )


def doing(behaviours: tuple[Behaviour, ...], pod: int, seconds: float, traffic: float) -> dict[str, Any]:
    """Fields of `lab.behaviour.Behaviour` for one pod.

    Args:
        behaviours: Of its version.
        pod: Its number, from 0.
        seconds: Since the new version was wanted.
        traffic: The version's share of all requests, 0 to 1.
    """
    found: dict[str, Any] = {"error_share": 0.0, "hang_share": 0.0, "cut_share": 0.0, "ready": True}
    for each in behaviours:
        share = round(each.at(seconds, traffic) / each.pods, 2) if pod < PODS * each.pods else 0.0
        if not share:
            continue
        if each.answer == ABSENT:
            found["ready"] = False
        elif each.answer in (HANG, CUT):
            found[f"{each.answer}_share"] = share
        elif each.answer.startswith("grpc"):
            found |= {"error_share": share, "grpc_status": _GRPC[int(each.answer.split()[1])]}
        else:
            found |= {"error_share": share, "error_status": int(each.answer)}
    return found


def _script(mode: FailureMode) -> Callable[[Trial], None]:
    """Lets the backends do what the table says, until the release has ended."""

    def script(trial: Trial) -> None:
        begun, told = time.time(), dict[str, dict[str, Any]]()
        pods = [(version, sorted(pod["metadata"]["name"] for pod in version.pods())) for version in (trial.canary, trial.stable)]

        def play() -> bool:
            weight = trial.weights[-1][1] / 100 if trial.weights else 0.0
            for (version, names), behaviours in zip(pods, (mode.new, mode.old), strict=True):
                for number, name in enumerate(names):
                    now = doing(behaviours, number, time.time() - begun, weight if version is trial.canary else 1.0)
                    if told.get(name) != now:
                        version.behave_in_pod(name, **now)
                        told[name] = now
            return (trial.status.get("lastRelease") or {}).get("number") == 1

        until(play, f"{mode.name} ended", 3600, LOOK)

    return script


def cells(modes: tuple[FailureMode, ...], rate: float, runs: int) -> Iterator[tuple[FailureMode, Cell]]:
    """What is tried of each mode that can be shown."""
    for mode in filter(shown, modes):
        first = {**doing(tuple(each for each in mode.new if each.answer != ABSENT and each.pods == 1), 0, 0.0, 0.05), "ready": True}
        yield (
            mode,
            Cell(
                mode.name,
                "RolledBack" if mode.bad else "Promoted",
                runs=runs,
                canary=first,
                script=_script(mode),
                rate=rate,
                protocol=mode.protocol,
                patience=mode.patience,
            ),
        )


class Collected(Figures):
    """Figures that can be scored."""

    def __init__(self, file: Path, scrape: float, most: float) -> None:
        super().__init__(file, scrape, most)
        self.found: list[tuple[Cell, Row]] = []

    def add(self, cell: Cell, row: Row) -> None:
        """One more release."""
        super().add(cell, row)
        self.found.append((cell, row))


def main(arguments: list[str]) -> int:
    """Plays what can be shown, and prints the report in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100.0, help="requests/s of each release")
    parser.add_argument("--scrape", type=int, default=5, help="Prometheus' interval in seconds")
    parser.add_argument("--runs", type=int, default=1, help="of each mode")
    parser.add_argument("--most", type=float, default=400.0, help="requests/s of all releases that run at a time")
    parser.add_argument("--only", action="append", default=[], help="modes with exactly this name; again for more")
    asked = parser.parse_args(arguments)
    modes = tuple(mode for mode in load() if not asked.only or mode.name in asked.only)
    tried = list(cells(modes, asked.rate, asked.runs))
    of = {cell: mode for mode, cell in tried}
    figures = Collected(OUT / f"failure-modes-lab-{asked.rate:g}-{asked.scrape}s.json", asked.scrape, asked.most)
    with Lab(scrape=f"{asked.scrape}s") as lab:
        Yard(lab, figures, asked.most).play([cell for _, cell in tried])
    results = [_result(of[cell], row, asked.rate, asked.scrape) for cell, row in figures.found]
    print("\n".join(report(results)), flush=True)
    errors = [sentence for sentence in figures.missed if not any(sentence.startswith(cell.name) for cell, _ in figures.found)]
    print("\n".join(errors))
    return 1 if errors or any(result.wrong for result in results) else 0


def _result(mode: FailureMode, row: Row, rate: float, scrape: float) -> Result:
    end = ENDS.get(row.outcome, HELD)
    seconds = row.seconds if end in (BLAMED, BACK) else None
    return Result(mode.name, mode.bad, mode.hurts, rate, scrape, end, row.reason, row.failed + row.given_up, seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
