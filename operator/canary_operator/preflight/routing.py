"""Whether the host is free: no other VirtualService rules it, none sends past the subsets."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, PREVIEWS, ROUTE, ROUTES, STABLE
from canary_operator.mesh.hosts import MESH, matches
from canary_operator.mesh.routes import chosen
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import (
    HOST_COVERED,
    HOST_TAKEN,
    NAME_TAKEN,
    ROUTE_BYPASSES_SUBSETS,
    ROUTE_NOT_MANAGED,
    SUBSET_MISSING,
    Finding,
    Severity,
)
from canary_operator.preflight.reach import gateways_reached, is_younger
from canary_operator.preflight.scope import (
    exported_to,
    full_gateway,
    full_host,
    gateways_of,
    is_at_our_name,
    is_exported_to,
    is_ours,
    namespace_of,
    owner_of,
    placed_destinations,
    route_name,
    rules_of_our_host,
    spec_of,
    title,
)


def name_is_free(facts: Facts) -> Iterator[Finding]:
    """The operator never takes over a VirtualService that it did not create."""
    for document in facts.virtual_services:
        if is_at_our_name(document, facts) and not is_ours(document, facts) and not facts.attachments:
            yield Finding(
                NAME_TAKEN,
                f"{_title(document)} has the name that the operator's own would have, and is not its own: "
                f"delete it, or rename it if it rules other hosts than {facts.host}",
            )


def host_is_free(facts: Facts) -> Iterator[Finding]:
    """In the mesh Istio uses only the oldest VirtualService of a host; in a gateway it mixes the routes of all of them.

    Exact hosts win over wildcards, so only the same host collides (`separateVSHostsAndServices`, pilot/pkg/networking/core/route/route.go).
    One of another namespace blocks only if it was there before ours and reaches callers elsewhere (`_effect`).
    """
    for document in _others(facts):
        shared, taken = _shared_gateways(document, facts), sorted(_hosts(document, facts) & _our_hosts(facts))
        if not shared or not taken or _yields_to_us(document, facts):
            continue
        effect = _effect(document, shared, facts)
        if effect is None:
            continue
        blocks, why = effect
        where = " and ".join("the mesh" if gateway == MESH else f"gateway {gateway}" for gateway in sorted(shared))
        yield Finding(
            HOST_TAKEN,
            f"{_title(document)} rules {', '.join(taken)} in {where}: delete it; routes that are still needed go before the route "
            f"{ROUTE} of VirtualService {facts.namespace}/{facts.release}, which the operator creates then. {why}",
            Severity.ERROR if blocks else Severity.WARNING,
        )


_OLDEST = "Istio uses only the oldest VirtualService of a host in the mesh, and mixes them in a gateway"


def _effect(document: Mapping[str, Any], shared: frozenset[str], facts: Facts) -> tuple[bool, str] | None:
    """Whether another VirtualService of our host blocks, and what it does; None: no caller of ours sees it."""
    namespace, targets = namespace_of(document), exported_to(document)
    if namespace == facts.namespace:
        return True, _OLDEST
    elsewhere = None if targets is None else targets - {namespace}
    gates, in_mesh = gateways_reached(document, shared, facts), MESH in shared
    if not gates and not in_mesh:
        return None
    own = "Its callers never see the canary, and their requests are left out of the evidence"
    if not gates and elsewhere == frozenset():
        return False, own
    if is_younger(document, facts):
        if in_mesh and elsewhere:
            return (
                False,
                f"Callers in {', '.join(sorted(elsewhere))} go by it: the weights do not hold for them, and their requests are left out",
            )
        return False, f"It is younger than VirtualService {facts.namespace}/{facts.release}, which comes first"
    callers = reads.callers(facts)
    if not gates and elsewhere is not None and callers is not None and not elsewhere & callers:
        return False, f"No caller is known in {', '.join(sorted(elsewhere))}, where it holds"
    return True, _OLDEST


def host_is_not_covered(facts: Facts) -> Iterator[Finding]:
    """Being more specific, our VirtualService takes the host away from one with a wildcard, and with it all that one says about it."""
    for document in _others(facts):
        wider = _hosts(document, facts) - _our_hosts(facts)
        covered = sorted({host for host in _our_hosts(facts) for pattern in wider if matches(host, pattern)})
        if covered and _shared_gateways(document, facts) and is_exported_to(document, facts.namespace):
            yield Finding(
                HOST_COVERED,
                f"{_title(document)} no longer rules {', '.join(covered)}, for its wildcard is less specific: "
                f"write what it does for that host into VirtualService {facts.namespace}/{facts.release} too",
                Severity.WARNING,
            )


def no_route_bypasses_subsets(facts: Facts) -> Iterator[Finding]:
    """A destination without a subset goes to the pods of all versions, one with a subset ignores the weight."""
    for document, where, named in _unmanaged(facts):
        if named == STABLE:
            yield Finding(
                ROUTE_NOT_MANAGED,
                f"{_title(document)}, {where}, sends to the subset `{STABLE}` of {facts.host} beside the weights: its requests never meet the "
                "canary, count as stable's when the two are compared, and move to the new version all at once when that is stable: "
                f"let {_instead(facts)}",
                Severity.WARNING,
            )
            continue
        subset = f"the subset `{named}`" if named else "all versions"
        yield Finding(
            ROUTE_BYPASSES_SUBSETS,
            f"{_title(document)}, {where}, sends to {subset} of {facts.host} whatever the weights are: "
            f"let {_instead(facts)}; or write `subset: {STABLE}` into that destination, and its requests meet the new version only when that is "
            "stable, all at once",
            Severity.WARNING,
        )


def unmanaged_subsets(facts: Facts) -> frozenset[str | None]:
    """The subsets that routes of others send to beside the managed ones, so that no weight holds for their requests; None: all versions."""
    return frozenset(named for _, _, named in _unmanaged(facts))


def _unmanaged(facts: Facts) -> Iterator[tuple[Mapping[str, Any], str, str | None]]:
    """VirtualService, route and subset (None: all versions) of each destination of our host that no weight holds for."""
    for document in facts.virtual_services:
        at_our_name = is_at_our_name(document, facts) and not facts.attachments
        if not is_ours(document, facts) and (at_our_name or _takes_our_host(document, facts)):
            continue
        for where, destination in placed_destinations(document):
            if full_host(str(destination.get("host")), namespace_of(document), facts) != facts.host:
                continue
            subset = destination.get("subset") or None
            # A subset that does not exist is told by `subsets_exist`.
            if where not in _managed(document, facts) and (subset is None or subset in _subsets(facts)):
                yield document, where, subset


def subsets_exist(facts: Facts) -> Iterator[Finding]:
    """A route to a subset that no DestinationRule has is answered with 503, now as during a release: of another namespace's that is told only."""
    known = _subsets(facts)
    for document in facts.virtual_services:
        for where, destination in placed_destinations(document):
            subset = destination.get("subset")
            if not subset or subset in known or full_host(str(destination.get("host")), namespace_of(document), facts) != facts.host:
                continue
            yield Finding(
                SUBSET_MISSING,
                f"{_title(document)}, {where}, sends to the subset {subset} of {facts.host}, which no DestinationRule has, so its requests "
                f"get 503: write `subset: {STABLE}` into that destination, or add the subset {subset} to the DestinationRule of {facts.host}",
                Severity.ERROR if namespace_of(document) == facts.namespace else Severity.WARNING,
            )


