"""The VirtualService whose one route splits the traffic: document in, document out.

Users may add to it what they like: routes before ours, timeouts, retries, faults, headers. Only `hosts`, `gateways`, the destinations of the
route of our name, our entry in its `mirrors` and the preview route are set. Field rules:
istio.io/latest/docs/reference/config/networking/virtual-service, and istio/istio 1.30 pkg/config/validation and
pilot/pkg/networking/core/route/route.go where the reference is silent.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import CANARY, PREVIEW, ROUTE, STABLE
from canary_operator.mesh.hosts import expand
from canary_operator.traffic.mark import labels
from canary_operator.traffic.shares import Reading, percent, sums_up, weight_of

_INSTEAD_OF_A_ROUTE = ("redirect", "directResponse", "delegate")
"""Istio refuses a route with destinations and one of these: left in, no write of ours could pass, not even one that takes traffic away."""
_OF_THE_PREVIEW = ("name", "match", "route", "mirror", "mirrors", "mirrorPercentage")
"""What the preview route does not share with the managed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the spec of a CanaryRelease makes of its VirtualService, weights aside."""

    host: str
    """Full name of the Service."""
    port: int
    """Port of the Service."""
    hosts: tuple[str, ...] = ()
    """Further hosts that lead to it, as the user wrote them."""
    gateways: tuple[str, ...] = ()
    """Exactly what the user wrote; none: the mesh alone."""
    delegate: bool = False
    """A user's root decides on hosts and gateways: this VirtualService names neither."""
    preview: tuple[Mapping[str, Any], ...] = ()
    """The matches of the preview route, as Istio writes them."""

    @property
    def all_hosts(self) -> list[str]:
        """The Service's own name, then the user's. A short name becomes a full one, and none stands twice, which Istio would refuse."""
        namespace, _, domain = self.host.partition(".")[2].partition(".svc.")
        return list(dict.fromkeys([self.host, *(expand(host, namespace, domain) for host in self.hosts)]))

    def destination(self, subset: str) -> dict[str, Any]:
        """Where one of the two shares goes."""
        return {"host": self.host, "subset": subset, "port": {"number": self.port}}


def owned(release: str, namespace: str, wanted: Wanted, canary: int) -> dict[str, Any]:
    """A new VirtualService, named like the CanaryRelease that owns it and not yet marked.

    Args:
        release: name of the CanaryRelease.
        namespace: its namespace.
        wanted: hosts, gateways and port.
        canary: the canary's weight, percent.
    """
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": release, "namespace": namespace, "labels": labels(release)},
    }
    return with_weights(document, wanted, canary)


def with_weights(document: Mapping[str, Any], wanted: Wanted, canary: int, *, preview: bool = False, mirror: int = 0) -> dict[str, Any]:
    """Our VirtualService as it stands, with the canary at this weight and stable at the rest; doing it twice is doing it once.

    A missing route of ours is appended last. No route is moved: whether ours is reached is for `read` to say.

    Args:
        document: the VirtualService, with whatever users added.
        wanted: hosts, gateways and port.
        canary: percent, 0 to 100.
        preview: requests that match `wanted.preview` see the canary, whatever its weight is.
        mirror: percent of the requests that are copied to the canary.

    Raises:
        ValueError: the weight is out of range, which is a mistake of the caller.
    """
    if not 0 <= canary <= 100:
        raise ValueError(f"a weight is a percentage from 0 to 100, not {canary}")
    changed = deepcopy(dict(document))
    spec = changed["spec"] = changed.get("spec") or {}
    for field, value in (("hosts", wanted.all_hosts), ("gateways", list(wanted.gateways))):
        if value and not wanted.delegate:
            spec[field] = value
        else:
            spec.pop(field, None)
    routes = spec["http"] = spec.get("http") or []
    index = _index(routes, ROUTE)
    if index is None:
        routes.append({"name": ROUTE})
        index = len(routes) - 1
    route = {key: value for key, value in routes[index].items() if key not in _INSTEAD_OF_A_ROUTE}
    route["route"] = _destinations(route.get("route") or [], wanted)
    for share in route["route"]:
        share["weight"] = canary if share["destination"]["subset"] == CANARY else 100 - canary
    routes[index] = _mirrored(route, wanted, mirror)
    spec["http"] = _previewed(routes, wanted, preview)
    return changed


