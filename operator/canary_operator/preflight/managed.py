"""Whether the routes that a user hands over are there, and fit: in an attached VirtualService, and under a root that delegates."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.hosts import MESH
from canary_operator.mesh.routes import chosen, http_of, names_delegate, subset_of
from canary_operator.preflight.facts import Attachment, Check, Facts
from canary_operator.preflight.finding import ROOT_MISSING, ROUTE_MISSING, ROUTE_NOT_HTTP, ROUTE_UNFIT, Finding
from canary_operator.preflight.ports import port_of
from canary_operator.preflight.scope import gateways_of, is_ours, namespace_of, rules_of_our_host, spec_of, title

LONGEST = 300
"""Characters of a list in a message."""


def attached_routes_exist(facts: Facts) -> Iterator[Finding]:
    """Weights can only be written into a VirtualService and an HTTP route that are there, and of which there is no doubt.

    It is told once the subsets are there: a route that names them before would answer 503.
    """
    for each in facts.attachments if _has_subsets(facts) else ():
        document = _attached(each, facts)
        if document is None:
            yield Finding(
                ROUTE_MISSING,
                f"VirtualService {facts.namespace}/{each.virtual_service} does not exist: create it with an http route to the subsets {STABLE} "
                f"and {CANARY} of {facts.host}, or correct spec.traffic.attach",
            )
            continue
        routes = http_of(document)
        if not routes and (spec_of(document).get("tls") or spec_of(document).get("tcp")):
            yield Finding(
                ROUTE_NOT_HTTP,
                f"{_title(document)} has TLS or TCP routes only. Their weights hold for whole connections, so no share of the requests can be "
                f"given or judged: attach a VirtualService whose http routes lead to {facts.host}",
            )
            continue
        names = [str(route.get("name") or "without a name") for route in routes]
        listed = ", ".join(names)[:LONGEST] or "none"
        for name, index in chosen(document, each.routes):
            if index is not None:
                continue
            if not name:
                yield Finding(
                    ROUTE_MISSING,
                    f"{_title(document)} has {len(routes)} http routes ({listed}): write the names of those that lead to {facts.host} into "
                    f"spec.traffic.attach[].routes",
                )
            elif names.count(name) > 1:
                yield Finding(ROUTE_MISSING, f"{_title(document)} has several http routes named {name}: give each a name of its own")
            else:
                yield Finding(
                    ROUTE_MISSING,
                    f"{_title(document)} has no http route named {name}, it has: {listed}. Write `name: {name}` into the route that is meant, "
                    f"or one of its names into spec.traffic.attach[].routes",
                )


def attached_routes_fit(facts: Facts) -> Iterator[Finding]:
    """Exactly the two subsets: a third destination would take requests that nobody compares."""
    for each in facts.attachments if _has_subsets(facts) else ():
        document = _attached(each, facts)
        if document is None:
            continue
        for name, index in chosen(document, each.routes):
            if index is None or _fits(http_of(document)[index], facts):
                continue
            port = f", port: {{number: {number}}}" if (number := _port_to_write(document, facts)) else ""
            lines = " and ".join(
                f"`- {{destination: {{host: {facts.host}, subset: {subset}{port}}}, weight: {weight}}}`"
                for subset, weight in ((STABLE, 100), (CANARY, 0))
            )
            yield Finding(
                ROUTE_UNFIT,
                f"{_title(document)}, route {name}, does not lead to the subsets {STABLE} and {CANARY} of {facts.host} alone, on one port: "
                f"write exactly these two lines under its `route:`, and leave the rest as it is: {lines}",
            )


def a_root_delegates(facts: Facts) -> Iterator[Finding]:
    """Without a root nothing leads to the delegate. It is told once the delegate is there: a root without its delegate answers 404."""
    there = any(is_ours(document, facts) for document in facts.virtual_services)
    if not facts.delegate or not there or any(names_delegate(each, facts.namespace, facts.release) for each in facts.virtual_services):
        return
    yield Finding(
        ROOT_MISSING,
        f"no VirtualService delegates to {facts.namespace}/{facts.release}: write "
        f"`- delegate: {{name: {facts.release}, namespace: {facts.namespace}}}` under `http:` of the one that has the hosts and gateways",
    )


CHECKS: tuple[Check, ...] = (attached_routes_exist, attached_routes_fit, a_root_delegates)


def _has_subsets(facts: Facts) -> bool:
    return any(
        {STABLE, CANARY} <= {subset.get("name") for subset in spec_of(rule).get("subsets") or []} for rule in rules_of_our_host(facts)
    )


def _attached(each: Attachment, facts: Facts) -> Mapping[str, Any] | None:
    mine = (document for document in facts.virtual_services if namespace_of(document) == facts.namespace)
    return next((document for document in mine if document["metadata"]["name"] == each.virtual_service), None)


def _fits(route: Mapping[str, Any], facts: Facts) -> bool:
    if any(key in route for key in ("redirect", "directResponse", "delegate")):
        return False
    subsets = [subset_of(share, facts.host, facts.namespace) for share in route.get("route") or []]
    ports = {str((share.get("destination") or {}).get("port") or {}) for share in route.get("route") or []}
    return sorted(map(str, subsets)) == sorted((STABLE, CANARY)) and len(ports) == 1


def _port_to_write(document: Mapping[str, Any], facts: Facts) -> int | None:
    """None: every port of the Service can keep its requests, since only the mesh reads the route, or there is but one."""
    if gateways_of(document) <= {MESH} or facts.service is None:
        return None
    return port_of(facts.service, facts.service_port)


def _title(document: Mapping[str, Any]) -> str:
    return title(document, "VirtualService")
