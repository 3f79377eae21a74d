"""Prometheus over `prometheus-api-client`: one instant query per call, within a deadline. Never raises, never retries, follows no redirect.

The package is used through a session of our own: it bounds time and size, and hands the whole JSON document through `custom_query`, which
by itself keeps `data.result` only and so would hide partial answers (`warnings`) and the type of the result.
"""

import asyncio
import errno
import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from canary_operator.analysis.promql import duration
from canary_operator.analysis.samples import Answer, NoData, QueryFailed, parse
from canary_operator.analysis.value import Refused, ValueAnswer, parse_value
from canary_operator.api.names import MANAGER
from canary_operator.clients import credentials
from canary_operator.clients.credentials import Stamp, Unusable
from canary_operator.settings import Provider

LARGEST = 32 * 1024 * 1024
"""Bytes of an answer; more are refused unread."""
THREADS = 12
"""As many as `sampler` and `asker` use at once."""
_CHUNK = 1 << 16
_TOO_LARGE = f"the answer is larger than {LARGEST // 1024 // 1024} MiB"


_Read = TypeVar("_Read")


class _Refused(Exception):
    """Private to this module: ends a query with a clause for a person."""


class _Unfinished(Exception):
    """Private to this module: an answer began, and did not end in time."""


class _Whole:
    """An answer in the form that `custom_query` takes apart, such that the whole document is what it returns."""

    status_code = 200

    def __init__(self, document: object) -> None:
        self._document = document

    def json(self) -> object:
        return {"data": {"result": self._document}}


class _Session(requests.Session):
    """Bounds time and size of every answer."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.trust_env = False  # neither proxies nor netrc
        self.verify = provider.ca_file or True
        self.cert = (provider.cert_file, provider.key_file) if provider.cert_file and provider.key_file else None
        self._provider = provider
        self.sent: deque[dict[str, str]] = deque([{}], maxlen=THREADS)
        """The credentials of the last queries: what a server repeats of them is hidden."""

    def request(self, method: str, url: str, **arguments: Any) -> Any:  # type: ignore[override]
        seconds = self._provider.timeout.total_seconds()
        deadline = time.monotonic() + seconds
        # Prometheus' own time-out ends a query that nobody waits for any more.
        asked = {**(arguments.get("params") or {}), "timeout": f"{seconds:g}s"}
        given = credentials.headers(self._provider)
        if given != self.sent[-1]:
            self.sent.append(given)
        headers = {"User-Agent": MANAGER, "Accept": "application/json", "Accept-Encoding": "identity", **given}
        response = super().request(method, url, params=asked, headers=headers, timeout=seconds, stream=True, allow_redirects=False)
        try:
            content = _content(response, deadline)
            return _Whole(_document(response.status_code, content))
        finally:
            response.close()


def _content(response: requests.Response, deadline: float) -> bytes:
    """Reads what is there, chunk by chunk: a server that drips must not hold the thread. Never unpacked, so it is as large as it looks."""
    declared, packed = response.headers.get("Content-Length", ""), response.headers.get("Content-Encoding", "identity")
    chunks, size = [], 0
    if packed.lower() != "identity":
        raise _Refused("the answer is compressed, though no compression was asked for")
    if declared.isdecimal() and int(declared[:18]) > LARGEST:
        raise _Refused(_TOO_LARGE)
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        size += len(chunk)
        if size > LARGEST:
            raise _Refused(_TOO_LARGE)
        if time.monotonic() > deadline:
            raise _Unfinished
        chunks.append(chunk)
    return b"".join(chunks)


def _document(status: int, content: bytes) -> object:
    if 300 <= status < 400:
        raise _Refused(f"a redirect (HTTP {status}), which is not followed: configure the address that answers by itself")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _Refused("the answer is no JSON" if status == 200 else f"HTTP {status}") from None
    if status != 200 and not (isinstance(document, dict) and document.get("status") == "error"):
        raise _Refused(f"HTTP {status}")
    if not isinstance(document, dict):
        raise _Refused("the answer is no JSON object")
    return document


@dataclass(frozen=True, slots=True)
class _Connection:
    """A provider's connections, and the state of the files that they were made from."""

    stamp: Stamp
    session: _Session
    connect: PrometheusConnect

    def hide(self, words: str) -> str:
        """Words that are to be told, without credentials."""
        for sent in self.session.sent:
            words = credentials.hide(words, sent)
        return words


