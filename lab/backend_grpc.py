"""The backend's gRPC side: one unary method that answers with the version, or fails as told."""

import asyncio
import os
import random
import signal

import grpc
import grpc.aio

from lab.behaviour import Control

SERVICE, METHOD = "lab.Backend", "Call"


class Backend:
    """Messages are raw bytes, so that no generated code is needed."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._version = os.environ.get("VERSION", "unknown")

    async def call(self, _request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Slow and failing as told now."""
        behaviour = self._control.now
        if random.random() < behaviour.hang_share:
            await asyncio.Event().wait()  # the server cancels it when the caller gives up
        if behaviour.latency_ms:
            await asyncio.sleep(behaviour.latency_ms / 1000)
        await context.send_initial_metadata((("x-version", self._version),))
        if random.random() < behaviour.error_share:
            await context.abort(grpc.StatusCode[behaviour.grpc_status], "told to fail")
        return self._version.encode()


async def serve(address: str, port: int, control: Control) -> None:
    """Serves until SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_reader(0, lambda: os._exit(0))
    await asyncio.sleep(control.now.start_delay)
    server = grpc.aio.server()
    handlers = {METHOD: grpc.unary_unary_rpc_method_handler(Backend(control).call)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"{address}:{port}")
    await server.start()
    await stopped.wait()
    await server.stop(1.0)
