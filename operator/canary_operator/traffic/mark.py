"""Ownership and the mark of the last write, as they stand in an object's metadata.

The label says whose the object is, the annotation which decision wrote it last. No key contains `istio.io`: istiod pushes configuration to
every proxy when the metadata of such an object changes (istio/istio `NeedsPush`, pilot/pkg/model).

An object that is ours carries `canary.rollouts.dev/mark`; one of the user's carries a mark per CanaryRelease, since several may be attached to it:
if they shared one, the write of each would hide what the other has not recorded yet.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from canary_operator.api.names import MANAGED_BY, MANAGER, MARK, OWNER, USERS_MARK


def labels(owner: str) -> dict[str, str]:
    """The labels of an object that belongs to the CanaryRelease of this name."""
    return {MANAGED_BY: MANAGER, OWNER: owner}


def users_mark(owner: str) -> str:
    """The annotation in which the CanaryRelease of this name marks objects of the user's.

    A dot in the name becomes `_`, which no name has: `istio.io` must not stand in a key.
    """
    return USERS_MARK + owner.replace(".", "_")


def marks(document: Mapping[str, Any]) -> dict[str, Any]:
    """All marks on the object, whosever, by annotation."""
    return {key: text for key, text in _entries(document, "annotations").items() if key == MARK or key.startswith(USERS_MARK)}


def with_mark(document: Mapping[str, Any], text: str, owner: str) -> dict[str, Any]:
    """The document labelled as its owner's and marked with the text of the write that is about to happen, instead of an earlier mark."""
    changed = deepcopy(dict(document))
    metadata = changed.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels(owner)}
    kept = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != users_mark(owner)}
    metadata["annotations"] = {**kept, MARK: text}
    return changed


def mark_text(document: Mapping[str, Any], owner: str) -> str | None:
    """The mark of the last write of the CanaryRelease of this name; None when there is none.

    A write to an object of ours leaves no other mark of its owner there. So a mark of the user's kind is the later one, and without one an
    object from which somebody took our label still tells its mark.
    """
    found = marks(document)
    text = found.get(users_mark(owner), None if _is_anothers(document, owner) else found.get(MARK))
    return text if isinstance(text, str) else None


def without_ownership(document: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The document as the user's: mark and labels of the CanaryRelease of this name are off, everything else stays.

    What belongs to another one stays, and so does a `managed-by` that names somebody else.
    """
    changed = deepcopy(dict(document))
    metadata = changed.get("metadata") or {}
    ours: dict[str, set[str]] = {"annotations": {users_mark(owner)}}
    if not _is_anothers(document, owner):
        ours["annotations"].add(MARK)
        ours["labels"] = {OWNER} | ({MANAGED_BY} if _entries(document, "labels").get(MANAGED_BY) == MANAGER else set())
    for field, keys in ours.items():
        if not metadata.get(field):
            continue
        metadata[field] = {key: value for key, value in _entries(document, field).items() if key not in keys}
        if not metadata[field]:
            del metadata[field]
    return changed


def is_ours(document: Mapping[str, Any], owner: str) -> bool:
    """Whether the object belongs to the CanaryRelease of this name. The label alone decides, so a user may hand an object over by it."""
    return _entries(document, "labels").get(OWNER) == owner


def is_nobodys(document: Mapping[str, Any]) -> bool:
    """No CanaryRelease owns it."""
    return OWNER not in _entries(document, "labels")


def _is_anothers(document: Mapping[str, Any], owner: str) -> bool:
    return not (is_ours(document, owner) or is_nobodys(document))


def _entries(document: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return (document.get("metadata") or {}).get(field) or {}
