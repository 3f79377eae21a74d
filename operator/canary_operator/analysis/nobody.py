"""Failed requests that reached no workload: whose were they?

Envoy answers them itself (no healthy endpoint, no cluster), so telemetry names no workload. They are never taken for missing traffic: they
are the canary's when the canary lacks just these requests, and nobody's otherwise. Whoever is in doubt counts against a rise, never for a
rollback.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

from canary_operator.analysis.odds import Counts, Segment

FULL = 100
SIGNIFICANT = 3.0
"""So many standard deviations below its share of the traffic is no chance: the canary lacks requests."""


def attributed(segment: Segment) -> Segment:
    """The segment with its lost requests given to the canary, if they are the canary's; else as it is."""
    return blamed_on_canary(segment) if segment.lost and _are_the_canarys(segment) else segment


def blamed_on_canary(segment: Segment) -> Segment:
    """The segment with all its lost requests given to the canary."""
    return replace(segment, canary=segment.canary + Counts(segment.lost, segment.lost), lost=0) if segment.lost else segment


def _are_the_canarys(segment: Segment) -> bool:
    """The canary got too few requests for its weight, and with the lost ones it got as many as it should."""
    if segment.weight == FULL:
        return True
    share, requests = segment.weight / 100, segment.canary.requests + segment.stable.requests + segment.lost
    expected, deviation = share * requests, SIGNIFICANT * sqrt(share * (1.0 - share) * requests)
    return segment.canary.requests < expected - deviation and abs(segment.canary.requests + segment.lost - expected) <= deviation


def left_over(segments: Sequence[Segment]) -> list[Counts]:
    """All requests of each segment, and those among them that were lost and are nobody's."""
    return [Counts(each.canary.requests + each.stable.requests + each.lost, each.lost) for each in segments]
