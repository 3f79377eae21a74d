"""One question to a Prometheus of the user's own, by the standard library: the plugin needs no other client."""

import json
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

from canary_operator.analysis.promql import recorded
from canary_operator.analysis.samples import short
from canary_operator.simulation.recorded import NoRecording

TIMEOUT = 30.0
"""Seconds."""
MOST_BYTES = 64 * 1024 * 1024
OTHERWISE = "forward a port to Prometheus itself, or save an answer of it and give that with --record"


class _NoRedirect(HTTPRedirectHandler):
    """Nobody but the one who was named is asked."""

    def redirect_request(self, *asked: Any) -> None:
        """Not followed: the answer that tells it is an error then."""


# No proxy of the environment either: what is asked is mostly a port on this machine.
_OPENER = build_opener(ProxyHandler({}), _NoRedirect)


def ask(url: str, service: str, namespace: str, reporter: str, last: timedelta) -> object:
    """What Prometheus has counted of all requests to a service, as the JSON document that it answers.

    Args:
        url: Of the Prometheus, such as http://localhost:9090.
        service: Name of the Service.
        namespace: Namespace of the Service.
        reporter: `spec.analysis.reporter`.
        last: How far back.

    Raises:
        NoRecording: It cannot be asked, or does not answer JSON; the message says what to write instead.
    """
    where = _address(url)
    place = f"--prometheus {where.scheme}://{where.netloc}"
    query = urlencode({"query": recorded(service, namespace, reporter, last)})
    status = 200
    try:
        with _OPENER.open(
            where._replace(path=where.path.rstrip("/") + "/api/v1/query", query=query, fragment="").geturl(), timeout=TIMEOUT
        ) as answer:
            content = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        status, content = error.code, _rest(error)
    except (OSError, HTTPException, ValueError) as error:
        why = error.reason if isinstance(error, URLError) else error
        raise NoRecording(f"{place}: {short(str(why))}; {OTHERWISE}") from error
    if len(content) > MOST_BYTES:
        raise NoRecording(f"{place}: answers more than {MOST_BYTES // 1024 // 1024} MiB; ask for less with --last")
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoRecording(f"{place}: HTTP {status}, and no JSON that could be read; {OTHERWISE}") from error
    # Prometheus says in JSON what it did not like; others who answer in JSON do not speak for it.
    if status != 200 and not (isinstance(document, dict) and document.get("status") == "error"):
        raise NoRecording(f"{place}: HTTP {status}; {OTHERWISE}")
    return document


def _address(url: str) -> SplitResult:
    try:
        where = urlsplit(url)
        known = where.scheme in ("http", "https") and bool(where.hostname) and (where.port is None or where.port > 0)
    except ValueError:
        where, known = SplitResult("", "", "", "", ""), False
    if not known:
        raise NoRecording("--prometheus: that is no address; write one such as http://localhost:9090")
    if where.username is not None or where.password is not None:
        raise NoRecording(f"--prometheus: credentials have no place in an address; {OTHERWISE}")
    return where


def _rest(error: HTTPError) -> bytes:
    try:
        return error.read(MOST_BYTES)
    except (OSError, HTTPException):
        return b""
