"""What a check found: the reason as a constant, and a sentence that names the object and says what to write instead."""

from dataclasses import dataclass
from enum import StrEnum

CONFLICT = "Conflict"
SERVICE_MISSING = "ServiceMissing"
SERVICE_NOT_ROUTABLE = "ServiceNotRoutable"
SERVICE_SELECTOR_EMPTY = "ServiceSelectorEmpty"
SERVICE_SELECTS_ONE_VERSION = "ServiceSelectsOneVersion"
SERVICE_PORT_UNKNOWN = "ServicePortUnknown"
PORT_NOT_HTTP = "PortNotHttp"
PORT_SNIFFED = "PortSniffed"
NAME_TAKEN = "NameTaken"
HOST_TAKEN = "HostTaken"
HOST_COVERED = "HostCovered"
ROUTE_BYPASSES_SUBSETS = "RouteBypassesSubsets"
RULE_TAKEN = "RuleTaken"
POLICY_SHADOWED = "PolicyShadowed"


class Severity(StrEnum):
    """What a finding does to the release."""

    ERROR = "Error"
    """It blocks the release until it is mended."""
    WARNING = "Warning"
    """It is told in status; the release goes on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must, or should, be mended before traffic moves."""

    reason: str
    """One of the constants of this module."""
    message: str
    """For a person: the object, what is wrong with it, and what to write instead."""
    severity: Severity = Severity.ERROR
