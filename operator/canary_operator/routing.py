"""Writes of VirtualServices and DestinationRules: each carries the mark of its decision, and is refused by a later one."""

from collections.abc import Mapping
from typing import Any

from canary_operator.cache import Document
from canary_operator.clients.errors import CanaryOperatorError, ClusterError, Conflict, NotFound
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, VIRTUAL_SERVICE, Kind
from canary_operator.hands import Hands, rereading
from canary_operator.release.model import Extras, Mark
from canary_operator.removal import disown, remove
from canary_operator.subject import Subject
from canary_operator.traffic import attached, destination_rule, virtual_service
from canary_operator.traffic.managed import Attached, Wanted
from canary_operator.traffic.mark import is_ours, mark_text, users_mark, with_mark
from canary_operator.traffic.unsplit import unsplit
from canary_operator.trimming import name_of


class Stale(CanaryOperatorError):
    """The routing was written by a later decision than this one: this process is behind, and writes nothing."""


async def ensure_weights(it: Subject, hands: Hands, canary: int, mark: Mark, extras: Extras) -> None:
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


async def ensure_unsplit(it: Subject, hands: Hands, mark: Mark) -> None:
    """Lets the managed routes of our VirtualService name the host without a subset. One that is not there is not created."""
    for route in it.routes:
        if isinstance(route.way, Wanted) and route.document is not None:
            changed = unsplit(route.document, route.way.host, route.way.port)
            await _ensure(VIRTUAL_SERVICE, it, hands, mark, route.document, changed)


async def ensure_subsets(it: Subject, hands: Hands, stable: str, canary: str, mark: Mark) -> None:
    """Lets the two subsets of the host select these versions, in our DestinationRule or in the user's."""
    wanted = {"host": it.wanted.host, "label": it.spec.version_label, "stable": stable, "canary": canary}
    exports = it.wanted.export_to
    if it.rule is None:
        created = destination_rule.owned(it.key.name, it.key.namespace, **wanted, export_to=exports)
        await _ensure(DESTINATION_RULE, it, hands, mark, None, created)
    elif it.rule_is_ours:
        await _ensure(DESTINATION_RULE, it, hands, mark, it.rule, destination_rule.with_subsets(it.rule, **wanted, export_to=exports))
    else:
        subsets = destination_rule.with_subsets(it.rule, **wanted)["spec"]["subsets"]
        if not _is_done(DESTINATION_RULE, it, it.rule, mark, (it.rule.get("spec") or {}).get("subsets") == subsets):
            body = {"metadata": {"annotations": {users_mark(it.key.name): str(mark)}}, "spec": {"subsets": subsets}}
            await _patch(DESTINATION_RULE, it, hands, mark, it.rule, body)


async def _attach(it: Subject, hands: Hands, mark: Mark, before: Document, way: Attached, canary: int) -> None:
    """Gives the managed routes of a user's VirtualService their weights. One that has none that can be given a weight is left alone."""
    if attached.read(before, way) is None:
        return
    if _is_done(VIRTUAL_SERVICE, it, before, mark, attached.with_weights(before, way, canary) == before):
        return
    hands.cache.note_mark(it.key, str(mark))
    async with rereading(VIRTUAL_SERVICE, name_of(before), hands):
        operations = attached.patch(before, way, canary, (users_mark(it.key.name), str(mark)))
        hands.store(VIRTUAL_SERVICE, await hands.cluster.json_patch(VIRTUAL_SERVICE, *name_of(before), operations))


def _is_done(kind: Kind, it: Subject, before: Document, mark: Mark, same: bool) -> bool:
    """Whether a routing object is as it should be, and was written by this very decision.

    What is right already, by an earlier decision, is written all the same: it bears the mark then, and an older write that is on its way is refused.

    Raises:
        Stale: A later decision wrote it.
    """
    last = Mark.parse(mark_text(before, it.key.name))
    if last is not None and last.uid == mark.uid and (last.rank > mark.rank or (last.rank == mark.rank and last != mark)):
        raise Stale(f"{kind.kind} {'/'.join(name_of(before))} carries mark {last}, later than {mark}")
    return same and last == mark


async def _ensure(kind: Kind, it: Subject, hands: Hands, mark: Mark, before: Document | None, changed: dict[str, Any]) -> None:
    """Writes a routing object of ours with its mark and our labels, in one request."""
    document = with_mark(changed, str(mark), it.key.name)
    if before is not None:
        if not _is_done(kind, it, before, mark, changed["spec"] == before.get("spec") and is_ours(before, it.key.name)):
            annotations = _merging(before["metadata"].get("annotations"), document["metadata"]["annotations"])
            metadata = {"labels": document["metadata"]["labels"], "annotations": annotations}
            await _patch(kind, it, hands, mark, before, {"metadata": metadata, "spec": _merging(before.get("spec"), document["spec"])})
        return
    hands.cache.note_mark(it.key, str(mark))
    async with rereading(kind, it.key, hands):
        written = await hands.cluster.create(kind, document)
        hands.store(kind, written)
    if await _is_orphan(it, hands):
        await remove(kind, written, hands)
        raise _orphaned(kind, written)


def _merging(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """What a merge patch says to make the one of the other: what is gone, by name."""
    return {**{field: None for field in before or {} if field not in after}, **after}


async def _patch(kind: Kind, it: Subject, hands: Hands, mark: Mark, before: Document, body: dict[str, Any]) -> None:
    """Sends a merge patch, bound to the version that it was derived from."""
    hands.cache.note_mark(it.key, str(mark))
    body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
    async with rereading(kind, name_of(before), hands):
        written = await hands.cluster.merge_patch(kind, *name_of(before), body)
        hands.store(kind, written)
    if is_ours(written, it.key.name) and not is_ours(before, it.key.name) and await _is_orphan(it, hands):
        await disown(kind, written, it.key.name, hands)
        raise _orphaned(kind, written)


async def _is_orphan(it: Subject, hands: Hands) -> bool:
    """Whether the CanaryRelease for which an object became ours a moment ago has gone, or is going, unseen by this pass.

    Then the object is let go again at once. Nobody else would: another process may have looked for what is left a moment before.
    """
    try:
        release = await hands.cluster.get(CANARY_RELEASE, *it.key)
    except NotFound:
        hands.remove(CANARY_RELEASE, {"metadata": {"namespace": it.key.namespace, "name": it.key.name}})
        return True
    metadata = release["metadata"]
    if metadata["uid"] == it.uid and (it.deleting or not metadata.get("deletionTimestamp")):
        return False
    hands.store(CANARY_RELEASE, release)
    return True


def _orphaned(kind: Kind, written: Document) -> Conflict:
    return Conflict(f"{kind.kind} {'/'.join(name_of(written))} was written for a CanaryRelease that is gone, or going; it was let go again")
