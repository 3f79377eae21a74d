"""What must hold before traffic moves: pure checks of observed objects. They find and word; they never read, wait or mend."""

from canary_operator.preflight import releases, routing, service, subsets
from canary_operator.preflight.facts import Check, Facts, Peer
from canary_operator.preflight.finding import Finding, Severity

CHECKS: tuple[Check, ...] = (*releases.CHECKS, *service.CHECKS, *routing.CHECKS, *subsets.CHECKS)
"""Every check, in the order in which findings are told."""


def inspect(facts: Facts) -> tuple[Finding, ...]:
    """All findings, errors before warnings, each group in the order of the checks."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.ERROR))


__all__ = ["CHECKS", "Check", "Facts", "Finding", "Peer", "Severity", "inspect"]
