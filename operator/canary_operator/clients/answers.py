"""What the answers of the Kubernetes API mean. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from canary_operator.clients.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WebhookUnavailable,
)

WEBHOOK_AWAY = "failed calling webhook"
"""How the API server begins to say that a webhook with `failurePolicy: Fail` did not answer (its webhook errors)."""
DENIED = re.compile(r"admission webhook \".*\" denied the request|ValidatingAdmissionPolicy '.*' denied request")
"""How the API server begins to say that a webhook or a policy refuses, whatever the status code: both choose it themselves, so it says nothing.

Source: k8s.io/apiserver 0.36, pkg/admission/plugin/webhook/errors/statuserror.go and pkg/admission/plugin/policy/validating/dispatcher.go.
"""
MOST_PATIENCE = 60.0
"""Seconds that an answer may ask for before the next try."""


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in an answer; None: it holds none."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def refusal(what: str, status: int, document: dict[str, Any] | None, headers: Mapping[str, str], *, json_patch: bool) -> ClusterError:
    """The error that an answer stands for."""
    said = document or {}
    message = f"{what}: {said.get('message') or f'HTTP {status}'}"
    if DENIED.search(message):
        return Invalid(message)
    match status:
        case 400 | 413 | 415:
            return Invalid(message)
        case 401:
            return Unauthorized(message)
        case 403:
            return Forbidden(message)
        case 404 | 410 | 405:
            return NotFound(message) if status != 410 else Conflict(message)
        case 409:
            return AlreadyExists(message) if said.get("reason") == "AlreadyExists" else Conflict(message)
        case 422:
            # A patch that does not fit what is stored is answered without the name of the object; a refused object with it.
            fits = not json_patch or bool((said.get("details") or {}).get("name"))
            return Invalid(message) if fits else Conflict(message)
        case 429:
            return TooManyRequests(message, _seconds(headers.get("Retry-After")))
        case _:
            return WebhookUnavailable(message) if WEBHOOK_AWAY in message else Unavailable(message)


def _seconds(text: str | None) -> float:
    return min(float(text), MOST_PATIENCE) if text and text.isdecimal() else 1.0
