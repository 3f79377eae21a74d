"""A small synchronous client for the lab's API server, as administrator. Documents in, documents out; paths are the API's own."""

import json
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

Document = dict[str, Any]
Documents = list[Document]

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
INITIALIZING_SECONDS = 30.0


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, body: str, request: str) -> None:
        super().__init__(f"{request}: {status} {body[:600]}")
        self.status = status
        self.body = body


class ApiUnreachable(Exception):
    """No API server, or it went away within the request."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    object: Document


class Api:
    """One per program; threads may share it."""

    def __init__(self, server: str, token: str, authority: Path, user_agent: str) -> None:
        self._address = urlsplit(server)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": user_agent, "Accept": "application/json"}
        self._authority = authority
        self._lock = threading.Lock()
        self._idle: list[HTTPSConnection] = []
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        """Closes the connections that are kept for the next request."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def get(self, path: str) -> Document:
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
        return self._send("GET", path, None, {}, 10).status == 200

    def list(self, path: str, **query: str) -> Documents:
        """The items of a collection, e.g. `labelSelector="app=reviews"`."""
        items: Documents = self.request("GET", path, query=query)["items"]
        return items

    def create(self, document: Document) -> Document:
        return self.request("POST", self.path_of(document, named=False), document)

    def apply(self, *documents: Document, manager: str = "lab") -> Documents:
        """Server-side apply, forced."""
        query = {"fieldManager": manager, "force": "true"}
        return [self.request("PATCH", self.path_of(document), document, content_type=APPLY, query=query) for document in documents]

    def replace(self, document: Document) -> Document:
        return self.request("PUT", self.path_of(document), document)

    def patch(self, path: str, change: object, content_type: str = MERGE_PATCH) -> Document:
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
        connection = self._connect(seconds + 30)
        try:
            connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers)
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, response.read().decode(errors="replace"), f"watch {path}")
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 0), json.dumps(event["object"]), f"watch {path}")
                yield WatchEvent(event["type"], event["object"])
        except (OSError, HTTPException) as error:
            raise ApiUnreachable(f"watch {path}: {error!r}") from error
        finally:
            connection.close()

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
            response = self._send(method, target, content, {"Content-Type": content_type}, seconds)
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
        metadata = document["metadata"]
        return self.path(
            document["apiVersion"],
            document["kind"],
            metadata.get("namespace", "default"),
            metadata["name"] if named else None,
        )

    def _send(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str], seconds: float) -> "_Response":
        """A kept connection may have been closed by a restarted server: then a new one is tried, once."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept:
            kept.sock.settimeout(seconds)
            try:
                return self._exchange(kept, method, target, content, headers)
            except ApiUnreachable as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise
        return self._exchange(self._connect(seconds), method, target, content, headers)

    def _exchange(
        self, connection: HTTPSConnection, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> "_Response":
        try:
            connection.request(method, target, body=content, headers={**self._headers, **headers})
            response = connection.getresponse()
            answer = _Response(response.status, response.read().decode(errors="replace"))
        except (OSError, HTTPException) as error:
            connection.close()
            raise ApiUnreachable(f"{method} {target}: {error!r}") from error
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return answer

    def _connect(self, seconds: float) -> HTTPSConnection:
        try:
            context = ssl.create_default_context(cafile=str(self._authority))
        except OSError as error:
            raise ApiUnreachable(f"{self._authority}: {error}") from error
        return HTTPSConnection(self._address.hostname or "", self._address.port, timeout=seconds, context=context)


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    text: str


def of_kind(documents: Iterable[Document], kind: str) -> Documents:
    return [document for document in documents if document["kind"] == kind]
