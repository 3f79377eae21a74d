"""A pod's process: `python -m lab.backend ADDRESS PORT`. Answers every HTTP/1.1 request with its version; fails and delays as told.

On each of OTHER_PORTS it answers with `VERSION@PORT`: another server of the same pod.

Lean, since every pod of the lab is one: standard library only, one write per answer (two would cost a delayed ACK of 40 ms).
"""

import asyncio
import os
import random
import signal
import sys
from functools import partial
from http import HTTPStatus
from typing import ClassVar

from lab.behaviour import Control

DRAIN_SECONDS = 1.0
PROBE = b"GET /-/ready "
"""The kubelet stand-in's own request: never slow, never failing."""


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in order."""

    draining = False
    open_connections: "ClassVar[set[Connection]]" = set()

    def __init__(self, control: Control, version: str, pod: str) -> None:
        self._control = control
        self._head = f"x-version: {version}\r\nx-pod: {pod}\r\ncontent-type: text/plain\r\n"
        self._body = f"{version}\n".encode()
        self._received = b""
        self._busy = False
        self._probing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Notes where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self.open_connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Takes what came; requests may come in pieces or several at once."""
        self._received += data
        self._next()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._busy

    def _next(self) -> None:
        if self._busy or not self._take_request():
            return
        self._busy = True
        behaviour = self._control.now
        if random.random() < behaviour.hang_share and not self._probing:
            return  # until the caller closes the connection
        if behaviour.latency_ms and not self._probing:
            asyncio.get_running_loop().call_later(behaviour.latency_ms / 1000, self._answer)
        else:
            self._answer()

    def _take_request(self) -> bool:
        """Removes one whole request from what was received; False if it is not whole yet."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        fields = head.lower()
        length = 0
        if b"\r\ntransfer-encoding: chunked" in fields:
            length = rest.find(b"0\r\n\r\n") + 5
            if length < 5:
                return False
        elif b"\r\ncontent-length:" in fields:
            length = int(fields.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return False
        self._received = rest[length:]
        self._probing = head.startswith(PROBE)
        return True

    def _answer(self) -> None:
        if self._transport.is_closing():
            return
        behaviour = self._control.now
        failing = random.random() < behaviour.error_share and not self._probing
        if random.random() < behaviour.cut_share and not self._probing:
            self._transport.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(self._body) + 1}\r\n{self._head}\r\n".encode() + self._body)
            self._transport.close()
            return
        status = HTTPStatus(behaviour.error_status if failing else 200)
        closing = "connection: close\r\n" if self.draining else ""
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: {len(self._body)}\r\n{closing}{self._head}\r\n"
        self._transport.write(head.encode() + self._body)
        self._busy = False
        if self.draining:
            self._transport.close()
        else:
            self._next()


async def serve(address: str, port: int, control: Control) -> None:
    """Serves until SIGTERM, then finishes what it has begun."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_reader(0, lambda: os._exit(0))  # the lifeline: it becomes readable when the lab's own process has ended
    await asyncio.sleep(control.now.start_delay)
    version, pod = os.environ.get("VERSION", "unknown"), os.environ.get("POD", "unknown")
    servers = [await loop.create_server(lambda: Connection(control, version, pod), address, port, backlog=1024)]
    for other in filter(None, os.environ.get("OTHER_PORTS", "").split(",")):
        named = f"{version}@{other}"
        servers.append(await loop.create_server(partial(Connection, control, named, pod), address, int(other), backlog=1024))
    await stopped.wait()
    for server in servers:
        server.close()
    Connection.draining = True
    deadline = loop.time() + DRAIN_SECONDS
    while any(connection.busy for connection in Connection.open_connections) and loop.time() < deadline:
        await asyncio.sleep(0.02)


def main() -> None:
    """Serves as told by the environment."""
    control = Control.of_environment(os.environ)
    if control.now.crashing:
        sys.exit(1)
    address, port = sys.argv[1], int(sys.argv[2])
    if os.environ.get("PROTOCOL") == "grpc":
        from lab import backend_grpc  # grpcio costs 20 MB and 0.1 s, which HTTP pods need not pay

        asyncio.run(backend_grpc.serve(address, port, control))
    else:
        asyncio.run(serve(address, port, control))


if __name__ == "__main__":
    main()
