"""Ambient mesh: without a sidecar, weights exist at a waypoint only."""

from collections.abc import Iterator

from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import WAYPOINT_ALPHA, WAYPOINT_MISSING, Finding, Severity
from canary_operator.preflight.labels import labels_of
from canary_operator.preflight.reading import Document

MODE, USE = "istio.io/dataplane-mode", "istio.io/use-waypoint"


def is_ambient(facts: Facts) -> bool:
    """The namespace's pods are captured by ztunnel; the labels for sidecars come before it."""
    found = facts.found(reads.namespace(facts))
    labels = labels_of(found[0]) if found else {}
    return labels.get(MODE) == "ambient" and labels.get("istio-injection") != "enabled" and "istio.io/rev" not in labels


def has_waypoint(facts: Facts) -> Iterator[Finding]:
    """Without one, ztunnel forwards connections; only a waypoint reads requests."""
    if not is_ambient(facts) or facts.service is None:
        return
    found = facts.found(reads.namespace(facts)) or ()
    where = f"Service {facts.namespace}/{facts.service_name}"
    name = next((label for document in (facts.service, *found) if (label := labels_of(document).get(USE))), None)
    apply = f"istioctl waypoint apply -n {facts.namespace} --enroll-namespace --wait"
    if name in (None, "none"):
        yield Finding(WAYPOINT_MISSING, f"{where} is ambient and has no waypoint, so weights have no effect: {apply}")
        return
    read = reads.waypoints(facts)
    waypoints = facts.found(read) if read else None
    elsewhere = any("istio.io/use-waypoint-namespace" in labels_of(document) for document in (facts.service, *found))
    if waypoints is None or elsewhere:
        return
    waypoint = next((each for each in waypoints if each["metadata"]["name"] == name), None)
    if waypoint is None:
        yield Finding(WAYPOINT_MISSING, f"{where} uses waypoint {name}, which does not exist, so weights have no effect: {apply}")
    elif labels_of(waypoint).get("istio.io/waypoint-for", "service") not in ("service", "all"):
        yield Finding(
            WAYPOINT_MISSING,
            f"Waypoint {facts.namespace}/{name} takes no requests to Services, so weights have no effect: "
            f"kubectl label gateway {name} -n {facts.namespace} istio.io/waypoint-for=service --overwrite",
        )
    elif not _is_programmed(waypoint):
        yield Finding(
            WAYPOINT_MISSING,
            f"Waypoint {facts.namespace}/{name} is not programmed yet: kubectl describe gateway {name} -n {facts.namespace} says why",
        )


def is_alpha(facts: Facts) -> Iterator[Finding]:
    """What holds at a waypoint is not what holds in a sidecar."""
    if is_ambient(facts) and not list(has_waypoint(facts)):
        yield Finding(
            WAYPOINT_ALPHA,
            f"Service {facts.namespace}/{facts.service_name} is ambient: Istio calls VirtualServices at waypoints alpha. "
            f"Try the release in a test namespace first, or use sidecars: kubectl label namespace {facts.namespace} {MODE}- istio-injection=enabled",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (has_waypoint, is_alpha)


def _is_programmed(waypoint: Document) -> bool:
    conditions = (waypoint.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Programmed" and each.get("status") == "True" for each in conditions)
