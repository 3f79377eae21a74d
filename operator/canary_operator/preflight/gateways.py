"""Whether the gateways that the spec names serve its hosts, and whether anybody comes another way."""

from collections.abc import Iterator

from canary_operator.mesh.hosts import MESH, matches
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import (
    GATEWAY_HOST_MISSING,
    GATEWAY_MISSING,
    GATEWAY_UNUSED,
    GATEWAY_WITHOUT_PODS,
    MESH_BYPASSED,
    Finding,
    Severity,
)
from canary_operator.preflight.reading import Document
from canary_operator.preflight.scope import full_gateway, is_ours, spec_of


def exist(facts: Facts) -> Iterator[Finding]:
    """A gateway that does not exist serves nobody, and Istio says nothing of it."""
    for gateway, read in reads.gateways(facts).items():
        known = facts.found(read)
        if known is not None and _named(gateway, known) is None:
            namespace = gateway.partition("/")[0]
            there = ", ".join(sorted(f"{namespace}/{each['metadata']['name']}" for each in known))
            instead = (
                f"write one of {there} into spec.traffic.owned.gateways" if there else "create it, or correct spec.traffic.owned.gateways"
            )
            yield Finding(GATEWAY_MISSING, f"Gateway {gateway} does not exist: {instead}")


def serve_our_hosts(facts: Facts) -> Iterator[Finding]:
    """A host of ours that none of a gateway's servers names is answered with 404 there."""
    for gateway, document in _known(facts):
        namespace = gateway.partition("/")[0]
        servers = [host for server in spec_of(document).get("servers") or () for host in server.get("hosts") or ()]
        served = [host for text in servers if (host := _host_for(text, namespace, facts.namespace)) is not None]
        if any(_meet(ours, theirs) for ours in facts.hosts for theirs in served):
            continue
        ours = ", ".join(facts.hosts)
        example = next((host for host in facts.hosts if not host.startswith("*")), ours)
        yield Finding(
            GATEWAY_HOST_MISSING,
            f"Gateway {gateway} serves {', '.join(servers) or 'no host'} and none of {ours}, so it answers 404 to them: "
            f'write `hosts: ["{example}"]` into a server of the Gateway, or a host that it serves into spec.traffic.owned.hosts',
        )


def have_pods(facts: Facts) -> Iterator[Finding]:
    """A gateway whose selector no ready pod carries is an object and no more."""
    for gateway, read in reads.gateway_pods(facts).items():
        pods = facts.found(read)
        if pods is not None and not any(_is_ready(pod) for pod in pods):
            yield Finding(
                GATEWAY_WITHOUT_PODS,
                f"Gateway {gateway} has no ready pod: its spec.selector asks for {read.selector}: correct it, or look at "
                f"`kubectl get pods -A -l {read.selector}`",
                Severity.WARNING,
            )


def are_used(facts: Facts) -> Iterator[Finding]:
    """Nothing comes through a gateway of ours: probably the callers send another Host header."""
    callers = facts.found(reads.telemetry(facts))
    if not callers or not any(is_ours(each, facts) for each in facts.virtual_services):
        return
    seen = {row["namespace"] for row in callers if row["reporter"] == "source" and row["requests"]}
    for gateway, read in reads.gateway_pods(facts).items():
        pods = facts.found(read) or ()
        if pods and not seen & {pod["metadata"]["namespace"] for pod in pods}:
            yield Finding(
                GATEWAY_UNUSED,
                f"No request came through Gateway {gateway} within 10 minutes, though other callers are seen: a caller there must send "
                f"`Host: {facts.hosts[0]}`; any other host that callers use belongs into spec.traffic.owned.hosts",
                Severity.WARNING,
            )


def leave_no_caller_out(facts: Facts) -> Iterator[Finding]:
    """With gateways and without `mesh`, callers inside the mesh go past the weights."""
    rows, bound = facts.found(reads.telemetry(facts)), [full_gateway(each, facts.namespace) for each in facts.gateways]
    if not rows or not bound or MESH in bound:
        return
    standing = {pod["metadata"]["namespace"] for read in reads.gateway_pods(facts).values() for pod in facts.found(read) or ()}
    inside = sorted({str(row["namespace"]) for row in rows if row["reporter"] == "source" and row["requests"]} - standing - {"unknown", ""})
    if inside:
        yield Finding(
            MESH_BYPASSED,
            f"Callers in {', '.join(inside[:5])} reach Service {facts.namespace}/{facts.service_name} inside the mesh, where the weights do "
            "not hold: write `mesh` into spec.traffic.owned.gateways too",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (exist, serve_our_hosts, have_pods, are_used, leave_no_caller_out)


def _known(facts: Facts) -> Iterator[tuple[str, Document]]:
    for gateway, read in reads.gateways(facts).items():
        document = _named(gateway, facts.found(read) or ())
        if document is not None:
            yield gateway, document


def _named(gateway: str, documents: tuple[Document, ...]) -> Document | None:
    name = gateway.partition("/")[2]
    return next((each for each in documents if each["metadata"]["name"] == name), None)


def _host_for(text: str, gateway_namespace: str, namespace: str) -> str | None:
    """The host in a server's list, which may be kept for VirtualServices of one namespace; None: not for ours."""
    where, slash, host = text.rpartition("/")
    if not slash or where == "*":
        return host
    return host if (gateway_namespace if where == "." else where) == namespace else None


def _meet(one: str, other: str) -> bool:
    return matches(one, other) or matches(other, one)


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
