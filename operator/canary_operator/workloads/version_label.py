"""Versions told apart by a label of their pods.

A pod of a ReplicaSet that is known is told by its name, at no cost: it begins with the ReplicaSet's, whose template has the labels. Any other
pod is told by its own labels, once its metadata was read.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from canary_operator.mesh.pods import base_of_pod, base_of_pods
from canary_operator.workloads.model import Endpoint, Pod, Serving, Stranger, Survey, Workload
from canary_operator.workloads.reading import POD, hash_of, names_in_telemetry, workload_of
from canary_operator.workloads.revision import Maker, joined, newest_hash, replaced_by, revision_of
from canary_operator.workloads.source import Behind, Identity, once


@dataclass(slots=True)
class _Version:
    """What is found of one version, while it is being found."""

    makers: list[Maker] = field(default_factory=list)
    """Its ReplicaSets."""
    pods: list[tuple[Pod, Endpoint]] = field(default_factory=list)
    """Its pods that none of these ReplicaSets made."""


@dataclass(frozen=True, slots=True)
class ByVersionLabel:
    """The label's value is the version."""

    label: str
    """Key of the label, such as `version`."""

    def survey(self, behind: Behind) -> Survey:
        """What serves each version. Endpoints whose pod does not exist serve nothing: Istio leaves them out.

        Source: `endpoint_no_pod` in istio/istio pilot/pkg/serviceregistry/kube/controller/endpointslice.go.
        """
        makers = [Maker.of(each, self.label) for each in behind.replica_sets]
        found: dict[str, _Version] = defaultdict(_Version)
        for maker in makers:
            if maker.version:
                found[maker.version].makers.append(maker)
        strangers, unknown = self._share_out(behind, makers, found)
        replaced = replaced_by(makers)
        return Survey(
            versions={version: _serving(version, each, makers, replaced.get(version)) for version, each in found.items()},
            strangers=tuple(each for each in strangers if each.endpoint.ready),
            unknown=tuple(unknown),
            pods={version: tuple(pod for pod, _ in each.pods) for version, each in found.items() if each.pods},
        )

    def _share_out(
        self, behind: Behind, makers: Sequence[Maker], found: MutableMapping[str, _Version]
    ) -> tuple[list[Stranger], list[Endpoint]]:
        """Gives each endpoint to the version it belongs to, and answers those that belong to none and those of which nobody knows yet."""
        by_name, by_base = {each.name: each for each in makers}, _by_base(makers)
        strangers, unknown = [], []
        for endpoint in once(behind.endpoints):
            match self._told(endpoint, behind.pods, by_name, by_base):
                case Maker() as maker if maker.version:
                    maker.ready += endpoint.ready
                case Maker() as maker:
                    strangers.append(Stranger(endpoint, workload=maker.workload))
                case Pod() as pod if version := pod.labels.get(self.label):
                    found[version].pods.append((pod, endpoint))
                case Pod() as pod:
                    strangers.append(Stranger(endpoint, pod, workload_of(pod)))
                case Stranger() as stranger:
                    strangers.append(stranger)
                case Endpoint() as pending:
                    unknown.append(pending)
        return strangers, unknown

    def _told(
        self, endpoint: Endpoint, pods: Mapping[Identity, Pod | None], by_name: Mapping[str, Maker], by_base: Mapping[str, list[Maker]]
    ) -> Maker | Pod | Stranger | Endpoint | None:
        """Whose the endpoint is: a ReplicaSet's, or that of a pod that speaks for itself, or nobody's. The endpoint itself: nobody knows yet.

        None: it serves nothing and never will.
        """
        if not endpoint.is_pod:
            return Stranger(endpoint)
        identity = endpoint.name, endpoint.uid
        if identity in pods:
            pod = pods[identity]
            if pod is None:
                return None
            maker = by_name.get(pod.owner.name) if pod.owner and pod.owner.kind == "ReplicaSet" else None
            return maker if maker is not None and maker.version == (pod.labels.get(self.label) or "") else pod
        candidates = by_base.get(base_of_pod(endpoint.name), [])
        if len(candidates) > 1:  # names so long that Kubernetes cuts off what tells them apart
            wanting = [each for each in candidates if each.replicas]
            candidates = wanting if wanting else candidates[:1] if len({each.version for each in candidates}) == 1 else candidates
        if len(candidates) == 1:
            return candidates[0]
        return None if endpoint.terminating and not endpoint.ready else endpoint


def _by_base(makers: Sequence[Maker]) -> Mapping[str, list[Maker]]:
    found: dict[str, list[Maker]] = defaultdict(list)
    for maker in sorted(makers, key=lambda each: each.age, reverse=True):
        found[base_of_pods(maker.name)].append(maker)
    return found


def _serving(version: str, found: _Version, makers: list[Maker], replaced: str | None) -> Serving:
    current, hashes = revision_of(found.makers, makers)
    known = {maker.workload for maker in makers}
    groups: dict[Workload, list[Pod]] = defaultdict(list)
    for pod, _ in found.pods:
        groups[workload_of(pod)].append(pod)
    # A pod that nobody owns, or that was relabelled, says nothing of the version's template where something else does.
    newest = {owner: newest_hash(pods, owner) for owner, pods in groups.items() if owner.kind != POD and owner not in known}
    hashes = sorted({*hashes, *(each for each in newest.values() if each is not None)})
    ready = sum(maker.ready for maker in current)
    old = sum(maker.ready for maker in found.makers if maker not in current)
    for pod, endpoint in found.pods:
        owner = workload_of(pod)
        template = hash_of(pod.labels, owner.name)
        wanted = [newest[owner]] if owner in newest else hashes
        is_old = template is not None and bool(wanted) and template not in wanted
        ready, old = (ready, old + endpoint.ready) if is_old else (ready + endpoint.ready, old)
    desired = sum(maker.replicas for maker in found.makers) + sum(_stays(pod, endpoint) for pod, endpoint in found.pods)
    return Serving(
        version=version,
        revision=f"{version}@{joined(hashes)}",
        workloads=tuple(sorted(set(_names(found)))),
        ready=ready,
        desired=desired,
        old=old,
        # A ReplicaSet that is gone asks for no pod, as one at 0 does, while its last pods still end.
        told=bool(found.makers) or (bool(found.pods) and all(pod.owner and pod.owner.kind == "ReplicaSet" for pod, _ in found.pods)),
        leaving=not desired and ready + old > 0,
        replaced_by=replaced if not any(_stays(pod, endpoint) for pod, endpoint in found.pods) else None,
    )


def _stays(pod: Pod, endpoint: Endpoint) -> bool:
    return not pod.leaving and not endpoint.terminating


def _alive(found: _Version) -> list[Maker]:
    """The ReplicaSets that have pods or want some; if none does, the newest."""
    alive = [each for each in found.makers if each.replicas or each.ready]
    if not alive and found.makers and not found.pods:
        alive = [max(found.makers, key=lambda each: each.age)]
    return alive


def _names(found: _Version) -> Iterator[str]:
    for maker in _alive(found):
        yield from maker.names
    for pod, _ in found.pods:
        yield from names_in_telemetry(pod)
