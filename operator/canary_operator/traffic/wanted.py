"""What the spec of a CanaryRelease makes of its VirtualService: hosts, gateways, exports, and the routes that carry the weights.

A sidecar knows which port its caller asked for, and keeps it where a route names none; so every port of the Service is answered by its own
server. A gateway knows only its own listener's port, so there the route names the Service's. Where both kinds of proxies read one
VirtualService it has two such routes, always with the same weights. Source: `GetDestinationCluster` and `sourceMatchHTTP` in istio/istio 1.30
pilot/pkg/networking/core/route/route.go; a waypoint reads the routes of `mesh` (pilot/pkg/networking/core/listener_waypoint.go).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import MESH_PREVIEW, MESH_ROUTE, PREVIEW, ROUTE
from canary_operator.mesh.hosts import MESH, expand


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One of the routes that carry the weights."""

    name: str
    """Of the route."""
    preview: str
    """Name of the route for requests that always see the canary."""
    host: str
    """Full name of the Service."""
    port: int | None
    """The Service's port to which its requests go; None: the one that the caller asked for."""
    gateways: frozenset[str] | None
    """Whose requests it takes, as the VirtualService names them; None: any gateway but `mesh`."""
    matched: bool = False
    """It says so in a match, since another managed route follows."""

    def destination(self, subset: str) -> dict[str, Any]:
        """Where one of the two shares goes."""
        port = {} if self.port is None else {"port": {"number": self.port}}
        return {"host": self.host, "subset": subset, **port}

    def matches(self, conditions: tuple[Mapping[str, Any], ...] = ({},)) -> list[dict[str, Any]]:
        """These conditions, for its own callers only. Empty: it needs none."""
        own = {"gateways": [MESH]} if self.matched else {}
        return [found for each in conditions if (found := {**each, **own})]

    def takes_from(self, gateways: list[str]) -> bool:
        """Whether a route for these gateways, before it, takes some of its requests. None named: of everybody."""
        if not gateways:
            return True
        return bool(self.gateways & set(gateways)) if self.gateways is not None else any(each != MESH for each in gateways)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the spec of a CanaryRelease makes of its VirtualService, weights aside."""

    host: str
    """Full name of the Service."""
    port: int
    """Port of the Service that gateways send to."""
    hosts: tuple[str, ...] = ()
    """Further hosts that lead to it, as the user wrote them."""
    gateways: tuple[str, ...] = ()
    """Exactly what the user wrote; none: the mesh alone."""
    delegate: bool = False
    """A user's root decides on hosts and gateways: this VirtualService names neither."""
    preview: tuple[Mapping[str, Any], ...] = ()
    """The matches of the preview route, as Istio writes them."""
    export_to: tuple[str, ...] = ("*",)
    """The namespaces whose proxies see it, as Istio writes them."""

    @property
    def all_hosts(self) -> list[str]:
        """The Service's own name, then the user's. A short name becomes a full one, and none stands twice, which Istio would refuse."""
        namespace, _, domain = self.host.partition(".")[2].partition(".svc.")
        return list(dict.fromkeys([self.host, *(expand(host, namespace, domain) for host in self.hosts)]))

    @property
    def routes(self) -> tuple[Managed, ...]:
        """The routes that carry the weights, in their order; the last is always named `ROUTE`.

        A delegate has both, whatever its root is bound to: that may change at any time, and is nothing that this VirtualService says.
        """
        inside = self.delegate or MESH in (self.gateways or (MESH,))
        outside = frozenset(self.gateways) - {MESH}
        main = Managed(name=ROUTE, preview=PREVIEW, host=self.host, port=self.port, gateways=None if self.delegate else outside)
        if not outside and not self.delegate:
            return (Managed(name=ROUTE, preview=PREVIEW, host=self.host, port=None, gateways=frozenset({MESH})),)
        if not inside:
            return (main,)
        mesh = Managed(name=MESH_ROUTE, preview=MESH_PREVIEW, host=self.host, port=None, gateways=frozenset({MESH}), matched=True)
        return mesh, main
