"""Ownership and the mark of the last write, as they stand in an object's metadata.

The label says whose the object is, the annotation which decision wrote it last. No key contains `istio.io`: istiod pushes configuration to
every proxy when the metadata of such an object changes (istio/istio `NeedsPush`, pilot/pkg/model).
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from canary_operator.api.names import MANAGED_BY, MANAGER, MARK, OWNER


def labels(owner: str) -> dict[str, str]:
    """The labels of an object that belongs to the CanaryRelease of this name."""
    return {MANAGED_BY: MANAGER, OWNER: owner}


def with_mark(document: Mapping[str, Any], text: str, owner: str | None) -> dict[str, Any]:
    """The document marked with the text of the write that is about to happen, and labelled as its owner's. None: it stays the user's."""
    changed = deepcopy(dict(document))
    metadata = changed.setdefault("metadata", {})
    if owner is not None:
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels(owner)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), MARK: text}
    return changed


def mark_text(document: Mapping[str, Any]) -> str | None:
    """The mark of the last write of ours; None when there is none."""
    text = _entries(document, "annotations").get(MARK)
    return text if isinstance(text, str) else None


def without_ownership(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as the user's: our mark and our labels are off, everything else stays.

    A `managed-by` that names somebody else stays too.
    """
    changed = deepcopy(dict(document))
    metadata = changed.get("metadata") or {}
    ours = {"annotations": {MARK}, "labels": {OWNER} | ({MANAGED_BY} if _entries(document, "labels").get(MANAGED_BY) == MANAGER else set())}
    for field, keys in ours.items():
        if field not in metadata:
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


def _entries(document: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return (document.get("metadata") or {}).get(field) or {}
