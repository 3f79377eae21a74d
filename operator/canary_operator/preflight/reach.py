"""Whom an object of another namespace reaches: its own callers only, or callers elsewhere too.

Errors that block come only from objects that reach callers outside their own namespace, and that were there before ours. What a namespace
does to its own callers is a warning that names it, and the requests of these callers leave the evidence (docs/adr/0060).

Sources, istio/istio 1.30, pilot/pkg/model: in the mesh the first VirtualService of a host wins, those that are private to the caller's
namespace first, then those that are exported to it by name, then the public ones, each by age (`SelectVirtualServices` in
virtualservice.go, `sortConfigByCreationTime` in config.go); a DestinationRule of the caller's own namespace comes before all others, and one
with a `workloadSelector` holds in its own namespace only (`SetDestinationRules` in push_context.go).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.hosts import MESH, matches
from canary_operator.mesh.routes import names_delegate
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Facts
from canary_operator.preflight.reading import Document, Failed
from canary_operator.preflight.scope import (
    exported_to,
    full_host,
    gateways_of,
    is_exported_to,
    is_ours,
    namespace_of,
    spec_of,
)


def entrances(facts: Facts) -> frozenset[str]:
    """Namespaces of the gateways through which callers from elsewhere reach the Service: what holds there holds for all of them.

    Those that the release names, and those of VirtualServices of its own namespace: nobody else can add one.
    """
    named = {gateway.partition("/")[0] for gateway in reads.gateways(facts)}
    standing = {str(pod["metadata"]["namespace"]) for read in reads.gateway_pods(facts).values() for pod in facts.found(read) or ()}
    bound = {gateway.partition("/")[0] for document in _users_routes(facts) for gateway in gateways_of(document) if gateway != MESH}
    return frozenset(named | standing | bound) - {facts.namespace}


def rules_before_ours(facts: Facts) -> Iterator[Document]:
    """DestinationRules of other namespaces that callers there find before the one with our subsets."""
    for document in facts.destination_rules:
        namespace = namespace_of(document)
        host = full_host(str(spec_of(document).get("host")), namespace, facts)
        if namespace != facts.namespace and matches(facts.host, host) and _is_found_first(document, facts):
            yield document


def routes_before_ours(facts: Facts) -> Iterator[tuple[Document, frozenset[str]]]:
    """VirtualServices of other namespaces that callers in the mesh go by instead of ours, with the namespaces of these callers.

    A public one is not among them: it holds for everybody if it is older than ours, and for nobody if it is younger.
    """
    hosts = {full_host(host, facts.namespace, facts) for host in (facts.host, *facts.hosts)}
    for document in facts.virtual_services:
        namespace = namespace_of(document)
        targets = exported_to(document)
        if namespace == facts.namespace or targets is None or MESH not in gateways_of(document):
            continue
        if hosts & {full_host(host, namespace, facts) for host in spec_of(document).get("hosts") or ()}:
            yield document, targets


def left_out(facts: Facts) -> frozenset[str]:
    """Namespaces whose own objects keep the weights or the subsets from their callers: what these see says nothing of either version.

    Never the release's own, and never a gateway's.
    """
    hidden = {namespace_of(document) for document in rules_before_ours(facts)}
    led_elsewhere = {namespace for _, targets in routes_before_ours(facts) for namespace in targets}
    return frozenset(hidden | led_elsewhere) - entrances(facts) - {facts.namespace}


def callers_are_known(facts: Facts) -> bool:
    """Whether Prometheus answered who calls."""
    return not isinstance(facts.around.get(reads.telemetry(facts)), Failed)


def lacks_subsets(rule: Mapping[str, Any]) -> bool:
    """A route to our subsets is answered with 503 where this rule holds."""
    return not {STABLE, CANARY} <= {subset.get("name") for subset in spec_of(rule).get("subsets") or ()}


def is_taken_over(facts: Facts) -> bool:
    """Callers go by our VirtualService already, or by the user's: the operator's next write gives them no route that they do not have."""
    return bool(facts.attachments) or any(is_ours(document, facts) for document in facts.virtual_services)


def is_younger(document: Document, facts: Facts) -> bool:
    """Whether our VirtualService stands and comes first by age, as Istio sorts them: of one second the name decides."""
    ours = [each for each in facts.virtual_services if is_ours(each, facts)]
    return any(_age(each) < _age(document) for each in ours)


def gateways_reached(document: Document, shared: frozenset[str], facts: Facts) -> frozenset[str]:
    """Of these gateways those whose proxies see the VirtualService, and whose servers let its namespace in, as far as they are known."""
    known, pods = reads.gateways(facts), reads.gateway_pods(facts)
    found = set()
    for gateway in shared - {MESH}:
        home = gateway.partition("/")[0]
        standing = {str(pod["metadata"]["namespace"]) for pod in (facts.found(pods[gateway]) or () if gateway in pods else ())}
        seen = any(is_exported_to(document, namespace) for namespace in standing or {home})
        gateways = [each for each in facts.found(known[gateway]) or () if f"{home}/{each['metadata']['name']}" == gateway]
        if seen and all(_lets_in(each, home, namespace_of(document)) for each in gateways):
            found.add(gateway)
    return frozenset(found)


def _users_routes(facts: Facts) -> Iterator[Document]:
    """The user's VirtualServices of the release's namespace that lead to the managed routes."""
    attached = {each.virtual_service for each in facts.attachments}
    for document in facts.virtual_services:
        if namespace_of(document) != facts.namespace:
            continue
        if document["metadata"]["name"] in attached or (facts.delegate and names_delegate(document, facts.namespace, facts.release)):
            yield document


def _is_found_first(document: Document, facts: Facts) -> bool:
    """Whether its own namespace's clients find it before ours. In the root namespace that holds for rules private to it alone."""
    if namespace_of(document) != facts.root_namespace:
        return "workloadSelector" in spec_of(document) or is_exported_to(document, namespace_of(document))
    return list(spec_of(document).get("exportTo") or []) == ["."]


def _lets_in(gateway: Document, home: str, namespace: str) -> bool:
    """Whether some server of the Gateway takes VirtualServices of the namespace."""
    texts = [host for server in spec_of(gateway).get("servers") or () for host in server.get("hosts") or ()]
    allowed = [text.rpartition("/")[0] for text in texts]
    return any(where in ("", "*", namespace) or (where == "." and home == namespace) for where in allowed)


def _age(document: Document) -> tuple[str, str]:
    metadata = document["metadata"]
    return str(metadata.get("creationTimestamp") or ""), f"{metadata['name']}.{metadata['namespace']}"
