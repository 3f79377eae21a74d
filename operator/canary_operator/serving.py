"""What serves each version of a Service: ReplicaSets and their ready endpoints.

Pods are not watched: a pod is named after its ReplicaSet, and the ReplicaSet's template carries the version label.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from canary_operator.cache import REVISION, Cache, Document
from canary_operator.mesh.pods import base_of_pod, base_of_pods
from canary_operator.release.model import Serving
from canary_operator.subject import Subject


def versions(it: Subject, service: Document, cache: Cache) -> Iterator[tuple[str, Serving]]:
    """What serves each version: ReplicaSets that the Service selects, and their ready endpoints."""
    sets: dict[str, list[Document]] = defaultdict(list)
    for each in cache.replica_sets(it.key.namespace, (service.get("spec") or {}).get("selector") or {}):
        version = each["spec"]["template"]["metadata"]["labels"].get(it.spec.version_label)
        if version:
            sets[version].append(each)
    ready = Counter(base_of_pod(pod) for pod in _ready_pods(it, cache))
    bases = {version: {_base(each) for each in members} for version, members in sets.items()}
    claims = Counter(base for each in bases.values() for base in each)
    for version, members in sets.items():
        # A base that two versions share says of no pod whose it is; preflight says what to do.
        counts = {base: ready[base] for base in bases[version] if claims[base] == 1}
        alive = [each for each in members if each["spec"].get("replicas") or counts.get(_base(each))] or [max(members, key=_age)]
        newest = max((each for each in members if each["spec"].get("replicas")), key=_age, default=max(alive, key=_age))
        yield (
            version,
            Serving(
                version=version,
                revision=f"{version}@{_hash(newest)}",
                workloads=tuple(sorted({_workload(each) for each in alive})),
                ready=sum(counts.values()),
                desired=sum(each["spec"].get("replicas") or 0 for each in members),
            ),
        )


def made(it: Subject, service: Document, cache: Cache) -> datetime | None:
    """When the Service and the first of its EndpointSlices were both there; None: the API server does not say.

    Slices come and go with the number of pods, so a newer one beside an older says nothing.
    """
    slices = [_created(each) for each in cache.endpoint_slices(it.key.namespace, it.spec.service.name)]
    known = (_created(service), min((time for time in slices if time is not None), default=None))
    return max((time for time in known if time is not None), default=None)


def _created(document: Document) -> datetime | None:
    """The end of the second in which it was made: the API server cuts the rest off."""
    text = document["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(text) + timedelta(seconds=1) if text else None


def _ready_pods(it: Subject, cache: Cache) -> set[str]:
    """Names of the pods behind the Service's ready endpoints."""
    return {
        endpoint["targetRef"]["name"]
        for each in cache.endpoint_slices(it.key.namespace, it.spec.service.name)
        for endpoint in each.get("endpoints") or ()
        # An absent `ready` counts as ready: kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1
        if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint["targetRef"]["name"]  # None: written by hand, no pod
    }


def _base(replica_set: Document) -> str:
    return base_of_pods(replica_set["metadata"]["name"])


def _age(replica_set: Document) -> tuple[int, str, str]:
    metadata = replica_set["metadata"]
    number = (metadata.get("annotations") or {}).get(REVISION, "0")
    return int(number) if number.isdecimal() else 0, metadata.get("creationTimestamp") or "", metadata["name"]


def _hash(replica_set: Document) -> str:
    metadata = replica_set["metadata"]
    return str((metadata.get("labels") or {}).get("pod-template-hash") or metadata["name"])


def _workload(replica_set: Document) -> str:
    owners = replica_set["metadata"].get("ownerReferences") or ()
    return next((str(owner["name"]) for owner in owners if owner.get("controller")), str(replica_set["metadata"]["name"]))
