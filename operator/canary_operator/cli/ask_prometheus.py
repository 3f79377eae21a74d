"""One question to a Prometheus of the user's own, by the standard library: the plugin needs no other client."""

import json
from datetime import timedelta
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from canary_operator.analysis.promql import recorded
from canary_operator.simulation.recorded import NoRecording

TIMEOUT = 30.0
"""Seconds."""
MOST_BYTES = 64 * 1024 * 1024
OTHERWISE = "or save an answer of it and give that with --record"


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
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoRecording(f"--prometheus: {url!r} is no address; write one such as http://localhost:9090")
    asked = url.rstrip("/") + "/api/v1/query?" + urlencode({"query": recorded(service, namespace, reporter, last)})
    try:
        with urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 (the scheme was looked at)
            content = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        content = error.read(MOST_BYTES)  # Prometheus says in JSON what it did not like
        if not content.lstrip().startswith(b"{"):
            raise NoRecording(
                f"--prometheus {url}: HTTP {error.code} {error.reason}; forward a port to Prometheus itself, {OTHERWISE}"
            ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise NoRecording(f"--prometheus {url}: {error}; forward a port to Prometheus, {OTHERWISE}") from error
    if len(content) > MOST_BYTES:
        raise NoRecording(f"--prometheus {url}: answers more than {MOST_BYTES // 1024 // 1024} MiB; ask for less with --last")
    try:
        document: object = json.loads(content)
    except ValueError as error:
        raise NoRecording(f"--prometheus {url}: answers no JSON: {error}; forward a port to Prometheus itself, {OTHERWISE}") from error
    return document
