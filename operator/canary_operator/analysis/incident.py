"""Does stable itself fail far more than before the release? Refuses to say who is to blame: nobody is."""

from collections.abc import Sequence
from datetime import timedelta

from canary_operator.analysis.counters import Interval

INCIDENT_WINDOW = timedelta(minutes=1)
"""The time over which stable's own failures are watched."""
INCIDENT_REQUESTS, INCIDENT_FAILURES, INCIDENT_RISE = 20, 10, 0.05
"""Stable has an incident with so many requests, so many failures, and a share so far above the one before."""


def incident(recent: Sequence[Interval], base_share: float) -> bool:
    """Stable itself fails far more than before the release: nobody is to blame, and nothing may rise.

    Args:
        recent: Intervals; those that end in the last minute of them are counted.
        base_share: Stable's failing share before the release, 0 to 1.
    """
    since = max([interval.until for interval in recent], default=0.0) - INCIDENT_WINDOW.total_seconds()
    failures = sum([interval.stable.failures for interval in recent if interval.until > since])
    if failures < INCIDENT_FAILURES:
        return False
    requests = sum([interval.stable.requests for interval in recent if interval.until > since])
    return requests >= INCIDENT_REQUESTS and failures / requests > base_share + INCIDENT_RISE
