"""What a check found: the reason as a constant, and a sentence that names the object and says what to write instead."""

from dataclasses import dataclass
from enum import StrEnum

CONFLICT = "Conflict"
SERVICE_MISSING = "ServiceMissing"
SERVICE_NOT_ROUTABLE = "ServiceNotRoutable"
SERVICE_PUBLISHES_NOT_READY = "ServicePublishesNotReady"
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
ROUTE_MISSING = "RouteMissing"
ROUTE_NOT_MANAGED = "RouteNotManaged"
ROUTE_NOT_HTTP = "RouteNotHttp"
ROUTE_UNFIT = "RouteUnfit"
ROOT_MISSING = "RootMissing"
PORTS_CROSSED = "PortsCrossed"
ISTIO_MISSING = "IstioMissing"
CLUSTER_DOMAIN_WRONG = "ClusterDomainWrong"
VALIDATION_OFF = "ValidationOff"
NOT_INJECTED = "NotInjected"
HOST_NETWORK = "HostNetwork"
REVISION_UNKNOWN = "RevisionUnknown"
SEVERAL_INJECTION_LABELS = "SeveralInjectionLabels"
SIDECAR_MISSING = "SidecarMissing"
ENDPOINT_WITHOUT_VERSION = "EndpointWithoutVersion"
WORKLOAD_ENTRY_SELECTED = "WorkloadEntrySelected"
VERSION_LABEL_MISSING = "VersionLabelMissing"
APP_LABEL_MISSING = "AppLabelMissing"
WORKLOAD_SHARED = "WorkloadShared"
SERVICE_SELECTS_NO_POD = "ServiceSelectsNoPod"
SERVICE_OVERLAPS = "ServiceOverlaps"
GRPC_PORT_NOT_NAMED = "GrpcPortNotNamed"
TARGET_PORT_UNKNOWN = "TargetPortUnknown"
TARGET_PORT_UNDECLARED = "TargetPortUndeclared"
RETRIES_HIDE_FAILURES = "RetriesHideFailures"
GATEWAY_MISSING = "GatewayMissing"
GATEWAY_HOST_MISSING = "GatewayHostMissing"
GATEWAY_WITHOUT_PODS = "GatewayWithoutPods"
GATEWAY_UNUSED = "GatewayUnused"
MESH_BYPASSED = "MeshBypassed"
SUBSET_MISSING = "SubsetMissing"
SUBSET_TAKEN = "SubsetTaken"
SEVERAL_CLUSTERS = "SeveralClusters"
RULE_NOT_FOR_ALL = "RuleNotForAll"
MTLS_CONFLICT = "MtlsConflict"
NOT_EXPORTED = "NotExported"
MESH_CONFIG_UNKNOWN = "MeshConfigUnknown"
SIDECAR_HIDES_HOST = "SidecarHidesHost"
PROVIDER_UNKNOWN = "ProviderUnknown"
TELEMETRY_MISSING = "TelemetryMissing"
CALLERS_OUTSIDE_MESH = "CallersOutsideMesh"
EJECTION_OF_ALL = "EjectionOfAll"
WAYPOINT_MISSING = "WaypointMissing"
WAYPOINT_ALPHA = "WaypointAlpha"
NOT_PERMITTED = "NotPermitted"


OF_READS = frozenset(
    {
        VALIDATION_OFF,
        NOT_INJECTED,
        SEVERAL_INJECTION_LABELS,
        GATEWAY_WITHOUT_PODS,
        GATEWAY_UNUSED,
        MESH_BYPASSED,
        SIDECAR_HIDES_HOST,
        TELEMETRY_MISSING,
        CALLERS_OUTSIDE_MESH,
        SEVERAL_CLUSTERS,
        WAYPOINT_ALPHA,
        NOT_PERMITTED,
        MESH_CONFIG_UNKNOWN,
        WORKLOAD_ENTRY_SELECTED,
    }
)
"""Warnings that rest on what is read while a release needs it, not on what is watched: they go when no release needs it."""


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
