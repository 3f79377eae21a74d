"""Specs and statuses as they were validated last, so that what has not changed is not validated again. A pass needs both several times.

Kept for the CanaryReleases that were looked at lately, and for no more than so many: at rest it costs nothing that grows.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus

MOST = 256
"""CanaryReleases that are kept."""
Json = Mapping[str, Any]

_SPEC: TypeAdapter[CanaryReleaseSpec] = TypeAdapter(CanaryReleaseSpec)
_STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)


class _Entry(NamedTuple):
    written: Json
    spec: CanaryReleaseSpec
    stored: Json
    status: CanaryReleaseStatus


class Parsed:
    """One per cache. Both types are frozen, so that one value may serve many passes."""

    def __init__(
        self,
        spec: Callable[[Json], CanaryReleaseSpec] = _SPEC.validate_python,
        status: Callable[[Json], CanaryReleaseStatus] = _STATUS.validate_python,
    ) -> None:
        self._spec, self._status = spec, status
        self._entries: dict[tuple[str, str], _Entry] = {}

    def of(self, key: tuple[str, str], document: Json) -> tuple[CanaryReleaseSpec, CanaryReleaseStatus]:
        """Spec and status of a CanaryRelease.

        Args:
            key: Its namespace and name.
            document: The CanaryRelease as stored.

        Raises:
            pydantic.ValidationError: One of them is not in a form that this version knows.
        """
        written, stored, last = document["spec"], document.get("status") or {}, self._entries.pop(key, None)
        spec = last.spec if last is not None and last.written == written else self._spec(written)
        status = last.status if last is not None and last.stored == stored else self._status(stored)
        self._entries[key] = _Entry(written, spec, stored, status)
        if len(self._entries) > MOST:
            del self._entries[next(iter(self._entries))]
        return spec, status
