"""Situations in the words of the domain: `release().at_step(2).failing(0.2)`. Impossible ones are refused.

Every builder is a value: each word returns another one, so that a test may branch off.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from canary_operator.analysis.beat import SERVED
from canary_operator.analysis.samples import NoData, Point, QueryFailed, Samples, Series
from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.api.status import (
    CanaryReleaseStatus,
    Ending,
    EvidenceRecord,
    EvidenceSegment,
    Outcome,
    PastRelease,
    PlannedStep,
    ReleaseRecord,
    State,
    Tally,
)
from canary_operator.release import reasons
from canary_operator.release.decide import decide
from canary_operator.release.model import (
    Because,
    Decision,
    EnsureSubsets,
    EnsureWeights,
    Mark,
    Observation,
    Presence,
    RouteSeen,
    Serving,
    SubsetsSeen,
)
from canary_operator.release.plan import PACED, pace_of, plan_of
from canary_operator.release.report import status_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=2)
UID = "0c9a5b1e-0000-4000-8000-000000000001"
SCRAPE = 5
"""Seconds between two scrapes."""


def serving(version: str, pods: int = 4, template: int = 1) -> Serving:
    """What serves one version."""
    return Serving(version, f"{version}@t{template}", (f"app-{version}",), pods, pods)


@dataclass(frozen=True)
class Situation:
    """One CanaryRelease, what is recorded of it, and what is seen around it."""

    spec: CanaryReleaseSpec = field(default_factory=lambda: CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2"))
    state: ReleaseRecord = field(default_factory=ReleaseRecord)
    seen: Observation = field(default_factory=lambda: Observation(now=NOW, uid=UID, generation=1, versions={"v1": serving("v1")}))

    # ------------------------------------------------------------------------------------------------------------- the release

    def at_step(self, step: int, *, since: float = 0) -> "Situation":
        """The step's weight is recorded and served, for so many seconds; 0: the canary has no weight yet."""
        plan = plan_of(self.spec)
        if not 0 <= step <= len(plan):
            raise ValueError(f"the plan has {len(plan)} steps, not {step}")
        return self._running(State.PROGRESSING, step, plan[step - 1].weight if step else 0, since)

    def paced(self, *path: int, since: float = 0, **pace: Any) -> "Situation":
        """By a budget of 20 failures, or as `pace` says; these weights were taken, and the last is served for so many seconds."""
        if list(path) != sorted(set(path)) or not all(0 < weight < 100 for weight in path):
            raise ValueError("a path rises, below 100")
        situation = self.having(pace=Pace(**{"failure_budget": 20, **pace}), steps=None)
        running = situation._running(State.PROGRESSING, len(path), path[-1] if path else 0, since)
        taken = tuple(PlannedStep(weight=weight, hold=PACED) for weight in path)
        kept = pace_of(situation.spec, None, NOW - timedelta(seconds=since + 60))
        known = kept and replace(kept, rate=100, spacing=5, risk=0.1 if len(path) > 1 else 1)
        return running.recorded(plan=(*taken, *plan_of(situation.spec)), pace=known if path else kept)

    def baking(self, *, since: float = 0) -> "Situation":
        """The canary has had everything for so many seconds, after a release in which stable never failed."""
        before = EvidenceSegment(weight=50, canary=Tally(requests=5000), stable=Tally(requests=5000))
        evidence = EvidenceRecord(segments=(before,), seconds=100)
        return self._running(State.PROMOTING, len(plan_of(self.spec)), 100, since).recorded(evidence=evidence)

    def decided(self) -> "Situation":
        """The bake is over: the stable subset was pointed at the new version, and nothing else has happened since."""
        return self.selecting(stable="v2", canary="v2", mark=Mark(UID, 1, 10, 100, reasons.PROMOTED))

    def ending(self, reason: str, *, weight: int = 0) -> "Situation":
        """The end of the release is recorded; the route still gives this weight."""
        if self.state.state is not State.PROGRESSING:
            raise ValueError("only a running release can be ending")
        outcome = reasons.OUTCOMES[reason]
        state = State.ROLLING_BACK if outcome is Outcome.ROLLED_BACK else State.WITHDRAWING
        ended = replace(self.state, state=state, weight=0, ending=Ending(outcome=outcome, reason=reason, message="it ended"))
        return replace(self, state=ended).routing(weight=weight)

    def ended(self, outcome: Outcome, reason: str, revision: str = "v2@t1") -> "Situation":
        """At rest after a release that ended like this."""
        past = PastRelease(number=1, revision=revision, outcome=outcome, reason=reason, message="it ended", ended=LONG_AGO)
        return replace(self.at_rest(), state=ReleaseRecord(number=1, state=State.STABLE, seq=9)).observing(last_release=past)

    def at_rest(self) -> "Situation":
        """Stable serves everything, and is recorded."""
        mark = Mark(UID, 0, 2, 0, reasons.ADOPTING)
        seen = replace(
            self.seen,
            finalizer=True,
            stable="v1@t1",
            route=RouteSeen(0, True, mark, LONG_AGO),
            subsets=SubsetsSeen("v1", "v1", mark, LONG_AGO),
        )
        return replace(self, state=ReleaseRecord(state=State.STABLE, seq=2), seen=seen)

    def _running(self, state: State, step: int, weight: int, since: float) -> "Situation":
        began = NOW - timedelta(seconds=since)
        served = began if weight else LONG_AGO
        record = ReleaseRecord(
            number=1, state=state, from_="v1@t1", to="v2@t1", plan=plan_of(self.spec), step=step, weight=weight, weight_since=began, seq=9
        )
        seen = replace(
            self.at_rest().seen,
            versions={
                "v1": serving("v1"),
                "v2": serving("v2"),
                **{k: v for k, v in (self.seen.versions or {}).items() if k not in ("v1", "v2")},
            },
            route=RouteSeen(weight, True, Mark(UID, 1, 9, weight, reasons.STEP_PASSED), served),
            subsets=SubsetsSeen("v1", "v2", Mark(UID, 1, 3, 0, reasons.RELEASE_STARTED), LONG_AGO),
        )
        return replace(self, state=record, seen=seen)

    # ----------------------------------------------------------------------------------------------------------------- samples

    def failing(self, share: float, *, stable: float = 0.0, seconds: int = 60, rate: int = 100) -> "Situation":
        """Prometheus has samples of so many seconds, up to now, in which these shares of the requests failed."""
        if self.state.state not in (State.PROGRESSING, State.PROMOTING):
            raise ValueError("nothing is sampled unless a release runs")
        if not 0 <= share <= 1 or not 0 <= stable <= 1:
            raise ValueError("a share is a number from 0 to 1")
        if self.state.weight == 0 and share:
            raise ValueError("a canary without weight fails no request")
        canary = rate * self.state.weight // 100
        arms = (("app-v2", canary, share), ("app-v1", rate - canary, stable))
        series = tuple(one for workload, per_second, bad in arms for one in _series(workload, per_second, bad, seconds))
        return self.observing(samples=Samples(series))

    def sharing(self, canary: float, *, seconds: int = 60, rate: int = 100) -> "Situation":
        """The same, nothing failed, and the canary had this share (0 to 1) of the requests, whatever its weight is."""
        if not 0 <= canary <= 1:
            raise ValueError("a share is a number from 0 to 1")
        arms = (("app-v2", canary), ("app-v1", 1 - canary))
        return self.observing(
            samples=Samples(tuple(one for workload, part in arms for one in _series(workload, rate * part, 0.0, seconds)))
        )

    def failing_alone(self, share: float, *, seconds: int = 60, rate: int = 100) -> "Situation":
        """The same of the canary; Prometheus has no series of stable."""
        return self.observing(samples=Samples(tuple(_series("app-v2", rate * self.state.weight // 100, share, seconds))))

    def reaching_nobody(self, share: float, *, seconds: int = 60, rate: int = 100) -> "Situation":
        """The same, and this share of the requests found no pod; the others were answered by the canary."""
        lost = _series("unknown", rate * share, 1.0, seconds)
        unhealthy = [replace(each, labels={**each.labels, "response_flags": "UH"}) for each in lost]
        return self.observing(samples=Samples((*_series("app-v2", rate * (1 - share), 0.0, seconds), *unhealthy)))

    def healthy(self, *, seconds: int = 60, rate: int = 100) -> "Situation":
        """The same, and nothing failed."""
        return self.failing(0.0, seconds=seconds, rate=rate)

    def before_a_scrape(self) -> "Situation":
        """The next scrape comes as soon as a new weight is served."""
        return self.observing(now=self.seen.now + timedelta(seconds=SCRAPE - SERVED))

    def without_samples(self) -> "Situation":
        """Prometheus answers, but has nothing."""
        return self.observing(samples=NoData("no series match the query"))

    def prometheus_down(self) -> "Situation":
        """Prometheus cannot be asked."""
        return self.observing(samples=QueryFailed("connection refused"))

    # ------------------------------------------------------------------------------------------------------------------- world

    def pods(self, version: str, ready: int) -> "Situation":
        """So many pods of a version are ready."""
        known = dict(self.seen.versions or {})
        if version not in known:
            raise ValueError(f"{version} is not deployed")
        return self.observing(versions={**known, version: replace(known[version], ready=ready)})

    def rolling(self, version: str, *, ready: int, old: int) -> "Situation":
        """Pods of an older template of a version serve beside its newest."""
        known = dict(self.seen.versions or {})
        if version not in known:
            raise ValueError(f"{version} is not deployed")
        return self.observing(versions={**known, version: replace(known[version], ready=ready, old=old)})

    def gone(self, version: str = "v1", *, seconds: float = 60, desired: int = 4, had: int = 4) -> "Situation":
        """No pod of a version has been ready for so many seconds; it had so many when stable served, and so many are asked for."""
        known = dict(self.seen.versions or {})
        if version not in known:
            raise ValueError(f"{version} is not deployed")
        presence = {**self.seen.presence, version: Presence(NOW - timedelta(seconds=seconds), had, whole=False)}
        versions = {**known, version: replace(known[version], ready=0, desired=desired)}
        known_of_stable = {"stable_pods": had, "stable_version": self.spec.stable_version or ""}
        return self.observing(versions=versions, presence=presence).recorded(**known_of_stable)

    def back(self, version: str = "v1", *, seconds: float = 60, pods: int = 4) -> "Situation":
        """So many pods of a version have been ready for so many seconds."""
        presence = {**self.seen.presence, version: Presence(NOW - timedelta(seconds=seconds), pods, whole=False)}
        return self.pods(version, pods).observing(presence=presence)

    def deployed(self, version: str, pods: int = 4, template: int = 1) -> "Situation":
        """Another version, or another template of one that is there."""
        return self.observing(versions={**(self.seen.versions or {}), version: serving(version, pods, template)})

    def wanting(self, version: str) -> "Situation":
        """spec.version."""
        return self.having(version=version)

    def having(self, **spec: Any) -> "Situation":
        """Other fields of the spec."""
        return replace(self, spec=replace(self.spec, **spec))

    def routing(self, **route: Any) -> "Situation":
        """Somebody else changed the route: other fields of it."""
        if self.seen.route is None:
            raise ValueError("there is no route")
        if not 0 <= route.get("weight", 0) <= 100:
            raise ValueError("a weight is a percentage")
        return self.observing(route=replace(self.seen.route, **route))

    def selecting(self, **subsets: Any) -> "Situation":
        """The subsets select other versions; None: a subset is missing."""
        if self.seen.subsets is None:
            raise ValueError("there are no subsets")
        return self.observing(subsets=replace(self.seen.subsets, **subsets))

    def acting(self, action: str) -> "Situation":
        """The action annotation."""
        return self.observing(action=action)

    def recorded(self, **state: Any) -> "Situation":
        """Other fields of the stored state."""
        return replace(self, state=replace(self.state, **state))

    def observing(self, **seen: Any) -> "Situation":
        """Other fields of what is seen."""
        return replace(self, seen=replace(self.seen, **seen))

    # --------------------------------------------------------------------------------------------------------------- questions

    def decide(self) -> Decision:
        """What one pass decides."""
        return decide(self.spec, self.state, self.seen)

    def status(self, before: CanaryReleaseStatus | None = None) -> CanaryReleaseStatus:
        """What status says after that pass."""
        return status_of(self.spec, before or CanaryReleaseStatus(), self.decide(), self.seen)


def release() -> Situation:
    """A CanaryRelease of Service reviews, for version v2; v1 serves with four pods."""
    return Situation()


def _series(workload: str, rate: float, share: float, seconds: int) -> list[Series]:
    """Counters of one workload, from so many seconds ago to now."""
    times = range(-(seconds // SCRAPE), 1)
    found = []
    for code, part in (("200", 1 - share), ("503", share)):
        if part:
            points = tuple(Point(NOW.timestamp() + SCRAPE * n, float(round(rate * part * SCRAPE * (n - times[0])))) for n in times)
            labels = {"instance": "gateway", "destination_workload": workload, "response_code": code, "response_flags": "-"}
            found.append(Series(labels, points))
    return found


def weights(decision: Decision) -> list[int]:
    """The canary weights that a decision writes."""
    return [effect.canary for effect in decision.effects if isinstance(effect, EnsureWeights)]


def labels(decision: Decision) -> list[tuple[str, str]]:
    """The labels (stable, canary) that a decision writes."""
    return [(effect.stable, effect.canary) for effect in decision.effects if isinstance(effect, EnsureSubsets)]


def finding(reason: str = "PolicyShadowed") -> Because:
    """Something that preflight found."""
    return Because(reason, "DestinationRule other hides the subsets")
