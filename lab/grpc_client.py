"""The traffic source's gRPC client: unary calls over one channel."""

import asyncio
from typing import Any

import grpc.aio

from lab.backend_grpc import METHOD, SERVICE
from lab.pending import Answer, Pending


class GrpcSender:
    """The channel's authority is the service's name, as the Host header is for HTTP."""

    def __init__(self, target: dict[str, Any]) -> None:
        options = [("grpc.default_authority", target["host"]), ("grpc.enable_retries", 0)]
        self._channel = grpc.aio.insecure_channel(f"{target['address']}:{target['port']}", options=options)
        self._call = self._channel.unary_unary(f"/{SERVICE}/{METHOD}")
        self._metadata = tuple(target["headers"].items())
        self._calls: set[asyncio.Task[None]] = set()

    def send(self, pending: Pending) -> None:
        """Sends one call; its outcome goes to the pending request."""
        task = asyncio.get_running_loop().create_task(self._ask(pending))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _ask(self, pending: Pending) -> None:
        call = self._call(b"", metadata=self._metadata)
        pending.abandon = call.cancel
        metadata = await call.initial_metadata()
        code = await call.code()
        version = next((str(value) for name, value in metadata or () if name == "x-version"), "-")
        pending.finish(Answer(version, code.name, "" if version != "-" else (await call.details() or "")))
