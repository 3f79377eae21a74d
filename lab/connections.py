"""Kept HTTPS connections to the API server, shared by threads."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, body: str, request: str) -> None:
        super().__init__(f"{request}: {status} {body[:600]}")
        self.status = status
        self.body = body


class ApiUnreachable(Exception):
    """No API server, or it went away within the request."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    status: int
    text: str


class Connections:
    """Those that are free wait here for the next request."""

    def __init__(self, server: str, authority: Path, headers: Mapping[str, str]) -> None:
        self._address = urlsplit(server)
        self._authority = authority
        self._headers = headers
        self._lock = threading.Lock()
        self._idle: list[HTTPSConnection] = []

    def close(self) -> None:
        """Closes those that are free."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def send(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str], seconds: float) -> Response:
        """One request. A kept connection may have been closed by a restarted server: then a new one is tried, once.

        Raises:
            ApiUnreachable: No answer.
        """
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept:
            kept.sock.settimeout(seconds)
            try:
                return self._exchange(kept, method, target, content, headers)
            except ApiUnreachable as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise
        return self._exchange(self._open(seconds), method, target, content, headers)

    def stream(self, target: str, seconds: float) -> Iterator[bytes]:
        """The lines of an answer that goes on, over a connection of its own.

        Raises:
            ApiError: Refused.
            ApiUnreachable: The server went away.
        """
        connection = self._open(seconds)
        try:
            connection.request("GET", target, headers=dict(self._headers))
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, response.read().decode(errors="replace"), f"GET {target}")
            yield from response
        except (OSError, HTTPException) as error:
            raise ApiUnreachable(f"GET {target}: {error!r}") from error
        finally:
            connection.close()

    def _exchange(
        self, connection: HTTPSConnection, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        try:
            connection.request(method, target, body=content, headers={**self._headers, **headers})
            response = connection.getresponse()
            answer = Response(response.status, response.read().decode(errors="replace"))
        except (OSError, HTTPException) as error:
            connection.close()
            raise ApiUnreachable(f"{method} {target}: {error!r}") from error
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return answer

    def _open(self, seconds: float) -> HTTPSConnection:
        try:
            context = ssl.create_default_context(cafile=str(self._authority))
        except OSError as error:
            raise ApiUnreachable(f"{self._authority}: {error}") from error
        return HTTPSConnection(self._address.hostname or "", self._address.port, timeout=seconds, context=context)
