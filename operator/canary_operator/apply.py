"""Effect -> API calls, idempotent, in order. No decisions: what is wanted stands in the effect, what is there in the cache.

Every write carries the resource version that it was derived from. A write that is refused for it, or whose outcome is unknown, ends the pass; the
object is read afresh, so that the next pass derives its write from what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import FINALIZER, MARK
from canary_operator.cache import Cache, Document, Key
from canary_operator.clients.errors import CanaryOperatorError, ClusterError, Conflict, NotFound, Unavailable
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, VIRTUAL_SERVICE, Kind
from canary_operator.clients.kubernetes import Cluster
from canary_operator.events import announce
from canary_operator.release.model import (
    Announce,
    Disown,
    Effect,
    EnsureFinalizer,
    EnsureSubsets,
    EnsureWeights,
    Extras,
    Mark,
    ReadAgain,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
)
from canary_operator.subject import Subject
from canary_operator.traffic import attached, destination_rule, virtual_service
from canary_operator.traffic.managed import Attached, Wanted
from canary_operator.traffic.mark import is_nobodys, is_ours, mark_text, with_mark, without_ownership
from canary_operator.trimming import name_of


class Stale(CanaryOperatorError):
    """The routing was written by a later decision than this one: this process is behind, and writes nothing."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What an effect is applied with."""

    cluster: Cluster
    cache: Cache


async def apply(  # noqa: C901 (one arm per effect)
    effect: Effect, it: Subject, hands: Hands, status: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Reaches one end; answers the status if that is what it wrote.

    Args:
        effect: The end.
        it: The CanaryRelease, as it stands in the cache now.
        hands: Cluster and cache.
        status: What `RecordState` writes, as JSON.

    Raises:
        ClusterError: The API refused, or its answer is unknown.
        Stale: A later decision was there first.
    """
    match effect:
        case EnsureWeights(canary, mark, extras):
            await _ensure_weights(it, hands, canary, mark, extras)
        case EnsureSubsets(stable, canary, mark):
            await _ensure_subsets(it, hands, stable, canary, mark)
        case RecordState():
            return await record(it, hands, status)
        case EnsureFinalizer():
            await _set_finalizers(it, hands, [*_finalizers(it), FINALIZER])
        case ReleaseFinalizer():
            await _set_finalizers(it, hands, [name for name in _finalizers(it) if name != FINALIZER])
        case RemoveRoute():
            for route in it.routes if not it.attached else ():
                await _remove(VIRTUAL_SERVICE, route.document, hands)
        case RemoveSubsets():
            await _remove_subsets(it, hands)
        case Disown():
            # The routes last: of those somebody can still say, after a crash, whose they were.
            await _disown(DESTINATION_RULE, it.rule, hands)
            for route in it.routes:
                await _disown(VIRTUAL_SERVICE, route.document, hands)
        case Announce():
            await announce(effect.because, effect.warning, it, hands.cluster, hands.cache.now())
        case ReadAgain():
            await read_again(CANARY_RELEASE, it.key, hands)
    return None


async def read_again(kind: Kind, name: tuple[str, str], hands: Hands) -> bool:
    """Reads an object afresh; True: it is not as the cache had it."""
    before = hands.cache.get(kind, *name)
    try:
        document = await hands.cluster.get(kind, *name)
    except NotFound:
        hands.cache.remove(kind, {"metadata": {"namespace": name[0], "name": name[1]}})
        return before is not None
    hands.cache.store(kind, document)
    if kind == CANARY_RELEASE:
        hands.cache.note_read(Key(*name))
    return before is None or before["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]


async def reread_rule(it: Subject, hands: Hands) -> bool:
    """Reads the DestinationRule afresh; True: it is not as the cache had it."""
    return await read_again(DESTINATION_RULE, name_of(it.rule) if it.rule else it.key, hands)


async def record(it: Subject, hands: Hands, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the status, if it differs from what is there; answers it as stored."""
    if it.document.get("status") == status:
        return status
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": it.document["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/status", "value": status},
    ]
    async with _rereading(CANARY_RELEASE, it.key, hands):
        written = await hands.cluster.json_patch(CANARY_RELEASE, *it.key, operations, subresource="status")
        hands.cache.store(CANARY_RELEASE, written)
    stored: Mapping[str, Any] = written["status"]
    return stored


