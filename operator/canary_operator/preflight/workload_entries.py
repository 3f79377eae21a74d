"""WorkloadEntries behind the Service, such as virtual machines: they get its requests, and no EndpointSlice names them.

Istio lets a Service with a selector select WorkloadEntries of its namespace as it selects pods, by the labels of their metadata and their spec
together, unless istiod is told otherwise (`PILOT_ENABLE_K8S_SELECT_WORKLOAD_ENTRIES`). Source: istio/istio 1.31,
pilot/pkg/serviceregistry/kube/controller/controller.go (`serviceInstancesFromWorkloadInstances`) and
pilot/pkg/serviceregistry/serviceentry/conversion.go (`ConvertWorkloadEntry`, `isHealthy`).
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import WORKLOAD_ENTRY_SELECTED, Finding, Severity
from canary_operator.preflight.labels import annotations_of, labels_of
from canary_operator.preflight.reading import Document
from canary_operator.preflight.scope import spec_of, title

HEALTH_CHECKED = "proxy.istio.io/health-checks-enabled"
"""Annotation: its health is checked, and it gets requests only while its condition `Healthy` is True."""


def are_counted(facts: Facts) -> Iterator[Finding]:
    """One that no subset has gets no request any more; one in a subset gets requests and is not counted. Each is told once, with their number."""
    blocking: dict[Callable[[Facts, str], str], list[tuple[Document, str]]] = {}
    warning: dict[Callable[[Facts, str], str], list[tuple[Document, str]]] = {}
    for entry in _selected(facts):
        version = _labels(entry).get(facts.version_label, "")
        severity, words = _judged(version, facts)
        if words is not None:
            (blocking if severity is Severity.ERROR else warning).setdefault(words, []).append((entry, version))
    for severity, groups in ((Severity.ERROR, blocking), (Severity.WARNING, warning)):
        for words, entries in list(groups.items())[:1]:
            entry, version = entries[0]
            more = sum(map(len, groups.values())) - 1
            lead = f"{title(entry, 'WorkloadEntry')}{_at(entry)}{f' and {more} more' if more else ''}"
            chosen = f"which Istio lets Service {facts.namespace}/{facts.service_name} select as it selects pods"
            yield Finding(WORKLOAD_ENTRY_SELECTED, f"{lead}, {chosen}, {words(facts, version)}", severity)


CHECKS: tuple[Check, ...] = (are_counted,)


def _judged(version: str, facts: Facts) -> tuple[Severity, Callable[[Facts, str], str] | None]:
    """What it means for callers: an error where the adoption, or the first weight, would take its requests from it unasked."""
    if not version:
        return Severity.WARNING if facts.under_way else Severity.ERROR, _without_version
    if not facts.adopted and version != _stable(facts):
        return (Severity.WARNING, _left_out) if facts.stable_named else (Severity.ERROR, _would_lose)
    if version in {arm.version for arm in facts.arms}:
        return Severity.WARNING, _not_counted
    return Severity.WARNING, None


def _without_version(facts: Facts, version: str) -> str:
    label = facts.version_label
    return (
        f"carries no label `{label}`, so neither subset has it and no request would reach it any more: write `{label}: {facts.version or 'VERSION'}` "
        f"(or whichever version it is) into its spec.labels, or {_take_out(facts)}"
    )


def _would_lose(facts: Facts, version: str) -> str:
    return (
        f"serves as version {version}, and the operator, which counts pods alone, would give its requests to {_stable(facts)}: "
        f"write the version that is stable now into spec.stableVersion, with pods of it behind the Service, or {_take_out(facts)}"
    )


def _left_out(facts: Facts, version: str) -> str:
    return f"serves as version {version}, and by spec.stableVersion all requests go to {_stable(facts)} once the route is taken over"


def _not_counted(facts: Facts, version: str) -> str:
    return (
        f"gets a share of the requests of {version}, but the operator counts pods alone, in spec.capacity and to tell whether a version serves: let "
        f"pods carry the load of each version, or {_take_out(facts)}"
    )


def _stable(facts: Facts) -> str:
    return next((arm.version for arm in facts.arms if arm.role == "stable"), "")


def _take_out(facts: Facts) -> str:
    return f"take `{min(_selector(facts))}` out of its labels"


def _selector(facts: Facts) -> Mapping[str, str]:
    return spec_of(facts.service or {}).get("selector") or {}


def _selected(facts: Facts) -> Iterator[Document]:
    """Those that get requests to the Service, ordered by name."""
    selector = _selector(facts)
    for entry in sorted(facts.found(reads.workload_entries(facts)) or (), key=lambda each: str(each["metadata"]["name"])):
        if selector and selector.items() <= _labels(entry).items() and _has_address(entry) and _is_healthy(entry):
            yield entry


def _labels(entry: Document) -> Mapping[str, str]:
    """Those of its metadata come before those of its spec."""
    return {**(spec_of(entry).get("labels") or {}), **labels_of(entry)}


def _has_address(entry: Document) -> bool:
    """A Service gets addresses only, and what the gateway of another network leads to, which has none: no host name, no Unix socket."""
    address = spec_of(entry).get("address")
    try:
        return not address or bool(ip_address(address))
    except ValueError:
        return False


def _is_healthy(entry: Document) -> bool:
    if str(annotations_of(entry).get(HEALTH_CHECKED, "")).lower() not in ("1", "t", "true"):
        return True
    conditions: list[Mapping[str, Any]] = (entry.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Healthy" and str(each.get("status")).lower() == "true" for each in conditions)


def _at(entry: Document) -> str:
    address = spec_of(entry).get("address")
    return f" ({address})" if address else ""
