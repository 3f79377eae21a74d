"""One pass: observe -> decide -> apply. The only place where the three meet, and where a status is made."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from canary_operator import instrumentation
from canary_operator.api.status import CanaryReleaseStatus, ReleaseRecord
from canary_operator.apply import apply, record, reread_rule
from canary_operator.cache import Key
from canary_operator.clients.errors import ClusterError, Conflict
from canary_operator.clients.kinds import CANARY_RELEASE, SERVICE
from canary_operator.findings import look as inspected
from canary_operator.hands import Hands, read_again
from canary_operator.observe import observe, route_seen
from canary_operator.release.decide import decide
from canary_operator.release.model import BARE, Announce, Decision, EnsureSubsets, EnsureWeights, Observation, ReadAgain, ReleaseFinalizer
from canary_operator.release.report import status_of, told, worth_writing
from canary_operator.routing import Stale
from canary_operator.sampler import Question
from canary_operator.serving import wish
from canary_operator.shell import Shell
from canary_operator.subject import Subject, subject
from canary_operator.workqueue import Pass

_STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)
_RECORD: TypeAdapter[ReleaseRecord] = TypeAdapter(ReleaseRecord)
AT_ONCE = timedelta(0)


_ALWAYS = {"number", "state", "step", "weight", "seq"}
_PLAIN = ReleaseRecord()


def as_json(status: CanaryReleaseStatus) -> dict[str, Any]:
    """A status as the API stores it. Of the record only what it stands for: at rest it is five figures, not a page of zeros."""
    document: dict[str, Any] = _STATUS.dump_python(status, mode="json", by_alias=True, exclude_none=True)
    if (record := status.release) is not None:
        told = {each.name for each in fields(record) if each.name in _ALWAYS or getattr(record, each.name) != getattr(_PLAIN, each.name)}
        document["release"] = _RECORD.dump_python(record, mode="json", by_alias=True, exclude_none=True, include=told)
    return document


def reconciler(shell: Shell) -> Pass:
    """The pass of the work queue."""

    def wake_others(key: Key, keys: Iterable[Key]) -> None:
        for other in keys:
            if other != key:  # which this pass looks at
                shell.wake(other)

    async def look(key: Key) -> timedelta | None:
        started, hands = time.monotonic(), Hands(shell.cluster, shell.cache, partial(wake_others, key))
        it = subject(key, shell.cache)
        if it is None:
            shell.sampler.want(key, None)
            shell.asker.want(key, "", ())
            shell.surroundings.want(key, ())
            shell.lister.want(key, None)
            return None
        around = shell.surroundings
        inspection = inspected(it, shell.cache, around.known(key), around.trouble(key), shell.lister.trouble(key))
        seen = observe(it, shell.cache, inspection)
        decision = decide(it.spec, it.status.release or ReleaseRecord(), seen)
        shell.sampler.want(key, _question(it, decision))
        shell.asker.want(key, it.spec.analysis.prometheus, decision.queries)
        shell.surroundings.want(key, inspection.reads if decision.inspect else ())
        service = shell.cache.get(SERVICE, key.namespace, it.spec.service.name)
        shell.lister.want(key, wish(inspection.survey, service, urgent=decision.inspect))
        if _rises(decision, seen) and (await reread_rule(it, hands) or _moved(it, subject(key, shell.cache))):
            # What the decision rests on has changed: no traffic moves to a subset, or against a wish, that was not looked at.
            return AT_ONCE
        changed = await _carry_out(it, decision, seen, hands)
        if changed:
            shell.metrics.decisions.labels(decision.because.reason).inc()
        instrumentation.pass_line(
            key,
            reason=decision.because.reason,
            message=decision.because.message,
            changed=changed,
            seconds=time.monotonic() - started,
            state=str(decision.state.state),
            weight=seen.route.weight if seen.route else None,
            step=decision.state.step,
            verdict=decision.verdict,
            effects=[type(effect).__name__ for effect in decision.effects],
        )
        if any(isinstance(effect, EnsureWeights | EnsureSubsets) for effect in decision.effects) and _moved(it, subject(key, shell.cache)):
            return AT_ONCE
        if any(isinstance(effect, ReadAgain) for effect in decision.effects):
            return AT_ONCE
        return decision.look_again_in

    return look


def _question(it: Subject, decision: Decision) -> Question | None:
    if decision.ask is None:
        return None
    analysis, latency = it.spec.analysis, it.spec.analysis.latency
    return Question(
        provider=analysis.prometheus,
        reporter=analysis.reporter,
        service=it.spec.service.name,
        ask=decision.ask,
        threshold=latency.threshold if latency else None,
    )


def _rises(decision: Decision, seen: Observation) -> bool:
    """Some route gives the canary more than it does now. Routes that are not intact may have less than the highest of them."""
    route = seen.route
    weight, extras = route.weight if route and route.intact else 0, route.extras if route else BARE
    return any(
        effect.canary > weight or effect.extras.preview > extras.preview or effect.extras.mirror > extras.mirror
        for effect in decision.effects
        if isinstance(effect, EnsureWeights)
    )


def _moved(before: Subject, now: Subject | None) -> bool:
    """The CanaryRelease, its routes or its subsets are not those that were decided on."""
    return now is None or _versions(now) != _versions(before)


def _versions(it: Subject) -> list[str | None]:
    documents = (it.document, it.rule, *(route.document for route in it.routes))
    return [None if document is None else str(document["metadata"]["resourceVersion"]) for document in documents]


async def _carry_out(decided: Subject, decision: Decision, seen: Observation, hands: Hands) -> bool:
    """Applies the effects in order, then writes the status if it is worth it; True: something was written.

    Ends early when the record is no longer the one that was decided on: what this pass knows is old, and the next one is due already.

    Raises:
        ClusterError: an effect failed; what follows it was not done.
    """
    key, before, written = decided.key, decided.status, False
    known = decided.document.get("status")
    announcements = [effect for effect in decision.effects if isinstance(effect, Announce)]
    for effect in decision.effects:
        it = subject(key, hands.cache)
        if it is None or it.document.get("status") != known:
            return written
        if isinstance(effect, Announce):
            continue
        if isinstance(effect, ReleaseFinalizer):  # with it the CanaryRelease may go, and nothing could be said of it any more
            while announcements:
                await _say(announcements.pop(0), key, hands)
        try:
            known = await apply(effect, it, hands, _status(it, decision, seen, before, hands)) or known
        except Stale as stale:
            instrumentation.log(logging.INFO, "a later decision was there first", namespace=key.namespace, name=key.name, why=str(stale))
            await read_again(CANARY_RELEASE, it.key, hands)
            raise Conflict(str(stale)) from stale
        written = True
    it = subject(key, hands.cache)
    if it is None or it.document.get("status") != known:
        return written
    after = _STATUS.validate_python(_status(it, decision, seen, before, hands))
    if not any(isinstance(effect, ReadAgain) for effect in decision.effects) and worth_writing(it.status, after):
        await record(it, hands, as_json(after))
        written = True
        announcements += told(before, after)
    for announcement in announcements:
        await _say(announcement, key, hands)
    return written


def _status(it: Subject, decision: Decision, seen: Observation, before: CanaryReleaseStatus, hands: Hands) -> Mapping[str, Any]:
    """The status after this pass; the weight is what the route says now, after the effects so far."""
    return as_json(status_of(it.spec, before, decision, replace(seen, route=route_seen(it, hands.cache))))


async def _say(announcement: Announce, key: Key, hands: Hands) -> None:
    """An event that cannot be posted is lost: it must not stand in the way of what it tells."""
    it = subject(key, hands.cache)
    if it is None:
        return
    try:
        await apply(announcement, it, hands, {})
    except ClusterError as error:
        instrumentation.log(logging.WARNING, "an event could not be posted", namespace=key.namespace, name=key.name, why=str(error))
