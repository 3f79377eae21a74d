"""The watches themselves, Kopf included, against a server that misbehaves: they live on, miss nothing, and do not run the server down."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, WATCHED, Kind
from canary_operator.clients.kubernetes import Page
from canary_operator.clients.session import LIVED, Listening, Pace
from canary_operator.handlers import Watches
from canary_operator.instrumentation import Metrics
from canary_operator.watching import Intake
from tests.shell.api_server import ApiServer, Stream, error, lasting, line, release, serving


class Lists:
    """What our own client would list: the same."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def pages(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[Page]:
        yield Page([release(name) for name in self.server.releases] if kind == CANARY_RELEASE else [], "9", True)


class Rig:
    def __init__(self, server: ApiServer, kubeconfig: Path, silence: float) -> None:
        self.server, self.cache, self.metrics = server, Cache(), Metrics()
        self.intake = Intake(Lists(server), self.cache, lambda key: None, self.metrics)
        self._supervised = asyncio.create_task(
            self.intake.supervise(lambda: Watches(self.intake, kubeconfig=str(kubeconfig), namespaces=[], silence=silence))
        )

    async def has(self, *names: str, seconds: float = 10) -> None:
        await until(lambda: self.cache.keys() == {Key("shop", name) for name in names}, seconds)

    async def close(self) -> None:
        self.intake.stop()
        await asyncio.wait_for(self._supervised, 5)

    def age(self) -> float:
        age = self.metrics.registry.get_sample_value("canary_operator_watch_age_seconds", {"kind": "CanaryRelease"})
        assert age is not None
        return age


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(tmp_path: Path, *streams: Stream, silence: float = 70) -> AsyncIterator[Rig]:
    server = ApiServer()
    server.streams = list(streams)
    async with serving(server, tmp_path) as kubeconfig:
        rig = Rig(server, kubeconfig, silence)
        try:
            yield rig
        finally:
            await rig.close()


def told(*pieces: bytes, then: Stream | None = None) -> Stream:
    async def stream(response: web.StreamResponse, server: ApiServer) -> None:
        for piece in pieces:
            await response.write(piece)
        if then is not None:
            await then(response, server)

    return stream


async def reset(response: web.StreamResponse, server: ApiServer) -> None:
    assert response._req is not None and response._req.transport is not None
    response._req.transport.abort()


async def silent(response: web.StreamResponse, server: ApiServer) -> None:
    await asyncio.sleep(60)


NEWS = told(line("ADDED", release("c", 10)), then=lasting)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(told(), id="ends at once"),
        pytest.param(told(error(410)), id="expired"),
        pytest.param(told(error(500)), id="error 500"),
        pytest.param(told(error(504)), id="error 504"),
        pytest.param(told(line("ADDED", release("x", 10))[:40]), id="truncated"),
        pytest.param(told(b"no JSON\n"), id="no JSON"),
        pytest.param(told(line("STRANGE", release("x", 10))), id="an event of an unknown kind"),
        pytest.param(reset, id="connection reset"),
    ],
)
async def test_after_a_fault_in_the_stream_news_comes_again(fault: Stream, tmp_path: Path) -> None:
    async with watching(tmp_path, fault, NEWS) as rig:
        await rig.has("a", "b", "c")


async def test_a_stream_whose_session_was_closed_meanwhile_is_asked_for_again() -> None:
    """As when another request found the credentials refused: aiohttp answers with an error that Kopf would give up all watches for."""
    reader = aiohttp.StreamReader(BaseProtocol(asyncio.get_running_loop()), 1024)
    with pytest.raises(aiohttp.ClientConnectionError, match="closed"):
        async for _ in Listening(reader, lambda: None).iter_chunked(1024):
            pass


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_refusal_without_sense_costs_no_other_stream(status: int, tmp_path: Path) -> None:
    async def refused(response: web.StreamResponse, server: ApiServer) -> None:
        server.refusals = [status]

    async with watching(tmp_path, refused, NEWS) as rig:
        await rig.has("a", "b", "c", seconds=4)
        assert rig.server.count("watch", plural=WATCHED[1].plural) == 1


async def test_a_silent_stream_is_dropped(tmp_path: Path) -> None:
    """Half-open: nobody says that the connection is gone."""
    async with watching(tmp_path, silent, NEWS, silence=1) as rig:
        await rig.has("a", "b", "c")


async def test_streams_that_end_at_once_are_asked_for_ever_more_slowly(tmp_path: Path) -> None:
    async with watching(tmp_path, *[told()] * 10_000) as rig:
        await until(lambda: rig.server.count("watch") > 0)
        began = time.monotonic()
        await asyncio.sleep(4)
        assert rig.server.count("watch") <= 4 + (time.monotonic() - began) / 3
        assert rig.server.count("list") == 1
        assert rig.server.count("watch", began, WATCHED[1].plural) <= 1, "the others are not concerned"


async def test_a_stream_that_expires_at_once_does_not_cost_list_after_list(tmp_path: Path) -> None:
    async with watching(tmp_path, *[told(error(410))] * 10_000) as rig:
        await until(lambda: rig.server.count("watch") > 0)
        began = time.monotonic()
        await asyncio.sleep(4)
        assert rig.server.count("list") <= 4 + (time.monotonic() - began) / 3


async def test_what_vanished_while_the_stream_had_expired_is_found_though_nothing_is_left(tmp_path: Path) -> None:
    async def emptied(response: web.StreamResponse, server: ApiServer) -> None:
        await asyncio.sleep(0.5)
        server.releases = []
        await response.write(error(410))

    async with watching(tmp_path, emptied) as rig:
        await rig.has("a", "b")
        seeking = asyncio.create_task(rig.intake.seek())
        await rig.has(seconds=20)
        seeking.cancel()


async def test_bookmarks_keep_the_age_of_a_stream_low(tmp_path: Path) -> None:
    async with watching(tmp_path, lasting) as rig:
        await rig.has("a", "b")
        await asyncio.sleep(2.5)
        assert rig.age() < 1.5


async def test_a_silent_stream_grows_old(tmp_path: Path) -> None:
    async with watching(tmp_path, silent) as rig:
        await rig.has("a", "b")
        await asyncio.sleep(2.5)
        assert rig.age() > 2


async def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    async def rotated(response: web.StreamResponse, server: ApiServer) -> None:
        server.token = "second"

    async with watching(tmp_path, rotated, NEWS) as rig:
        await until(lambda: any(verb == "refused" for _, verb, _ in rig.server.asked))
        (tmp_path / "token").write_text("second")
        await rig.has("a", "b", "c")


async def test_a_token_that_stays_refused_is_no_reason_to_hurry(tmp_path: Path) -> None:
    async def rotated(response: web.StreamResponse, server: ApiServer) -> None:
        server.token = "second"

    async with watching(tmp_path, rotated) as rig:
        await until(lambda: any(verb == "refused" for _, verb, _ in rig.server.asked))
        await asyncio.sleep(5)
        assert sum(verb == "refused" for _, verb, _ in rig.server.asked) <= 30
        (tmp_path / "token").write_text("second")
        rig.server.releases.append("c")
        began = time.monotonic()
        await until(lambda: rig.server.count("watch", began) > 0, 15)


def test_the_pace_of_a_stream() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])

    def lived(seconds: float) -> float:
        pace.began("x")
        now[0] += seconds
        return pace.pause("x")

    assert pace.pause("x") == 0
    assert [lived(0) for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    assert (lived(LIVED), lived(0)) == (0, 0.5)
    assert pace.pause("x") == 0, "a request that was not answered is Kopf's own to pace"
