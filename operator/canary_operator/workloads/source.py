"""The seam: how the versions behind a Service are told apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from canary_operator.workloads.model import Endpoint, Pod, Survey

Document = Mapping[str, Any]
Identity = tuple[str, str]
"""Name and uid of a pod, as an endpoint gives them."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What is known of what stands behind one Service."""

    endpoints: Sequence[Endpoint] = ()
    """Of all its EndpointSlices, those that are not ready too. One may stand in two slices for a moment."""
    replica_sets: Sequence[Document] = ()
    """Those whose pods it selects, trimmed as the cache keeps them."""
    pods: Mapping[Identity, Pod | None] = field(default_factory=dict)
    """Pods that were read; None: there is no such pod. One that is missing was not read."""


class WorkloadSource(Protocol):
    """One way to tell versions apart."""

    def survey(self, behind: Behind) -> Survey:
        """What serves each version, what belongs to none, and which pods must be read to know."""


def once(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Each endpoint once, whichever slices it stands in: a pod by its name, anything else by its address. Ready wins.

    A pod with two addresses (IPv4 and IPv6) has an endpoint in a slice of each family.
    """
    found: dict[tuple[str, str], Endpoint] = {}
    for each in endpoints:
        key = (each.kind, each.name) if each.name else ("", each.address)
        known = found.get(key)
        if known is None or (each.ready and not known.ready):
            found[key] = each
    return tuple(found.values())
