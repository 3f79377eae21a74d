"""How Istio splits the requests of one route over its destinations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """What managed routes really do: those of one VirtualService, or of all taken together."""

    weight: int
    """The canary's share, percent; the highest, should several routes differ. A share between 0 and 1 reads 1 and one between 99 and 100
    reads 99, so that 0 and 100 always mean nothing and everything; 0 when the route is missing."""
    intact: bool
    """Everything that is managed is as wanted, all managed routes have the same weight, and weights are integers that sum to 100."""
    reached: bool = True
    """Every request that no earlier match took comes to the managed route: nothing before it takes all, and it has no match itself."""
    preview: bool = False
    """There is a preview route, right or wrong."""
    mirror: int = 0
    """Percent of the requests that are copied to the canary; the highest, should several routes differ."""
    former: bool = False
    """Not intact, but just as an earlier version of the operator left it: nobody else changed it, and the next write takes it over."""


def weight_of(share: Mapping[str, Any]) -> int:
    """The weight of one destination. One left out is 0, not an equal share."""
    weight = share.get("weight")
    return weight if isinstance(weight, int) else 0


def percent(weights: Sequence[int], canary: Sequence[bool]) -> int:
    """The canary's share: of a single destination Istio ignores the weight, and of several it takes weight over sum.

    >>> percent([95, 5], [False, True]), percent([999, 1], [False, True]), percent([0], [True])
    (5, 1, 100)
    """
    if len(weights) == 1:
        return 100 if canary[0] else 0
    part, whole = sum(weight for weight, ours in zip(weights, canary, strict=True) if ours), sum(weights)
    if part <= 0:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))


def sums_up(weights: Sequence[int]) -> bool:
    """Whether the weights are percentages, as everything that we write."""
    return sum(weights) == 100 and min(weights) >= 0
