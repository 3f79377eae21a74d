"""Records every revision of chosen custom resources in the order in which they were written, for checks of rules that may never be broken.

Read from etcd, not from the API server: a watch of the API server loses revisions when the server restarts (410 Gone, then a list of the
present), while etcd keeps them; and the recorder's own requests would stand in the audit log. Custom resources are stored as JSON; other
kinds are not, and are refused.
"""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from lab.addresses import ETCD_PORT
from lab.waiting import until

_COLLECTION = re.compile(r"^/apis/([^/]+\.[^/]+)/[^/]+/([^/]+)$")
_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Revision:
    """One write of one object."""

    number: int
    """etcd's revision: the object's resourceVersion; orders all kinds."""
    type: str
    """ADDED, MODIFIED or DELETED."""
    object: dict[str, Any]
    """As written, with its resourceVersion; for DELETED as it last was."""
    received: float
    """Seconds since the epoch."""


class Revisions:
    """A recorder; starts at once, and may start before the kinds exist.

    Args:
        collections: What is recorded, e.g. "/apis/networking.istio.io/v1/virtualservices".
        namespace: Only there; "": everywhere. Whoever records more than it wants to know sees what it wants to know later than it happened.
    """

    def __init__(self, collections: tuple[str, ...], namespace: str = "") -> None:
        self._revisions: list[Revision] = []
        self._lock = threading.Lock()
        self._closed = False
        self._sockets: dict[bytes, socket.socket] = {}
        first = int(_ask("/v3/kv/range", {"key": _text(b"\0"), "limit": 1})["header"]["revision"]) + 1
        prefixes = [_prefix(path, namespace) for path in collections]
        self._threads = [threading.Thread(target=self._follow, args=(prefix, first), daemon=True) for prefix in prefixes]
        for thread in self._threads:
            thread.start()

    @property
    def all(self) -> list[Revision]:
        """What was recorded so far, in the order of writing."""
        with self._lock:
            return sorted(self._revisions, key=lambda revision: revision.number)

    def after(self, many: int) -> list[Revision]:
        """What was recorded after so many, as it came: of two kinds a later write may come first."""
        with self._lock:
            return self._revisions[many:]

    def of(self, kind: str, name: str | None = None) -> list[Revision]:
        """Those of one kind, or of one object."""
        return [found for found in self.all if found.object["kind"] == kind and name in (None, found.object["metadata"]["name"])]

    def wait_for(self, document: Mapping[str, Any], seconds: float = 10) -> None:
        """Blocks until the revision in which the API server returned this document is recorded."""
        number = int(document["metadata"]["resourceVersion"])
        kind = document["kind"]
        until(
            lambda: any(found.number >= number for found in self.of(kind)),
            f"revision {number} of {kind} recorded",
            seconds,
        )

    def close(self) -> None:
        """Records no more; returns when nothing is read any more."""
        with self._lock:
            self._closed = True
            for each in self._sockets.values():
                with suppress(OSError):  # it may have ended by itself
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _follow(self, prefix: bytes, first: int) -> None:
        """Goes on where it was whenever etcd went away."""
        while not self._closed:
            try:
                with closing(HTTPConnection("127.0.0.1", ETCD_PORT)) as connection:
                    if not self._begin(prefix, connection):
                        return
                    for event, number in _watch(connection, prefix, first):
                        self._take(event)
                        first = number + 1
            except (OSError, HTTPException):
                time.sleep(_AGAIN_SECONDS)

    def _begin(self, prefix: bytes, connection: HTTPConnection) -> bool:
        """Connects; False: it was closed meanwhile."""
        connection.connect()
        with self._lock:
            self._sockets[prefix] = connection.sock
            return not self._closed

    def _take(self, event: dict[str, Any]) -> None:
        deleted = event.get("type") == "DELETE"
        number = int(event["kv"]["mod_revision"])
        document = json.loads(base64.b64decode(event["prev_kv"]["value"] if deleted else event["kv"]["value"]))
        document["metadata"]["resourceVersion"] = str(number)
        created = event["kv"].get("create_revision") == event["kv"]["mod_revision"]
        kind = "DELETED" if deleted else "ADDED" if created else "MODIFIED"
        with self._lock:
            self._revisions.append(Revision(number, kind, document, time.time()))


def _watch(connection: HTTPConnection, prefix: bytes, first: int) -> Iterator[tuple[dict[str, Any], int]]:
    request = {
        "key": _text(prefix),
        "range_end": _text(prefix[:-1] + bytes([prefix[-1] + 1])),
        "start_revision": first,
        "prev_kv": True,
    }
    connection.request("POST", "/v3/watch", json.dumps({"create_request": request}))
    for line in connection.getresponse():
        if not line.endswith(b"\n"):
            return  # cut off, as the connection was
        result = json.loads(line).get("result", {})
        if result.get("compact_revision"):
            raise LostRevisions(f"etcd compacted revisions from {first} to {result['compact_revision']} before they were recorded")
        for event in result.get("events", ()):
            yield event, int(event["kv"]["mod_revision"])


class LostRevisions(Exception):
    """Revisions are missing from the record."""


def _prefix(collection: str, namespace: str) -> bytes:
    found = _COLLECTION.match(collection)
    if not found:
        raise ValueError(f"{collection}: only custom resources can be recorded, e.g. /apis/networking.istio.io/v1/virtualservices")
    return f"/registry/{found[1]}/{found[2]}/{namespace and namespace + '/'}".encode()


def _ask(path: str, content: object) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", ETCD_PORT, timeout=10)
    try:
        connection.request("POST", path, json.dumps(content))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
