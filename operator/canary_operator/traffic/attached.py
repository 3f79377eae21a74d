"""A user's VirtualService in which only the two weights of the managed routes are ours: document in, document out.

A managed route has exactly two destinations, the subsets `stable` and `canary` of the Service. One that somebody gave further destinations
gets no canary traffic from us; one without our two is left alone. Preflight says what to write.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.routes import chosen, http_of, subset_of
from canary_operator.traffic.shares import Reading, percent, sums_up, weight_of

_INSTEAD_OF_A_ROUTE = ("redirect", "directResponse", "delegate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Which routes of a user's VirtualService are managed."""

    host: str
    """Full name of the Service."""
    routes: tuple[str, ...] = ()
    """Their names; none: its only HTTP route."""


def with_weights(document: Mapping[str, Any], attached: Attached, canary: int) -> dict[str, Any]:
    """The document with the canary at this weight and stable at the rest; doing it twice is doing it once.

    Args:
        document: The user's VirtualService.
        attached: Its managed routes.
        canary: Percent, 0 to 100.

    Raises:
        ValueError: The weight is out of range, which is a mistake of the caller.
    """
    changed = deepcopy(dict(document))
    for index, position, weight in _weights(document, attached, canary):
        changed["spec"]["http"][index]["route"][position]["weight"] = weight
    return changed


def patch(document: Mapping[str, Any], attached: Attached, canary: int, marked: tuple[str, str]) -> list[dict[str, Any]]:
    """The same as a JSON patch with our mark (annotation, text), bound to the version of the document: it names nothing but what it changes."""
    metadata = document["metadata"]
    key, text = marked
    mark = (
        {"op": "add", "path": f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}", "value": text}
        if metadata.get("annotations")
        else {"op": "add", "path": "/metadata/annotations", "value": {key: text}}
    )
    weights = [
        {"op": "add", "path": f"/spec/http/{index}/route/{position}/weight", "value": weight}
        for index, position, weight in _weights(document, attached, canary)
    ]
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}, mark, *weights]


def read(document: Mapping[str, Any], attached: Attached) -> Reading | None:
    """What the managed routes do with the traffic; None: none of them can be given a weight."""
    found = [reading for _, shares in _managed(document, attached) if (reading := _read(shares, document, attached)) is not None]
    return together(found)


def together(readings: Sequence[Reading]) -> Reading | None:
    """Several routes as one; None: there is none."""
    if not readings:
        return None
    weights = [each.weight for each in readings]
    return Reading(
        weight=max(weights),
        intact=all(each.intact for each in readings) and max(weights) == min(weights),
        reached=all(each.reached for each in readings),
        preview=any(each.preview for each in readings),
        mirror=max(each.mirror for each in readings),
        former=any(each.former for each in readings),
    )


def _read(shares: Sequence[Mapping[str, Any]], document: Mapping[str, Any], attached: Attached) -> Reading | None:
    subsets, weights = _subsets(shares, document, attached), [weight_of(share) for share in shares]
    if CANARY not in subsets or STABLE not in subsets:
        return None
    canary = percent(weights, [subset == CANARY for subset in subsets])
    if len(shares) == 2:
        return Reading(canary, sums_up(weights))
    # With further destinations the one right weight of the canary is 0: then there is nothing to set right.
    return Reading(canary, False) if canary else None


def _weights(document: Mapping[str, Any], attached: Attached, canary: int) -> Iterator[tuple[int, int, int]]:
    """Index of the route, of the destination, and the weight it gets."""
    if not 0 <= canary <= 100:
        raise ValueError(f"a weight is a percentage from 0 to 100, not {canary}")
    for index, shares in _managed(document, attached):
        subsets = _subsets(shares, document, attached)
        if CANARY not in subsets or STABLE not in subsets:
            continue
        if len(shares) == 2:
            yield index, subsets.index(STABLE), 100 - canary
            yield index, subsets.index(CANARY), canary
            continue
        moved = sum(weight_of(share) for share, subset in zip(shares, subsets, strict=True) if subset == CANARY)
        for position, subset in enumerate(subsets):
            if subset == CANARY and moved:
                yield index, position, 0
        if moved:
            yield index, subsets.index(STABLE), weight_of(shares[subsets.index(STABLE)]) + moved


def _managed(document: Mapping[str, Any], attached: Attached) -> Iterator[tuple[int, Sequence[Mapping[str, Any]]]]:
    routes = http_of(document)
    for _, index in chosen(document, attached.routes):
        if index is not None and not any(key in routes[index] for key in _INSTEAD_OF_A_ROUTE):
            yield index, routes[index].get("route") or []


def _subsets(shares: Sequence[Mapping[str, Any]], document: Mapping[str, Any], attached: Attached) -> list[str | None]:
    namespace = document["metadata"].get("namespace", "")
    return [subset_of(share, attached.host, namespace) for share in shares]
