"""The traffic source's HTTP/1.1 client: a pool of kept connections, one request on each at a time, the answer handed to the request."""

import asyncio
from typing import Any

from lab.pending import Answer, Pending

DETAIL_LENGTH = 80


class HttpPool:
    """Sends the same request again and again."""

    def __init__(self, target: dict[str, Any]) -> None:
        self._address = (target["address"], int(target["port"]))
        lines = [
            f"GET {target['request_path']} HTTP/1.1",
            f"host: {target['host']}",
            *(f"{name}: {value}" for name, value in target["headers"].items()),
        ]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, pending: Pending) -> None:
        """Sends one request; its outcome goes to the pending request."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.send(self._request, pending)
                return
        task = asyncio.get_running_loop().create_task(self._open(pending))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def back(self, connection: "_Connection") -> None:
        """Takes a connection back that is free again."""
        self._idle.append(connection)

    async def _open(self, pending: Pending) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), *self._address)
        except OSError as error:
            pending.finish(Answer("-", "refused", error.strerror or ""))
            return
        connection.send(self._request, pending)


class _Connection(asyncio.Protocol):
    def __init__(self, pool: HttpPool) -> None:
        self._pool = pool
        self._pending: Pending | None = None
        self._received = b""
        self.usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes, pending: Pending) -> None:
        self._pending = pending
        pending.abandon = self._transport.abort
        self._received = b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        whole = (
            body.endswith(b"0\r\n\r\n")
            if fields.get("transfer-encoding") == "chunked"
            else len(body) >= int(fields.get("content-length", "0"))
        )
        if whole:
            if fields.get("connection") == "close":
                self.usable = False
                self._transport.close()
            version = fields.get("x-version", "-")
            self._finish(
                Answer(
                    version,
                    status.split()[1],
                    "" if version != "-" else body[:DETAIL_LENGTH].decode(errors="replace").strip(),
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._finish(Answer("-", "reset", str(exc or "closed before the answer")))

    def _finish(self, answer: Answer) -> None:
        pending, self._pending = self._pending, None
        if pending:
            pending.finish(answer)
            if self.usable:
                self._pool.back(self)
