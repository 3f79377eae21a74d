"""The DestinationRule that names the two subsets: document in, document out.

It is ours, or the one that a user has for the host. It never sets `tls`, since automatic mTLS then decides for each pod, and no empty
`trafficPolicy`, which Istio's webhook refuses. What users add stays: policies and further subsets; in their own also `exportTo`. Field rules:
istio.io/latest/docs/reference/config/networking/destination-rule
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.hosts import expand
from canary_operator.traffic.mark import labels


class Selected(NamedTuple):
    """The versions that the two subsets select."""

    stable: str | None
    """None: the subset is missing, or selects by other labels than the version alone."""
    canary: str | None
    """None: the subset is missing, or selects by other labels than the version alone."""


def owned(
    release: str, namespace: str, *, host: str, label: str, stable: str, canary: str, export_to: Sequence[str] = ("*",)
) -> dict[str, Any]:
    """A new DestinationRule, named like the CanaryRelease that owns it and not yet marked.

    Args:
        release: name of the CanaryRelease.
        namespace: its namespace.
        host: full name of the Service.
        label: the pod label that tells versions apart.
        stable: the version that the subset `stable` selects.
        canary: the version that the subset `canary` selects.
        export_to: the namespaces whose proxies see it, as Istio writes them.
    """
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": release, "namespace": namespace, "labels": labels(release)},
    }
    return with_subsets(document, host=host, label=label, stable=stable, canary=canary, export_to=export_to)


def with_subsets(
    document: Mapping[str, Any], *, host: str, label: str, stable: str, canary: str, export_to: Sequence[str] | None = None
) -> dict[str, Any]:
    """The document with our two subsets selecting these versions; a missing one is appended.

    The labels of a subset are set whole: a further label would select fewer pods than the release counts on. `exportTo` is set in a rule of
    our own only; None: it stays as it is.
    """
    changed = deepcopy(dict(document))
    spec = changed["spec"] = changed.get("spec") or {}
    if not rules(changed, host):
        spec["host"] = host
        spec.pop("workloadSelector", None)
    subsets = spec["subsets"] = spec.get("subsets") or []
    for name, version in ((STABLE, stable), (CANARY, canary)):
        subset = _subset(subsets, name)
        if subset is None:
            subset = {"name": name}
            subsets.append(subset)
        subset["labels"] = {label: version}
    if export_to is not None and not is_exported(changed, export_to):
        spec["exportTo"] = list(export_to)
    return changed


def is_exported(document: Mapping[str, Any], export_to: Sequence[str]) -> bool:
    """Whether `exportTo` says just this, in whatever order."""
    return sorted((document.get("spec") or {}).get("exportTo") or ()) == sorted(export_to)


def without_subsets(document: Mapping[str, Any]) -> dict[str, Any]:
    """A user's document without our two subsets."""
    changed = deepcopy(dict(document))
    spec = changed.get("spec") or {}
    left = [subset for subset in spec.get("subsets") or [] if subset.get("name") not in (STABLE, CANARY)]
    if left:
        spec["subsets"] = left
    else:
        spec.pop("subsets", None)
    return changed


def holds_more(document: Mapping[str, Any]) -> bool:
    """Whether somebody added to a DestinationRule of ours what callers go by: it then stays without our subsets, instead of going with them."""
    spec = document.get("spec") or {}
    subsets = [subset.get("name") for subset in spec.get("subsets") or []]
    return bool(set(spec) - {"host", "subsets", "exportTo"}) or any(name not in (STABLE, CANARY) for name in subsets)


def has_subset_policies(document: Mapping[str, Any]) -> bool:
    """Whether one of our two subsets says more than which pods it selects: that is lost for requests that do not go through it."""
    subsets = (document.get("spec") or {}).get("subsets") or []
    return any(set(subset) - {"name", "labels"} for subset in subsets if subset.get("name") in (STABLE, CANARY))


def rules(document: Mapping[str, Any], host: str) -> bool:
    """Whether it is the rule of this very host for all clients, however the host is spelled."""
    spec = document.get("spec") or {}
    namespace, domain = document["metadata"].get("namespace", ""), host.partition(".svc.")[2]
    return "workloadSelector" not in spec and expand(str(spec.get("host", "")), namespace, domain) == host


def read(document: Mapping[str, Any], host: str, label: str) -> Selected:
    """The versions that the two subsets of the host select by this label."""
    if not rules(document, host):
        return Selected(None, None)
    subsets = (document.get("spec") or {}).get("subsets") or []
    return Selected(_version(_subset(subsets, STABLE), label), _version(_subset(subsets, CANARY), label))


def _subset(subsets: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    # Of two subsets with one name Istio takes the first.
    return next((subset for subset in subsets if subset.get("name") == name), None)


def _version(subset: dict[str, Any] | None, label: str) -> str | None:
    found = (subset or {}).get("labels") or {}
    version = found.get(label)
    return version if len(found) == 1 and isinstance(version, str) else None
