"""Whether the Service can be split by version: it exists, has an address and a selector over all versions, and an HTTP port."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import (
    PORT_NOT_HTTP,
    PORT_SNIFFED,
    SERVICE_MISSING,
    SERVICE_NOT_ROUTABLE,
    SERVICE_PORT_UNKNOWN,
    SERVICE_PUBLISHES_NOT_READY,
    SERVICE_SELECTOR_EMPTY,
    SERVICE_SELECTS_ONE_VERSION,
    Finding,
    Severity,
)
from canary_operator.preflight.ports import HTTP, NOT_HTTP, TAKEN_FOR_TCP, holds_weights, moved_ports, port_of, ports_of, protocol_of


def exists(facts: Facts) -> Iterator[Finding]:
    """There is a Service to split."""
    if facts.service is None:
        yield Finding(SERVICE_MISSING, f"Service {_name(facts)} does not exist: create it, or correct spec.service.name")


def is_routable(facts: Facts) -> Iterator[Finding]:
    """Sidecars apply weights to Services with a cluster IP; other traffic they pass on to the address the client asked for."""
    spec = _spec(facts)
    if spec.get("type") == "ExternalName":
        yield Finding(
            SERVICE_NOT_ROUTABLE,
            f"Service {_name(facts)} is an ExternalName and has no pods of its own: name a Service with a selector in spec.service.name",
        )
    elif spec.get("clusterIP") == "None":
        yield Finding(
            SERVICE_NOT_ROUTABLE,
            f"Service {_name(facts)} is headless, so sidecars ignore weights: "
            "create it without `clusterIP: None`, or name another in spec.service.name",
        )


def sends_to_ready_pods_only(facts: Facts) -> Iterator[Finding]:
    """Otherwise every pod is called ready, so that nobody can tell whether a version serves (Kubernetes, ServiceSpec.publishNotReadyAddresses)."""
    if _spec(facts).get("publishNotReadyAddresses"):
        yield Finding(
            SERVICE_PUBLISHES_NOT_READY,
            f"Service {_name(facts)} sends to pods that are not ready, so neither the operator nor Istio can tell which version serves: "
            "take `publishNotReadyAddresses: true` out of its spec, or name another Service in spec.service.name",
        )


def has_selector(facts: Facts) -> Iterator[Finding]:
    """Without a selector no pod belongs to it, and no version can be told from its labels."""
    spec = _spec(facts)
    if facts.service is not None and spec.get("type") != "ExternalName" and not spec.get("selector"):
        yield Finding(
            SERVICE_SELECTOR_EMPTY,
            f"Service {_name(facts)} has no selector: write labels that the pods of all versions share, such as `app`, into spec.selector",
        )


def selects_all_versions(facts: Facts) -> Iterator[Finding]:
    """A subset only narrows what the Service selects: with the version in the selector, the other version has no endpoint."""
    if facts.version_label in (_spec(facts).get("selector") or {}):
        yield Finding(
            SERVICE_SELECTS_ONE_VERSION,
            f"Service {_name(facts)} selects one version only: "
            f"take `{facts.version_label}` out of its spec.selector, the Service must select all versions",
        )


def has_port(facts: Facts) -> Iterator[Finding]:
    """The port is one of the Service's, and where a gateway needs to be told one there is no doubt which."""
    if facts.service is None or port_of(facts.service, facts.service_port) is not None:
        return
    if facts.service_port is None and not facts.needs_port and any(holds_weights(entry) for entry in ports_of(facts.service)):
        return
    listed = ", ".join(str(entry.get("port")) for entry in ports_of(facts.service))
    if not listed:
        wrong = "has no port: give it the port that the pods serve"
    elif facts.service_port is None:
        to_whom = ", the one that requests through the gateways go to" if facts.needs_port else ""
        wrong = f"has several ports: write one of {listed} into spec.service.port{to_whom}"
    else:
        wrong = f"has no port {facts.service_port}: write one of {listed} into spec.service.port"
    yield Finding(SERVICE_PORT_UNKNOWN, f"Service {_name(facts)} {wrong}")


def speaks_http(facts: Facts) -> Iterator[Finding]:
    """Weights hold per request on HTTP and gRPC ports only. `appProtocol` tells the protocol, else the name up to the first dash."""
    if facts.service is None:
        return
    number = port_of(facts.service, facts.service_port)
    if number is None:
        for each in moved_ports(facts):
            yield from _speaks_http(facts, each)
        return
    entries = [entry for entry in ports_of(facts.service) if entry.get("port") == number]
    yield from _speaks_http(facts, next((each for each in entries if each.get("protocol", "TCP") == "TCP"), entries[0]))


def _speaks_http(facts: Facts, entry: Mapping[str, Any]) -> Iterator[Finding]:
    number, transport, known_by = entry.get("port"), entry.get("protocol", "TCP"), entry.get("appProtocol") or entry.get("name") or ""
    protocol = protocol_of(entry)
    where = f"Port {number} of Service {_name(facts)}"
    write = "`appProtocol: http` or `appProtocol: grpc` on that port"
    if transport != "TCP":
        yield Finding(
            PORT_NOT_HTTP, f"{where} is {transport}, which cannot be split by weight: name an HTTP or gRPC port in spec.service.port"
        )
    elif protocol in NOT_HTTP:
        yield Finding(
            PORT_NOT_HTTP, f"{where} is {protocol} by `{known_by}`, and weights need HTTP: if it speaks HTTP or gRPC, write {write}"
        )
    elif protocol not in HTTP and number in TAKEN_FOR_TCP:
        yield Finding(
            PORT_NOT_HTTP, f"{where} is taken for TCP by its number, and weights need HTTP: if it speaks HTTP or gRPC, write {write}"
        )
    elif protocol not in HTTP:
        yield Finding(
            PORT_SNIFFED,
            f"{where} names no protocol, so proxies guess it from each connection's first bytes: write {write}",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (exists, is_routable, sends_to_ready_pods_only, has_selector, selects_all_versions, has_port, speaks_http)


def _name(facts: Facts) -> str:
    return f"{facts.namespace}/{facts.service_name}"


def _spec(facts: Facts) -> Mapping[str, Any]:
    return (facts.service or {}).get("spec") or {}
