"""What stands behind the Service of a CanaryRelease, as the cache has it, and what `workloads` makes of it."""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from canary_operator.cache import Cache, Document
from canary_operator.known_pods import Wish
from canary_operator.preflight.reading import selector_text
from canary_operator.subject import Subject
from canary_operator.workloads.model import Pod, Survey
from canary_operator.workloads.reading import pod_of
from canary_operator.workloads.source import Behind, Identity
from canary_operator.workloads.version_label import ByVersionLabel


def survey(it: Subject, service: Document | None, cache: Cache, pods: Iterable[Document] = ()) -> Survey:
    """What serves each version behind the Service.

    Args:
        it: The CanaryRelease.
        service: Its Service; None: it does not exist.
        cache: What is watched, and what was read of pods.
        pods: Pods that were read as a whole within the last minute. What they say counts, whatever their names are.
    """
    if service is None:
        return Survey()
    namespace = it.key.namespace
    read: dict[Identity, Pod | None] = {(pod.name, uid): pod for pod in map(pod_of, pods) for uid in (pod.uid, "")}
    return ByVersionLabel(it.spec.version_label).survey(
        Behind(
            endpoints=[each for found in cache.endpoint_slices(namespace, it.spec.service.name) for each in found["endpoints"]],
            replica_sets=cache.replica_sets(namespace, _selector(service)),
            pods=ChainMap(read, cache.pods.of(namespace)),
        )
    )


def wish(found: Survey, service: Document | None, *, urgent: bool) -> Wish | None:
    """The pods that must be read to know more; None: none.

    Args:
        found: What is known.
        service: The Service; None: it does not exist.
        urgent: A release waits for it.
    """
    if not found.unknown or service is None:
        return None
    return Wish(selector_text(_selector(service)), frozenset((each.name, each.uid) for each in found.unknown), urgent)


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


def _selector(service: Document) -> Mapping[str, str]:
    return (service.get("spec") or {}).get("selector") or {}
