"""The VirtualService whose routes split the traffic: document in, document out.

Users may add to it what they like: routes before ours, timeouts, retries, faults, headers. Only `hosts`, `gateways`, `exportTo`, the destinations
of the routes of our names, the match of the one for the mesh, our entry in their `mirrors` and the preview routes are set. Field rules:
istio.io/latest/docs/reference/config/networking/virtual-service, and istio/istio 1.30 pkg/config/validation and
pilot/pkg/networking/core/route/route.go where the reference is silent.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from canary_operator.api.names import CANARY, MESH_ROUTE, PREVIEWS, ROUTE, ROUTES, STABLE
from canary_operator.traffic.mark import labels
from canary_operator.traffic.mirrors import mirror_of, mirrored, mirrors_are_right
from canary_operator.traffic.shares import Reading, percent, sums_up, weight_of
from canary_operator.traffic.wanted import Managed, Wanted

__all__ = ["Wanted", "owned", "read", "with_weights"]

_INSTEAD_OF_A_ROUTE = ("redirect", "directResponse", "delegate")
"""Istio refuses a route with destinations and one of these: left in, no write of ours could pass, not even one that takes traffic away."""
_OF_THE_PREVIEW = ("name", "match", "route", "mirror", "mirrors", "mirrorPercentage")
"""What a preview route does not share with the managed one."""
_Route = Mapping[str, Any]


def owned(release: str, namespace: str, wanted: Wanted, canary: int) -> dict[str, Any]:
    """A new VirtualService, named like the CanaryRelease that owns it and not yet marked.

    Args:
        release: name of the CanaryRelease.
        namespace: its namespace.
        wanted: hosts, gateways, exports and port.
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

    A missing route of ours is appended last, the one for the mesh put before the other. No route of the user's is moved: whether ours are
    reached is for `read` to say.

    Args:
        document: the VirtualService, with whatever users added.
        wanted: hosts, gateways, exports and port.
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
    if not _exported(spec, wanted):
        spec["exportTo"] = list(wanted.export_to)
    routes = _all_there(spec.get("http") or [], wanted)
    for managed in wanted.routes:
        index = _place(routes, managed.name)
        routes[index] = _weighted(routes[index], managed, canary, mirror)
    spec["http"] = _previewed(routes, wanted, preview)
    return changed


def read(document: Mapping[str, Any], wanted: Wanted) -> Reading:
    """What the VirtualService does with the traffic, whoever wrote it last."""
    spec = document.get("spec") or {}
    routes = spec.get("http") or []
    there = [(managed, index) for managed in wanted.routes if (index := _index(routes, managed.name)) is not None]
    weights = [_percent(routes[index]) for _, index in there]
    as_named = _named_as_wanted(spec, wanted)
    intact = (
        as_named
        and _exported(spec, wanted)
        and _in_order(routes, wanted)
        and len(set(weights)) == 1
        and len({mirror_of(routes[index], managed) for managed, index in there}) == 1
        and all(_is_right(routes[index], managed) for managed, index in there)
        and _previews_are_right(routes, wanted)
    )
    return Reading(
        weight=max(weights, default=0),
        intact=intact,
        reached=_index(routes, ROUTE) is not None and all(_is_reached(routes, managed, index) for managed, index in there),
        preview=any(route.get("name") in PREVIEWS for route in routes),
        mirror=max((mirror_of(routes[index], managed) for managed, index in there), default=0),
        former=not intact and as_named and _is_former(spec, wanted),
    )


# --------------------------------------------------------------------------------------------------------------------- the weighted routes


def _index(routes: Sequence[_Route], name: str) -> int | None:
    return next((index for index, route in enumerate(routes) if route.get("name") == name), None)


def _place(routes: Sequence[_Route], name: str) -> int:
    return next(index for index, route in enumerate(routes) if route.get("name") == name)


def _all_there(routes: Sequence[dict[str, Any]], wanted: Wanted) -> list[dict[str, Any]]:
    """The routes with all that are managed, in their order. A new one for the mesh begins as what its callers had until now."""
    names = [managed.name for managed in wanted.routes]
    found = [route for route in routes if route.get("name") not in ROUTES or route["name"] in names]
    main = _index(found, ROUTE)
    if main is None:
        main = len(found)
        found.append({"name": ROUTE})
    if MESH_ROUTE not in names:
        return found
    mesh = _index(found, MESH_ROUTE)
    if mesh is None:
        found.insert(main, {**deepcopy(found[main]), "name": MESH_ROUTE})
    elif mesh > main:
        found.insert(main, found.pop(mesh))
    return found


def _weighted(route: dict[str, Any], managed: Managed, canary: int, mirror: int) -> dict[str, Any]:
    route = {key: value for key, value in route.items() if key not in _INSTEAD_OF_A_ROUTE}
    if managed.matched:
        route["match"] = managed.matches()
    route["route"] = _destinations(route.get("route") or [], managed)
    for share in route["route"]:
        share["weight"] = canary if share["destination"]["subset"] == CANARY else 100 - canary
    return mirrored(route, managed, mirror)


def _destinations(shares: list[dict[str, Any]], managed: Managed) -> list[dict[str, Any]]:
    """The shares as they are when they are ours, else our two anew; of a share that leads to one of our subsets, what users added is kept."""
    if _are_ours(shares, managed):
        return shares
    kept = {subset: next((share for share in shares if _leads(share, managed, subset)), {}) for subset in (STABLE, CANARY)}
    return [{**share, "destination": managed.destination(subset)} for subset, share in kept.items()]


