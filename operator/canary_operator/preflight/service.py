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
    SERVICE_SELECTOR_EMPTY,
    SERVICE_SELECTS_ONE_VERSION,
    Finding,
    Severity,
)

# istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection, and `ConvertProtocol` in istio/istio,
# pkg/config/kube/conversion.go.
_HTTP = frozenset({"http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"})
_NOT_HTTP = frozenset({"tcp", "tls", "https", "mongo", "redis", "mysql", "udp", "kubernetes.io/wss"})
_TAKEN_FOR_TCP = frozenset({25, 53, 3306, 27017})
"""Ports whose protocol Istio never guesses."""


def port_of(service: Mapping[str, Any], port: int | None) -> int | None:
    """The port whose traffic is moved: the one the spec names, or the only one there is. None: not in the Service, or not to be told."""
    numbers = {entry.get("port") for entry in _ports(service)}
    if port is None:
        return numbers.pop() if len(numbers) == 1 else None
    return port if port in numbers else None


def protocol_of(entry: Mapping[str, Any]) -> str:
    """What Istio takes a port of a Service for, in lower case; not always a protocol: a name that says nothing is answered as it is."""
    known = str(entry.get("appProtocol") or entry.get("name") or "").lower()
    if known.startswith("grpc-web"):
        return "grpc-web"
    return known if "/" in known else known.partition("-")[0]


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
    """The port is one of the Service's, and there is no doubt which."""
    if facts.service is None or port_of(facts.service, facts.service_port) is not None:
        return
    listed = ", ".join(str(entry.get("port")) for entry in _ports(facts.service))
    if not listed:
        wrong = "has no port: give it the port that the pods serve"
    elif facts.service_port is None:
        wrong = f"has several ports: write one of {listed} into spec.service.port"
    else:
        wrong = f"has no port {facts.service_port}: write one of {listed} into spec.service.port"
    yield Finding(SERVICE_PORT_UNKNOWN, f"Service {_name(facts)} {wrong}")


def speaks_http(facts: Facts) -> Iterator[Finding]:
    """Weights hold per request on HTTP and gRPC ports only. `appProtocol` tells the protocol, else the name up to the first dash."""
    number = port_of(facts.service, facts.service_port) if facts.service else None
    if facts.service is None or number is None:
        return
    entries = [entry for entry in _ports(facts.service) if entry.get("port") == number]
    entry = next((each for each in entries if each.get("protocol", "TCP") == "TCP"), entries[0])
    transport, known_by = entry.get("protocol", "TCP"), entry.get("appProtocol") or entry.get("name") or ""
    protocol = protocol_of(entry)
    where = f"Port {number} of Service {_name(facts)}"
    write = "`appProtocol: http` or `appProtocol: grpc` on that port"
    if transport != "TCP":
        yield Finding(
            PORT_NOT_HTTP, f"{where} is {transport}, which cannot be split by weight: name an HTTP or gRPC port in spec.service.port"
        )
    elif protocol in _NOT_HTTP:
        yield Finding(
            PORT_NOT_HTTP, f"{where} is {protocol} by `{known_by}`, and weights need HTTP: if it speaks HTTP or gRPC, write {write}"
        )
    elif protocol not in _HTTP and number in _TAKEN_FOR_TCP:
        yield Finding(
            PORT_NOT_HTTP, f"{where} is taken for TCP by its number, and weights need HTTP: if it speaks HTTP or gRPC, write {write}"
        )
    elif protocol not in _HTTP:
        yield Finding(
            PORT_SNIFFED,
            f"{where} names no protocol, so proxies guess it from each connection's first bytes: write {write}",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (exists, is_routable, has_selector, selects_all_versions, has_port, speaks_http)


def _name(facts: Facts) -> str:
    return f"{facts.namespace}/{facts.service_name}"


def _spec(facts: Facts) -> Mapping[str, Any]:
    return (facts.service or {}).get("spec") or {}


def _ports(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (service.get("spec") or {}).get("ports") or []
