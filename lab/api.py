"""A small synchronous client for the lab's API server, as administrator. Documents in, documents out; paths are the API's own."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lab.connections import ApiError as ApiError
from lab.connections import ApiUnreachable as ApiUnreachable
from lab.connections import Connections

Document = dict[str, Any]
Documents = list[Document]

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
INITIALIZING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event of a watch."""

    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    object: Document


class Api:
    """One per program; threads may share it."""

    def __init__(self, server: str, token: str, authority: Path, user_agent: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": user_agent, "Accept": "application/json"}
        self._connections = Connections(server, authority, headers)
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        """Closes the connections that are kept for the next request."""
        self._connections.close()

    def get(self, path: str) -> Document:
        """The object or collection at this path."""
        return self.request("GET", path)

    def find(self, path: str) -> Document | None:
        """The document, or None if there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def exists(self, path: str) -> bool:
        """Whether the object can be read now; False too while the server is away."""
        try:
            return self.find(path) is not None
        except (ApiError, ApiUnreachable):
            return False

    def answers(self, path: str) -> bool:
        """Whether a GET of this path, which need not be JSON, is answered with 200."""
        return self._connections.send("GET", path, None, {}, 10).status == 200

    def list(self, path: str, **query: str) -> Documents:
        """The items of a collection, e.g. `labelSelector="app=reviews"`."""
        items: Documents = self.request("GET", path, query=query)["items"]
        return items

    def create(self, document: Document) -> Document:
        """Creates the object; it must not exist."""
        return self.request("POST", self.path_of(document, named=False), document)

    def apply(self, *documents: Document, manager: str = "lab") -> Documents:
        """Server-side apply, forced."""
        query = {"fieldManager": manager, "force": "true"}
        return [self.request("PATCH", self.path_of(document), document, content_type=APPLY, query=query) for document in documents]

    def replace(self, document: Document) -> Document:
        """Replaces the object; its resourceVersion must be the present one, if it has one."""
        return self.request("PUT", self.path_of(document), document)

    def patch(self, path: str, change: object, content_type: str = MERGE_PATCH) -> Document:
        """Changes the object."""
        return self.request("PATCH", path, change, content_type=content_type)

    def delete(self, path: str, *, grace_seconds: int | None = None) -> None:
        """Deletes; an object that is gone already is fine."""
        try:
            self.request("DELETE", path, None if grace_seconds is None else {"gracePeriodSeconds": grace_seconds})
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(self, path: str, resource_version: str | None = None, seconds: float = 3600) -> Iterator[WatchEvent]:
        """Events as they come, until the server ends the watch. Without a version it starts with what is there.

        Raises:
            ApiError: Refused, or the version is too old (410).
            ApiUnreachable: The server went away.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(int(seconds))}
        if resource_version is not None:
            query["resourceVersion"] = resource_version
        for line in self._connections.stream(f"{path}?{urlencode(query)}", seconds + 30):
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 0), json.dumps(event["object"]), f"watch {path}")
            yield WatchEvent(event["type"], event["object"])

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        seconds: float = 30,
    ) -> Document:
        """One request; waits where the server asks for it (429: "storage is (re)initializing" right after a CRD was made)."""
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + INITIALIZING_SECONDS
        while True:
            response = self._connections.send(method, target, content, {"Content-Type": content_type}, seconds)
            if response.status < 300:
                document: Document = json.loads(response.text)
                return document
            if response.status != 429 or time.monotonic() > deadline:
                raise ApiError(response.status, response.text, f"{method} {target}")
            time.sleep(0.05)

    def path(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
        """The path of a kind's collection or object; the server is asked once for the plural."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if (api_version, kind) not in self._plurals:
            for resource in self.get(root)["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
        if (api_version, kind) not in self._plurals:
            raise ApiError(404, f"the server knows no {kind} in {api_version}", root)
        plural, namespaced = self._plurals[api_version, kind]
        place = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{place}/{plural}" + (f"/{name}" if name else "")

    def path_of(self, document: Document, *, named: bool = True) -> str:
        """The path of this document, or of its collection."""
        metadata = document["metadata"]
        return self.path(
            document["apiVersion"],
            document["kind"],
            metadata.get("namespace", "default"),
            metadata["name"] if named else None,
        )
