"""Which version had which share of the traffic, and when: read from every revision of the VirtualService and the DestinationRule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.revisions import Revision


@dataclass(frozen=True, slots=True)
class Shift:
    """From this moment on the routing said this."""

    at: float
    """Seconds since the epoch."""
    weight: int
    """Of the subset `canary` in the VirtualService, percent."""
    versions: Mapping[str, int]
    """Percent by version, those without traffic left out: both subsets may select the same one."""


def shifts(revisions: Iterable[Revision], version_label: str = "version") -> list[Shift]:
    """One for each revision that changed something, oldest first. Only our route's own objects may be among the revisions."""
    found: list[Shift] = []
    weights: dict[str, int] = {}
    labels: dict[str, str] = {}
    for revision in revisions:
        spec = revision.object["spec"]
        if revision.object["kind"] == "VirtualService":
            weights = _weights(spec)
        elif revision.object["kind"] == "DestinationRule":
            labels = {subset["name"]: subset.get("labels", {}).get(version_label, "") for subset in spec.get("subsets", ())}
        if not weights or not labels:
            continue
        now = Shift(revision.received, weights.get("canary", 0), _by_version(weights, labels))
        if not found or (now.weight, now.versions) != (found[-1].weight, found[-1].versions):
            found.append(now)
    return found


def _weights(spec: Mapping[str, Any]) -> dict[str, int]:
    """Percent by subset. The demo's VirtualService has one route."""
    shares = spec["http"][-1]["route"]
    return {share["destination"]["subset"]: share.get("weight", 0) for share in shares}


def _by_version(weights: Mapping[str, int], labels: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for subset, weight in weights.items():
        if weight:
            version = labels.get(subset, "")
            found[version] = found.get(version, 0) + weight
    return found
