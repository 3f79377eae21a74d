"""Which writes were refused lately, and why: what an error means, when it is told, when the same write is asked for again. Decides nothing.

A refusal by a policy, a right or a webhook is told in the pass that meets it. What may be over a moment later (a conflict, no answer) is told when
it has lasted for a while, or when somebody waits for an answer.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from canary_operator.cache import Key
from canary_operator.clients.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotLeading,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WebhookUnavailable,
)
from canary_operator.release.model import Effect
from canary_operator.release.refusal import Cause, Refusal, printable

PATIENCE = 1.0
"""Seconds for which what may be over a moment later is not told."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
"""Seconds until a write is asked for again that takes nothing from the canary. Doubled with each refusal in a row."""

_CAUSES: Mapping[type[ClusterError], Cause] = {
    Unauthorized: Cause.RIGHTS,
    Forbidden: Cause.ADMISSION,
    Invalid: Cause.ADMISSION,
    WebhookUnavailable: Cause.WEBHOOK,
    Conflict: Cause.CONFLICT,
    NotFound: Cause.MISSING,
    TooManyRequests: Cause.BUSY,
    Unavailable: Cause.SILENT,
}
_AT_ONCE = frozenset({Cause.RIGHTS, Cause.ADMISSION, Cause.WEBHOOK})
"""Another try a moment later would be answered the same."""
_NO_RIGHT = " cannot "
"""How the API server words a missing right: `User "..." cannot patch resource "virtualservices" in API group ...`."""


def cause_of(error: ClusterError) -> Cause | None:
    """What an error of a write means; None: nothing was asked, so nothing was refused."""
    if isinstance(error, NotLeading):
        return None
    if isinstance(error, Forbidden) and _NO_RIGHT in str(error):
        return Cause.RIGHTS
    return next((cause for kind, cause in _CAUSES.items() if isinstance(error, kind)), Cause.SILENT)


@dataclass(frozen=True, slots=True)
class _Met:
    """The refusal that a CanaryRelease met last, and no pass has come through since."""

    refusal: Refusal
    began: float
    """When the first of them in a row was asked for, on the monotonic clock; seconds."""
    pause: float
    """Seconds until the next try."""
    until: float
    """When that is, on the same clock."""
    told: bool


class Refusals:
    """The memory of one stretch of leading.

    Args:
        monotonic: Seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._met: dict[Key, _Met] = {}

    def met(self, key: Key, effect: Effect | None, error: ClusterError, *, began: float, awaited: bool) -> Refusal | None:
        """Notes a refusal; answers it if it is to be told.

        Args:
            key: The CanaryRelease.
            effect: The end that was not reached; None: a read before it.
            error: What came of it.
            began: When the pass began, on the monotonic clock; seconds.
            awaited: Somebody waits for an answer, such as that an abort was heard.
        """
        cause, known, now = cause_of(error), self._met.get(key), self._monotonic()
        if cause is None:
            return None
        refusal = Refusal(effect, cause, printable(str(error)))
        began = known.began if known else began
        lasts = now - began >= PATIENCE
        told = cause in _AT_ONCE or lasts or (awaited and cause is not Cause.CONFLICT) or (known is not None and known.told)
        pause = min(known.pause * 2, LONGEST_PAUSE) if known else FIRST_PAUSE
        self._met[key] = _Met(refusal, began, pause, now + pause if told else now, told)
        return refusal if told else None

    def waits(self, key: Key, effects: tuple[Effect, ...]) -> tuple[Refusal, float] | None:
        """The refusal of one of these very effects, and the seconds until it is asked for again; None: it is due."""
        known = self._met.get(key)
        if known is None or known.refusal.effect is None or known.refusal.effect not in effects:
            return None
        left = known.until - self._monotonic()
        return (known.refusal, left) if left > 0 else None

    def forget(self, key: Key) -> None:
        """A pass came through, or there is no such CanaryRelease any more."""
        self._met.pop(key, None)