CHECKS: tuple[Check, ...] = (name_is_free, host_is_free, host_is_not_covered, no_route_bypasses_subsets, subsets_exist)


def _title(document: Mapping[str, Any]) -> str:
    return title(document, "VirtualService")


def _others(facts: Facts) -> Iterator[Mapping[str, Any]]:
    return (document for document in facts.virtual_services if not is_at_our_name(document, facts))


def _managed(document: Mapping[str, Any], facts: Facts) -> set[str]:
    """The routes of a VirtualService that the operator moves, as `_destinations` calls them."""
    if not facts.attachments:
        return {route_name(name) for name in (*ROUTES, *PREVIEWS)} if is_ours(document, facts) else set()
    mine = (
        each
        for each in facts.attachments
        if (facts.namespace, each.virtual_service) == (namespace_of(document), document["metadata"]["name"])
    )
    return {
        route_name(name) if "[" not in name else name for each in mine for name, index in chosen(document, each.routes) if index is not None
    }


def _instead(facts: Facts) -> str:
    return "spec.traffic.attach name the route" if facts.attachments else "the host come here by spec.traffic.owned.hosts and gateways"


def _our_hosts(facts: Facts) -> set[str]:
    """The hosts that the operator's own VirtualService has. None where the user's decide on the hosts."""
    if facts.attachments or facts.delegate:
        return set()
    return {full_host(host, facts.namespace, facts) for host in (facts.host, *facts.hosts)}


def _hosts(document: Mapping[str, Any], facts: Facts) -> set[str]:
    return {full_host(host, namespace_of(document), facts) for host in spec_of(document).get("hosts") or []}


def _shared_gateways(document: Mapping[str, Any], facts: Facts) -> frozenset[str]:
    return gateways_of(document) & {full_gateway(gateway, facts.namespace) for gateway in facts.gateways or (MESH,)}


def _takes_our_host(document: Mapping[str, Any], facts: Facts) -> bool:
    return bool(_shared_gateways(document, facts) and _hosts(document, facts) & _our_hosts(facts))


def _yields_to_us(document: Mapping[str, Any], facts: Facts) -> bool:
    """It belongs to a newer CanaryRelease, which is the one to be blocked: of two that want one route the older works."""
    owner = (namespace_of(document), owner_of(document))
    return any((peer.namespace, peer.name) == owner and facts.is_older_than(peer) for peer in facts.releases)


def _subsets(facts: Facts) -> set[Any]:
    """The subsets that routes to the host may name: those of its DestinationRules, and the two that the operator adds."""
    return {subset.get("name") for rule in rules_of_our_host(facts) for subset in spec_of(rule).get("subsets") or []} | {STABLE, CANARY}
