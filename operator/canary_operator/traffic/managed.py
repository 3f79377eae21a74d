"""The managed routes of one VirtualService, whosever it is: what they do, and what they are to do."""

from collections.abc import Mapping
from typing import Any

from canary_operator.traffic import attached, virtual_service
from canary_operator.traffic.attached import Attached, together
from canary_operator.traffic.shares import Reading
from canary_operator.traffic.wanted import Wanted

__all__ = ["Attached", "Reading", "Wanted", "Way", "read", "together", "with_weights"]

Way = Wanted | Attached
"""How the operator gets hold of the traffic in one VirtualService."""


def read(document: Mapping[str, Any], way: Way) -> Reading | None:
    """What the managed routes do with the traffic, whoever wrote them last; None: there is none that can be given a weight."""
    return virtual_service.read(document, way) if isinstance(way, Wanted) else attached.read(document, way)


def with_weights(document: Mapping[str, Any], way: Way, canary: int, *, preview: bool, mirror: int) -> dict[str, Any]:
    """The document with the canary at this weight, in percent; preview and mirror are nothing to a user's own VirtualService."""
    if isinstance(way, Attached):
        return attached.with_weights(document, way, canary)
    return virtual_service.with_weights(document, way, canary, preview=preview, mirror=mirror)
