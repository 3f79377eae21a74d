"""Verdicts on real traffic: what bad canaries cost, and whether good ones are let through. Writes build/bench/trials-*.json.

python -m lab isolated -- python -m bench.trials bad healthy days --scrape 5

Answers 1 when a release ended otherwise than it has to, or a goal was missed.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.cells import TABLES
from bench.figures import Figures
from bench.side_by_side import Yard
from lab import Lab

OUT = Path("build/bench")


def main(arguments: list[str]) -> int:
    """Plays the tables that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=sorted(TABLES))
    parser.add_argument("--scrape", type=int, default=5, help="Prometheus' interval in seconds")
    parser.add_argument("--runs", type=int, help="of each cell, instead of what the table says")
    parser.add_argument("--only", action="append", default=[], help="cells whose name contains this; again for more")
    parser.add_argument("--most", type=float, default=500.0, help="requests/s of all trials that run at a time")
    parser.add_argument("--name", help="of the file, instead of the tables' names")
    chosen = parser.parse_args(arguments)
    cells = [cell for name in chosen.tables for cell in TABLES[name]]
    cells = [cell for cell in cells if not chosen.only or any(part in cell.name for part in chosen.only)]
    cells = [replace(cell, runs=chosen.runs or cell.runs) for cell in cells]
    figures = Figures(OUT / f"trials-{chosen.name or '-'.join(chosen.tables)}-{chosen.scrape}s.json", chosen.scrape, chosen.most)
    with Lab(scrape=f"{chosen.scrape}s") as lab:
        Yard(lab, figures, chosen.most).play(cells)
    print("\n".join(figures.missed) or "as it has to be", flush=True)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
