"""Whether both versions' pods are in the mesh: decided as the API server and the injector decide it, and by what the live pods show.

Source: the webhooks' selectors as installed; `injectRequired` and the host-network rule in istio/istio 1.30 pkg/kube/inject/inject.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.mesh.pods import PROXY
from canary_operator.preflight import reads
from canary_operator.preflight.ambient import is_ambient
from canary_operator.preflight.facts import Arm, Check, Facts
from canary_operator.preflight.finding import (
    HOST_NETWORK,
    NOT_INJECTED,
    REVISION_UNKNOWN,
    SEVERAL_INJECTION_LABELS,
    SIDECAR_MISSING,
    Finding,
    Severity,
)
from canary_operator.preflight.labels import annotations_of, labels_of, matches, owner_name
from canary_operator.preflight.reading import Document
from canary_operator.preflight.sets import restart, title_of

INJECTION, REVISION, MODE = "istio-injection", "istio.io/rev", "istio.io/dataplane-mode"
INJECT = "sidecar.istio.io/inject"
_NEVER = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")


def no_host_network(facts: Facts) -> Iterator[Finding]:
    """A pod on the node's network gets no sidecar: its traffic cannot be told from the node's."""
    for arm, replica_set in _sets(facts):
        if _template(replica_set)["spec"].get("hostNetwork"):
            yield Finding(
                HOST_NETWORK,
                f"{title_of(replica_set, facts.namespace)} ({arm.role} {arm.version}) runs on the node's network, where pods get no sidecar: "
                "take `hostNetwork: true` out of its spec.template.spec",
            )


def is_injected(facts: Facts) -> Iterator[Finding]:
    """The next pod of each version gets a sidecar, and the pods that run have one."""
    namespace = _namespace(facts)
    if namespace is None or is_ambient(facts):
        return
    for arm, replica_set in _sets(facts):
        template = _template(replica_set)
        if template["spec"].get("hostNetwork") or has_proxy(template):
            continue  # told already; or injected by hand
        why_not = _refusal(facts, namespace, template, title_of(replica_set, facts.namespace))
        pods = _pods(facts, replica_set)
        bare = sorted(pod["metadata"]["name"] for pod in pods if not has_proxy(pod))
        if why_not is not None:
            severity = Severity.WARNING if pods and not bare else Severity.ERROR
            restarted = severity is Severity.WARNING or "spec.template" in why_not  # a changed template makes new pods by itself
            then = "" if restarted else f"; then: {restart(replica_set, facts.namespace)}"
            lead = "The next pods" if severity is Severity.WARNING else "Pods"
            yield Finding(NOT_INJECTED, f"{lead} of {title_of(replica_set, facts.namespace)} get no sidecar: {why_not}{then}", severity)
        elif bare:
            yield Finding(
                SIDECAR_MISSING,
                f"Pod {facts.namespace}/{bare[0]}{f' and {len(bare) - 1} more' if len(bare) > 1 else ''} of {arm.role} {arm.version} "
                f"has no {PROXY}, though a new one would get it: restart it: {restart(replica_set, facts.namespace)}",
            )


def revision_is_served(facts: Facts) -> Iterator[Finding]:
    """A revision in the namespace's labels is one that a control plane injects for."""
    namespace, webhooks = _namespace(facts), facts.found(reads.MUTATING)
    revision = labels_of(namespace).get(REVISION) if namespace else None
    if revision is None or webhooks is None or INJECTION in labels_of(namespace):
        return
    known = _revisions(webhooks)
    if revision not in known:
        yield Finding(
            REVISION_UNKNOWN,
            f"Namespace {facts.namespace} asks for revision {revision}, and no control plane serves it: "
            f"kubectl label namespace {facts.namespace} {REVISION}={known[0] if known else 'REVISION'} --overwrite; then: "
            f"kubectl rollout restart deployment -n {facts.namespace}"
            + (f" (known: {', '.join(known)})" if known else " (none is installed: istioctl install)"),
        )


def one_injection_label(facts: Facts) -> Iterator[Finding]:
    """Of several labels one wins silently."""
    namespace = _namespace(facts)
    found = [label for label in (INJECTION, REVISION, MODE) if namespace and label in labels_of(namespace)]
    if len(found) > 1:
        wins = found[0]
        yield Finding(
            SEVERAL_INJECTION_LABELS,
            f"Namespace {facts.namespace} carries {' and '.join(found)}, and {wins} wins: "
            f"kubectl label namespace {facts.namespace} {' '.join(f'{label}-' for label in found[1:])}",
            Severity.WARNING,
        )


