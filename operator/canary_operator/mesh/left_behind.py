"""What a CanaryRelease left behind when it was deleted: pinned to one version, or at a gateway without subsets. Its namesake takes it back."""

from collections.abc import Mapping, Sequence
from typing import Any

from canary_operator.api.names import CANARY, OWNER, ROUTES, STABLE, TOUCHED_BY, USERS_MARK


def is_left_behind(document: Mapping[str, Any], host: str) -> bool:
    """Whether a VirtualService or DestinationRule is nobody's, and what it says of this host is what the operator wrote into it.

    Of a DestinationRule nothing else may stand in it: one with more was written, or taken over, by a user. So was one that somebody else has
    written last, or that we have marked as the user's, and one whose subsets are told apart by more than one label.
    """
    spec = document.get("spec") or {}
    metadata = document["metadata"]
    if OWNER in (metadata.get("labels") or {}):
        return False
    if "host" in spec:
        subsets = [(subset.get("name"), tuple(subset.get("labels") or ()), len(subset)) for subset in spec.get("subsets") or ()]
        theirs = TOUCHED_BY in metadata or any(key.startswith(USERS_MARK) for key in metadata.get("annotations") or ())
        plain = spec.keys() - {"exportTo"} == {"host", "subsets"} and spec["host"] == host and not theirs
        by_one_label = len({labels for _, labels, _ in subsets}) == 1 and all(len(labels) == 1 and size == 2 for _, labels, size in subsets)
        return plain and by_one_label and sorted(str(name) for name, _, _ in subsets) == sorted((STABLE, CANARY))
    ours = [http.get("route") or () for http in spec.get("http") or () if http.get("name") in ROUTES]
    return bool(ours) and all(_split(route, host) in ([STABLE, CANARY], [None]) for route in ours)


def _split(route: Sequence[Mapping[str, Any]], host: str) -> list[str | None]:
    """The subsets of the host that a route names, in its order; None for the host alone."""
    destinations = [share.get("destination") or {} for share in route]
    return [each.get("subset") for each in destinations if each.get("host") == host]
