"""Whether the Service and the pod templates of both versions fit each other: selector, labels, ports."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import (
    APP_LABEL_MISSING,
    GRPC_PORT_NOT_NAMED,
    SERVICE_OVERLAPS,
    SERVICE_SELECTS_NO_POD,
    TARGET_PORT_UNDECLARED,
    TARGET_PORT_UNKNOWN,
    VERSION_LABEL_MISSING,
    WORKLOAD_SHARED,
    Finding,
    Severity,
)
from canary_operator.preflight.labels import labels_of
from canary_operator.preflight.ports import moved_ports, protocol_of
from canary_operator.preflight.reading import Document
from canary_operator.preflight.scope import spec_of
from canary_operator.preflight.sets import labels_place, title_of, workload_behind
from canary_operator.workloads.reading import OVERRIDE

# Istio's canonical service: istio.io/latest/docs/ops/deployment/application-requirements
_APP = ("app", "app.kubernetes.io/name", "service.istio.io/canonical-name")


def selects_the_version(facts: Facts) -> Iterator[Finding]:
    """The wanted version's pods are the Service's. Pods of another Service may carry the same version: only pods of none are told."""
    selector = _selector(facts.service)
    if not selector or facts.version_label in selector or any(arm.version == facts.version and arm.sets for arm in facts.arms):
        return
    others = [found for each in facts.services if (found := _selector(each))]
    for replica_set in facts.replica_sets:
        labels = labels_of(replica_set["spec"]["template"])
        stray = labels.get(facts.version_label) == facts.version and not any(found.items() <= labels.items() for found in others)
        if not stray or not replica_set["spec"].get("replicas"):
            continue
        wrong = {key: value for key, value in sorted(selector.items()) if labels.get(key) != value}
        carried = ", ".join(f"{key}={labels[key]}" if key in labels else f"no {key}" for key in wrong)
        asked = ", ".join(f"{key}={value}" for key, value in wrong.items())
        yield Finding(
            SERVICE_SELECTS_NO_POD,
            f"Service {facts.namespace}/{facts.service_name} selects {asked}, and the pods of {_title(replica_set, facts)} "
            f"({facts.version_label}={facts.version}) carry {carried}: write `{_yaml(wrong)}` into its spec.template.metadata.labels, "
            f"or correct spec.selector of the Service",
        )
        return


def carries_the_version(facts: Facts) -> Iterator[Finding]:
    """Pods without the version label are in no subset: once the subsets rule, no request reaches them."""
    for replica_set in _selected(facts):
        if not labels_of(replica_set["spec"]["template"]).get(facts.version_label):
            yield Finding(
                VERSION_LABEL_MISSING,
                f"Service {facts.namespace}/{facts.service_name} selects the pods of {_title(replica_set, facts)}, which carry no label "
                f"`{facts.version_label}`, so neither subset would have them: write `{facts.version_label}: {facts.version}` "
                f"(or whichever version they are) into its {labels_place(replica_set)}",
                _unless_under_way(facts),
            )


def is_a_workload_of_its_own(facts: Facts) -> Iterator[Finding]:
    """Telemetry tells versions apart by their workload: one Deployment for both would mix their failures."""
    owners = [dict.fromkeys(workload_behind(each) for each in arm.sets) for arm in facts.arms]
    for shared in (each for each in owners[0] if each in owners[1]) if len(owners) == 2 else ():
        stable, canary = facts.arms[0].version, facts.arms[1].version
        yield Finding(
            WORKLOAD_SHARED,
            f"{shared.title(facts.namespace)} runs {stable} and {canary}, so their requests cannot be told apart: "
            f"leave {stable} in it, and deploy {canary} as a {shared.kind} of its own, such as {facts.service_name}-{canary}",
        )


def has_a_name_of_its_own(facts: Facts) -> Iterator[Finding]:
    """A label of the pods overrides the workload's name in telemetry (istio.io/api/label, `service.istio.io/workload-name`)."""
    names = [{name for each in arm.sets if (name := labels_of(each["spec"]["template"]).get(OVERRIDE))} for arm in facts.arms]
    for shared in sorted(names[0] & names[1]) if len(names) == 2 else ():
        yield Finding(
            WORKLOAD_SHARED,
            f"The pods of both versions carry `{OVERRIDE}: {shared}`, so telemetry calls them alike and their requests cannot be told "
            f"apart: give {facts.arms[1].version} a name of its own, such as `{shared}-{facts.arms[1].version}`, or take the label out",
        )


def carries_an_app(facts: Facts) -> Iterator[Finding]:
    """Telemetry and tracing name the service by this label."""
    for arm in facts.arms:
        for replica_set in arm.sets:
            if not any(key in labels_of(replica_set["spec"]["template"]) for key in _APP):
                yield Finding(
                    APP_LABEL_MISSING,
                    f"Pods of {_title(replica_set, facts)} carry no label `app`, so telemetry names them by their owner: "
                    f"write `app: {facts.service_name}` into its {labels_place(replica_set)}",
                    Severity.WARNING,
                )


