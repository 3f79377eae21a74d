"""Effect -> API calls, idempotent, in order. No decisions: what is wanted stands in the effect, what is there in the cache.

Every write carries the resource version that it was derived from. A write that is refused for it, or whose outcome is unknown, ends the pass; the
object is read afresh, so that the next pass derives its write from what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.api.names import FINALIZER, OWNER
from canary_operator.cache import Cache, Document
from canary_operator.clients.errors import AlreadyExists, CanaryOperatorError, ClusterError, Conflict, NotFound, Unavailable
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
    Mark,
    ReadAgain,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
)
from canary_operator.subject import Subject
from canary_operator.traffic import destination_rule, virtual_service
from canary_operator.traffic.mark import mark_text, with_mark, without_ownership


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
        case EnsureWeights(canary, mark):
            await _ensure(VIRTUAL_SERVICE, it, hands, mark, _with_weights(it, canary))
        case EnsureSubsets(stable, canary, mark):
            await _ensure(DESTINATION_RULE, it, hands, mark, _with_subsets(it, stable, canary))
        case RecordState():
            return await record(it, hands, status)
        case EnsureFinalizer():
            await _set_finalizers(it, hands, [*_finalizers(it), FINALIZER])
        case ReleaseFinalizer():
            await _set_finalizers(it, hands, [name for name in _finalizers(it) if name != FINALIZER])
        case RemoveRoute():
            await _remove(VIRTUAL_SERVICE, it.route, hands)
        case RemoveSubsets():
            await _remove(DESTINATION_RULE, it.rule, hands)
        case Disown():
            await _disown(VIRTUAL_SERVICE, it.route, hands)
            await _disown(DESTINATION_RULE, it.rule, hands)
        case Announce():
            await announce(effect.because, effect.warning, it, hands.cluster, hands.cache.now())
        case ReadAgain():
            await read_again(CANARY_RELEASE, it, hands)
    return None


async def read_again(kind: Kind, it: Subject, hands: Hands) -> bool:
    """Reads an object of this CanaryRelease afresh; True: it is not as the cache had it."""
    before = hands.cache.get(kind, *it.key)
    try:
        document = await hands.cluster.get(kind, *it.key)
    except NotFound:
        hands.cache.remove(kind, {"metadata": {"namespace": it.key.namespace, "name": it.key.name}})
        return before is not None
    hands.cache.store(kind, document)
    if kind == CANARY_RELEASE:
        hands.cache.note_read(it.key)
    return before is None or before["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]


async def record(it: Subject, hands: Hands, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the status, if it differs from what is there; answers it as stored."""
    if it.document.get("status") == status:
        return status
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": it.document["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/status", "value": status},
    ]
    async with _rereading(CANARY_RELEASE, it, hands):
        written = await hands.cluster.json_patch(CANARY_RELEASE, *it.key, operations, subresource="status")
        hands.cache.store(CANARY_RELEASE, written)
    stored: Mapping[str, Any] = written["status"]
    return stored


def _with_weights(it: Subject, canary: int) -> dict[str, Any]:
    if it.route is None:
        return virtual_service.owned(it.key.name, it.key.namespace, it.wanted, canary)
    return virtual_service.with_weights(it.route, it.wanted, canary)


def _with_subsets(it: Subject, stable: str, canary: str) -> dict[str, Any]:
    host, label = it.wanted.host, it.spec.version_label
    if it.rule is None:
        return destination_rule.owned(it.key.name, it.key.namespace, host=host, label=label, stable=stable, canary=canary)
    return destination_rule.with_subsets(it.rule, host=host, label=label, stable=stable, canary=canary)


async def _ensure(kind: Kind, it: Subject, hands: Hands, mark: Mark, changed: dict[str, Any]) -> None:
    """Writes a routing object with its mark, in one request."""
    before = it.route if kind == VIRTUAL_SERVICE else it.rule
    if before is not None:
        last = Mark.parse(mark_text(before))
        if last is not None and last.uid == mark.uid and (last.rank > mark.rank or (last.rank == mark.rank and last != mark)):
            raise Stale(f"{kind.kind} {it.key.namespace}/{it.key.name} carries mark {last}, later than {mark}")
        if changed["spec"] == before.get("spec") and last is not None and last.uid == mark.uid:
            return
    document = with_mark(changed, str(mark), it.key.name)
    hands.cache.note_mark(it.key, str(mark))
    async with _rereading(kind, it, hands):
        if before is None:
            written = await _create(kind, document, it, hands)
        else:
            written = await hands.cluster.merge_patch(kind, *it.key, _change(before, document))
        hands.cache.store(kind, written)


def _change(before: Document, document: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes one document of another, bound to the version that it was derived from."""
    return {
        "metadata": {
            "resourceVersion": before["metadata"]["resourceVersion"],
            "labels": document["metadata"]["labels"],
            "annotations": document["metadata"]["annotations"],
        },
        "spec": {**{field: None for field in before.get("spec") or {} if field not in document["spec"]}, **document["spec"]},
    }


async def _create(kind: Kind, document: dict[str, Any], it: Subject, hands: Hands) -> dict[str, Any]:
    """Creates a routing object. One of this name that nobody owns and that speaks of the same host was ours until a crash gave half of it away."""
    try:
        return await hands.cluster.create(kind, document)
    except AlreadyExists:
        found = await hands.cluster.get(kind, *it.key)
        spec = found.get("spec") or {}
        if OWNER in (found["metadata"].get("labels") or {}) or it.wanted.host not in (spec.get("host"), *(spec.get("hosts") or ())):
            raise
        return await hands.cluster.merge_patch(kind, *it.key, _change(found, document))


async def _remove(kind: Kind, document: Document | None, hands: Hands) -> None:
    if document is None:
        return
    metadata = document["metadata"]
    try:
        await hands.cluster.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    except (NotFound, Conflict):
        pass  # gone already, or another object of this name, which is not ours to delete
    hands.cache.remove(kind, {"metadata": {"namespace": metadata["namespace"], "name": metadata["name"]}})


async def _disown(kind: Kind, document: Document | None, hands: Hands) -> None:
    if document is None:
        return
    before, after = document["metadata"], without_ownership(document)["metadata"]
    body: dict[str, Any] = {"resourceVersion": before["resourceVersion"]}
    for field in ("labels", "annotations"):
        kept = after.get(field) or {}
        body[field] = {name: kept.get(name) for name in before.get(field) or {}}
    try:
        hands.cache.store(kind, await hands.cluster.merge_patch(kind, before["namespace"], before["name"], {"metadata": body}))
    except NotFound:
        hands.cache.remove(kind, document)


def _finalizers(it: Subject) -> list[str]:
    return list(it.document["metadata"].get("finalizers") or ())


async def _set_finalizers(it: Subject, hands: Hands, finalizers: list[str]) -> None:
    if finalizers == _finalizers(it):
        return
    body = {"metadata": {"resourceVersion": it.document["metadata"]["resourceVersion"], "finalizers": finalizers}}
    async with _rereading(CANARY_RELEASE, it, hands):
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

    def __init__(self, kind: Kind, it: Subject, hands: Hands) -> None:
        self._kind, self._it, self._hands = kind, it, hands

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Conflict | NotFound | Unavailable):
            try:
                await read_again(self._kind, self._it, self._hands)
            except ClusterError:
                pass  # the write's own error says more
