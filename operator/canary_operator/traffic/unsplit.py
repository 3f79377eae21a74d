"""Our VirtualService without a split: its routes name the host alone, so that whatever serves it answers. What a deletion leaves at a gateway.

Without subsets nothing in it depends on a version any more: the next rollout of the Service loses nothing, and the DestinationRule may go.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from canary_operator.api.names import CANARY, MESH_ROUTE, PREVIEWS, ROUTES, STABLE
from canary_operator.mesh.hosts import MESH, expand
from canary_operator.mesh.routes import http_of, names_subsets, subset_of

OURS = ROUTES
"""Names of the routes that split the traffic."""
_OF_OURS = {"name", "match", "route", "mirrors"}
"""What the operator itself writes into a route. A match that somebody else gave it is drift, and mended."""
_OF_A_SHARE = {"destination", "weight"}
_OF_THE_SPEC = {"hosts", "gateways", "http", "exportTo"}
_INSTEAD_OF_A_ROUTE = ("redirect", "directResponse", "delegate")

Document = Mapping[str, Any]


def unsplit(document: Document, host: str, port: int) -> dict[str, Any]:
    """The document with the host, and no subset of it, in each of our routes; doing it twice is doing it once.

    A port that a destination names stays, and so does what users added to the route or to the share of the stable subset. The preview routes go.

    Args:
        document: Our VirtualService as it stands.
        host: Full name of the Service.
        port: Of the Service, for a route in which nothing leads to the host any more.
    """
    changed = deepcopy(dict(document))
    spec = changed["spec"] = changed.get("spec") or {}
    namespace = changed["metadata"].get("namespace", "")
    spec["http"] = [
        _unsplit(route, host, port, namespace) if route.get("name") in OURS else route
        for route in spec.get("http") or []
        if route.get("name") not in PREVIEWS
    ]
    return changed


def is_unsplit(document: Document, host: str) -> bool:
    """Whether none of our routes, the preview included, sends requests or copies to one of our two subsets."""
    namespace = document["metadata"].get("namespace", "")
    return not any(
        subset_of(share, host, namespace)
        for route in http_of(document)
        if route.get("name") in (*OURS, *PREVIEWS)
        for share in (*(route.get("route") or ()), *(route.get("mirrors") or ()))
    )


def user_route_to_subsets(document: Document, host: str) -> str | None:
    """The route that somebody added to our VirtualService and that sends to one of our subsets, as a message names it; None: there is none."""
    added = {**document, "spec": {**(document.get("spec") or {}), "http": list(_added(document))}}
    if not names_subsets(added, host):
        return None
    names = [str(route["name"]) for route in _added(document) if route.get("name")]
    return f"route `{names[0]}`" if names else "a route that was added"


def is_needed(document: Document, host: str) -> bool:
    """Whether some caller would get another answer if our VirtualService were gone.

    Without it the mesh sends requests for the Service's own name to any of its pods, and that is all: a gateway answers 404, so does a mesh caller
    for any further host, a root drops its route, and routes, timeouts, retries, faults or headers that somebody added are lost.
    """
    spec = document.get("spec") or {}
    namespace, domain = document["metadata"].get("namespace", ""), host.partition(".svc.")[2]
    hosts = {expand(str(each), namespace, domain) for each in spec.get("hosts") or ()}
    if hosts != {host} or set(spec.get("gateways") or ()) - {MESH} or set(spec) - _OF_THE_SPEC or any(_added(document)):
        return True
    ours = [route for route in http_of(document) if route.get("name") in OURS]
    return any(set(route) - _OF_OURS or any(set(share) - _OF_A_SHARE for share in route.get("route") or ()) for route in ours)


def _added(document: Document) -> Iterator[Document]:
    return (route for route in http_of(document) if route.get("name") not in (*OURS, *PREVIEWS))


def _unsplit(route: Document, host: str, port: int, namespace: str) -> dict[str, Any]:
    shares = list(route.get("route") or ())
    leading = sorted((share for share in shares if _leads_to(share, host, namespace)), key=lambda share: _rank(share, host, namespace))
    named = {} if route.get("name") == MESH_ROUTE else {"port": {"number": port}}
    share = leading[0] if leading else {"destination": {"host": host, **named}}
    destination = {key: value for key, value in share["destination"].items() if key != "subset"}
    only = {**{key: value for key, value in share.items() if key != "weight"}, "destination": destination}
    mirrors = [each for each in route.get("mirrors") or () if subset_of(each, host, namespace) != CANARY]
    kept = {key: value for key, value in route.items() if key not in (*_INSTEAD_OF_A_ROUTE, "mirrors")}
    return {**kept, "route": [only], **({"mirrors": mirrors} if mirrors else {})}


def _leads_to(share: Document, host: str, namespace: str) -> bool:
    domain = host.partition(".svc.")[2]
    return expand(str((share.get("destination") or {}).get("host", "")), namespace, domain) == host


def _rank(share: Document, host: str, namespace: str) -> bool:
    return subset_of(share, host, namespace) != STABLE
