"""This operator on a failure mode, simulated: the same decisions as in production, over backends that do what the table says."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bench.failure_modes.modes import ABSENT, FailureMode
from bench.failure_modes.requests import absent, fates, labels
from bench.failure_modes.scores import BACK, BLAMED, HELD, PROMOTED, Result
from canary_operator.analysis.promql import milliseconds
from canary_operator.analysis.samples import Answer, NoData, QueryFailed, Samples, Series
from canary_operator.api.analysis import Analysis, Latency
from canary_operator.api.record import Outcome
from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.cli.chance import chance
from canary_operator.release.model import Ask, Serving
from canary_operator.simulation.adoption import adoption
from canary_operator.simulation.assumed import HISTORY, Assumed
from canary_operator.simulation.objects import MILLISECOND, Stored
from canary_operator.simulation.play import Chance
from canary_operator.simulation.prometheus import EXTRA_SCRAPES, Mode, Prometheus
from canary_operator.simulation.stage import EPOCH
from canary_operator.simulation.traffic import EVERY, Counter, Traffic
from canary_operator.simulation.world import World

OLD, NEW = "v1", "v2"
PROXIES = 2
PODS = 4
SLICE = 1.0
"""Seconds of traffic that are played at a time: behaviours change within a scrape interval."""
MOST = 2 * 3600.0
"""Seconds of a release that are played at most."""
UNREACHED = "unreached"
"""The answer of the proxy where no pod is ready."""
NOWHERE = "unknown"
AGAIN = "/again"
"""What the second scrape job of a proxy is told apart by."""
LAG, REACTION = Assumed().lag, Assumed().reaction
"""Seconds from a scrape to its samples in an answer, and from a decision until every proxy obeys it."""
ENDS = {Outcome.PROMOTED: PROMOTED, Outcome.ROLLED_BACK: BLAMED, Outcome.WITHDRAWN: BACK}


@dataclass(slots=True)
class Requests(Traffic):
    """Users of a service whose backends behave as a failure mode says."""

    mode: FailureMode = FailureMode("", "good")
    deployed: float = float("inf")
    """When the new version was, Unix seconds."""
    hurt: list[float] = field(default_factory=list)
    """When requests of the new version were hurt: the first and the last time, Unix seconds."""
    hurts: int = 0
    """How many were."""
    _span: tuple[float, float] = (0.0, 0.0)
    """The seconds since the new version was deployed, and its share of the traffic, of the slice that is played."""
    _late: list[tuple[float, Counter, int]] = field(default_factory=list)
    """What has not ended yet: when it will be counted, as what, and how many."""

    def flow(self, stored: Stored, since: float, until: float) -> None:
        """What comes in between two times, in slices."""
        weight = stored.route.weight / 100 if stored.route and stored.route.split else 0.0
        while since < until:
            end = min(until, since + SLICE)
            middle = (since + end) / 2
            self._span = middle - self.deployed, weight
            # Explicit, since a class with slots is made anew and `super()` would look at the old one.
            Traffic.flow(self, stored, since, end)
            while self._late and self._late[0][0] <= end:
                _, counter, count = heapq.heappop(self._late)
                self._count_at(counter, count)
            since = end

    def _serve(self, serving: Serving, requests: int, odds: float) -> None:
        seconds, traffic = self._span
        new, now = serving.version == NEW, self.deployed + seconds
        self.served[serving.revision] = self.served.get(serving.revision, 0) + requests
        parts = fates(self.mode, new=new, seconds=seconds, traffic=traffic, requests=requests, draw=self.draw, arrive=self.arrive)
        for part in parts:
            if new and part.hurt:
                self._complain(now, part.requests)
            for target, count in self._shared_out(part.requests):
                counter = target, serving.workloads[0], part.answer, ""
                if part.seconds:
                    heapq.heappush(self._late, (now + part.seconds, counter, count))
                else:
                    self._count_at(counter, count)

    def _lose(self, *, missing: bool, requests: int) -> None:
        Traffic._lose(self, missing=missing, requests=requests)  # noqa: SLF001
        for target, count in self._shared_out(requests):
            self._count_at((target, NOWHERE, UNREACHED, ""), count)
        if requests and self._span[0] >= 0:
            self._complain(self.deployed + self._span[0], requests)

    def _complain(self, now: float, requests: int) -> None:
        self.hurts += requests
        self.hurt = [self.hurt[0] if self.hurt else now, now]

    def _shared_out(self, requests: int) -> Iterator[tuple[str, int]]:
        targets = len(self.targets)
        each, more = divmod(requests, targets)
        first, self._turn = self._turn, (self._turn + more) % targets
        for number, target in enumerate(self.targets):
            if count := each + ((number - first) % targets < more):
                yield target, count

    def _count_at(self, counter: Counter, count: int) -> None:
        target, workload, answer, _ = counter
        for name in (target, target + AGAIN) if self.mode.telemetry.twice else (target,):
            self._count((name, workload, answer, ""), count)
            if self.threshold is not None and answer in ("ok", "slow"):
                self._count((name, workload, answer, EVERY), count)
                self._count((name, workload, answer, self.threshold), count if answer == "ok" else 0)


class Scraped(Prometheus):
    """The same Prometheus, with labels for more kinds of answers."""

    mesh: FailureMode

    def answer(self, ask: Ask, now: float) -> Answer:
        """What the question is answered with at this time."""
        if self.mode in (Mode.REFUSING, Mode.DOWN):
            return QueryFailed("connection refused")
        since = now - self.first_window if ask.since is None else ask.since - EXTRA_SCRAPES * self.spacing - MILLISECOND
        points = self._points(since, now - self.lag + MILLISECOND, {*ask.stable, *ask.canary, NOWHERE})
        found = tuple(Series(self._labels(counter), tuple(of)) for counter, of in points.items())
        return Samples(found) if found else NoData("no series match the query")

    def _labels(self, counter: Counter) -> dict[str, str]:
        target, workload, answer, bound = counter
        told = {"response_code": "503", "response_flags": "UH", "request_protocol": self.mesh.protocol}
        if answer != UNREACHED:
            told = dict(labels("ok" if answer == "slow" else answer, self.mesh.protocol, self.mesh.telemetry.removes))
        if answer == "slow" and not bound:
            told["connection_security_policy"] = "none"  # two counters of one answer would carry the same labels
        proxy = {"instance": target.removesuffix(AGAIN), "job": "again" if target.endswith(AGAIN) else "envoy"}
        return {**proxy, "destination_workload": workload, **told, **({"le": bound} if bound else {})}


def spec_of(mode: FailureMode, *, given: CanaryReleaseSpec | None = None) -> CanaryReleaseSpec:
    """The release that a user of this operator would write: everything by default, and the objective where there is one."""
    spec = given or CanaryReleaseSpec(service=ServiceRef(name="reviews"), version=NEW)
    if mode.objective is None:
        return spec
    return replace(spec, analysis=replace(spec.analysis or Analysis(), latency=Latency(threshold=timedelta(seconds=mode.objective))))


def play(  # noqa: PLR0913 (what makes a release, each by its name)
    spec: CanaryReleaseSpec,
    mode: FailureMode,
    rate: float,
    scrape: float,
    seed: str,
    most: float = MOST,
    *,
    prometheus: Callable[[float, float], Scraped] | None = None,
    lag: float = LAG,
) -> Result:
    """One release.

    Args:
        spec: Of the release, to version v2.
        mode: What backends and callers do.
        rate: Requests per second.
        scrape: Seconds between two scrapes.
        seed: Of all that is left to chance.
        most: Seconds of it at most.
        prometheus: Makes another one, of the spacing of its scrapes and the time of the first.
        lag: Seconds from a scrape to the question that it gives rise to.
    """
    left_to = chance(seed, PROXIES)
    world, requests = _world(spec, mode, rate, scrape, left_to)
    world.prometheus = _scraped(world, mode, (prometheus or Scraped)(scrape, EPOCH + scrape / 2), left_to.phases)
    world.prometheus.lag = lag
    _run_up(world, spec, mode)
    if not world.run(most, _ended):
        world.look()
    status = world.cluster.now.resource and world.cluster.now.resource.status
    assert status
    past = status.last_release if _ended(world) else None
    # A bad version that never gets traffic, or none any more, hurts nobody; a good one that never gets any waits.
    end = ENDS.get(Outcome(past.outcome), HELD) if past else BACK if mode.bad and not world.weight else HELD
    reason = past.reason if past else f"{status.reason} at weight {world.weight}: {status.message}"
    seconds = requests.hurt[1] - requests.hurt[0] if requests.hurt and end in (BLAMED, BACK) else None
    return Result(mode.name, mode.bad, mode.hurts, rate, scrape, end, reason, requests.hurts, seconds, seed)


def _world(spec: CanaryReleaseSpec, mode: FailureMode, rate: float, scrape: float, left_to: Chance) -> tuple[World, Requests]:
    world = World(replace(spec, version=OLD), rate=rate, spacing=scrape, draw=left_to.draw, targets=PROXIES)
    latency = spec.analysis.latency
    requests = Requests(
        left_to.draw,
        rate,
        world.traffic.targets,
        arrive=left_to.arrive,
        threshold=milliseconds(latency.threshold) if latency else None,
        mode=mode,
        deployed=EPOCH + HISTORY,
    )
    world.traffic = requests
    world.proxies.reaction = REACTION
    return world, requests


def _run_up(world: World, spec: CanaryReleaseSpec, mode: FailureMode) -> None:
    """The old version has served for a while, and the new one comes."""
    adoption(spec, OLD).replay(world)
    world.run(HISTORY)
    world.deploy(NEW, pods=PODS)
    world.edit(version=NEW)
    _toggle(world, mode)


def _scraped(world: World, mode: FailureMode, prometheus: Scraped, phases: tuple[float, ...]) -> Scraped:
    prometheus.mesh, prometheus.first_window = mode, HISTORY
    scrape = prometheus.spacing
    when = {target: part * scrape for target, part in zip(world.traffic.targets, phases, strict=True)}
    if mode.telemetry.twice:
        when |= {target + AGAIN: (at + scrape / 3) % scrape for target, at in when.items()}
    prometheus.stagger(when)
    return prometheus


def _toggle(world: World, mode: FailureMode) -> None:
    """The new version's pods become ready and unready as the table says."""
    if not any(each.answer == ABSENT for each in mode.new):
        return

    def change(each: World, ready: bool) -> None:
        each.scale(NEW, PODS if ready else 0, PODS)

    was = True
    for second in range(int(MOST)):
        gone = absent(mode, second + 0.5)
        if gone is was:
            world.at(HISTORY + second, lambda each, ready=not gone: change(each, ready))  # type: ignore[misc]
            was = not gone


def _ended(world: World) -> bool:
    status = world.cluster.now.resource and world.cluster.now.resource.status
    return bool(status and status.last_release and world.state == "Stable" and world.phase != "Progressing")
