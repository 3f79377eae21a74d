"""Which HTTP routes of a VirtualService are meant, and which of their destinations are our two subsets of a Service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.hosts import expand

Route = Mapping[str, Any]


def http_of(document: Mapping[str, Any]) -> Sequence[Route]:
    """The HTTP routes of a VirtualService, in their order."""
    return (document.get("spec") or {}).get("http") or []


def chosen(document: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Per name the index of the HTTP route that carries it; None: no route does, or several do.

    Without names the only HTTP route is meant, under the name that it has.
    """
    routes = http_of(document)
    for name in names:
        found = [index for index, route in enumerate(routes) if route.get("name") == name]
        yield name, found[0] if len(found) == 1 else None
    if not names:
        yield (str(routes[0].get("name") or "http[0]"), 0) if len(routes) == 1 else ("", None)


def subset_of(share: Mapping[str, Any], host: str, namespace: str) -> str | None:
    """Which of our two subsets a destination names; None: another one, or another host.

    Args:
        share: One entry of a route's `route`.
        host: Full name of the Service.
        namespace: Of the VirtualService, in which short names are read.
    """
    destination = share.get("destination") or {}
    domain = host.partition(".svc.")[2]
    ours = expand(str(destination.get("host", "")), namespace, domain) == host
    return destination["subset"] if ours and destination.get("subset") in (STABLE, CANARY) else None


def names_subsets(document: Mapping[str, Any], host: str) -> bool:
    """Whether a VirtualService sends requests to one of our two subsets of a Service; copies that nobody waits for do not count."""
    spec, namespace = document.get("spec") or {}, document["metadata"].get("namespace", "")
    routes = (route for protocol in ("http", "tls", "tcp") for route in spec.get(protocol) or ())
    return any(subset_of(share, host, namespace) is not None for route in routes for share in route.get("route") or ())


def names_delegate(document: Mapping[str, Any], namespace: str, name: str) -> bool:
    """Whether a root VirtualService sends to the delegate of this name. Without a namespace it means its own."""
    mine = document["metadata"].get("namespace", "")
    delegates = (route.get("delegate") or {} for route in http_of(document))
    return any((each.get("namespace") or mine, each.get("name")) == (namespace, name) for each in delegates)
