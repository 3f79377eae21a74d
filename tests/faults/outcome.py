"""The final state of a story, and how two of them differ. Nothing is compared by time or identity; everything else is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from canary_operator.traffic.mark import marks
from tests.faults.mirror import Document

MASK = (
    "metadata: creationTimestamp, deletionTimestamp, managedFields, resourceVersion, uid",
    "mark: uid and sequence number",
    "status: messages, times, verdict, evidence, observedSeconds, waitedSeconds, baseline, seq",
)
"""What is not compared, as it is published."""
_METADATA = frozenset(("creationTimestamp", "deletionTimestamp", "managedFields", "resourceVersion", "uid"))
_STATUS = frozenset(
    ("message", "since", "ended", "lastTransitionTime", "weightSince", "waitingSince", "verdict", "evidence", "baseline", "seq")
    + ("observedSeconds", "waitedSeconds", "returned")
)


def final_state(objects: Iterable[Document]) -> dict[str, Any]:
    """The objects by kind and name, without what is masked."""
    return {f"{each['kind']} {each['metadata']['name']}": _masked(each) for each in objects}


def differences(one: object, other: object, path: str = "") -> Iterator[str]:
    """One line per value that differs."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif one != other:
        yield f"{path}: {one!r}, not {other!r}"


def _masked(document: Document) -> dict[str, Any]:
    metadata = {key: value for key, value in document["metadata"].items() if key not in _METADATA}
    if found := marks(document):
        metadata["annotations"] = {**metadata["annotations"], **{key: _unnumbered(text) for key, text in found.items()}}
    metadata["namespace"] = "-"
    spec = _renamed(document["spec"], document["metadata"]["namespace"])
    return {"metadata": metadata, "spec": spec, "status": _without(document.get("status"), _STATUS)}


def _unnumbered(mark: str) -> str:
    _, release, _, weight, decision = mark.split("/")
    return f"{release}/{weight}/{decision}"


def _without(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, keys) for key, each in value.items() if key not in keys}
    return [_without(each, keys) for each in value] if isinstance(value, list) else value


def _renamed(value: Any, namespace: str) -> Any:
    """The same with host names of the namespace made comparable between namespaces."""
    if isinstance(value, dict):
        return {key: _renamed(each, namespace) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, namespace) for each in value]
    return value.replace(f".{namespace}.svc", ".-.svc") if isinstance(value, str) else value