CHECKS: tuple[Check, ...] = (no_host_network, revision_is_served, is_injected, one_injection_label)


def has_proxy(pod: Mapping[str, Any]) -> bool:
    """Whether a pod, or a template, has the sidecar: as a container, or as an init container that goes on running."""
    spec = pod.get("spec") or {}
    named = {container["name"] for key in ("containers", "initContainers") for container in spec.get(key) or ()}
    return PROXY in named or "sidecar.istio.io/status" in annotations_of(pod)


def _refusal(facts: Facts, namespace: Document, template: Document, workload: str) -> str | None:
    """Why the injector leaves a new pod of the template alone, and what to write; None: it does not."""
    labels, ours = labels_of(namespace), labels_of(template)
    off = ours.get(INJECT) == "false" or (INJECT not in ours and annotations_of(template).get(INJECT) == "false")
    if off:
        return f'take `{INJECT}: "false"` out of the labels and annotations of spec.template of {workload}'
    if facts.namespace in _NEVER:
        return f"Istio never injects into {facts.namespace}: deploy into another namespace"
    webhooks = facts.found(reads.MUTATING)
    injected = _by_labels(labels, ours) if webhooks is None else _by_webhooks(webhooks, facts.namespace, labels, ours)
    if injected:
        return None
    known = _revisions(webhooks or ())
    if webhooks is not None and REVISION in labels and INJECTION not in labels and labels[REVISION] not in known:
        return None  # told by `revision_is_served`
    label = f"{INJECTION}=enabled" if webhooks is None or not known or "default" in known else f"{REVISION}={known[0]}"
    clear = f" {INJECTION}-" if INJECTION in labels and not label.startswith(INJECTION) else ""
    said = f"is labelled {INJECTION}={labels[INJECTION]}" if INJECTION in labels else "is not enabled for injection"
    return f"namespace {facts.namespace} {said}: kubectl label namespace {facts.namespace} {label}{clear} --overwrite"


def _by_webhooks(webhooks: tuple[Document, ...], name: str, namespace: Mapping[str, str], pod: Mapping[str, str]) -> bool:
    """Whether the API server would send the pod to one of Istio's injectors."""
    labels = {"kubernetes.io/metadata.name": name, **namespace}
    return any(
        matches(webhook.get("namespaceSelector"), labels) and matches(webhook.get("objectSelector"), pod)
        for document in _injectors(webhooks)
        for webhook in document.get("webhooks") or ()
    )


def _by_labels(namespace: Mapping[str, str], pod: Mapping[str, str]) -> bool:
    """The same for the webhooks that Istio installs, when the installed ones may not be read."""
    if INJECTION in namespace:
        return namespace[INJECTION] == "enabled"
    return REVISION in namespace or pod.get(INJECT) == "true" or REVISION in pod


def _injectors(webhooks: tuple[Document, ...]) -> list[Document]:
    return [each for each in webhooks if any("sidecar-injector" in str(hook.get("name")) for hook in each.get("webhooks") or ())]


def _revisions(webhooks: tuple[Document, ...]) -> list[str]:
    found = {labels_of(each).get(key) for each in _injectors(webhooks) for key in (REVISION, "istio.io/tag")}
    return sorted(each for each in found if each)


def _namespace(facts: Facts) -> Document | None:
    found = facts.found(reads.namespace(facts))
    return found[0] if found else None


def _sets(facts: Facts) -> Iterator[tuple[Arm, Document]]:
    return ((arm, replica_set) for arm in facts.arms for replica_set in arm.sets)


def _template(replica_set: Document) -> dict[str, Any]:
    template: dict[str, Any] = replica_set["spec"]["template"]
    return {"spec": {}, **template}


def _pods(facts: Facts, replica_set: Document) -> list[Document]:
    """Its pods that run and stay; empty when pods may not be read."""
    read = reads.pods(facts)
    found = (facts.found(read) if read else None) or ()
    name = replica_set["metadata"]["name"]
    own = [pod for pod in found if (owner_name(pod) or pod["metadata"]["name"]) == name]
    return [pod for pod in own if not pod["metadata"].get("deletionTimestamp")]