def has_its_pods_alone(facts: Facts) -> Iterator[Finding]:
    """Who calls another Service of the same pods gets both versions, whatever the weights are."""
    for other in facts.services:
        name, selector = other["metadata"]["name"], _selector(other)
        if name == facts.service_name or not selector:
            continue
        shared = [each for each in _selected(facts) if selector.items() <= labels_of(each["spec"]["template"]).items()]
        if shared:
            yield Finding(
                SERVICE_OVERLAPS,
                f"Service {facts.namespace}/{name} selects pods of Service {facts.namespace}/{facts.service_name} too: "
                f"requests to {name} ignore the weights, so let callers use {facts.service_name}",
                Severity.WARNING,
            )


def target_port_fits(facts: Facts) -> Iterator[Finding]:
    """A named target port exists in both templates; a number that no container declares is probably a slip."""
    for entry in moved_ports(facts):
        yield from _target_fits(facts, entry)


def _target_fits(facts: Facts, entry: Mapping[str, Any]) -> Iterator[Finding]:
    target = entry.get("targetPort") or entry.get("port")
    where = f"Port {entry['port']} of Service {facts.namespace}/{facts.service_name}"
    for arm in facts.arms:
        for replica_set in arm.sets:
            if not _shows_containers(replica_set):
                continue
            ports = _container_ports(replica_set)
            known = ", ".join(str(each.get("name") or each.get("containerPort")) for each in ports) or "none"
            if isinstance(target, str) and target not in {each.get("name") for each in ports}:
                numbers = sorted(str(each["containerPort"]) for each in ports)
                write = f"targetPort: {numbers[0]}" if numbers else f"ports: [{{name: {target}, containerPort: NUMBER}}]"
                place = "into that port of the Service" if numbers else "into its container"
                yield Finding(
                    TARGET_PORT_UNKNOWN,
                    f"{where} leads to the container port {target}, which {_title(replica_set, facts)} ({arm.role}) does not have "
                    f"(it has: {known}): write `{write}` {place}",
                )
            elif isinstance(target, int) and ports and target not in {each.get("containerPort") for each in ports}:
                yield Finding(
                    TARGET_PORT_UNDECLARED,
                    f"{where} leads to container port {target}, which no container of {_title(replica_set, facts)} declares "
                    f"(declared: {known}): if nothing listens there, write `targetPort: {ports[0]['containerPort']}` into the Service",
                    Severity.WARNING,
                )


def grpc_is_named(facts: Facts) -> Iterator[Finding]:
    """On a port that is named http, proxies speak HTTP/1.1, which carries no gRPC."""
    for entry in moved_ports(facts):
        if protocol_of(entry) == "http":
            yield from _grpc_is_named(facts, entry)


def _grpc_is_named(facts: Facts, entry: Mapping[str, Any]) -> Iterator[Finding]:
    target = entry.get("targetPort")
    for arm in facts.arms:
        for replica_set in arm.sets:
            names = {str(each["name"]) for each in _container_ports(replica_set) if each.get("name") and target in _spellings(each)}
            if any(name == "grpc" or name.startswith("grpc-") and not name.startswith("grpc-web") for name in names):
                yield Finding(
                    GRPC_PORT_NOT_NAMED,
                    f"Port {entry['port']} of Service {facts.namespace}/{facts.service_name} is http, and {_title(replica_set, facts)} calls "
                    "it grpc: write `appProtocol: grpc` on that port of the Service, or proxies speak HTTP/1.1 to it and every call fails",
                )
                return


def _unless_under_way(facts: Facts) -> Severity:
    """Before traffic moves it must be mended. Afterwards the release goes on: what no subset has gets no requests."""
    return Severity.WARNING if facts.under_way else Severity.ERROR


CHECKS: tuple[Check, ...] = (
    selects_the_version,
    carries_the_version,
    is_a_workload_of_its_own,
    has_a_name_of_its_own,
    target_port_fits,
    grpc_is_named,
    carries_an_app,
    has_its_pods_alone,
)


def _selector(service: Mapping[str, Any] | None) -> Mapping[str, str]:
    return spec_of(service or {}).get("selector") or {}


def _selected(facts: Facts) -> Iterator[Document]:
    """The ReplicaSets that want pods and whose pods are the Service's."""
    selector = _selector(facts.service)
    for each in facts.replica_sets:
        if selector and each["spec"].get("replicas") and selector.items() <= labels_of(each["spec"]["template"]).items():
            yield each


def _shows_containers(replica_set: Document) -> bool:
    """Of pods that are known by their metadata alone nobody knows the containers."""
    return "containers" in (replica_set["spec"]["template"].get("spec") or {})


def _container_ports(replica_set: Document) -> list[Mapping[str, Any]]:
    spec = replica_set["spec"]["template"].get("spec") or {}
    return [port for container in spec.get("containers") or () for port in container.get("ports") or ()]


def _spellings(port: Mapping[str, Any]) -> tuple[object, object]:
    return port.get("name"), port.get("containerPort")


def _yaml(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in labels.items())


def _title(replica_set: Document, facts: Facts) -> str:
    return title_of(replica_set, facts.namespace)
