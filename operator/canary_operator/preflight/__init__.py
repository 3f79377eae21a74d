"""What must hold before traffic moves: pure checks of observed objects. They find and word; they never read, wait or mend."""

from canary_operator.preflight import (
    ambient,
    crossing,
    endpoints,
    exports,
    gateways,
    injection,
    istio,
    managed,
    releases,
    routing,
    security,
    service,
    shadowing,
    subsets,
    telemetry,
    visibility,
    workload_entries,
    workloads,
)
from canary_operator.preflight.facts import Arm, Attachment, Check, Facts, Peer
from canary_operator.preflight.finding import Finding, Severity
from canary_operator.preflight.reach import left_out
from canary_operator.preflight.reads import wanted
from canary_operator.preflight.routing import unmanaged_subsets

CHECKS: tuple[Check, ...] = (
    *releases.CHECKS,
    *service.CHECKS,
    *workloads.CHECKS,
    *endpoints.CHECKS,
    *workload_entries.CHECKS,
    *istio.CHECKS,
    *injection.CHECKS,
    *ambient.CHECKS,
    *managed.CHECKS,
    *crossing.CHECKS,
    *routing.CHECKS,
    *gateways.CHECKS,
    *subsets.CHECKS,
    *shadowing.CHECKS,
    *exports.CHECKS,
    *visibility.CHECKS,
    *security.CHECKS,
    *telemetry.CHECKS,
)
"""Every check, in the order in which findings are told."""


def inspect(facts: Facts) -> tuple[Finding, ...]:
    """All findings, errors before warnings, each group in the order of the checks."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.ERROR))


__all__ = [
    "CHECKS",
    "Arm",
    "Attachment",
    "Check",
    "Facts",
    "Finding",
    "Peer",
    "Severity",
    "inspect",
    "left_out",
    "unmanaged_subsets",
    "wanted",
]
