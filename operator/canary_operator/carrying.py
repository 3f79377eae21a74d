"""A decision is carried out: effects in order, then the status, then events; and what is said instead when a write is refused."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from canary_operator import instrumentation
from canary_operator.api.status import CanaryReleaseStatus, ReleaseRecord
from canary_operator.apply import apply, record
from canary_operator.cache import Key
from canary_operator.clients.errors import ClusterError, Conflict
from canary_operator.clients.kinds import CANARY_RELEASE
from canary_operator.hands import Hands, read_again
from canary_operator.observe import route_seen
from canary_operator.release.model import Announce, Decision, Effect, Observation, ReadAgain, RecordState, ReleaseFinalizer
from canary_operator.release.refusal import Refusal, refused
from canary_operator.release.report import status_of, told, worth_writing
from canary_operator.routing import Stale
from canary_operator.subject import Subject, subject

_STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)
_RECORD: TypeAdapter[ReleaseRecord] = TypeAdapter(ReleaseRecord)


_ALWAYS = {"number", "state", "step", "weight", "seq"}
_PLAIN = ReleaseRecord()


def as_json(status: CanaryReleaseStatus) -> dict[str, Any]:
    """A status as the API stores it. Of the record only what it stands for: at rest it is five figures, not a page of zeros."""
    document: dict[str, Any] = _STATUS.dump_python(status, mode="json", by_alias=True, exclude_none=True)
    if (record := status.release) is not None:
        told = {each.name for each in fields(record) if each.name in _ALWAYS or getattr(record, each.name) != getattr(_PLAIN, each.name)}
        document["release"] = _RECORD.dump_python(record, mode="json", by_alias=True, exclude_none=True, include=told)
    return document


@dataclass
class Work:
    """A decision that is carried out."""

    decision: Decision
    seen: Observation
    hands: Hands
    decided: Subject
    """What was decided on."""
    at: Effect | None = None
    """The effect that is being reached; None: none yet."""
    recorded: bool = False
    """The record of the decision stands in status."""

    async def carry_out(self) -> bool:
        """Applies the effects in order, then writes the status if it is worth it; True: something was written.

        Ends early when the record is no longer the one that was decided on: what this pass knows is old, and the next one is due already.

        Raises:
            ClusterError: an effect failed; what follows it was not done.
        """
        decision, key, written = self.decision, self.decided.key, False
        known = self.decided.document.get("status")
        announcements = [effect for effect in decision.effects if isinstance(effect, Announce)]
        for effect in decision.effects:
            it = subject(key, self.hands.cache)
            if it is None or it.document.get("status") != known:
                return written
            if isinstance(effect, Announce):
                continue
            self.at = effect
            if isinstance(effect, ReleaseFinalizer):  # with it the CanaryRelease may go, and nothing could be said of it any more
                while announcements:
                    await _say(announcements.pop(0), key, self.hands)
            try:
                status = partial(_status, it, decision, self.seen, self.decided.status, self.hands)
                known = await apply(effect, it, self.hands, status) or known
            except Stale as stale:
                instrumentation.log(
                    logging.INFO, "a later decision was there first", namespace=key.namespace, name=key.name, why=str(stale)
                )
                await read_again(CANARY_RELEASE, it.key, self.hands)
                raise Conflict(str(stale)) from stale
            written, self.recorded = True, self.recorded or isinstance(effect, RecordState)
        it, self.at = subject(key, self.hands.cache), RecordState()
        if it is None or it.document.get("status") != known:
            return written
        again = any(isinstance(effect, ReadAgain) for effect in decision.effects)
        news = None if again else await _write(it, decision, self.seen, self.decided.status, self.hands)
        for announcement in (*announcements, *(news or ())):
            await _say(announcement, key, self.hands)
        return written or news is not None

    async def tell(self, refusal: Refusal) -> None:
        """Says in status what was refused. That this is refused too is no news: the pass fails by the write itself."""
        key, before = self.decided.key, self.decided.document.get("status")
        it = subject(key, self.hands.cache)
        if it is None or (it.document.get("status") != before and not self.recorded):
            return
        seen = replace(self.seen, route=route_seen(it, self.hands.cache))
        decision = refused(self.decision, refusal, seen, it.status.release if self.recorded else None)
        try:
            await tell(it, decision, seen, self.hands)
        except ClusterError as error:
            why = str(error)
            instrumentation.log(logging.WARNING, "a refusal could not be told in status", namespace=key.namespace, name=key.name, why=why)


async def tell(it: Subject, decision: Decision, seen: Observation, hands: Hands) -> None:
    """Says in status, and once by event, what was refused, and what people are told all the same."""
    news = await _write(it, decision, seen, it.status, hands)
    for announcement in () if news is None else (*decision.told, *news):
        await _say(announcement, it.key, hands)


async def _write(
    it: Subject, decision: Decision, seen: Observation, before: CanaryReleaseStatus, hands: Hands
) -> tuple[Announce, ...] | None:
    """Writes the status if it is worth it, and answers the events that go with it; None: it was not written."""
    after = _STATUS.validate_python(_status(it, decision, seen, before, hands))
    if not worth_writing(it.status, after):
        return None
    await record(it, hands, as_json(after))
    return told(before, after)


def _status(it: Subject, decision: Decision, seen: Observation, before: CanaryReleaseStatus, hands: Hands) -> Mapping[str, Any]:
    """The status after this pass; the weight is what the route says now, after the effects so far."""
    return as_json(status_of(it.spec, before, decision, replace(seen, route=route_seen(it, hands.cache))))


async def _say(announcement: Announce, key: Key, hands: Hands) -> None:
    """An event that cannot be posted is lost: it must not stand in the way of what it tells."""
    it = subject(key, hands.cache)
    if it is None:
        return
    try:
        await apply(announcement, it, hands, dict)
    except ClusterError as error:
        instrumentation.log(logging.WARNING, "an event could not be posted", namespace=key.namespace, name=key.name, why=str(error))
