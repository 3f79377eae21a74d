"""The split of the traffic in documents, whosever the routes are: read, and written. Pure."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from canary_operator.api.names import CANARY, PREVIEWS, STABLE
from canary_operator.cli.belongings import Document, Found, is_ours
from canary_operator.mesh.routes import chosen, http_of, subset_of
from canary_operator.traffic.shares import percent, weight_of
from canary_operator.traffic.unsplit import OURS


def split_of(found: Found) -> tuple[int, bool]:
    """The canary's weight, percent, the highest of all managed routes; and whether all have it and nothing else reaches the canary."""
    shares = [each for route in found.routes for each in shares_of(found, route)]
    weights = [weight for weight, _ in shares] or [0]
    return max(weights), min(weights) == max(weights) and all(plain for _, plain in shares)


def shares_of(found: Found, route: Document) -> Iterator[tuple[int, bool]]:
    """Per managed route the canary's weight, percent, and whether nothing beside the weight reaches the canary."""
    http = http_of(route)
    previewed = is_ours(route) and any(each.get("name") in PREVIEWS for each in http)
    for index in _managed(found, route):
        subsets = _subsets(found, route, http[index])
        weight = percent([weight_of(share) for share in http[index]["route"]], [subset == CANARY for subset in subsets])
        copied = is_ours(route) and any(_subset(found, route, mirror) == CANARY for mirror in http[index].get("mirrors") or ())
        yield weight, not (previewed or copied)


def with_split(found: Found, route: Document, canary: int) -> dict[str, Any]:
    """The spec of a VirtualService with the canary at this weight in each managed route; previews and copies of ours go."""
    spec: dict[str, Any] = deepcopy(dict(route["spec"]))
    for index in _managed(found, route):
        http = spec["http"][index]
        subsets, shares = _subsets(found, route, http), http["route"]
        if len(shares) == 2:
            for share, subset in zip(shares, subsets, strict=True):
                share["weight"] = canary if subset == CANARY else 100 - canary
        elif canary == 0:  # with further destinations the one right weight of the canary is 0
            moved = sum(weight_of(share) for share, subset in zip(shares, subsets, strict=True) if subset == CANARY)
            for share, subset in zip(shares, subsets, strict=True):
                share.update({"weight": 0} if subset == CANARY else {})
            shares[subsets.index(STABLE)]["weight"] = weight_of(shares[subsets.index(STABLE)]) + moved
        if is_ours(route) and "mirrors" in http:
            kept = [mirror for mirror in http["mirrors"] if _subset(found, route, mirror) != CANARY]
            http.pop("mirrors")
            http.update({"mirrors": kept} if kept else {})
    if is_ours(route):
        spec["http"] = [http for http in spec.get("http") or () if http.get("name") not in PREVIEWS]
    return spec


def _managed(found: Found, route: Document) -> list[int]:
    """The HTTP routes that split between the two subsets and are managed: by our name, or as `spec.traffic.attach` says."""
    http = http_of(route)
    if is_ours(route):
        picked = [index for index, each in enumerate(http) if each.get("name") in OURS]
    else:
        attach = (found.release["spec"].get("traffic") or {}).get("attach") or ()
        entry = next((each for each in attach if each.get("virtualService") == route["metadata"]["name"]), None)
        named = [index for _, index in chosen(route, entry.get("routes") or ())] if entry else list(range(len(http)))
        picked = [index for index in named if index is not None]
    return [index for index in picked if {STABLE, CANARY} <= set(_subsets(found, route, http[index]))]


def _subsets(found: Found, route: Document, http: Document) -> list[str | None]:
    return [_subset(found, route, share) for share in http.get("route") or ()]


def _subset(found: Found, route: Document, share: Document) -> str | None:
    return subset_of(share, found.host, route["metadata"]["namespace"])
