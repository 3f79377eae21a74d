"""What makes the pods of a version, in one shape: that of a ReplicaSet, whose template the checks look at.

Of StatefulSets, DaemonSets and foreign controllers nothing is read but their pods: a pod stands for the template that made it, without what the
injector has put into it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from canary_operator.mesh.pods import PROXY
from canary_operator.preflight.reading import Document
from canary_operator.workloads.model import Pod, Workload
from canary_operator.workloads.reading import POD, owner_of, workload_of

_RESTARTED = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds that `kubectl rollout restart` knows."""


def as_sets(namespace: str, pods: Iterable[Pod], read: Sequence[Document]) -> Iterator[Document]:
    """One document for each owner of these pods, and one for each pod that nobody owns.

    Args:
        namespace: Of the pods.
        pods: By their metadata.
        read: Pods that were read as a whole; of those that are not among them only the labels are known.
    """
    whole = {document["metadata"]["name"]: document for document in read}
    groups: dict[object, list[Pod]] = {}
    for pod in pods:
        groups.setdefault(pod.owner or pod.name, []).append(pod)
    for members in groups.values():
        # The youngest shows the template as it is now.
        shown = max(members, key=lambda pod: (pod.name in whole, pod.created, pod.name))
        workload, owner = workload_of(shown), shown.owner
        yield {
            "kind": workload.kind,
            "metadata": {
                "namespace": namespace,
                "name": owner.name if owner else shown.name,
                "ownerReferences": [{"kind": workload.kind, "name": workload.name, "controller": True}] if owner else [],
            },
            "spec": {"replicas": len(members), "template": _template(shown, whole.get(shown.name))},
        }


def _template(pod: Pod, whole: Document | None) -> dict[str, Any]:
    spec = dict((whole or {}).get("spec") or {})
    for key in ("containers", "initContainers"):
        if spec.get(key):
            spec[key] = [container for container in spec[key] if container.get("name") != PROXY]
    return {"metadata": {"labels": pod.labels}, "spec": spec}


def workload_behind(made_by: Document) -> Workload:
    """The object that a person would edit: the owner of a ReplicaSet, else the set, or the pod, itself."""
    owner = owner_of(made_by["metadata"])
    if owner is not None:
        return Workload(owner.kind or "Deployment", owner.name)
    return Workload(str(made_by.get("kind") or "ReplicaSet"), str(made_by["metadata"]["name"]))


def title_of(made_by: Document, namespace: str) -> str:
    """As messages name it: `StatefulSet shop/db`."""
    return workload_behind(made_by).title(namespace)


def labels_place(made_by: Document) -> str:
    """Where its pods' labels are written."""
    return "metadata.labels" if workload_behind(made_by).kind == POD else "spec.template.metadata.labels"


def restart(made_by: Document, namespace: str) -> str:
    """The command that replaces its pods."""
    workload = workload_behind(made_by)
    if workload.kind in _RESTARTED:
        return f"kubectl rollout restart {workload.kind.lower()}/{workload.name} -n {namespace}"
    if workload.kind == POD:
        return f"create Pod {namespace}/{workload.name} anew"
    return f"let {workload.title(namespace)} make its pods anew"
