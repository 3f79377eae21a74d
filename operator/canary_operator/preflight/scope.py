"""Whom a rule of Istio's holds for: its hosts, its gateways, the namespaces it is exported to.

Source: `resolveGatewayName` in istio/istio 1.30 pilot/pkg/model/virtualservice.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import OWNER
from canary_operator.mesh.hosts import MESH, expand, matches
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.preflight.facts import Facts


def spec_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec; an object without one says nothing."""
    return document.get("spec") or {}


def namespace_of(document: Mapping[str, Any]) -> str:
    """The namespace that short names in the object are read in."""
    return str(document["metadata"]["namespace"])


def title(document: Mapping[str, Any], kind: str) -> str:
    """What a message calls the object."""
    return f"{kind} {namespace_of(document)}/{document['metadata']['name']}"


def is_at_our_name(document: Mapping[str, Any], facts: Facts) -> bool:
    """It stands where the operator would put its own."""
    return (namespace_of(document), document["metadata"]["name"]) == (facts.namespace, facts.release)


def owner_of(document: Mapping[str, Any]) -> str | None:
    """Name of the CanaryRelease, in the same namespace, that the object belongs to; None: nobody's but the user's."""
    owner = (document["metadata"].get("labels") or {}).get(OWNER)
    return owner if isinstance(owner, str) else None


def is_ours(document: Mapping[str, Any], facts: Facts) -> bool:
    """It is the one object of its kind that belongs to the CanaryRelease, or was left behind by one of its name."""
    return is_at_our_name(document, facts) and (owner_of(document) == facts.release or is_left_behind(document, facts.host))


def full_host(host: str, namespace: str, facts: Facts) -> str:
    """The host as Istio reads it in a rule of the namespace: only a name without dots is expanded."""
    return expand(host, namespace, facts.domain)


def full_gateway(gateway: str, namespace: str) -> str:
    """`namespace/name` of a gateway named in a rule of the namespace, or `mesh`."""
    if gateway == MESH:
        return MESH
    if "/" in gateway:
        where, _, name = gateway.partition("/")
        return f"{namespace if where == '.' else where}/{name}"
    name, _, rest = gateway.partition(".")  # The old spelling is a host name, gateway.namespace.svc.cluster.local.
    return f"{rest.partition('.')[0] or namespace}/{name}"


def rules_of_our_host(facts: Facts) -> list[Mapping[str, Any]]:
    """The DestinationRules of the very host in our namespace that callers of all namespaces go by, ours and the user's.

    One with a `workloadSelector` is none of them: it holds for some callers of its own namespace (`rules_for_some`).
    """
    return [each for each in _rules_here(facts) if "workloadSelector" not in spec_of(each) and _host_of(each, facts) == facts.host]


def rules_for_some(facts: Facts) -> list[Mapping[str, Any]]:
    """The DestinationRules of our namespace for the host, wildcards included, that hold for the workloads of their selector only."""
    return [each for each in _rules_here(facts) if "workloadSelector" in spec_of(each) and matches(facts.host, _host_of(each, facts))]


def _rules_here(facts: Facts) -> list[Mapping[str, Any]]:
    return [document for document in facts.destination_rules if namespace_of(document) == facts.namespace]


def _host_of(document: Mapping[str, Any], facts: Facts) -> str:
    return full_host(str(spec_of(document).get("host")), namespace_of(document), facts)


def gateways_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The gateways that a VirtualService is bound to; the mesh when it names none."""
    return frozenset(full_gateway(gateway, namespace_of(document)) for gateway in spec_of(document).get("gateways") or [MESH])


def is_exported_to(document: Mapping[str, Any], namespace: str) -> bool:
    """Whether clients in the namespace see the rule; without `exportTo` all do, as in a mesh with default settings."""
    targets = spec_of(document).get("exportTo") or ["*"]
    return "*" in targets or namespace in targets or ("." in targets and namespace_of(document) == namespace)


def destinations(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every destination of real traffic of a VirtualService; mirrors carry copies only."""
    return (destination for _, destination in placed_destinations(document))


def placed_destinations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The same with the place where each stands, as a message calls it."""
    for protocol in ("http", "tls", "tcp"):
        for index, route in enumerate(spec_of(document).get(protocol) or []):
            where = route_name(route["name"]) if route.get("name") else f"{protocol}[{index}]"
            for share in route.get("route") or []:
                yield where, share.get("destination") or {}


def route_name(name: str) -> str:
    """What a message calls a route that has a name."""
    return f"route {name}"


def exported_to(document: Mapping[str, Any]) -> frozenset[str] | None:
    """The namespaces whose clients see the rule; None: all do."""
    targets = spec_of(document).get("exportTo") or ["*"]
    if "*" in targets:
        return None
    return frozenset(namespace_of(document) if target == "." else str(target) for target in targets) - {"~"}
