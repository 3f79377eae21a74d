"""From documents of the API to values: endpoints and pods. What is not there is left out, never guessed."""

from collections.abc import Mapping
from sys import intern
from typing import Any

from canary_operator.workloads.model import Endpoint, Owner, Pod, Workload

POD = "Pod"
OVERRIDE = "service.istio.io/workload-name"
"""Label of a pod by which Istio names its workload. Source: `GetWorkloadMetaFromPod` in istio/istio pkg/kube/util.go."""


def endpoint_of(document: Mapping[str, Any]) -> Endpoint:
    """One entry of an EndpointSlice's `endpoints`. Absent conditions: `ready` and `serving` count as true, `terminating` as false.

    Source: kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1.
    """
    target, conditions = document.get("targetRef") or {}, document.get("conditions") or {}
    ready = conditions.get("ready") is not False
    serving = conditions.get("serving")
    return Endpoint(
        kind=intern(str(target.get("kind") or "")),
        name=str(target.get("name") or ""),
        uid=str(target.get("uid") or ""),
        address=str(next(iter(document.get("addresses") or ()), "")),
        ready=ready,
        serving=ready if serving is None else bool(serving),
        terminating=bool(conditions.get("terminating")),
    )


def owner_of(metadata: Mapping[str, Any]) -> Owner | None:
    """The controller in an object's `ownerReferences`; None: it has none."""
    owners = metadata.get("ownerReferences") or ()
    return next((Owner(intern(str(each.get("kind") or "")), intern(str(each["name"]))) for each in owners if each.get("controller")), None)


def pod_of(document: Mapping[str, Any]) -> Pod:
    """A Pod, or its PartialObjectMetadata."""
    metadata = document["metadata"]
    return Pod(
        name=str(metadata["name"]),
        uid=str(metadata.get("uid") or ""),
        labels={intern(str(key)): intern(str(value)) for key, value in (metadata.get("labels") or {}).items()},  # alike in many pods
        owner=owner_of(metadata),
        created=intern(str(metadata.get("creationTimestamp") or "")),
        generated=bool(metadata.get("generateName")),
        leaving=bool(metadata.get("deletionTimestamp")),
    )


_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")
"""Labels by which Deployments and Argo's Rollouts tell the pods of their templates apart."""
_DEPLOYED = {"pod-template-hash": "Deployment", "rollouts-pod-template-hash": "Rollout"}


def hash_of(labels: Mapping[str, str], owner: str | None = None) -> str | None:
    """The hash of the template that a pod or ReplicaSet was made from; None: its labels do not say.

    >>> hash_of({"pod-template-hash": "6cd85b7ff5"}), hash_of({"controller-revision-hash": "db-7c4d"}, "db")
    ('6cd85b7ff5', '7c4d')
    """
    revision = labels.get("controller-revision-hash")
    if revision:  # a StatefulSet puts its name before it, a DaemonSet does not
        return revision.removeprefix(f"{owner}-") if owner else revision
    return next((labels[label] for label in _HASHES if labels.get(label)), None)


def workload_of(pod: Pod) -> Workload:
    """What a person would edit to change the pod: its owner, of a ReplicaSet the one whose name it carries, else the pod itself."""
    if pod.owner is None:
        return Workload(POD, pod.name)
    if pod.owner.kind == "ReplicaSet":
        for label in _HASHES:
            template = pod.labels.get(label)
            if template and pod.owner.name.endswith(f"-{template}"):
                return Workload(_DEPLOYED[label], pod.owner.name.removesuffix(f"-{template}"))
    return Workload(pod.owner.kind, pod.owner.name)


def names_in_telemetry(pod: Pod) -> frozenset[str]:
    """What Istio may call the pod's workload: after its owner if its name was generated, else after the pod; a label overrides both.

    Both are named where the label is there: Istio before 1.24 does not heed it.
    """
    own = workload_of(pod).name if pod.generated else pod.name
    return frozenset({own, pod.labels.get(OVERRIDE) or own})
