"""What the kubelet is told: alive while the loop turns, whatever the API server does; ready once the lists are in, also while standing by."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from canary_operator import instrumentation
from canary_operator.cli.run import Process
from canary_operator.instrumentation import Metrics, Pulse
from canary_operator.settings import Election, Provider, Settings
from tests.shell.api_server import ApiServer, serving

HELD = {"metadata": {"resourceVersion": "3"}, "spec": {"holderIdentity": "another", "leaseDurationSeconds": 15}}


class Standing(ApiServer):
    """One whose Lease another holds; refuses everything while it is away."""

    def __init__(self, *, away: bool = False) -> None:
        super().__init__()
        self.away = away

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.json_response({"kind": "Status", "code": 503}, status=503)
        if request.path.endswith("/leases/istio-canary-operator"):
            return web.json_response(HELD)
        return await super().handle(request)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def operating(server: ApiServer, directory: Path) -> AsyncIterator[str]:
    async with serving(server, directory) as kubeconfig:
        port = free_port()
        address = ("127.0.0.1", port)
        prometheus = {"default": Provider("http://127.0.0.1:9")}
        settings = Settings(prometheus, probe=address, metrics=address, kubeconfig=str(kubeconfig), leader_election=Election())
        process = Process(settings)
        running = asyncio.create_task(process.run())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process._stop.set()
            assert await asyncio.wait_for(running, 5) == 0


async def wait_for(session: aiohttp.ClientSession, url: str, status: int, text: str = "") -> None:
    for _ in range(400):
        try:
            async with session.get(url) as answer:
                if answer.status == status and text in await answer.text():
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"{url} does not answer {status} {text}")


async def test_a_replica_that_stands_by_is_ready_and_does_not_lead(tmp_path: Path) -> None:
    async with operating(Standing(), tmp_path) as url, aiohttp.ClientSession() as session:
        await wait_for(session, f"{url}/readyz", 200)
        await wait_for(session, f"{url}/healthz", 200)
        await wait_for(session, f"{url}/metrics", 200, "canary_operator_leader 0.0")


async def test_without_the_api_server_it_is_alive_and_becomes_ready_when_that_is_back(tmp_path: Path) -> None:
    server = Standing(away=True)
    async with operating(server, tmp_path) as url, aiohttp.ClientSession() as session:
        await wait_for(session, f"{url}/readyz", 503, "the first lists are not in")
        await wait_for(session, f"{url}/healthz", 200)
        server.away = False
        await wait_for(session, f"{url}/readyz", 200)


async def test_a_loop_that_does_not_turn_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrumentation, "STUCK", 0.1)
    pulse = Pulse(Metrics(), lambda: 0)
    assert pulse.alive
    await asyncio.sleep(0.2)
    assert not pulse.alive
