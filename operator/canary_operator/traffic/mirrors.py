"""The copies of requests that a managed route sends to the canary, beside those that users send elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY
from canary_operator.traffic.wanted import Managed


def mirrored(route: dict[str, Any], managed: Managed, percentage: int) -> dict[str, Any]:
    """The route with our entry among its mirrors, or without it; the user's mirrors stay.

    Args:
        route: A managed route; it is changed.
        managed: How it is managed.
        percentage: Percent of its requests that are copied, 0 to 100.
    """
    ours = list(_ours(route, managed))
    mirrors = [mirror for mirror in route.get("mirrors") or [] if mirror not in ours]
    if percentage:
        if "mirror" in route:  # Istio refuses `mirror` beside `mirrors`; as the first of these it means the same
            share = {"percentage": route.pop("mirrorPercentage")} if "mirrorPercentage" in route else {}
            mirrors.insert(0, {"destination": route.pop("mirror"), **share})
        mirrors.append({"destination": managed.destination(CANARY), "percentage": {"value": percentage}})
    if mirrors:
        route["mirrors"] = mirrors
    else:
        route.pop("mirrors", None)
    return route


def mirror_of(route: Mapping[str, Any], managed: Managed) -> int:
    """Percent of its requests that are copied to the canary. A share between 0 and 1 reads 1: 0 means nothing."""
    shares = [(mirror.get("percentage") or {}).get("value", 100) for mirror in _ours(route, managed)]
    return max((max(1, round(share)) if share > 0 else 0 for share in shares), default=0)


def mirrors_are_right(route: Mapping[str, Any], managed: Managed) -> bool:
    """Copies for the canary go to the port to which the requests go."""
    return all(mirror["destination"] == managed.destination(CANARY) for mirror in _ours(route, managed))


def _ours(route: Mapping[str, Any], managed: Managed) -> Iterator[Mapping[str, Any]]:
    for mirror in route.get("mirrors") or []:
        destination = mirror.get("destination") or {}
        if (destination.get("host"), destination.get("subset")) == (managed.host, CANARY):
            yield mirror