class Prometheus:
    """The configured providers."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._connections: dict[str, _Connection] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")

    def close(self) -> None:
        """Gives up what is still asked."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in self._connections.values():
            connection.connect.close()

    async def query(self, provider: str, text: str) -> Answer:
        """The answer to a query for a range of samples, checked. Whatever goes wrong is an answer too."""
        return await self._asked(provider, text, {}, parse)

    async def value(self, provider: str, text: str, lookback: timedelta | None) -> ValueAnswer:
        """The answer to a query for one value now, checked. Whatever goes wrong is an answer too.

        Args:
            provider: Its name in the configuration.
            text: PromQL.
            lookback: How old the newest sample may be that a selector finds. None: asked where no samples are, to see whether it is a query at all.
        """
        given = {"time": "1"} if lookback is None else {"lookback_delta": duration(lookback)}
        return await self._asked(provider, text, given, parse_value)

    async def _asked(self, provider: str, text: str, given: Mapping[str, str], read: Callable[[object], _Read]) -> _Read | QueryFailed:
        known = self._providers.get(provider)
        if known is None:
            return QueryFailed(f"no Prometheus provider {provider} is configured")

        def ask() -> _Read | QueryFailed:
            return self._ask(provider, known, read, {"query": text, "params": dict(given)})

        # The socket ends a query in time; the second bound is for a server that drips its headers, whose thread then ends later.
        bound = 2 * known.timeout.total_seconds() + 1
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._threads, ask), bound)
        except (TimeoutError, RuntimeError) as error:
            return QueryFailed(f"Prometheus at provider {provider}: {_words(error, known)}")

    def _ask(self, name: str, provider: Provider, read: Callable[[object], _Read], asked: Mapping[str, Any]) -> _Read | QueryFailed:
        known: _Connection | None = None
        answer: _Read | QueryFailed
        try:
            known = self._connection(name, provider)
            answer = read(known.connect.custom_query(**asked))
        except Exception as error:  # noqa: BLE001  (a failed query is an observation, whatever failed)
            answer = QueryFailed(_words(error, provider))
        if known is not None and isinstance(answer, QueryFailed | NoData | Refused):
            answer = replace(answer, why=known.hide(answer.why))
        return QueryFailed(f"Prometheus at provider {name}: {answer.why}") if isinstance(answer, QueryFailed) else answer

    def _connection(self, name: str, provider: Provider) -> _Connection:
        """Certificates live in a connection: when a file has changed, no connection that was made before is used any more."""
        known, stamp = self._connections.get(name), credentials.stamp(provider)
        if known is None or known.stamp != stamp:
            if stamp:
                credentials.check(provider)
            session = _Session(provider)
            made = _Connection(stamp, session, PrometheusConnect(url=provider.url, session=session, retry=Retry(0)))
            # After PrometheusConnect, which mounts an adapter of its own.
            session.mount(provider.url, HTTPAdapter(pool_maxsize=THREADS, max_retries=Retry(0, redirect=0)))
            self._connections[name] = made
            if known is not None:
                known.connect.close()
            known = made
        return known


def _words(error: BaseException, provider: Provider) -> str:
    """Why a query failed, in a clause without addresses or credentials."""
    if isinstance(error, _Refused | Unusable):
        return str(error)
    if isinstance(error, _Unfinished):
        return f"the answer did not end within {provider.timeout.total_seconds():g} s"
    if isinstance(error, (requests.exceptions.Timeout, TimeoutError)) or _has(error, TimeoutError):
        return f"no answer within {provider.timeout.total_seconds():g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or the TLS connection failed"
    if isinstance(error, requests.exceptions.InvalidHeader):
        return "token or headers hold what no header may hold"
    if _has(error, "NameResolutionError"):
        return "its host name does not resolve"
    found = next((each for each in _causes(error) if isinstance(each, OSError) and each.errno in errno.errorcode), None)
    if found is not None and found.errno is not None:
        return os.strerror(found.errno).lower()
    return "connection broken" if isinstance(error, requests.exceptions.RequestException) else type(error).__name__


def _has(error: BaseException, kind: type[BaseException] | str) -> bool:
    return any(type(each).__name__ == kind if isinstance(kind, str) else isinstance(each, kind) for each in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found