def read(document: Mapping[str, Any], wanted: Wanted) -> Reading:
    """What the VirtualService does with the traffic, whoever wrote it last."""
    spec = document.get("spec") or {}
    routes = spec.get("http") or []
    index = _index(routes, ROUTE)
    first = _index(routes, PREVIEW)
    if index is None:
        return Reading(weight=0, intact=False, reached=False, preview=first is not None)
    route = routes[index]
    shares = route.get("route") or []
    weights = [weight_of(share) for share in shares]
    intact = (
        (spec.get("hosts") or []) == ([] if wanted.delegate else wanted.all_hosts)
        and (spec.get("gateways") or []) == ([] if wanted.delegate else list(wanted.gateways))
        and _are_ours(shares, wanted)
        and not any(key in route for key in _INSTEAD_OF_A_ROUTE)
        and sums_up(weights)
        and (first is None or (first < index and _is_preview(routes[first], wanted)))
    )
    reached = not route.get("match") and not any(_takes_all(before) for before in routes[:index])
    canary = [(share.get("destination") or {}).get("subset") == CANARY for share in shares]
    return Reading(percent(weights, canary), intact, reached, preview=first is not None, mirror=_mirror(route, wanted))


def _index(routes: Sequence[Mapping[str, Any]], name: str) -> int | None:
    return next((index for index, route in enumerate(routes) if route.get("name") == name), None)


def _are_ours(shares: Sequence[Mapping[str, Any]], wanted: Wanted) -> bool:
    found = [share.get("destination") for share in shares]
    ours = [wanted.destination(STABLE), wanted.destination(CANARY)]
    return found in (ours, ours[::-1])


def _destinations(shares: list[dict[str, Any]], wanted: Wanted) -> list[dict[str, Any]]:
    """The shares as they are when they are ours, else our two anew; of a share that leads where ours does, what users added is kept."""
    if _are_ours(shares, wanted):
        return shares
    kept = {
        subset: next((share for share in shares if share.get("destination") == wanted.destination(subset)), {})
        for subset in (STABLE, CANARY)
    }
    return [{**share, "destination": wanted.destination(subset)} for subset, share in kept.items()]


def _previewed(routes: list[dict[str, Any]], wanted: Wanted, preview: bool) -> list[dict[str, Any]]:
    """The routes with the preview route, which treats its requests as the managed one does, or without it."""
    index = _index(routes, PREVIEW)
    others = [route for route in routes if route.get("name") != PREVIEW]
    if not preview or not wanted.preview:
        return others
    managed = next(route for route in others if route.get("name") == ROUTE)
    shared = {key: value for key, value in managed.items() if key not in _OF_THE_PREVIEW}
    route = {"name": PREVIEW, "match": deepcopy(list(wanted.preview)), "route": [{"destination": wanted.destination(CANARY)}], **shared}
    stays = index is not None and index <= others.index(managed)
    others.insert(index if stays and index is not None else 0, route)
    return others


def _is_preview(route: Mapping[str, Any], wanted: Wanted) -> bool:
    shares = route.get("route") or []
    leads = [share.get("destination") for share in shares] == [wanted.destination(CANARY)]
    return leads and list(route.get("match") or []) == list(wanted.preview) and not any(key in route for key in _INSTEAD_OF_A_ROUTE)


def _mirrored(route: dict[str, Any], wanted: Wanted, percentage: int) -> dict[str, Any]:
    """The route with our entry among its mirrors, or without it; the user's mirrors stay."""
    mirrors = [mirror for mirror in route.get("mirrors") or [] if mirror.get("destination") != wanted.destination(CANARY)]
    if percentage:
        if "mirror" in route:  # Istio refuses `mirror` beside `mirrors`; as the first of these it means the same
            share = {"percentage": route.pop("mirrorPercentage")} if "mirrorPercentage" in route else {}
            mirrors.insert(0, {"destination": route.pop("mirror"), **share})
        mirrors.append({"destination": wanted.destination(CANARY), "percentage": {"value": percentage}})
    if mirrors:
        route["mirrors"] = mirrors
    else:
        route.pop("mirrors", None)
    return route


def _mirror(route: Mapping[str, Any], wanted: Wanted) -> int:
    ours = (mirror for mirror in route.get("mirrors") or [] if mirror.get("destination") == wanted.destination(CANARY))
    shares = [(mirror.get("percentage") or {}).get("value", 100) for mirror in ours]
    # A share between 0 and 1 reads 1: 0 means nothing.
    return max((max(1, round(share)) if share > 0 else 0 for share in shares), default=0)


def _takes_all(route: Mapping[str, Any]) -> bool:
    """Istio drops every route after one that takes all: without a match, or with one that is empty or the prefix `/` alone."""
    conditions = route.get("match") or [{}]
    return any(
        {key: value for key, value in one.items() if key not in ("name", "ignoreUriCase")} in ({}, {"uri": {"prefix": "/"}})
        for one in conditions
    )
