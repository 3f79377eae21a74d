"""What the traffic source counts between two lines of its output."""

import math
import time
from collections import Counter
from typing import Any

from lab.pending import Answer

BUCKETS_PER_DOUBLING = 12
"""Latency buckets grow by 6 %: percentiles are exact to 3 %, and a run of hours needs no more memory than one of seconds."""


class Tally:
    """Counts of answers by (second, path, service, version, status), latencies by (version, bucket)."""

    def __init__(self) -> None:
        self.sent = 0
        self.answered = 0
        self._counts: Counter[tuple[int, str, str, str, str]] = Counter()
        self._latencies: Counter[tuple[str, int]] = Counter()
        self._details: Counter[str] = Counter()
        self._latest = 0.0

    def count(self, key: tuple[str, str], answer: Answer, seconds: float) -> None:
        """Counts one outcome."""
        self.answered += 1
        self._counts[int(time.time()), *key, answer.version, answer.status] += 1
        self._latencies[answer.version, bucket(seconds)] += 1
        if answer.version == "-":
            self._details[f"{key[0]} {answer.status} {answer.detail}".strip()] += 1

    def late(self, seconds: float) -> None:
        """A request left this much after its time, because this process did not get the processor."""
        self._latest = max(self._latest, seconds)

    def take(self) -> dict[str, Any]:
        """What was counted since the last call, for JSON; forgets it."""
        taken = {
            "sent": self.sent,
            "latest": round(self._latest, 4),
            "counts": [[*key, count] for key, count in self._counts.items()],
            "latencies": [[*key, count] for key, count in self._latencies.items()],
            "details": dict(self._details),
        }
        for counter in (self._counts, self._latencies, self._details):
            counter.clear()
        return taken


def bucket(seconds: float) -> int:
    """The number of the bucket for this latency."""
    return round(math.log2(max(seconds, 1e-6) * 1e6) * BUCKETS_PER_DOUBLING)


def milliseconds(number: int) -> float:
    """The middle of a bucket."""
    return float(2 ** (number / BUCKETS_PER_DOUBLING) / 1e3)
