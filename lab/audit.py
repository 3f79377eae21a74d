"""Counts API requests by reading the API server's audit log: who asked what, when, and the answer's code."""

import json
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request; a watch is one, counted when it begins."""

    time: float
    """When the API server received it, seconds since the epoch."""
    user_agent: str
    user: str
    verb: str
    """get, list, watch, create, update, patch, delete, deletecollection."""
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    uri: str


class Audit:
    """Reads the log as it grows; may be asked at any time, and by several threads in turn."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._requests: list[Request] = []
        self._watches: set[str] = set()

    def requests(
        self,
        *,
        user_agent: str = "",
        user: str = "",
        since: float = 0.0,
        verbs: Container[str] | None = None,
        resources: Container[str] | None = None,
    ) -> list[Request]:
        """The requests so far, oldest first.

        Args:
            user_agent: What the user agent begins with.
            user: What the user's name begins with, e.g. "system:serviceaccount:shop:operator".
            since: Not before this time, seconds since the epoch.
            verbs: Only these.
            resources: Only these plurals.
        """
        self._read()
        return [
            request
            for request in self._requests
            if request.time >= since
            and request.user_agent.startswith(user_agent)
            and request.user.startswith(user)
            and (verbs is None or request.verb in verbs)
            and (resources is None or request.resource in resources)
        ]

    def _read(self) -> None:
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        """A watch is logged when its answer begins and when it ends; a refused one only when it ends."""
        if event["verb"] == "watch":
            if event["auditID"] in self._watches:
                return
            self._watches.add(event["auditID"])
        elif event["stage"] == "ResponseStarted":
            return
        self._requests.append(_request(event))


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef", {})
    return Request(
        time=datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
        user_agent=event.get("userAgent", ""),
        user=event["user"].get("username", ""),
        verb=event["verb"],
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        uri=event["requestURI"],
    )
