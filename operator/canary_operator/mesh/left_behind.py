"""What a CanaryRelease left behind when it was deleted while several versions served: its namesake takes it back."""

from collections.abc import Mapping
from typing import Any

from canary_operator.api.names import CANARY, OWNER, ROUTE, STABLE


def is_left_behind(document: Mapping[str, Any], host: str) -> bool:
    """Whether a VirtualService or DestinationRule is nobody's, and what it says of this host is what the operator wrote into it.

    Of a DestinationRule nothing else may stand in it: one with more was written, or taken over, by a user.
    """
    spec = document.get("spec") or {}
    if OWNER in (document["metadata"].get("labels") or {}):
        return False
    if "host" in spec:
        subsets = [subset.get("name") for subset in spec.get("subsets") or ()]
        return spec.keys() == {"host", "subsets"} and spec["host"] == host and sorted(subsets) == sorted((STABLE, CANARY))
    shares = [
        share.get("destination") or {} for http in spec.get("http") or () if http.get("name") == ROUTE for share in http.get("route") or ()
    ]
    return [share.get("subset") for share in shares if share.get("host") == host] == [STABLE, CANARY]
