"""The watches. The only module that imports Kopf, and all that is asked of it: tell every change of six kinds.

Kopf runs in a thread of its own, with a loop of its own: there it neither takes the process's signals nor cancels its tasks when it
stops, and when it gives up, as it does on some faults of the API server, it is started anew while everything else goes on. Writes
nothing: no change handlers, timers, daemons, annotations, finalizers or Events of Kopf's own.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import kopf

from canary_operator.api.names import GROUP
from canary_operator.clients.kinds import WATCHED, Kind
from canary_operator.clients.login import log_in
from canary_operator.clients.session import Pace, session


class Ear(Protocol):
    """Who is told what the watches bring."""

    def tell(self, kind: Kind, event: str | None, document: Mapping[str, Any]) -> None:
        """ADDED, MODIFIED, DELETED or None (the object is on a list), and the document."""

    def listing(self, kind: Kind, namespace: str | None) -> None:
        """A whole list is asked for, of a namespace or of all."""

    def heard(self, kind: Kind, namespace: str | None) -> None:
        """The stream of a kind lives."""


LONGEST_PAUSE = 5.0
"""Seconds between two tries while the API server is away; also how late its return is noticed at most."""
SERVER_TIMEOUT = 300
SILENCE = 70
"""Seconds. Watches end after the first by themselves; a stream without even a bookmark for the second is dropped."""


_CHANCE = random.SystemRandom()


class Backoffs:
    """Pauses between Kopf's tries of one request, without end. Iterable again and again: Kopf starts from the front for each request."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.2
        while True:
            yield _CHANCE.uniform(pause / 2, pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def registry(ear: Ear, kubeconfig: str | None) -> kopf.OperatorRegistry:
    """One handler per kind, and one that logs in."""
    found = kopf.OperatorRegistry()
    for kind in WATCHED:
        kopf.on.event(group=kind.group, version=kind.version, plural=kind.plural, id=kind.plural, registry=found)(_handler(kind, ear))
    streams, logins = Pace(), Pace()

    async def login(**_: object) -> kopf.AiohttpSession:
        await asyncio.sleep(logins.pause("login"))  # Kopf asks anew whenever credentials are refused
        logins.began("login")
        configuration = await log_in(kubeconfig)
        talk = session(configuration, listing=ear.listing, heard=ear.heard, pace=streams)
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=talk)

    kopf.on.login(registry=found, errors=kopf.ErrorsMode.PERMANENT)(login)
    return found


def _handler(kind: Kind, ear: Ear) -> Callable[..., Any]:
    async def handle(event: Mapping[str, Any], **_: object) -> None:
        ear.tell(kind, event["type"], event["object"])

    return handle


def settings(silence: float = SILENCE) -> kopf.OperatorSettings:
    """Kopf as an informer: bounded requests, endless tries, nothing written."""
    found = kopf.OperatorSettings()
    found.posting.enabled = False
    found.posting.loggers = False
    found.peering.standalone = True
    found.scanning.disabled = True
    found.watching.server_timeout = SERVER_TIMEOUT
    found.watching.client_timeout = SERVER_TIMEOUT + 30
    found.watching.connect_timeout = 5
    found.watching.inactivity_timeout = silence
    found.watching.chunk_size = 500
    found.queueing.idle_timeout = 1
    found.queueing.exit_timeout = 0.5
    found.networking.request_timeout = 30
    found.networking.connect_timeout = 5
    found.networking.error_backoffs = Backoffs()
    found.networking.trust_env = False
    found.process.ultimate_exiting_timeout = None
    # Unused, since no handler makes Kopf store anything; should one ever, then under our name.
    found.persistence.finalizer = f"{GROUP}/kopf"
    found.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    found.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, v1=False)
    return found


class Watches:
    """One run of Kopf in its thread.

    Args:
        ear: Called in the loop that creates this object.
        kubeconfig: As given on the command line.
        namespaces: Those that are watched; empty: all.
        silence: Seconds without a word after which a stream is dropped.
    """

    def __init__(self, ear: Ear, *, kubeconfig: str | None, namespaces: Sequence[str], silence: float = SILENCE) -> None:
        self._home = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._home.create_future()
        self._ear = ear
        self._registry = registry(self, kubeconfig)
        self._settings = settings(silence)
        self._namespaces = list(namespaces)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopping = False

    async def run(self) -> None:
        """Returns when stopped; raises what Kopf raised when it gave up."""
        threading.Thread(target=self._main, name="kopf", daemon=True).start()
        await self._ended

    def stop(self) -> None:
        """Asks Kopf to end; `run` returns soon after."""
        self._stopping = True
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def tell(self, kind: Kind, event: str | None, document: Mapping[str, Any]) -> None:
        """From Kopf's thread to the other."""
        self._call(self._ear.tell, kind, event, document)

    def listing(self, kind: Kind, namespace: str | None) -> None:
        """From Kopf's thread to the other."""
        self._call(self._ear.listing, kind, namespace)

    def heard(self, kind: Kind, namespace: str | None) -> None:
        """From Kopf's thread to the other."""
        self._call(self._ear.heard, kind, namespace)

    def _main(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._operate())
        except BaseException as raised:  # noqa: BLE001  (handed over to the other thread, which decides)
            error = raised
        self._call(self._end, error)

    async def _operate(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping:
            return
        where: dict[str, Any] = {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
        await kopf.operator(registry=self._registry, settings=self._settings, stop_flag=self._stop, **where)

    def _end(self, error: BaseException | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._home.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the other loop has ended before us
            logging.getLogger(__name__).debug("an event came after the end")