async def _ensure_weights(it: Subject, hands: Hands, canary: int, mark: Mark, extras: Extras) -> None:
    """Writes every managed route, one VirtualService after the other. The first failure ends a rise; a drop tries the others too."""
    failed: ClusterError | None = None
    for route in it.routes:
        try:
            if isinstance(route.way, Wanted):
                before = route.document or virtual_service.owned(it.key.name, it.key.namespace, route.way, canary)
                changed = virtual_service.with_weights(before, route.way, canary, preview=extras.preview, mirror=extras.mirror)
                await _ensure(VIRTUAL_SERVICE, it, hands, mark, route.document, changed)
            elif route.document is not None:
                await _attach(it, hands, mark, route.document, route.way, canary)
        except ClusterError as error:
            if canary:
                raise
            failed = failed or error
    if failed is not None:
        raise failed


async def _ensure_subsets(it: Subject, hands: Hands, stable: str, canary: str, mark: Mark) -> None:
    wanted = {"host": it.wanted.host, "label": it.spec.version_label, "stable": stable, "canary": canary}
    if it.rule is None:
        await _ensure(DESTINATION_RULE, it, hands, mark, None, destination_rule.owned(it.key.name, it.key.namespace, **wanted))
    elif it.rule_is_ours:
        await _ensure(DESTINATION_RULE, it, hands, mark, it.rule, destination_rule.with_subsets(it.rule, **wanted))
    else:
        subsets = destination_rule.with_subsets(it.rule, **wanted)["spec"]["subsets"]
        if not _is_done(DESTINATION_RULE, it.rule, mark, (it.rule.get("spec") or {}).get("subsets") == subsets):
            body = {"metadata": {"annotations": {MARK: str(mark)}}, "spec": {"subsets": subsets}}
            await _patch(DESTINATION_RULE, it, hands, mark, it.rule, body)


async def _attach(it: Subject, hands: Hands, mark: Mark, before: Document, way: Attached, canary: int) -> None:
    """Gives the managed routes of a user's VirtualService their weights. One that has none that can be given a weight is left alone."""
    if attached.read(before, way) is None or _is_done(VIRTUAL_SERVICE, before, mark, attached.with_weights(before, way, canary) == before):
        return
    hands.cache.note_mark(it.key, str(mark))
    async with _rereading(VIRTUAL_SERVICE, name_of(before), hands):
        operations = attached.patch(before, way, canary, str(mark))
        hands.cache.store(VIRTUAL_SERVICE, await hands.cluster.json_patch(VIRTUAL_SERVICE, *name_of(before), operations))


def _is_done(kind: Kind, before: Document, mark: Mark, same: bool) -> bool:
    """Whether a routing object is as it should be, and was written by this CanaryRelease.

    Raises:
        Stale: A later decision wrote it.
    """
    last = Mark.parse(mark_text(before))
    if last is not None and last.uid == mark.uid and (last.rank > mark.rank or (last.rank == mark.rank and last != mark)):
        raise Stale(f"{kind.kind} {'/'.join(name_of(before))} carries mark {last}, later than {mark}")
    return same and last is not None and last.uid == mark.uid


async def _ensure(kind: Kind, it: Subject, hands: Hands, mark: Mark, before: Document | None, changed: dict[str, Any]) -> None:
    """Writes a routing object of ours with its mark and our labels, in one request."""
    document = with_mark(changed, str(mark), it.key.name)
    if before is not None:
        if not _is_done(kind, before, mark, changed["spec"] == before.get("spec") and is_ours(before, it.key.name)):
            gone = {field: None for field in before.get("spec") or {} if field not in document["spec"]}
            metadata = {field: document["metadata"][field] for field in ("labels", "annotations")}
            await _patch(kind, it, hands, mark, before, {"metadata": metadata, "spec": {**gone, **document["spec"]}})
        return
    hands.cache.note_mark(it.key, str(mark))
    async with _rereading(kind, it.key, hands):
        written = await hands.cluster.create(kind, document)
        hands.cache.store(kind, written)
    if await _is_orphan(it, hands):
        await _remove(kind, written, hands, unchanged=True)
        raise _orphaned(kind, written)


async def _patch(kind: Kind, it: Subject, hands: Hands, mark: Mark, before: Document, body: dict[str, Any]) -> None:
    """Sends a merge patch, bound to the version that it was derived from."""
    hands.cache.note_mark(it.key, str(mark))
    body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
    async with _rereading(kind, name_of(before), hands):
        written = await hands.cluster.merge_patch(kind, *name_of(before), body)
        hands.cache.store(kind, written)
    if is_ours(written, it.key.name) and not is_ours(before, it.key.name) and await _is_orphan(it, hands):
        await _disown(kind, written, hands)
        raise _orphaned(kind, written)


