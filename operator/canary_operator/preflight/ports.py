"""Which ports of a Service carry requests that a weight can split, and which of them a release moves.

In the mesh all of them: they are the same pods, and a route that names no port keeps the one that the caller asked for. At a gateway one.
Protocols: istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection, and `ConvertProtocol` in istio/istio 1.30
pkg/config/kube/conversion.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from canary_operator.preflight.facts import Facts

HTTP = frozenset({"http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"})
NOT_HTTP = frozenset({"tcp", "tls", "https", "mongo", "redis", "mysql", "udp", "kubernetes.io/wss"})
TAKEN_FOR_TCP = frozenset({25, 53, 3306, 27017})
"""Ports whose protocol Istio never guesses."""

Port = Mapping[str, Any]


def ports_of(service: Mapping[str, Any] | None) -> Sequence[Port]:
    """The ports of a Service; none when it does not exist."""
    return ((service or {}).get("spec") or {}).get("ports") or []


def protocol_of(entry: Port) -> str:
    """What Istio takes a port of a Service for, in lower case; not always a protocol: a name that says nothing is answered as it is."""
    known = str(entry.get("appProtocol") or entry.get("name") or "").lower()
    if known.startswith("grpc-web"):
        return "grpc-web"
    return known if "/" in known else known.partition("-")[0]


def holds_weights(entry: Port) -> bool:
    """Whether proxies read requests on the port: HTTP or gRPC by name, or taken for it when the first bytes look so."""
    if entry.get("protocol", "TCP") != "TCP":
        return False
    protocol = protocol_of(entry)
    return protocol in HTTP or (protocol not in NOT_HTTP and entry.get("port") not in TAKEN_FOR_TCP)


def port_of(service: Mapping[str, Any], port: int | None) -> int | None:
    """The port that gateways send to: the one the spec names, else the only one there is, else the only one that is HTTP or gRPC by name.

    None: not in the Service, or not to be told.
    """
    numbers = {entry.get("port") for entry in ports_of(service)}
    if port is not None:
        return port if port in numbers else None
    if len(numbers) != 1:
        numbers = {entry.get("port") for entry in ports_of(service) if holds_weights(entry) and protocol_of(entry) in HTTP}
    return numbers.pop() if len(numbers) == 1 else None


def requests_ports(facts: Facts) -> tuple[Port, ...]:
    """All ports of the Service on which weights hold."""
    return tuple(entry for entry in ports_of(facts.service) if holds_weights(entry))


def moved_ports(facts: Facts) -> tuple[Port, ...]:
    """The ports whose requests the release moves, the one of the spec first; what a check asks of one it asks of all.

    None when the Service, or the port that the spec names, does not exist.
    """
    number = port_of(facts.service, facts.service_port) if facts.service else None
    if number is None and (facts.service_port is not None or facts.needs_port):
        return ()
    main = [entry for entry in ports_of(facts.service) if entry.get("port") == number and entry.get("protocol", "TCP") == "TCP"][:1]
    others = [entry for entry in requests_ports(facts) if entry.get("port") != number] if facts.is_in_mesh else []
    return (*main, *others)
