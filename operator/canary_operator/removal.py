"""What is taken away or given back: routing objects and our subsets in them. Refuses to decide which, and when."""

from typing import Any

from canary_operator.cache import Document
from canary_operator.clients.errors import Conflict, NotFound
from canary_operator.clients.kinds import DESTINATION_RULE, Kind
from canary_operator.hands import Hands, rereading
from canary_operator.subject import Subject
from canary_operator.traffic import destination_rule
from canary_operator.traffic.mark import without_ownership
from canary_operator.trimming import name_of


async def remove_subsets(it: Subject, hands: Hands) -> None:
    """Takes our subsets away: with the DestinationRule if it is ours alone, out of it if it is the user's or somebody added to it."""
    if it.rule is None or (it.rule_is_ours and not destination_rule.holds_more(it.rule)):
        await remove(DESTINATION_RULE, it.rule, hands)
        return
    body = _released(it.rule, it.key.name)
    body["spec"] = {"subsets": destination_rule.without_subsets(it.rule)["spec"].get("subsets")}
    async with rereading(DESTINATION_RULE, name_of(it.rule), hands):
        hands.store(DESTINATION_RULE, await hands.cluster.merge_patch(DESTINATION_RULE, *name_of(it.rule), body))


async def remove(kind: Kind, document: Document | None, hands: Hands) -> None:
    """Deletes the object, if it is still the one that was seen and nobody has written it since.

    Raises:
        Conflict: Somebody has; the cache knows it as it is now.
    """
    if document is None:
        return
    metadata = document["metadata"]
    try:
        await hands.cluster.delete(kind, *name_of(document), uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    except NotFound:
        pass
    except Conflict:
        if await _is_still_there(kind, document, hands):
            raise
        return  # another object of this name, which is not ours to delete
    hands.remove(kind, {"metadata": {"namespace": metadata["namespace"], "name": metadata["name"]}})


async def _is_still_there(kind: Kind, document: Document, hands: Hands) -> bool:
    """Whether this very object, and no other of its name, still exists."""
    try:
        found = await hands.cluster.get(kind, *name_of(document))
    except NotFound:
        hands.remove(kind, document)
        return False
    hands.store(kind, found)
    return bool(found["metadata"]["uid"] == document["metadata"]["uid"])


async def disown(kind: Kind, document: Document | None, owner: str, hands: Hands) -> None:
    """Takes mark and labels of the CanaryRelease of this name off the object; what it does stays as it is."""
    if document is None or without_ownership(document, owner) == document:
        return
    try:
        hands.store(kind, await hands.cluster.merge_patch(kind, *name_of(document), _released(document, owner)))
    except NotFound:
        hands.remove(kind, document)


def _released(document: Document, owner: str) -> dict[str, Any]:
    """The merge patch that takes mark and labels off."""
    before, after = document["metadata"], without_ownership(document, owner)["metadata"]
    body: dict[str, Any] = {"resourceVersion": before["resourceVersion"]}
    for field in ("labels", "annotations"):
        ours = (before.get(field) or {}).keys() - (after.get(field) or {}).keys()
        body |= {field: dict.fromkeys(ours)} if ours else {}
    return {"metadata": body}
