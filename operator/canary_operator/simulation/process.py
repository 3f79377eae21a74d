"""One running operator: what it remembers, how it looks, and how it carries out a decision. It dies with everything it remembers."""

from collections.abc import Hashable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import assert_never

from canary_operator.analysis.samples import Answer
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus
from canary_operator.release.decide import decide
from canary_operator.release.model import (
    Announce,
    Because,
    Decision,
    Disown,
    Effect,
    EnsureFinalizer,
    EnsureSubsets,
    EnsureUnsplit,
    EnsureWeights,
    Mark,
    Observation,
    ReadAgain,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
    RouteSeen,
    SubsetsSeen,
)
from canary_operator.release.presence import Presences
from canary_operator.release.refusal import Cause, Refusal, refused
from canary_operator.release.report import status_of, worth_writing
from canary_operator.simulation.api import Api, Failed, Refused, Stale
from canary_operator.simulation.objects import UID, Cluster, Resource, Route, Stored, Subsets, moment, tick
from canary_operator.simulation.questions import Questions

_Routing = EnsureWeights | EnsureSubsets | EnsureUnsplit | RemoveRoute | RemoveSubsets | Disown
BACK_OFF = timedelta(seconds=1)
"""After a pass that failed."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass, as it went."""

    time: float
    spec: CanaryReleaseSpec
    seen: Observation
    before: CanaryReleaseStatus
    after: CanaryReleaseStatus
    decision: Decision
    done: tuple[Effect, ...]
    """The effects that were reached."""
    wrote: int
    """Writes that were tried."""
    failed: bool = False
    """The pass ended at an effect that failed."""
    told: bool = False
    """Status tells of it; what was refused is tried again after a pause."""


