"""Which objects the checks need beside the watched kinds. What one read brings may lead to the next: a Gateway to its pods."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.mesh.hosts import MESH
from canary_operator.preflight.facts import Facts
from canary_operator.preflight.reading import Read, selector_text
from canary_operator.preflight.scope import full_gateway, spec_of

MOST = 64
"""Reads of one CanaryRelease: callers from more namespaces than that are not all looked at."""
MUTATING = Read("MutatingWebhookConfiguration")
VALIDATING = Read("ValidatingWebhookConfiguration")


def namespace(facts: Facts) -> Read:
    """The namespace of the release."""
    return Read("Namespace", name=facts.namespace)


def pods(facts: Facts) -> Read | None:
    """The pods behind the Service; None: it selects none."""
    return pods_behind(facts.namespace, facts.service or {})


def pods_behind(namespace: str, service: Mapping[str, Any]) -> Read | None:
    """The pods behind a Service; None: it selects none."""
    selector = spec_of(service).get("selector") or {}
    return Read("Pod", namespace, selector=selector_text(selector)) if selector else None


def workload_entries(facts: Facts) -> Read:
    """The WorkloadEntries of the namespace. All of them: the Service selects by the labels of their spec too, which no request can ask for."""
    return Read("WorkloadEntry", facts.namespace)


def mesh_config(config_map: tuple[str, str]) -> Read:
    """The mesh config, for what objects that say nothing themselves are exported to."""
    return Read("ConfigMap", *config_map)


def policies(facts: Facts) -> tuple[Read, ...]:
    """The PeerAuthentications that may hold for the pods."""
    return tuple(Read("PeerAuthentication", where) for where in dict.fromkeys((facts.namespace, facts.root_namespace)))


def gateways(facts: Facts) -> dict[str, Read]:
    """Each gateway that the spec names, as `namespace/name`, and the list that it must be on."""
    named = (full_gateway(gateway, facts.namespace) for gateway in facts.gateways)
    return {gateway: Read("Gateway", gateway.partition("/")[0]) for gateway in named if gateway != MESH}


def gateway_pods(facts: Facts) -> dict[str, Read]:
    """Each gateway that is known, and the list of its pods."""
    found = {}
    for gateway, read in gateways(facts).items():
        for document in facts.found(read) or ():
            selector = spec_of(document).get("selector") or {}
            if document["metadata"]["name"] == gateway.partition("/")[2] and selector:
                found[gateway] = Read("Pod", None, selector=selector_text(selector))
    return found


def telemetry(facts: Facts) -> Read:
    """Who called the Service lately: rows of reporter, workload, namespace and requests."""
    return Read("Telemetry", facts.namespace, facts.service_name, facts.provider)


def callers(facts: Facts) -> frozenset[str] | None:
    """Namespaces whose proxies called the Service lately, the gateways' own among them; None: unknown."""
    rows = facts.found(telemetry(facts))
    if rows is None:
        return None
    seen = {str(row["namespace"]) for row in rows if row["reporter"] == "source" and row["requests"] and row["namespace"]}
    standing = {str(pod["metadata"]["namespace"]) for read in gateway_pods(facts).values() for pod in facts.found(read) or ()}
    return frozenset(seen | standing) - {"unknown"}


def sidecars(facts: Facts) -> dict[str, Read]:
    """Each namespace that calls, and the list of Sidecars that limit what its callers see."""
    return {namespace: Read("Sidecar", namespace) for namespace in sorted(callers(facts) or ())}


def waypoints(facts: Facts) -> Read | None:
    """The waypoints of the namespace; None: it is not ambient."""
    known = facts.found(namespace(facts))
    labels = known[0]["metadata"].get("labels") or {} if known else {}
    return Read("Waypoint", facts.namespace) if labels.get("istio.io/dataplane-mode") == "ambient" else None


def wanted(facts: Facts) -> tuple[Read, ...]:
    """All of them, as far as is known now."""

    def all_reads() -> Iterator[Read | None]:
        yield from (
            namespace(facts),
            mesh_config(facts.mesh.config_map),
            MUTATING,
            VALIDATING,
            pods(facts),
            workload_entries(facts),
            *policies(facts),
            telemetry(facts),
            waypoints(facts),
        )
        for several in (gateways(facts), gateway_pods(facts), sidecars(facts)):
            yield from several.values()

    return tuple(dict.fromkeys(read for read in all_reads() if read is not None))[:MOST]
