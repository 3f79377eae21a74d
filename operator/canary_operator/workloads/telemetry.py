"""Workloads of a version that only telemetry shows: pods that came and went, and endpoints that no EndpointSlice of this cluster names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from canary_operator.workloads.model import Survey

_VERSION = "version"
"""The pod label that becomes `destination_version`. Source: istio.io/latest/docs/reference/config/metrics."""
_CANONICAL = (_VERSION, "app.kubernetes.io/version", "service.istio.io/canonical-revision")
"""Those that become `destination_canonical_revision`."""
_UNSAID = ("", "unknown", "latest")


def with_telemetry(found: Survey, label: str, rows: Iterable[Mapping[str, Any]]) -> Survey:
    """The survey, with the names of workloads whose requests say the version themselves.

    A name that belongs to another version, by its pods or by what telemetry says of it, is left as it is: its requests say too little where the
    caller alone saw them fail, since their version is `unknown` then.

    Args:
        found: What endpoints and pods told.
        label: Key of the version label.
        rows: Of requests to the Service lately: `served_by`, `version`, `revision` (of the workload that answered) and `requests`.
    """
    said: dict[str, set[str]] = defaultdict(set)
    for version, serving in found.versions.items():
        for name in serving.workloads:
            said[name].add(version)
    for row in rows:
        version, name = _version(row, label), str(row.get("served_by") or "")
        if row.get("requests") and version and name not in _UNSAID:
            said[name].add(version)
    return replace(
        found,
        versions={
            version: replace(serving, workloads=tuple(sorted({*serving.workloads, *_alone(said, version)})))
            for version, serving in found.versions.items()
        },
    )


def _alone(said: Mapping[str, set[str]], version: str) -> Iterable[str]:
    return (name for name, versions in said.items() if versions == {version})


def _version(row: Mapping[str, Any], label: str) -> str:
    told = str(row.get("version") or "") if label == _VERSION else ""
    if told in _UNSAID and label in _CANONICAL:
        told = str(row.get("revision") or "")
    return "" if told in _UNSAID else told
