"""The HTTP session that the watches go through.

It renews credentials, asks ever more slowly for streams that end at once, tells of signs of life, and keeps from Kopf what makes it give up: a stream
with anything wrong in it has expired, so that it is listed and watched anew.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from kubernetes.aio.client import Configuration

from canary_operator.clients.kinds import Kind, kind_of, namespace_of
from canary_operator.clients.login import bearer, distrust

LIVED = 5.0
"""Seconds after which a stream that ends has done its service."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds before a stream is asked for that has just ended at once; doubled each time."""
OFTEN = 1.0
"""Seconds between two signs of life that are told."""

UNDERSTOOD = frozenset({401, 403, 404, 410, 429})
"""Refusals that Kopf has an answer to."""
EXPIRED = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}\n'

Told = Callable[[Kind, str | None], None]
"""Kind, and the namespace if it is one alone."""


class Pace:
    """How long to wait before a stream is asked for again. Kopf itself waits for nothing when a watch was answered and ended."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._pause: dict[str, float] = {}

    def pause(self, stream: str) -> float:
        """Seconds to wait now."""
        began = self._began.pop(stream, None)
        if began is None:
            return 0.0
        short = self._clock() - began < LIVED
        self._pause[stream] = min(max(2 * self._pause.get(stream, 0.0), FIRST_PAUSE), LONGEST_PAUSE) if short else 0.0
        return self._pause[stream]

    def began(self, stream: str) -> None:
        """It was answered."""
        self._began[stream] = self._clock()


def session(configuration: Configuration, *, listing: Told, heard: Told, pace: Pace) -> aiohttp.ClientSession:
    """A session with the API server.

    Args:
        configuration: Where the server is and who we are.
        listing: Called when a whole list of a watched kind is about to be asked for.
        heard: Called when the stream of a watched kind said something, bookmarks included; not for each word.
        pace: Of the streams.
    """

    async def carry(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if header := await bearer(configuration):
            request.headers["Authorization"] = header
        kind, stream = kind_of(request.url.path), "watch" in request.url.query
        if kind is None:
            return _known(configuration, await handler(request))
        where = (kind, namespace_of(request.url.path))
        if not stream:
            if "continue" not in request.url.query:
                listing(*where)
            return _known(configuration, await handler(request))
        await asyncio.sleep(pace.pause(request.url.path))
        if made.closed:  # meanwhile, since another request found the credentials refused
            raise RuntimeError("the session is closed")
        answer = _known(configuration, await handler(request))
        if answer.status == 200:
            pace.began(request.url.path)
            heard(*where)
            answer.content = Listening(answer.content, lambda: heard(*where))  # type: ignore[assignment]
        return answer

    proxy: str | None = configuration.proxy
    connector = aiohttp.TCPConnector(limit=0, ssl=_trust(configuration))
    made = aiohttp.ClientSession(connector=connector, proxy=proxy, trust_env=False, middlewares=[carry])
    return made


def _known(configuration: Configuration, answer: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """The answer, unless it is one that Kopf would give up all watches for: then what it tries again for."""
    if answer.status == 401:
        distrust(configuration)
    if 400 <= answer.status < 500 and answer.status not in UNDERSTOOD:
        answer.close()
        raise aiohttp.ClientConnectionError(f"{answer.url.path} was answered with {answer.status}")
    return answer


def _trust(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Listening:
    """The content of a watch; tells when something of it came, and passes whole lines on that may be events."""

    def __init__(self, content: aiohttp.StreamReader, heard: Callable[[], None]) -> None:
        self._content, self._heard, self._last = content, heard, time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines, at most so many bytes read at a time; raises `aiohttp.ClientConnectionError` when the session is closed meanwhile."""
        rest = b""  # what ends in the middle of a line when the stream ends is told again by the next one
        async for chunk in self._chunks(size):
            if time.monotonic() - self._last > OFTEN:
                self._last = time.monotonic()
                self._heard()
            *lines, rest = (rest + chunk).split(b"\n")
            if all(map(_sound, lines)):
                yield b"".join(line + b"\n" for line in lines)
            else:
                yield EXPIRED
                return

    async def _chunks(self, size: int) -> AsyncIterator[bytes]:
        """As they come; a session that was closed meanwhile, since its credentials were refused, ends the stream like a lost connection."""
        try:
            async for chunk in self._content.iter_chunked(size):
                yield chunk
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            raise aiohttp.ClientConnectionError(str(error)) from error


def _sound(line: bytes) -> bool:
    """Whether a line looks like an event. Not worth a second parsing: what passes in spite of that ends Kopf, which is then started again."""
    line = line.strip()
    return not line or (line.startswith(b"{") and line.endswith(b"}") and not line.startswith((b'{"type":"ERROR"', b'{"type": "ERROR"')))
