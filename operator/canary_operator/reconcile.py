"""One pass: observe -> decide -> apply. The only place where the three meet, and where a status is made."""

import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from canary_operator import instrumentation
from canary_operator.api.status import ReleaseRecord
from canary_operator.apply import reread_rule
from canary_operator.cache import Cache, Key
from canary_operator.carrying import Work, as_json, tell
from canary_operator.clients.errors import ClusterError
from canary_operator.clients.kinds import SERVICE
from canary_operator.findings import Remembered, learned
from canary_operator.findings import look as inspected
from canary_operator.hands import Hands
from canary_operator.observe import observe
from canary_operator.preflight.reading import Read
from canary_operator.preflight.reads import mesh_config
from canary_operator.refusals import Refusals
from canary_operator.release.decide import decide
from canary_operator.release.model import (
    BARE,
    Announce,
    Decision,
    EnsureSubsets,
    EnsureWeights,
    Observation,
    ReadAgain,
    RecordState,
)
from canary_operator.release.refusal import refused
from canary_operator.sampler import Question
from canary_operator.serving import wish
from canary_operator.shell import Shell
from canary_operator.subject import Subject, subject
from canary_operator.workqueue import Pass

__all__ = ["as_json", "reconciler"]

AT_ONCE = timedelta(0)
UNTIL_LISTED = timedelta(seconds=1)
"""Until it is asked again whether everything was listed anew."""


def reconciler(shell: Shell) -> Pass:
    """The pass of the work queue."""
    refusals, remembered, providers = Refusals(), Remembered(), frozenset(shell.settings.prometheus)

    def wake_others(key: Key, keys: Iterable[Key]) -> None:
        for other in keys:
            if other != key:  # which this pass looks at
                shell.wake(other)

    async def look(key: Key) -> timedelta | None:
        started, hands = time.monotonic(), Hands(shell.cluster, shell.cache, partial(wake_others, key))
        around = shell.surroundings.known(key)
        if shell.cache.went_back:  # some of what is known is of before a restore of etcd, and some of after: nothing is concluded from both
            return UNTIL_LISTED
        shell.cache.mesh = learned(shell.cache.mesh, around)
        it = subject(key, shell.cache)
        if it is None:
            shell.sampler.want(key, None)
            shell.asker.want(key, "", ())
            shell.surroundings.want(key, ())
            shell.lister.want(key, None)
            refusals.forget(key)
            remembered.forget(key)
            shell.metrics.note_stable(key, gone=False)
            return None
        trouble = shell.surroundings.trouble(key), shell.lister.trouble(key)
        inspection = inspected(it, shell.cache, around, *trouble, remembered=remembered, providers=providers)
        seen = observe(it, shell.cache, inspection, shell.rises_off())
        decision = decide(it.spec, it.status.release or ReleaseRecord(), seen)
        shell.sampler.want(key, _question(it, decision))
        shell.asker.want(key, it.spec.analysis.prometheus, decision.queries)
        shell.surroundings.want(key, inspection.reads if decision.inspect else _once(shell.cache))
        service = shell.cache.get(SERVICE, key.namespace, it.spec.service.name)
        shell.lister.want(key, wish(inspection.survey, service, urgent=decision.inspect))
        if not _drops(decision, seen) and (known := refusals.waits(key, decision.effects)):
            # Asked again a moment later, it would be refused again; all else that this pass has to say is said.
            await tell(it, refused(decision, known[0], seen), seen, hands)
            return timedelta(seconds=known[1])
        changed = await _attempt(Work(decision, seen, hands, it), refusals, started)
        if changed is None:
            return AT_ONCE
        shell.metrics.note_stable(key, gone=decision.state.stable_gone is not None)
        if changed:
            shell.metrics.decisions.labels(decision.because.reason).inc()
        instrumentation.pass_line(
            key,
            reason=decision.because.reason,
            message=decision.because.message,
            changed=changed,
            seconds=time.monotonic() - started,
            warns=any(isinstance(effect, Announce) and effect.warning for effect in decision.effects),
            state=str(decision.state.state),
            weight=seen.route.weight if seen.route else None,
            step=decision.state.step,
            verdict=decision.verdict,
            effects=[type(effect).__name__ for effect in decision.effects],
        )
        return AT_ONCE if _outdated(it, decision, shell.cache) else decision.look_again_in

    return look


async def _attempt(work: Work, refusals: Refusals, began: float) -> bool | None:
    """Carries a decision out; True: something was written, None: what it rests on has changed meanwhile.

    Raises:
        ClusterError: An effect failed. If that is to be told, status tells it.
    """
    it, decision = work.decided, work.decision
    try:
        if _rises(decision, work.seen) and (await reread_rule(it, work.hands) or _moved(it, subject(it.key, work.hands.cache))):
            # No traffic moves to a subset, or against a wish, that was not looked at.
            return None
        changed = await work.carry_out()
    except ClusterError as error:
        refusal = refusals.met(it.key, work.at, error, began=began, awaited=decision.last_action != it.status.last_action)
        if refusal is not None and not isinstance(work.at, RecordState):
            await work.tell(refusal)
        raise
    refusals.forget(it.key)
    return changed


def _outdated(it: Subject, decision: Decision, cache: Cache) -> bool:
    """The next look is due at once: what was decided on was changed by somebody else too, or is to be read afresh."""
    if any(isinstance(effect, ReadAgain) for effect in decision.effects):
        return True
    routed = any(isinstance(effect, EnsureWeights | EnsureSubsets) for effect in decision.effects)
    return routed and _moved(it, subject(it.key, cache))


def _once(cache: Cache) -> tuple[Read, ...]:
    """What is read at rest: the mesh config, one time for all CanaryReleases of this process."""
    return (mesh_config(cache.mesh.config_map),) if cache.mesh.config is None else ()


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


def _drops(decision: Decision, seen: Observation) -> bool:
    """Some route takes something from the canary."""
    route = seen.route
    if route is None:
        return False
    return any(
        effect.canary < route.weight or effect.extras.preview < route.extras.preview or effect.extras.mirror < route.extras.mirror
        for effect in decision.effects
        if isinstance(effect, EnsureWeights)
    )


def _moved(before: Subject, now: Subject | None) -> bool:
    """The CanaryRelease, its routes or its subsets are not those that were decided on."""
    return now is None or _versions(now) != _versions(before)


def _versions(it: Subject) -> list[str | None]:
    documents = (it.document, it.rule, *(route.document for route in it.routes))
    return [None if document is None else str(document["metadata"]["resourceVersion"]) for document in documents]
