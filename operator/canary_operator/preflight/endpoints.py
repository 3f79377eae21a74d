"""Whether every ready endpoint of the Service belongs to a version: one that does not is in no subset.

Source: an endpoint has the labels of the pod in its `targetRef`, and none when it is no pod (istio/istio 1.30
pilot/pkg/serviceregistry/kube/controller/endpointslice.go).
"""

from collections.abc import Iterator

from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import ENDPOINT_WITHOUT_VERSION, Finding, Severity
from canary_operator.preflight.scope import spec_of
from canary_operator.workloads.model import Endpoint, Stranger
from canary_operator.workloads.reading import POD


def belong_to_a_version(facts: Facts) -> Iterator[Finding]:
    """Before the adoption such an endpoint is sent requests; afterwards none reaches it, whatever the weights are."""
    for stranger in facts.strangers:
        if stranger.pod is None and stranger.endpoint.is_pod:
            continue  # of a ReplicaSet, whose template another check names
        others = len(facts.strangers) - 1
        more = f" ({others} more like it)" if others else ""
        yield Finding(ENDPOINT_WITHOUT_VERSION, f"{_lead(stranger, facts)}{more}: {_mending(stranger, facts)}", _severity(facts))
        return


def may_be_known(facts: Facts) -> Iterator[Finding]:
    """A pod whose name does not tell its ReplicaSet is told by its labels, which the operator must be able to read."""
    ready = [each for each in facts.unreadable if each.ready]
    if ready:
        more = f" and {len(ready) - 1} more" if len(ready) > 1 else ""
        yield Finding(
            ENDPOINT_WITHOUT_VERSION,
            f"Pod {facts.namespace}/{ready[0].name}{_at(ready[0])}{more} behind Service {facts.namespace}/{facts.service_name} belongs to no "
            f"ReplicaSet that is known, and the operator may not read its labels, so nobody knows its version: grant the operator "
            f"`list pods in {facts.namespace}`",
            _severity(facts),
        )


CHECKS: tuple[Check, ...] = (belong_to_a_version, may_be_known)


def _severity(facts: Facts) -> Severity:
    """Before traffic moves it must be mended. Afterwards the release goes on: the endpoint gets no requests, and none is counted."""
    return Severity.WARNING if facts.under_way else Severity.ERROR


def _lead(stranger: Stranger, facts: Facts) -> str:
    endpoint, service = stranger.endpoint, f"Service {facts.namespace}/{facts.service_name}"
    if stranger.pod is None:
        instead = f" but {endpoint.kind} {facts.namespace}/{endpoint.name}" if endpoint.name else ""
        return f"Endpoint {endpoint.address} of {service} names no pod{instead}, so Istio knows no labels of it and neither subset has it"
    workload = stranger.workload
    owned = "of nobody" if workload is None or workload.kind == POD else f"of {workload.title(facts.namespace)}"
    return (
        f"Pod {facts.namespace}/{stranger.pod.name}{_at(endpoint)}, {owned}, is behind {service} and carries no label `{facts.version_label}`, "
        "so neither subset has it"
    )


def _mending(stranger: Stranger, facts: Facts) -> str:
    if stranger.pod is None:
        return "take it out of its EndpointSlice, or let a pod serve in its place"
    label, version = facts.version_label, facts.version or "VERSION"
    key = next(iter(sorted(spec_of(facts.service or {}).get("selector") or {})), None)
    take_out = f", or take it out of the Service: kubectl label pod {stranger.pod.name} -n {facts.namespace} {key}-" if key else ""
    workload = stranger.workload
    if workload is None or workload.kind == POD:
        label_it = f"kubectl label pod {stranger.pod.name} -n {facts.namespace} {label}={version}"
        return f"say which version it is, such as: {label_it}{take_out}"
    place = f"spec.template.metadata.labels of {workload.title(facts.namespace)}"
    return f"write `{label}: {version}` (or whichever version it is) into {place}{take_out}"


def _at(endpoint: Endpoint) -> str:
    return f" ({endpoint.address})" if endpoint.address else ""
