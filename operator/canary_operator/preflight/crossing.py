"""Whether requests to one port of a Service are answered by another port's server, in routes that are not the operator's own.

Istio takes the port that a destination names, for whatever port the caller asked; without one a sidecar takes the caller's and a gateway its
own listener's (`GetDestinationCluster` in istio/istio 1.30 pilot/pkg/networking/core/route/route.go). What a root says of its delegates:
`mergeHTTPMatchRequests` in pilot/pkg/model/virtualservice.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canary_operator.mesh.hosts import MESH
from canary_operator.mesh.routes import chosen, http_of, names_delegate, subset_of
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import PORTS_CROSSED, Finding, Severity
from canary_operator.preflight.ports import port_of, requests_ports
from canary_operator.preflight.scope import gateways_of, namespace_of, spec_of, title

Route = Mapping[str, Any]


def attached_routes_keep_the_ports(facts: Facts) -> Iterator[Finding]:
    """The user's route is as it was before; what it does to other ports is told, and changed by nobody else."""
    ports = [entry["port"] for entry in requests_ports(facts)]
    if len(ports) < 2:
        return
    for each in facts.attachments:
        mine = (document for document in facts.virtual_services if namespace_of(document) == facts.namespace)
        for document in mine:
            if document["metadata"]["name"] != each.virtual_service:
                continue
            for name, index in chosen(document, each.routes):
                if index is not None:
                    yield from _keeps_the_ports(document, name, http_of(document)[index], ports, facts)


def roots_keep_the_ports(facts: Facts) -> Iterator[Finding]:
    """Under some matches of a root Istio drops the delegate's route for the mesh silently; what is left sends everything to one port."""
    ports = [entry["port"] for entry in requests_ports(facts)]
    port = port_of(facts.service, facts.service_port) if facts.service else None
    if not facts.delegate or len(ports) < 2:
        return
    for root in facts.virtual_services:
        if not names_delegate(root, facts.namespace, facts.release) or MESH not in gateways_of(root):
            continue
        for index, route in enumerate(http_of(root)):
            delegate = route.get("delegate") or {}
            if (delegate.get("namespace") or namespace_of(root), delegate.get("name")) != (facts.namespace, facts.release):
                continue
            fields = " and ".join(
                sorted({each for one in route.get("match") or () if _reaches_mesh(one) for each in _DROPPED if one.get(each)})
            )
            crossed = ", ".join(str(each) for each in ports if each != port)
            if fields:
                where = f"{title(root, 'VirtualService')}, route {route.get('name') or f'http[{index}]'},"
                yield Finding(
                    PORTS_CROSSED,
                    f"{where} has {fields} in the match before its delegate, under which Istio drops every route of a delegate that has a match of "
                    f"its own. Requests in the mesh to port {crossed} of {facts.host} would be answered by port {port}: take {fields} out of the "
                    "match, or give the other ports a Service of their own",
                )


def sidecars_tell_the_port(facts: Facts) -> Iterator[Finding]:
    """A listener that is an HTTP proxy, or a Unix socket, tells Istio no port; a route that names none leads nowhere then."""
    if facts.attachments or not facts.is_in_mesh or len(requests_ports(facts)) < 2:
        return
    for read in reads.sidecars(facts).values():
        for sidecar in facts.found(read) or ():
            listeners = [each for each in spec_of(sidecar).get("egress") or () if _tells_no_port(each)]
            if listeners:
                yield Finding(
                    PORTS_CROSSED,
                    f"{title(sidecar, 'Sidecar')} has an egress listener that is an HTTP proxy or a Unix socket, and for its callers Istio finds "
                    f"no port of {facts.host}, which has several: they would get 503. Give it a listener for each port, leave `port` and `bind` "
                    "out of it, or write a VirtualService that names the port and attach it (spec.traffic.attach)",
                )


CHECKS: tuple[Check, ...] = (attached_routes_keep_the_ports, roots_keep_the_ports, sidecars_tell_the_port)

_DROPPED = ("sourceNamespace", "ignoreUriCase")
"""Fields of a root's match that a delegate's match must have too, or it is in conflict (`hasConflict`)."""


def _tells_no_port(listener: Mapping[str, Any]) -> bool:
    """`BuildSidecarOutboundVirtualHosts` in pilot/pkg/networking/core/httproute.go."""
    return str((listener.get("port") or {}).get("protocol", "")).upper() == "HTTP_PROXY" or str(listener.get("bind", "")).startswith(
        "unix://"
    )


def _reaches_mesh(condition: Route) -> bool:
    return not condition.get("gateways") or MESH in condition["gateways"]


def _keeps_the_ports(document: Route, name: str, route: Route, ports: Sequence[int], facts: Facts) -> Iterator[Finding]:
    named = {
        ((share.get("destination") or {}).get("port") or {}).get("number")
        for share in route.get("route") or ()
        if subset_of(share, facts.host, facts.namespace) is not None
    }
    if len(named) != 1:
        return  # told by `attached_routes_fit`
    (port,) = named
    where, conditions, bound = f"{title(document, 'VirtualService')}, route {name},", route.get("match") or [{}], gateways_of(document)
    inside = [one for one in conditions if MESH in bound and _reaches_mesh(one)]
    asked = {number for one in inside for number in ([one["port"]] if one.get("port") else ports)}
    crossed = sorted(number for number in asked & set(ports) if port not in (None, number))
    if crossed:
        yield Finding(
            PORTS_CROSSED,
            f"{where} sends requests to port {', '.join(map(str, crossed))} of {facts.host} to port {port}, whose server answers them: leave "
            f"`port: {{number: {port}}}` out of its destinations, and in the mesh every request keeps its port; a gateway needs a route of its own, "
            f"with the port and before it, matched by `match: [{{gateways: [NAME]}}]`",
            Severity.WARNING,
        )
    outside = [one for one in conditions if (set(one.get("gateways") or bound) - {MESH})]
    if port is None and bound - {MESH} and outside:
        yield Finding(
            PORTS_CROSSED,
            f"{where} names no port of {facts.host}, which has several, so a gateway takes its own listener's port, and answers 503 unless the "
            f"Service has that too: write `port: {{number: {port_of(facts.service or {}, facts.service_port) or ports[0]}}}` into its destinations; "
            "callers in the mesh need a route of their own, without the port and before it, matched by `match: [{gateways: [mesh]}]`",
            Severity.WARNING,
        )
