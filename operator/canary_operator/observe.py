"""From what the cache holds to what a decision may look at. Reads documents, decides nothing, waits for nothing."""

from canary_operator.api.names import ACTION, FINALIZER
from canary_operator.cache import Cache
from canary_operator.clients.kinds import DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.findings import findings
from canary_operator.release.model import Mark, Observation, RouteSeen, SubsetsSeen
from canary_operator.serving import versions
from canary_operator.subject import Subject
from canary_operator.traffic import destination_rule, virtual_service
from canary_operator.traffic.mark import mark_text


def observe(it: Subject, cache: Cache) -> Observation:
    """Everything that one decision may look at, as the watches last said it."""
    metadata, spec = it.document["metadata"], it.spec
    service = cache.get(SERVICE, it.key.namespace, spec.service.name)
    route, subsets = route_seen(it, cache), subsets_seen(it, cache)
    return Observation(
        now=cache.now(),
        uid=it.uid,
        generation=metadata["generation"],
        name=it.key.name,
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        action=(metadata.get("annotations") or {}).get(ACTION),
        last_action=it.status.last_action,
        last_release=it.status.last_release,
        stable=it.status.stable,
        versions=None if service is None else dict(versions(it, service, cache)),
        route=route,
        route_gone_since=cache.since(VIRTUAL_SERVICE, *it.key) if route is None else None,
        subsets=subsets,
        fresh=_fresh(it, cache),
        findings=tuple(findings(it, service, cache)),
        samples=cache.answer(it.key),
    )


def route_seen(it: Subject, cache: Cache) -> RouteSeen | None:
    """The VirtualService of ours as it stands; None: there is none."""
    if it.route is None:
        return None
    reading = virtual_service.read(it.route, it.wanted)
    return RouteSeen(reading.weight, reading.intact, Mark.parse(mark_text(it.route)), cache.since(VIRTUAL_SERVICE, *it.key))


def subsets_seen(it: Subject, cache: Cache) -> SubsetsSeen | None:
    """The DestinationRule of ours as it stands; None: there is none."""
    if it.rule is None:
        return None
    selected = destination_rule.read(it.rule, it.spec.version_label)
    return SubsetsSeen(selected.stable, selected.canary, Mark.parse(mark_text(it.rule)), cache.since(DESTINATION_RULE, *it.key))


def _fresh(it: Subject, cache: Cache) -> bool:
    """The record is newer than the routing: this process wrote the routing itself, or read the CanaryRelease after it saw it."""
    read = cache.read_at(it.key)
    for kind, document in ((VIRTUAL_SERVICE, it.route), (DESTINATION_RULE, it.rule)):
        if document is None or cache.is_own_mark(it.key, mark_text(document)):
            continue
        if read is None or read < cache.since(kind, *it.key):
            return False
    return True
