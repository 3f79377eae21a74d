"""Whether there is anything to judge by: telemetry of the Service, and requests that weights hold for."""

from collections.abc import Iterator

from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import (
    CALLERS_OUTSIDE_MESH,
    PROVIDER_UNKNOWN,
    RETRIES_HIDE_FAILURES,
    SEVERAL_CLUSTERS,
    TELEMETRY_MISSING,
    Finding,
    Severity,
)
from canary_operator.preflight.reading import Failed
from canary_operator.preflight.scope import is_ours, spec_of, title

_HIDING = frozenset({"5xx", "gateway-error", "retriable-status-codes", "internal", "unknown"})
# A larger share than this many of a hundred is worth a word: probes and scrapers always come from outside.
_NOTABLE = 0.01


def has_a_provider(facts: Facts) -> Iterator[Finding]:
    """The operator's configuration names the Prometheus that the release is to be judged by.

    It blocks before the first weight. At rest nothing is judged, and a release that is under way goes by `insufficientData`, as with every
    Prometheus that does not answer.
    """
    if facts.providers is None or facts.provider in facts.providers:
        return
    known = "".join(f"write {name}, or " for name in sorted(facts.providers))
    yield Finding(
        PROVIDER_UNKNOWN,
        f"spec.analysis.prometheus names the provider {facts.provider}, which the operator's configuration lacks: {known}add "
        f"`prometheus.{facts.provider}` to the configuration; until then no release can be judged",
        Severity.ERROR if len(facts.arms) > 1 and not facts.under_way else Severity.WARNING,
    )


def is_there(facts: Facts) -> Iterator[Finding]:
    """Callers' proxies have counted requests to the Service within ten minutes."""
    if len(facts.arms) < 2:
        return  # nothing is to be judged yet
    listing = facts.around.get(reads.telemetry(facts))
    where = f"Service {facts.namespace}/{facts.service_name}"
    if isinstance(listing, Failed):
        yield Finding(
            TELEMETRY_MISSING,
            f"{listing.why}: until it answers no weight moves. Correct `prometheus.{facts.provider}` in the operator's configuration",
            Severity.WARNING,
        )
    elif listing is not None and not any(
        row["reporter"] in facts.reporters and row["requests"] for row in facts.found(reads.telemetry(facts)) or ()
    ):
        yield Finding(
            TELEMETRY_MISSING,
            f"No proxy has counted a request to {where} within 10 minutes (istio_requests_total with reporter "
            f"{' or '.join(facts.reporters)}): either nobody calls it "
            "through the mesh, or Prometheus does not scrape the callers' proxies (port 15020) or Istio's metrics are off "
            "(`meshConfig.defaultProviders.metrics: [prometheus]`)",
            Severity.WARNING,
        )


def callers_are_in_the_mesh(facts: Facts) -> Iterator[Finding]:
    """Who calls without a sidecar goes to all versions, whatever the weights are."""
    rows = [row for row in facts.found(reads.telemetry(facts)) or () if row["reporter"] == "destination"]
    total, outside = sum(row["requests"] for row in rows), sum(row["requests"] for row in rows if row["workload"] == "unknown")
    if outside > _NOTABLE * total:
        yield Finding(
            CALLERS_OUTSIDE_MESH,
            f"Some requests to Service {facts.namespace}/{facts.service_name} come from outside the mesh and ignore the weights: "
            "inject the callers too: kubectl label namespace CALLERS istio-injection=enabled",
            Severity.WARNING,
        )


def comes_from_one_cluster(facts: Facts) -> Iterator[Finding]:
    """Callers in another cluster have its VirtualServices: they share their requests among all pods that they know, whatever ours says."""
    rows = [row for row in facts.found(reads.telemetry(facts)) or () if row["requests"]]
    seen = {str(row[end]) for row in rows for end in ("from_cluster", "to_cluster") if row.get(end)} - {"unknown"}
    if len(seen) > 1:
        listed = sorted(seen)
        yield Finding(
            SEVERAL_CLUSTERS,
            f"Requests to Service {facts.namespace}/{facts.service_name} are counted from or to the clusters {', '.join(listed[:5])}: callers whose "
            "control plane reads another cluster's objects do not see the weights. Apply the VirtualService and the DestinationRule of "
            f"{facts.host} there too; or, if one Prometheus holds clusters that have nothing to do with each other, give the release a provider "
            "of its own in spec.analysis.prometheus",
            Severity.WARNING,
        )


def retries_hide_nothing(facts: Facts) -> Iterator[Finding]:
    """A failure that a retry makes good is not seen by the caller's telemetry, and the canary's pass for stable's."""
    for document in facts.virtual_services:
        for route in spec_of(document).get("http") or () if is_ours(document, facts) else ():
            hiding = sorted(_HIDING & set(str((route.get("retries") or {}).get("retryOn") or "").split(",")))
            if hiding and (route.get("retries") or {}).get("attempts") != 0:
                yield Finding(
                    RETRIES_HIDE_FAILURES,
                    f"{title(document, 'VirtualService')}, route {route.get('name') or '-'}, retries {', '.join(hiding)}, so failures of the "
                    "canary that a retry makes good are not counted: take that out of `retries.retryOn` while releases are to be judged",
                    Severity.WARNING,
                )


CHECKS: tuple[Check, ...] = (has_a_provider, is_there, callers_are_in_the_mesh, comes_from_one_cluster, retries_hide_nothing)
