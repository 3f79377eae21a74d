"""Which templates of a version are current: of ReplicaSets by their rollout number, of other pods by the label that their owner gives them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from canary_operator.workloads.model import Owner, Pod, Workload
from canary_operator.workloads.reading import OVERRIDE, hash_of, owner_of

ROLLOUT_NUMBER = "deployment.kubernetes.io/revision"
"""Annotation of a ReplicaSet: the higher, the newer its template. The cache keeps that of Argo's Rollouts under the same key."""


@dataclass(slots=True, eq=False)
class Maker:
    """A ReplicaSet."""

    name: str
    owner: Owner | None
    version: str
    """Value of the version label in its template; empty: it has none."""
    hash: str
    """Of its template."""
    age: tuple[int, str, str]
    """What orders the ReplicaSets of a Deployment: the rollout number, when it was made, its name."""
    replicas: int
    """Pods that it is asked for."""
    names: tuple[str, ...]
    """What Istio's telemetry may call the workload."""
    ready: int = 0
    """Ready endpoints of its pods, as far as counted."""

    @classmethod
    def of(cls, document: Mapping[str, Any], label: str) -> "Maker":
        """From a ReplicaSet as the cache keeps it."""
        metadata, template = document["metadata"], document["spec"]["template"]["metadata"].get("labels") or {}
        owner = owner_of(metadata)
        number = (metadata.get("annotations") or {}).get(ROLLOUT_NUMBER, "0")
        known = owner.name if owner else str(metadata["name"])
        return cls(
            name=str(metadata["name"]),
            owner=owner,
            version=template.get(label) or "",
            hash=hash_of(metadata.get("labels") or {}) or str(metadata["name"]),
            age=(int(number) if number.isdecimal() else 0, metadata.get("creationTimestamp") or "", metadata["name"]),
            replicas=document["spec"].get("replicas") or 0,
            names=tuple(dict.fromkeys((known, template.get(OVERRIDE) or known))),
        )

    @property
    def workload(self) -> Workload:
        """What a person would edit."""
        return Workload(self.owner.kind, self.owner.name) if self.owner else Workload("ReplicaSet", self.name)


def revision_of(makers: Sequence[Maker], every: Iterable[Maker]) -> tuple[list[Maker], list[str]]:
    """The current ReplicaSet of each workload of a version, and the hashes of their templates, sorted, each once.

    Current is the newest that wants pods, or the newest where none does. A workload without pods counts as well, so that scaling one of several
    to 0 and back is no new revision; one that has gone over to another version does not, unless nothing else is left of this one.

    Args:
        makers: All ReplicaSets of the version.
        every: Those of all versions.
    """
    latest: dict[object, Maker] = {}
    for each in every:
        key = each.owner or each.name
        latest[key] = max(latest.get(key, each), each, key=lambda maker: maker.age)
    groups: dict[object, list[Maker]] = {}
    for each in makers:
        groups.setdefault(each.owner or each.name, []).append(each)
    newest = {
        key: max((each for each in group if each.replicas), key=_age, default=None) or max(group, key=_age) for key, group in groups.items()
    }
    stays = [
        each
        for key, each in newest.items()
        if each.version == latest[key].version or any(maker.replicas or maker.ready for maker in groups[key])
    ]
    current = stays or ([max(newest.values(), key=_age)] if newest else [])
    return current, sorted({each.hash for each in current})


def replaced_by(makers: Sequence[Maker]) -> Mapping[str, str]:
    """Versions whose Deployments carry another version by now, and which.

    A Deployment carries the version of its newest ReplicaSet. A version is replaced when that is so of every owner of pods of it that are asked
    for, or, where none is, of every owner of its ReplicaSets.

    Args:
        makers: The ReplicaSets of all versions.
    """
    carried: dict[object, Maker] = {}
    for each in makers:
        key = each.owner or each.name
        carried[key] = max(carried.get(key, each), each, key=_age)
    found: dict[str, str] = {}
    for version in {each.version for each in makers if each.version}:
        of_it = [each for each in makers if each.version == version]
        wanting = [each for each in of_it if each.replicas] or of_it
        followers = {carried[each.owner or each.name].version for each in wanting}
        if version not in followers and "" not in followers:
            found[version] = min(followers)
    return found


def _age(maker: Maker) -> tuple[int, str, str]:
    return maker.age


def newest_hash(pods: Iterable[Pod], owner: Workload) -> str | None:
    """The hash of the newest template among the pods of one owner; None: their labels tell of none.

    Nobody reads the owner, so the newest is the one whose oldest pod is the youngest: pods of an older template that are made again, as a
    StatefulSet does behind its partition, stand beside others that are older still.
    """
    first: dict[str, str] = {}
    for pod in pods:
        found = hash_of(pod.labels, owner.name)
        if found is not None:
            first[found] = min(first.get(found, pod.created), pod.created)
    return max(first, key=lambda each: (first[each], each), default=None)


BARE = "pods"
"""Stands for the hash of pods whose labels tell of no template: it never changes, so that one more pod is no new revision."""


def joined(hashes: Sequence[str]) -> str:
    """The hash of a version: that of its template, or one of all its templates.

    >>> joined(["6cd85b7ff5"]), joined(["6cd85b7ff5", "7c4d"]), joined([])
    ('6cd85b7ff5', 'ee54b395c7', 'pods')
    """
    if len(hashes) <= 1:
        return hashes[0] if hashes else BARE
    return sha256("\n".join(hashes).encode()).hexdigest()[:10]