async def _is_orphan(it: Subject, hands: Hands) -> bool:
    """Whether the CanaryRelease for which an object became ours a moment ago has gone, or is going, unseen by this pass.

    Then the object is let go again at once. Nobody else would: another process may have looked for what is left a moment before.
    """
    try:
        release = await hands.cluster.get(CANARY_RELEASE, *it.key)
    except NotFound:
        hands.cache.remove(CANARY_RELEASE, {"metadata": {"namespace": it.key.namespace, "name": it.key.name}})
        return True
    metadata = release["metadata"]
    if metadata["uid"] == it.uid and (it.deleting or not metadata.get("deletionTimestamp")):
        return False
    hands.cache.store(CANARY_RELEASE, release)
    return True


def _orphaned(kind: Kind, written: Document) -> Conflict:
    return Conflict(f"{kind.kind} {'/'.join(name_of(written))} was written for a CanaryRelease that is gone, or going; it was let go again")


async def _remove_subsets(it: Subject, hands: Hands) -> None:
    """Takes our subsets away: with the DestinationRule if it is ours, out of the user's if not."""
    if it.rule is None or it.rule_is_ours:
        await _remove(DESTINATION_RULE, it.rule, hands)
        return
    body = _released(it.rule)
    body["spec"] = {"subsets": destination_rule.without_subsets(it.rule)["spec"].get("subsets")}
    async with _rereading(DESTINATION_RULE, name_of(it.rule), hands):
        hands.cache.store(DESTINATION_RULE, await hands.cluster.merge_patch(DESTINATION_RULE, *name_of(it.rule), body))


async def _remove(kind: Kind, document: Document | None, hands: Hands, *, unchanged: bool = False) -> None:
    """Deletes the object, if it is still the one that was seen; `unchanged`: only if nobody has written it since."""
    if document is None:
        return
    metadata = document["metadata"]
    version = metadata["resourceVersion"] if unchanged else None
    try:
        await hands.cluster.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"], resource_version=version)
    except NotFound:
        pass
    except Conflict:
        if await _is_still_there(kind, document, hands):
            raise
        return  # another object of this name, which is not ours to delete
    hands.cache.remove(kind, {"metadata": {"namespace": metadata["namespace"], "name": metadata["name"]}})


async def _is_still_there(kind: Kind, document: Document, hands: Hands) -> bool:
    """Whether this very object, and no other of its name, still exists."""
    try:
        found = await hands.cluster.get(kind, *name_of(document))
    except NotFound:
        hands.cache.remove(kind, document)
        return False
    hands.cache.store(kind, found)
    return bool(found["metadata"]["uid"] == document["metadata"]["uid"])


async def _disown(kind: Kind, document: Document | None, hands: Hands) -> None:
    if document is None or (mark_text(document) is None and is_nobodys(document)):
        return
    try:
        hands.cache.store(kind, await hands.cluster.merge_patch(kind, *name_of(document), _released(document)))
    except NotFound:
        hands.cache.remove(kind, document)


def _released(document: Document) -> dict[str, Any]:
    """The merge patch that takes our mark and labels off."""
    before, after = document["metadata"], without_ownership(document)["metadata"]
    body: dict[str, Any] = {"resourceVersion": before["resourceVersion"]}
    for field in ("labels", "annotations"):
        ours = (before.get(field) or {}).keys() - (after.get(field) or {}).keys()
        body |= {field: dict.fromkeys(ours)} if ours else {}
    return {"metadata": body}


def _finalizers(it: Subject) -> list[str]:
    return list(it.document["metadata"].get("finalizers") or ())


async def _set_finalizers(it: Subject, hands: Hands, finalizers: list[str]) -> None:
    if finalizers == _finalizers(it):
        return
    body = {"metadata": {"resourceVersion": it.document["metadata"]["resourceVersion"], "finalizers": finalizers}}
    async with _rereading(CANARY_RELEASE, it.key, hands):
        try:
            written = await hands.cluster.merge_patch(CANARY_RELEASE, *it.key, body)
        except NotFound:
            hands.cache.remove(CANARY_RELEASE, it.document)
            return
    if written["metadata"].get("deletionTimestamp") and not finalizers:
        hands.cache.remove(CANARY_RELEASE, written)  # with the last finalizer it went
    else:
        hands.cache.store(CANARY_RELEASE, written)


class _rereading:
    """Reads the object afresh when a write to it was refused, or when nobody knows whether it was done."""

    def __init__(self, kind: Kind, name: tuple[str, str], hands: Hands) -> None:
        self._kind, self._name, self._hands = kind, name, hands

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Conflict | NotFound | Unavailable):
            try:
                await read_again(self._kind, self._name, self._hands)
            except ClusterError:
                pass  # the write's own error says more
