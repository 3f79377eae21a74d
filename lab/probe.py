"""The kubelet stand-in's readiness probe."""

import asyncio

from lab.backend import PROBE


async def probe(address: str, port: int, protocol: str) -> bool:
    """Whether an HTTP backend answers, or a gRPC one takes the connection.

    Raises:
        OSError: Nobody listens.
    """
    reader, writer = await asyncio.open_connection(address, port)
    try:
        if protocol == "grpc":
            return True
        writer.write(PROBE + b"HTTP/1.1\r\nhost: probe\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()