@dataclass
class Process:
    """The memory of one operator process."""

    started: float
    """Unix seconds."""
    own: set[str] = field(default_factory=set)
    """Marks that this process has written."""
    read_at: int = -1
    """The world's revision at which the record was last read afresh; -1: never, only lists and watches have told of it."""
    cache: Stored | None = None
    """What the watches last said."""
    answer: Answer | None = None
    questions: Questions = field(default_factory=Questions)
    due: float | None = None
    """When it looks again, Unix seconds; None: when something changes."""
    events: list[Because] = field(default_factory=list)
    _first_seen: dict[str, tuple[Hashable, float]] = field(default_factory=dict)
    _presences: Presences = field(default_factory=Presences)

    def look(self, api: Api, now: float, *, watching: bool = True) -> Pass | None:
        """One pass; None when there is no resource. `watching` False: the watches have told nothing since the last pass."""
        if watching or self.cache is None:
            self.cache = api.cluster.now
        stored = self.cache
        if stored.resource is None:
            self.due = None
            return None
        seen = self._observe(stored, stored.resource, now, api.cluster)
        resource, before = stored.resource, stored.resource.status or CanaryReleaseStatus()
        decision = decide(resource.spec, resource.record, seen)
        self.due = None if decision.look_again_in is None else tick(now + decision.look_again_in.total_seconds())
        after = status_of(resource.spec, before, decision, seen)
        done: list[Effect] = []
        tried, failed = len(api.writes), False
        known: Resource | None = resource
        told: CanaryReleaseStatus | None = None
        try:
            for effect in decision.effects:
                known = self._carry_out(effect, api, now, known, after)
                done.append(effect)
            if known is not None and not any(isinstance(effect, RecordState) for effect in done) and worth_writing(before, after):
                api.record(known, after)
        except Failed as error:
            failed, self.due = True, tick(now + BACK_OFF.total_seconds())
            if isinstance(error, Refused) or (decision.last_action != before.last_action and not isinstance(error, Stale)):
                told = self._tell(error, api, known, decision, seen, done)
        return Pass(
            now, resource.spec, seen, before, told or after, decision, tuple(done), len(api.writes) - tried, failed, told is not None
        )

    def _tell(
        self, error: Failed, api: Api, known: Resource | None, decision: Decision, seen: Observation, done: list[Effect]
    ) -> CanaryReleaseStatus | None:
        """Says in status what was refused; answers the status if it was written."""
        effect = decision.effects[len(done)] if len(done) < len(decision.effects) else None
        if known is None or effect is None or isinstance(effect, RecordState):
            return None
        before, route = known.status or CanaryReleaseStatus(), api.cluster.now.route
        weight = None if seen.route is None or route is None else replace(seen.route, weight=route.weight)
        recorded = before.release if any(isinstance(each, RecordState) for each in done) else None
        told = replace(seen, route=weight)
        after = status_of(
            known.spec, before, refused(decision, Refusal(effect, Cause.ADMISSION, f"patch {error}: refused"), told, recorded), told
        )
        if not worth_writing(before, after):
            return None
        try:
            api.record(known, after)
        except Failed:
            return None
        return after

    # ---------------------------------------------------------------------------------------------------------------- observing

    def _observe(self, stored: Stored, resource: Resource, now: float, cluster: Cluster) -> Observation:
        attached = cluster.attached
        route, subsets = _ours(stored, attached=attached)
        route_since, subsets_since = self._seen(route, subsets, now)
        status = resource.status or CanaryReleaseStatus()
        return Observation(
            now=moment(now),
            uid=UID,
            generation=resource.generation,
            name=resource.spec.service.name,
            deleting=resource.deleting,
            finalizer=resource.finalizer,
            action=resource.action,
            last_action=status.last_action,
            last_release=status.last_release,
            history=status.history,
            stable=status.stable,
            versions=stored.versions,
            presence=self._presences.look(UID, stored.versions, now, moment, ((status.stable or "").rpartition("@")[0],)),
            service_since=None if stored.service_since is None else moment(stored.service_since),
            route=_route_seen(route, route_since, cluster) if route else None,
            route_gone_since=None if route else moment(route_since),
            subsets=_subsets_seen(subsets, subsets_since) if subsets else None,
            attached=attached,
            fresh=all(self._is_older(part.mark, part.version) for part in (route, subsets) if part),
            findings=stored.findings,
            samples=self.answer,
            queries=dict(self.questions.answered),
        )

    def copy(self) -> "Process":
        """A process that remembers the same of route, subsets and record; what it has asked of the users' own queries it asks anew."""
        return replace(
            self,
            own={*self.own},
            questions=Questions(),
            events=[*self.events],
            _first_seen={**self._first_seen},
            _presences=deepcopy(self._presences),
        )

    def see(self, api: Api, now: float) -> float | None:
        """It sees what it has just written, and has nothing to say to it. Answers when it first saw the route as it is; None: there is none."""
        self.cache = stored = api.cluster.now
        route, subsets = _ours(stored, attached=api.cluster.attached)
        since, _ = self._seen(route, subsets, now)
        return since if route else None

    def _seen(self, route: Route | None, subsets: Subsets | None, now: float) -> tuple[float, float]:
        """When this process first saw route and subsets as they are."""
        route_since = self._since("route", route and (route.weight, route.intact, route.split, route.extras), now)
        return route_since, self._since("subsets", subsets and (subsets.stable, subsets.canary), now)

    def _since(self, what: str, content: Hashable, now: float) -> float:
        """When this process first saw this content."""
        known = self._first_seen.get(what)
        if known is None or known[0] != content:
            known = self._first_seen[what] = (content, now)
        return known[1]

    def _is_older(self, mark: Mark | None, version: int) -> bool:
        """The object was written before the record at hand: by this process itself, or before it read the record."""
        return mark is None or str(mark) in self.own or self.read_at >= version

    # ------------------------------------------------------------------------------------------------------------------- acting

    def _carry_out(self, effect: Effect, api: Api, now: float, known: Resource | None, after: CanaryReleaseStatus) -> Resource | None:
        """Reaches one end; returns the resource as it is known then, None when it is gone."""
        match effect:
            case RecordState():
                return api.record(known, after) if known else None
            case EnsureFinalizer():
                return api.finalizer(known, wanted=True) if known else None
            case ReleaseFinalizer():
                return api.finalizer(known, wanted=False) if known else None
            case ReadAgain():
                api.reads += 1
                self.read_at, self.due = api.cluster.now.number, now
            case Announce(because):
                self.events.append(because)
            case EnsureWeights() | EnsureSubsets() | EnsureUnsplit() | RemoveRoute() | RemoveSubsets() | Disown():
                self._route(effect, api)
            case _:
                assert_never(effect)
        return known

    def _route(self, effect: _Routing, api: Api) -> None:
        match effect:
            case EnsureWeights(canary, mark, extras):
                api.weights(canary, mark, extras)
                self.own.add(str(mark))
            case EnsureSubsets(stable, canary, mark):
                api.subsets(stable, canary, mark)
                self.own.add(str(mark))
            case EnsureUnsplit(mark):
                api.unsplit(mark)
                self.own.add(str(mark))
            case RemoveRoute():
                api.remove("route")
            case RemoveSubsets():
                api.remove("subsets")
            case Disown():
                api.disown("route")
                api.disown("subsets")
            case _:
                assert_never(effect)


def _ours(stored: Stored, *, attached: bool) -> tuple[Route | None, Subsets | None]:
    """The route and the subsets that are the operator's."""
    route, subsets = stored.route, stored.subsets
    return (route if route and (route.owned or attached) else None), (subsets if subsets and subsets.owned else None)


def _route_seen(route: Route, since: float, cluster: Cluster) -> RouteSeen:
    return RouteSeen(
        route.weight,
        route.intact,
        route.mark,
        moment(since),
        extras=route.extras,
        stays=cluster.attached or cluster.gateway,
        unsplit=not route.split,
        touched_by=route.touched_by,
    )


def _subsets_seen(subsets: Subsets, since: float) -> SubsetsSeen:
    return SubsetsSeen(subsets.stable, subsets.canary, subsets.mark, moment(since), touched_by=subsets.touched_by)