def _leads(share: Mapping[str, Any], managed: Managed, subset: str) -> bool:
    destination = share.get("destination") or {}
    return (destination.get("host"), destination.get("subset")) == (managed.host, subset)


def _are_ours(shares: Sequence[Mapping[str, Any]], managed: Managed) -> bool:
    found = [share.get("destination") for share in shares]
    ours = [managed.destination(STABLE), managed.destination(CANARY)]
    return found in (ours, ours[::-1])


def _percent(route: _Route) -> int:
    shares = route.get("route") or []
    return percent([weight_of(share) for share in shares], [(share.get("destination") or {}).get("subset") == CANARY for share in shares])


def _named_as_wanted(spec: Mapping[str, Any], wanted: Wanted) -> bool:
    """Hosts and gateways are the spec's."""
    return (spec.get("hosts") or []) == ([] if wanted.delegate else wanted.all_hosts) and (spec.get("gateways") or []) == (
        [] if wanted.delegate else list(wanted.gateways)
    )


def _exported(spec: Mapping[str, Any], wanted: Wanted) -> bool:
    return sorted(spec.get("exportTo") or ()) == sorted(wanted.export_to)


def _in_order(routes: Sequence[_Route], wanted: Wanted) -> bool:
    """All managed routes are there, each before the next, and no other of our names. Of two with one name Istio takes the first."""
    names = [managed.name for managed in wanted.routes]
    return list(dict.fromkeys(route["name"] for route in routes if route.get("name") in ROUTES)) == names


def _is_right(route: _Route, managed: Managed) -> bool:
    """It splits the requests as we would; whether others take them before is another question."""
    shares = route.get("route") or []
    return (
        _are_ours(shares, managed)
        and sums_up([weight_of(share) for share in shares])
        and not any(key in route for key in _INSTEAD_OF_A_ROUTE)
        and (not managed.matched or list(route.get("match") or []) == managed.matches())
        and mirrors_are_right(route, managed)
    )


def _is_reached(routes: Sequence[_Route], managed: Managed, index: int) -> bool:
    """Nothing before it takes all requests of some of its callers, and it has no match of the user's."""
    users = [] if managed.matched else routes[index].get("match") or []
    return not users and not any(_takes_all(before, managed) for before in routes[:index] if before.get("name") not in ROUTES)


def _takes_all(route: _Route, managed: Managed) -> bool:
    """Istio drops every route after one that takes all: without a match, or with one that is empty or the prefix `/` alone."""
    conditions = route.get("match") or [{}]
    return any(
        {key: value for key, value in one.items() if key not in ("name", "ignoreUriCase", "gateways")} in ({}, {"uri": {"prefix": "/"}})
        and managed.takes_from(one.get("gateways") or [])
        for one in conditions
    )


def _is_former(spec: Mapping[str, Any], wanted: Wanted) -> bool:
    """As versions of the operator up to 0.1 wrote it: one route for all proxies, which always names a port, and no exports."""
    routes = spec.get("http") or []
    managed = Managed(name=ROUTE, preview=PREVIEWS[-1], host=wanted.host, port=wanted.port, gateways=None)
    index = _index(routes, ROUTE)
    first = _index(routes, managed.preview)
    return (
        "exportTo" not in spec
        and index is not None
        and _is_right(routes[index], managed)
        and not any(route.get("name") in (ROUTES[0], PREVIEWS[0]) for route in routes)
        and (first is None or (first < index and _is_preview(routes[first], managed, wanted)))
    )


# --------------------------------------------------------------------------------------------------------------------- the preview routes


def _previewed(routes: list[dict[str, Any]], wanted: Wanted, preview: bool) -> list[dict[str, Any]]:
    """The routes with those of the preview, which treat their requests as the managed ones do, or without them."""
    index = next((index for index, route in enumerate(routes) if route.get("name") in PREVIEWS), None)
    others = [route for route in routes if route.get("name") not in PREVIEWS]
    if not preview or not wanted.preview:
        return others
    stays = index is not None and index <= _place(others, wanted.routes[0].name)
    at = index if stays and index is not None else 0
    return [*others[:at], *(_preview(others, managed, wanted) for managed in wanted.routes), *others[at:]]


def _preview(routes: Sequence[_Route], managed: Managed, wanted: Wanted) -> dict[str, Any]:
    route = routes[_place(routes, managed.name)]
    shared = {key: value for key, value in route.items() if key not in _OF_THE_PREVIEW}
    return {
        "name": managed.preview,
        "match": deepcopy(managed.matches(wanted.preview)),
        "route": [{"destination": managed.destination(CANARY)}],
        **shared,
    }


def _previews_are_right(routes: Sequence[_Route], wanted: Wanted) -> bool:
    """None, or one before all managed routes for each of them, in their order."""
    names = [route.get("name") for route in routes if route.get("name") in PREVIEWS]
    if not names:
        return True
    places = [(managed, _index(routes, managed.preview)) for managed in wanted.routes]
    first = _index(routes, wanted.routes[0].name)
    return names == [managed.preview for managed in wanted.routes] and all(
        place is not None and first is not None and place < first and _is_preview(routes[place], managed, wanted)
        for managed, place in places
    )


def _is_preview(route: _Route, managed: Managed, wanted: Wanted) -> bool:
    leads = [share.get("destination") for share in route.get("route") or []] == [managed.destination(CANARY)]
    matches = list(route.get("match") or []) == managed.matches(wanted.preview)
    return leads and matches and not any(key in route for key in _INSTEAD_OF_A_ROUTE)
