"""Effect -> API calls, idempotent, in order. No decisions: what is wanted stands in the effect, what is there in the cache.

Every write carries the resource version that it was derived from. A write that is refused for it, or whose outcome is unknown, ends the pass; the
object is read afresh, so that the next pass derives its write from what is there.
"""

from collections.abc import Callable, Mapping
from typing import Any

from canary_operator.api.names import FINALIZER
from canary_operator.clients.errors import NotFound
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, VIRTUAL_SERVICE
from canary_operator.events import announce
from canary_operator.hands import Hands, read_again, rereading
from canary_operator.release.model import (
    Announce,
    Disown,
    Effect,
    EnsureFinalizer,
    EnsureSubsets,
    EnsureUnsplit,
    EnsureWeights,
    ReadAgain,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
)
from canary_operator.removal import disown, remove, remove_subsets
from canary_operator.routing import ensure_subsets, ensure_unsplit, ensure_weights
from canary_operator.subject import Subject
from canary_operator.trimming import name_of


async def apply(  # noqa: C901 (one arm per effect)
    effect: Effect, it: Subject, hands: Hands, status: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Reaches one end; answers the status if that is what it wrote.

    Args:
        effect: The end.
        it: The CanaryRelease, as it stands in the cache now.
        hands: Cluster and cache.
        status: Makes what `RecordState` writes, as JSON.

    Raises:
        ClusterError: The API refused, or its answer is unknown.
        Stale: A later decision was there first.
    """
    match effect:
        case EnsureWeights(canary, mark, extras):
            await ensure_weights(it, hands, canary, mark, extras)
        case EnsureSubsets(stable, canary, mark):
            await ensure_subsets(it, hands, stable, canary, mark)
        case RecordState():
            return await record(it, hands, status())
        case EnsureFinalizer():
            await _set_finalizers(it, hands, [*_finalizers(it), FINALIZER])
        case ReleaseFinalizer():
            await _set_finalizers(it, hands, [name for name in _finalizers(it) if name != FINALIZER])
        case RemoveRoute():
            for route in it.routes if not it.attached else ():
                await remove(VIRTUAL_SERVICE, route.document, hands)
        case EnsureUnsplit(mark):
            await ensure_unsplit(it, hands, mark)
        case RemoveSubsets():
            await remove_subsets(it, hands)
        case Disown():
            # The routes last: of those somebody can still say, after a crash, whose they were.
            await disown(DESTINATION_RULE, it.rule, it.key.name, hands)
            for route in it.routes:
                await disown(VIRTUAL_SERVICE, route.document, it.key.name, hands)
        case Announce():
            await announce(effect.because, effect.warning, it, hands.cluster, hands.cache.now())
        case ReadAgain():
            await read_again(CANARY_RELEASE, it.key, hands)
    return None


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
    async with rereading(CANARY_RELEASE, it.key, hands):
        written = await hands.cluster.json_patch(CANARY_RELEASE, *it.key, operations, subresource="status")
        hands.store(CANARY_RELEASE, written)
    stored: Mapping[str, Any] = written["status"]
    return stored


def _finalizers(it: Subject) -> list[str]:
    return list(it.document["metadata"].get("finalizers") or ())


async def _set_finalizers(it: Subject, hands: Hands, finalizers: list[str]) -> None:
    if finalizers == _finalizers(it):
        return
    body = {"metadata": {"resourceVersion": it.document["metadata"]["resourceVersion"], "finalizers": finalizers}}
    async with rereading(CANARY_RELEASE, it.key, hands):
        try:
            written = await hands.cluster.merge_patch(CANARY_RELEASE, *it.key, body)
        except NotFound:
            hands.remove(CANARY_RELEASE, it.document)
            return
    if written["metadata"].get("deletionTimestamp") and not finalizers:
        hands.remove(CANARY_RELEASE, written)  # with the last finalizer it went
    else:
        hands.store(CANARY_RELEASE, written)
