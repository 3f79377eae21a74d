"""A reverse proxy between one operator and the API server that numbers the operator's writes, and kills it or errs at the chosen one."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web

from tests.faults.plans import REFUSALS, Fault, Instant, Write

WRITES = frozenset(("POST", "PATCH", "PUT", "DELETE"))
UNCOUNTED = frozenset(("events", "leases"))
"""Writes to these are forwarded and not numbered: they are no part of the result."""
WATCHED_KINDS = 6
_NOT_FORWARDED = frozenset(("host", "accept-encoding", "content-length", "connection", "transfer-encoding"))


Trouble = Callable[[web.Request], web.StreamResponse | None]
"""Answers in place of the API server; None: the API server answers."""


def away(request: web.Request) -> web.StreamResponse:
    """Nobody is there."""
    return _drop(request)


class Once:
    """The first request of each kind is answered with this status."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.struck: set[str] = set()

    def __call__(self, request: web.Request) -> web.StreamResponse | None:
        """By verb and resource."""
        parts = [part for part in request.path.split("/") if part]
        named = parts.index("namespaces") + 2 if "namespaces" in parts else len(parts) - 1
        kind = " ".join((request.method, "watch" if "watch" in request.query else "", *parts[named : named + 1], *parts[named + 2 :]))
        if kind in self.struck:
            return None
        self.struck.add(kind)
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self._status, "message": "trouble", "reason": "Trouble"}
        return web.json_response(said, status=self._status, headers={"Retry-After": "1"} if self._status == 429 else {})


class Proxy:
    """Serves plain HTTP on a port of its own.

    Args:
        server: The API server.
        authority: The certificate to trust.
        crash: Kills the operator at once, and answers with what starts it again (in another thread).
        uncounted: Plurals whose writes are not numbered.
    """

    def __init__(
        self, server: str, authority: Path, crash: Callable[[], Callable[[], None]], uncounted: frozenset[str] = UNCOUNTED
    ) -> None:
        self._server = server
        self._trust = ssl.create_default_context(cafile=str(authority))
        self._crash = crash
        self._uncounted = uncounted
        self._faults: list[Fault] = []
        self._armed = False
        self._count = 0
        self._watches = 0
        self._restarts: set[asyncio.Future[None]] = set()
        self.restarting = False
        """The operator was killed a moment ago, and the next one is not there yet."""
        self._streams: set[asyncio.Task[object]] = set()
        self.life = 0
        self.fired: list[Write] = []
        self.writes: list[Write] = []
        self.held: list[Write] = []
        """Writes that waited for `let_go`, on their way or on their way back."""
        self.told: deque[bytes] = deque(maxlen=100)
        """The last pieces of all watches."""
        self.asked = 0
        """Requests of any kind."""
        self._trouble: Trouble | None = None
        self._holding: tuple[str, bool] | None = None
        self._go = asyncio.Event()

    async def start(self) -> str:
        """Listens; answers the address."""
        connector = TCPConnector(ssl=self._trust, limit=0)
        self._session = ClientSession(connector=connector, timeout=ClientTimeout(total=None, sock_connect=5), auto_decompress=False)
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Drops all connections."""
        await asyncio.gather(*self._restarts, return_exceptions=True)
        self._cut()
        await self._runner.cleanup()
        await self._session.close()

    async def arm(self, faults: Sequence[Fault]) -> None:
        """Numbers the writes from now on."""
        self._faults, self._armed = list(faults), True

    async def meddle(self, trouble: "Trouble | None") -> None:
        """Lets somebody else answer from now on, and ends the streams; None: the API server answers again."""
        self._trouble = trouble
        self._watches = 0
        self._cut()

    async def hold(self, plural: str, *, replies: bool = False) -> None:
        """Writes to this kind, or the replies to them, are on their way until `let_go`."""
        self._holding = (plural, replies)

    async def let_go(self) -> None:
        """What is on its way arrives."""
        self._holding = None
        self._go.set()

    def settled(self, seconds: float) -> bool:
        """The present process follows all kinds, and has written nothing for so long."""
        last = self.writes[-1].at if self.writes else 0.0
        return not self.restarting and self._watches >= WATCHED_KINDS and time.monotonic() - last > seconds

    @property
    def counted(self) -> list[Write]:
        """The numbered writes."""
        return [write for write in self.writes if write.number]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked += 1
        if self._trouble and (answer := self._trouble(request)) is not None:
            return answer
        life, write = self.life, None
        if request.method in WRITES:
            write = self._note(request)
        elif "watch" in request.query:
            self._watches += 1
        strikes = self._strikes(write)
        if write and strikes is Instant.BEFORE:
            return self._kill(request, write)
        if write and strikes in REFUSALS:
            write.status = REFUSALS[strikes]
            self.fired.append(write)
            return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": write.status}, status=write.status)
        if write:
            await self._wait(write, replies=False)
        try:
            return await self._forward(request, body, life, write, strikes)
        except (ClientError, ConnectionError, TimeoutError):
            return _drop(request)

    async def _forward(
        self, request: web.Request, body: bytes, life: int, write: Write | None, strikes: Instant | None
    ) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
        async with self._session.request(request.method, self._server + request.raw_path, headers=headers, data=body or None) as answer:
            if "watch" in request.query and answer.status == 200:
                return await self._stream(request, answer)
            content = await answer.read()
        if write:
            write.status = answer.status
            await self._wait(write, replies=True)
        if write and strikes is Instant.LOST:
            return self._kill(request, write)
        if write and strikes is Instant.CUT:
            self.fired.append(write)
            return _drop(request)
        if life != self.life:
            return _drop(request)
        told = {name: answer.headers[name] for name in ("Content-Type", "Retry-After", "Warning") if name in answer.headers}
        response = web.Response(status=answer.status, body=content, headers=told)
        if write and strikes is Instant.AFTER:
            await response.prepare(request)
            await response.write_eof()
            self._kill(request, write)
        return response

    async def _wait(self, write: Write, *, replies: bool) -> None:
        if self._holding and self._holding[0] in write.path and self._holding[1] == replies:
            self.held.append(write)
            await self._go.wait()

    def _note(self, request: web.Request) -> Write:
        counted = self._armed and not self._uncounted & set(request.path.split("/"))
        self._count += counted
        number = self._count if counted else 0
        write = Write(number, self.life, request.method, request.raw_path, time.monotonic())
        self.writes.append(write)
        return write

    def _strikes(self, write: Write | None) -> Instant | None:
        """The first fault counts from the first write, each further one from the write that was struck before it."""
        base = self.fired[-1].number if self.fired else 0
        if write is None or not write.number or not self._faults or self._faults[0].write != write.number - base:
            return None
        return self._faults.pop(0).instant

    def _kill(self, request: web.Request, write: Write) -> web.Response:
        self.restarting = True
        again = self._crash()
        self._cut()
        self.fired.append(write)
        self.life += 1
        self._watches = 0
        restart = asyncio.get_running_loop().run_in_executor(None, again)
        self._restarts.add(restart)
        restart.add_done_callback(self._restarted)
        return _drop(request)

    async def _stream(self, request: web.Request, answer: ClientResponse) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            response = web.StreamResponse(headers={"Content-Type": answer.headers["Content-Type"]})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
                self.told.append(chunk)
            return response
        finally:
            self._streams.discard(task)

    def _restarted(self, restart: asyncio.Future[None]) -> None:
        self._restarts.discard(restart)
        self.restarting = bool(self._restarts)

    def _cut(self) -> None:
        """Ends the streams of a process that is no more."""
        for task in self._streams:
            task.cancel()


def _drop(request: web.Request) -> web.Response:
    """Closes the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
