"""An API server in memory, with what the operator uses of one: resource versions, merge and JSON patches, preconditions of deletions."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from canary_operator.clients.errors import AlreadyExists, Conflict, NotFound
from canary_operator.clients.kinds import Kind

Document = dict[str, Any]


class Memory:
    """Stands where `Cluster` stands. Every stored object has a uid and a version of its own."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Document] = {}
        self.requests: list[str] = []
        """Verb, kind and name of everything that was asked."""
        self._numbers = 0

    def put(self, kind: Kind, document: Mapping[str, Any]) -> Document:
        """A person creates or replaces an object."""
        metadata = document["metadata"]
        self._numbers += 1
        known = self.objects.get((kind.kind, metadata["namespace"], metadata["name"]))
        uid = known["metadata"]["uid"] if known else f"uid-{self._numbers}"
        stored = {**deepcopy(dict(document)), "metadata": {"uid": uid, **metadata, "resourceVersion": str(self._numbers)}}
        self.objects[kind.kind, metadata["namespace"], metadata["name"]] = stored
        return deepcopy(stored)

    def drop(self, kind: Kind, namespace: str, name: str) -> None:
        """A person, or another process, has deleted it."""
        del self.objects[kind.kind, namespace, name]

    async def get(self, kind: Kind, namespace: str, name: str) -> Document:
        return deepcopy(self._find("get", kind, namespace, name))

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> Document:
        metadata = document["metadata"]
        self._note("create", kind, metadata["name"])
        if (kind.kind, metadata["namespace"], metadata["name"]) in self.objects:
            raise AlreadyExists(metadata["name"])
        return self.put(kind, document)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], **_: object) -> Document:
        stored = self._find("patch", kind, namespace, name)
        if body.get("metadata", {}).get("resourceVersion", stored["metadata"]["resourceVersion"]) != stored["metadata"]["resourceVersion"]:
            raise Conflict(name)
        return self.put(kind, merged(stored, body))

    async def json_patch(self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], **_: object) -> Document:
        stored = deepcopy(self._find("patch", kind, namespace, name))
        for each in operations:
            *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in each["path"].split("/")[1:]]
            target: Any = stored
            for part in parents:
                target = target[int(part)] if isinstance(target, list) else target[part]
            if each["op"] == "test" and target[last] != each["value"]:
                raise Conflict(name)
            target[last] = each["value"]
        return self.put(kind, stored)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, resource_version: str | None = None) -> None:
        metadata = self._find("delete", kind, namespace, name)["metadata"]
        if uid not in (None, metadata["uid"]) or resource_version not in (None, metadata["resourceVersion"]):
            raise Conflict(name)
        self.drop(kind, namespace, name)

    def _find(self, verb: str, kind: Kind, namespace: str, name: str) -> Document:
        self._note(verb, kind, name)
        found = self.objects.get((kind.kind, namespace, name))
        if found is None:
            raise NotFound(name)
        return found

    def _note(self, verb: str, kind: Kind, name: str) -> None:
        self.requests.append(f"{verb} {kind.kind} {name}")


def merged(into: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return deepcopy(change)
    found = dict(into) if isinstance(into, Mapping) else {}
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
