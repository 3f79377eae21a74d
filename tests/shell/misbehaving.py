"""A server that says whatever a test wants, and a client that asks it once."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from canary_operator.analysis.samples import Answer
from canary_operator.clients.prometheus import Prometheus
from canary_operator.settings import Provider

Speak = Callable[[socket.socket], None]
TIMEOUT = 0.4
GOOD = {"resultType": "matrix", "result": [{"metric": {"pod": "a"}, "values": [[1.5, "3"]]}]}


def reply(body: bytes, code: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {code}", f"Content-Length: {len(body)}", "Content-Type: application/json", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def say(body: object, code: str = "200 OK", *headers: str) -> Speak:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda connection: connection.sendall(reply(data, code, *headers))


def success(data: object, **fields: object) -> Speak:
    return say({"status": "success", "data": data, **fields})


def drip(head: bytes, byte: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(byte)
            time.sleep(0.05)  # noqa: TID251

    return speak


def huge(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    for _ in range(50):
        connection.sendall(b" " * 1_048_576)


class Server:
    """Answers every connection alike, and keeps what was asked."""

    def __init__(self, speak: Speak) -> None:
        self.asked: list[str] = []
        self._speak = speak
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.asked.append(connection.recv(65536).decode())
                self._speak(connection)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


@contextmanager
def serving(speak: Speak) -> Iterator[Server]:
    server = Server(speak)
    try:
        yield server
    finally:
        server.close()


def ask(provider: Provider, text: str = "up[1m]", name: str = "default") -> tuple[Answer, float]:
    async def main() -> tuple[Answer, float]:
        client = Prometheus({"default": provider})
        began = time.monotonic()
        try:
            return await client.query(name, text), time.monotonic() - began
        finally:
            client.close()

    return asyncio.run(main())


def provider(url: str, **fields: str) -> Provider:
    return Provider(url, timedelta(seconds=TIMEOUT), **fields)
