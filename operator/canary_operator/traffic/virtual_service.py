"""The VirtualService whose one route splits the traffic: document in, document out.

Users may add to it what they like: routes before ours, timeouts, retries, faults, headers. Only `hosts`, `gateways` and the destinations of
the route of our name are set. Field rules: istio.io/latest/docs/reference/config/networking/virtual-service, and istio/istio 1.30
pkg/config/validation and pilot/pkg/networking/core/route/route.go where the reference is silent.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import CANARY, ROUTE, STABLE
from canary_operator.mesh.hosts import expand
from canary_operator.traffic.mark import labels

_INSTEAD_OF_A_ROUTE = ("redirect", "directResponse", "delegate")
"""Istio refuses a route with destinations and one of these: left in, no write of ours could pass, not even one that takes traffic away."""


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

    @property
    def all_hosts(self) -> list[str]:
        """The Service's own name, then the user's. A short name becomes a full one, and none stands twice, which Istio would refuse."""
        namespace, _, domain = self.host.partition(".")[2].partition(".svc.")
        return list(dict.fromkeys([self.host, *(expand(host, namespace, domain) for host in self.hosts)]))

    def destination(self, subset: str) -> dict[str, Any]:
        """Where one of the two shares goes."""
        return {"host": self.host, "subset": subset, "port": {"number": self.port}}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a VirtualService of ours really does."""

    weight: int
    """The canary's share in the route of our name, percent. A share between 0 and 1 reads 1 and one between 99 and 100 reads 99, so that 0
    and 100 always mean nothing and everything; 0 when the route is missing."""
    intact: bool
    """Hosts, gateways, destinations and port are as wanted, and the weights are integers that sum to 100."""
    reached: bool
    """Every request that no earlier match took comes to the route of our name: nothing before it takes all, and it has no match itself."""


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


def with_weights(document: Mapping[str, Any], wanted: Wanted, canary: int) -> dict[str, Any]:
    """Our VirtualService as it stands, with the canary at this weight and stable at the rest; doing it twice is doing it once.

    A missing route of ours is appended last. No route is moved: whether ours is reached is for `read` to say.

    Args:
        document: the VirtualService, with whatever users added.
        wanted: hosts, gateways and port.
        canary: percent, 0 to 100.

    Raises:
        ValueError: the weight is out of range, which is a mistake of the caller.
    """
    if not 0 <= canary <= 100:
        raise ValueError(f"a weight is a percentage from 0 to 100, not {canary}")
    changed = deepcopy(dict(document))
    spec = changed["spec"] = changed.get("spec") or {}
    spec["hosts"] = wanted.all_hosts
    if wanted.gateways:
        spec["gateways"] = list(wanted.gateways)
    else:
        spec.pop("gateways", None)
    routes = spec["http"] = spec.get("http") or []
    index = _index(routes)
    if index is None:
        routes.append({"name": ROUTE})
        index = len(routes) - 1
    route = {key: value for key, value in routes[index].items() if key not in _INSTEAD_OF_A_ROUTE}
    route["route"] = _destinations(route.get("route") or [], wanted)
    for share in route["route"]:
        share["weight"] = canary if share["destination"]["subset"] == CANARY else 100 - canary
    routes[index] = route
    return changed


def read(document: Mapping[str, Any], wanted: Wanted) -> Reading:
    """What the VirtualService does with the traffic, whoever wrote it last."""
    spec = document.get("spec") or {}
    routes = spec.get("http") or []
    index = _index(routes)
    if index is None:
        return Reading(weight=0, intact=False, reached=False)
    route = routes[index]
    shares = route.get("route") or []
    weights = [_weight(share) for share in shares]
    intact = (
        spec.get("hosts") == wanted.all_hosts
        and (spec.get("gateways") or []) == list(wanted.gateways)
        and _are_ours(shares, wanted)
        and not any(key in route for key in _INSTEAD_OF_A_ROUTE)
        and sum(weights) == 100
        and min(weights) >= 0
    )
    reached = not route.get("match") and not any(_takes_all(before) for before in routes[:index])
    return Reading(_canary_share(shares, weights), intact, reached)


def _index(routes: Sequence[Mapping[str, Any]]) -> int | None:
    return next((index for index, route in enumerate(routes) if route.get("name") == ROUTE), None)


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


def _weight(share: Mapping[str, Any]) -> int:
    # A weight left out is 0, not an equal share.
    weight = share.get("weight")
    return weight if isinstance(weight, int) else 0


def _canary_share(shares: Sequence[Mapping[str, Any]], weights: Sequence[int]) -> int:
    """Percent; of a single destination Istio ignores the weight, and of several it takes weight over sum."""
    canary = [(share.get("destination") or {}).get("subset") == CANARY for share in shares]
    if len(shares) == 1:
        return 100 if canary[0] else 0
    part, whole = sum(weight for weight, ours in zip(weights, canary, strict=True) if ours), sum(weights)
    if part <= 0:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))


def _takes_all(route: Mapping[str, Any]) -> bool:
    """Istio drops every route after one that takes all: without a match, or with one that is empty or the prefix `/` alone."""
    conditions = route.get("match") or [{}]
    return any(
        {key: value for key, value in one.items() if key not in ("name", "ignoreUriCase")} in ({}, {"uri": {"prefix": "/"}})
        for one in conditions
    )
