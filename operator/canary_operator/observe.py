"""From what the cache holds to what a decision may look at. Reads documents, decides nothing, waits for nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from canary_operator.api.names import ACTION, FINALIZER
from canary_operator.cache import Cache, Document
from canary_operator.clients.kinds import DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.findings import Inspection
from canary_operator.mesh.routes import names_subsets
from canary_operator.release.model import Extras, Mark, Observation, RouteSeen, SubsetsSeen
from canary_operator.release.scene import version_of
from canary_operator.serving import made
from canary_operator.subject import Subject
from canary_operator.traffic import destination_rule
from canary_operator.traffic.mark import is_ours, mark_text
from canary_operator.traffic.unsplit import is_needed, is_unsplit, user_route_to_subsets
from canary_operator.trimming import name_of, touched_by

_QUIET = timedelta(seconds=5)
_UNANSWERED = -1
"""`status.observedGeneration` of a CanaryRelease that no operator has answered."""


def observe(it: Subject, cache: Cache, inspection: Inspection, rises_off: str | None = None) -> Observation:
    """Everything that one decision may look at, as the watches last said it.

    Args:
        it: The CanaryRelease.
        cache: What the watches said.
        inspection: What surrounds it.
        rises_off: Where the operator's configuration says `rises: false`; None: it does not.
    """
    metadata, spec = it.document["metadata"], it.spec
    service = cache.get(SERVICE, it.key.namespace, spec.service.name)
    route, subsets = route_seen(it, cache), subsets_seen(it, cache)
    serving = None if service is None else inspection.survey.versions
    return Observation(
        now=cache.now(),
        uid=it.uid,
        generation=metadata["generation"],
        name=it.key.name,
        namespace=it.key.namespace,
        deleting=it.deleting,
        finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        action=(metadata.get("annotations") or {}).get(ACTION),
        last_action=it.status.last_action,
        last_release=it.status.last_release,
        history=it.status.history,
        stable=it.status.stable,
        versions=serving,
        presence=cache.presence(it.key, serving, (version_of(it.status.stable),)),
        unknown=inspection.survey.unknown_ready,
        strangers=len(inspection.survey.strangers),
        service_since=None if service is None else made(it, service, cache),
        route=route,
        route_gone_since=_gone_since(it, cache) if route is None else None,
        subsets=subsets,
        fresh=_fresh(it, cache),
        beside=inspection.beside,
        attached=it.attached,
        findings=inspection.findings,
        warnings=inspection.warnings,
        remembered=inspection.remembered,
        rises_off=rises_off,
        unread=inspection.unread,
        left_out=inspection.left_out,
        samples=cache.answer(it.key),
        queries=cache.values(it.key),
    )


def route_seen(it: Subject, cache: Cache) -> RouteSeen | None:
    """The managed routes as they stand, all taken together; None: there is none that can be given a weight."""
    reading, standing = it.reading, [route for route in it.routes if route.document is not None]
    if reading is None:
        return None
    since = {route.name: cache.since(VIRTUAL_SERVICE, it.key.namespace, route.name) for route in standing}
    newest = sorted(standing, key=lambda route: since[route.name], reverse=True)
    return RouteSeen(
        reading.weight,
        reading.intact,
        _highest(it, [route.document for route in standing if route.document is not None]),
        max(since.values()),
        extras=Extras(reading.preview, reading.mirror),
        stays=it.attached or any(not _is_needless(it, route.document) for route in standing),
        unsplit=not it.attached and all(is_unsplit(route.document, it.wanted.host) for route in standing if route.document is not None),
        touched_by=next((by for route in newest if (by := touched_by(route.document))), None),
        unfinished=not reading.intact and (reading.former or _unfinished(it, cache.now() - max(since.values()))),
    )


def _is_needless(it: Subject, document: Document | None) -> bool:
    """Ours, and nothing that a caller would notice the loss of."""
    return document is not None and is_ours(document, it.key.name) and not is_needed(document, it.wanted.host)


def _unfinished(it: Subject, unchanged: timedelta) -> bool:
    """Each VirtualService is as its mark says: a write of ours reached some of them only, or ours is to be otherwise than when we wrote it.

    Of ours that is believed after an edit of the spec that was not answered yet, or when it has not changed for a while: whatever changes our
    writes at once would have us write for ever.
    """
    ranks = set()
    edited = it.status.observed_generation not in (_UNANSWERED, it.document["metadata"]["generation"])
    for route in it.routes:
        if (reading := route.reading) is None:
            continue
        mark = Mark.parse(mark_text(route.document, it.key.name)) if route.document is not None else None
        as_left = reading.intact if it.attached else touched_by(route.document) is None and (edited or unchanged >= _QUIET)
        if mark is None or mark.uid != it.uid or not as_left or reading.weight != mark.weight:
            return False
        ranks.add(mark.rank)
    return len(ranks) > 1 or not it.attached


def subsets_seen(it: Subject, cache: Cache) -> SubsetsSeen | None:
    """The DestinationRule as it stands; None: there is none."""
    if it.rule is None:
        return None
    selected = destination_rule.read(it.rule, it.wanted.host, it.spec.version_label)
    since = cache.since(DESTINATION_RULE, *name_of(it.rule))
    return SubsetsSeen(
        selected.stable,
        selected.canary,
        _highest(it, [it.rule]),
        since,
        stays=not it.rule_is_ours,
        named_by=_named_by(it, cache) if it.deleting else None,
        policies=destination_rule.has_subset_policies(it.rule),
        touched_by=touched_by(it.rule),
        exported=not it.rule_is_ours or destination_rule.is_exported(it.rule, it.wanted.export_to),
        former=it.rule_is_ours and "exportTo" not in (it.rule.get("spec") or {}),
    )


def _named_by(it: Subject, cache: Cache) -> str | None:
    """A route that is not ours and sends to one of our subsets, the first by name; None: there is none."""
    for route in it.routes if not it.attached else ():
        if route.document is not None and (added := user_route_to_subsets(route.document, it.wanted.host)):
            return f"{added} of VirtualService {'/'.join(name_of(route.document))}"
    ours = {(it.key.namespace, route.name) for route in it.routes if route.document is not None}
    others = cache.pick(VIRTUAL_SERVICE, cache.indexes.sending_to(it.wanted.host) - ours)
    return next((f"VirtualService {'/'.join(name_of(each))}" for each in others if names_subsets(each, it.wanted.host)), None)


def _highest(it: Subject, documents: Sequence[Document]) -> Mark | None:
    """The mark that was written last: of this CanaryRelease if it has written, else of an earlier one of its name."""
    marks = [mark for document in documents if (mark := Mark.parse(mark_text(document, it.key.name))) is not None]
    return max(marks, key=lambda mark: (mark.uid == it.uid, mark.rank), default=None)


def _gone_since(it: Subject, cache: Cache) -> datetime:
    return max(cache.since(VIRTUAL_SERVICE, it.key.namespace, route.name) for route in it.routes)


def _fresh(it: Subject, cache: Cache) -> bool:
    """The record is newer than the routing: this process wrote the routing itself, or read the CanaryRelease after it saw it."""
    read = cache.read_at(it.key)
    for kind, document in (*((VIRTUAL_SERVICE, route.document) for route in it.routes), (DESTINATION_RULE, it.rule)):
        if document is None or cache.is_own_mark(it.key, mark_text(document, it.key.name)):
            continue
        if read is None or read < cache.since(kind, *name_of(document)):
            return False
    return True
