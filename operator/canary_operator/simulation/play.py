"""One release, played to its end in a world of its own, by the same `decide` that runs in production."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile

from canary_operator.analysis.odds import NOTHING, Counts
from canary_operator.analysis.promql import milliseconds
from canary_operator.api.record import Outcome, ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus, PastRelease
from canary_operator.release import reasons
from canary_operator.simulation.adoption import adoption
from canary_operator.simulation.assumed import HISTORY, Assumed
from canary_operator.simulation.draws import Arrive, Draw
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.quiet import Quiet
from canary_operator.simulation.stage import EPOCH, workload
from canary_operator.simulation.telling import Line, told
from canary_operator.simulation.world import World

STABLE = "stable"
"""What the version that serves before the release is called, unless the spec names it."""
UNFINISHED = "Unfinished"
"""The outcome of a release that had not ended when time was up."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What is left to chance in a play."""

    draw: Draw
    arrive: Arrive
    phases: tuple[float, ...]
    """Per proxy, the part (0 to 1) of a scrape interval by which it is scraped later than the first could be."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a release went."""

    outcome: str
    """Promoted, RolledBack, Withdrawn, Superseded or Unfinished."""
    reason: str
    message: str
    failed: int
    """Failed requests of the canary, until all traffic was back or it was promoted."""
    seconds: float
    """From the start of the release until its end was decided; of one that is unfinished, until time was up."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The release at one time."""

    seconds: float
    """From the start of the release."""
    weight: int
    """The canary's, percent, as the route says."""
    ln_worse: float | None
    """Log of the loudest odds against the canary; None: nothing is judged."""
    canary: Counts
    """All its requests and failures so far."""
    stable: Counts
    """The same of stable, since the start of the release."""


@dataclass(frozen=True, slots=True)
class Story:
    """A release, and all of its moments."""

    played: Played
    assumed: Assumed
    moments: tuple[Moment, ...]
    """In order of time; at least one."""
    lines: tuple[Line, ...]
    """What was written, in words; times count from the start of the release."""


def play(spec: CanaryReleaseSpec, assumed: Assumed, chance: Chance, *, most: float) -> Played:
    """Plays a release; `most` seconds of it at most."""
    return _Stage(spec, assumed, chance).play(most)


def story(spec: CanaryReleaseSpec, assumed: Assumed, chance: Chance, *, most: float) -> Story:
    """Plays a release, and keeps all of its moments."""
    stage, moments = _Stage(spec, assumed, chance), list[Moment]()

    def watch(world: World) -> None:
        moment = stage.moment()
        if moments and moments[-1].seconds == moment.seconds:
            moments.pop()
        moments.append(moment)

    played = stage.play(most, watch)
    lines = [line for line in told(stage.world.passes) if line.time >= stage.start]
    return Story(played, assumed, tuple(moments), tuple(replace(line, time=line.time - stage.start) for line in lines))


class _Stage:
    def __init__(self, spec: CanaryReleaseSpec, assumed: Assumed, chance: Chance) -> None:
        self.assumed = assumed
        stable = version_before(spec)
        attached = 0 if spec.traffic is not None and spec.traffic.attach is not None else None
        self.world = world = World(
            replace(spec, version=stable, suspend=False),
            rate=assumed.rate,
            spacing=assumed.scrape,
            draw=chance.draw,
            targets=assumed.proxies,
            attached=attached,
        )
        self.start = EPOCH + HISTORY
        self._decided: Played | None = None
        """How it ends, from when that is decided."""
        self._failed: int | None = None
        """What it cost, from when that is known."""
        self.revisions = f"{stable}@t1", f"{spec.version}@t1"
        if not assumed.outages:
            world.quiet = Quiet(workload(spec.version), workload(stable), assumed.scrape, assumed.proxies)
        self._equip(spec, chance)
        fails, canary_fails = assumed.since(self.start)
        world.fail(self.revisions[0], fails)
        adoption(spec, stable).replay(world)
        self._record(-HISTORY)
        world.run(HISTORY)
        self._before = self._counts(self.revisions[0])
        world.deploy(spec.version, fails=canary_fails)
        world.edit(version=spec.version, suspend=spec.suspend)
        for edge in assumed.edges:  # nothing is told; requests before and after it are counted apart
            world.at(HISTORY + edge, lambda _: None)
        for since, until in assumed.outages:
            world.at(HISTORY + since, lambda each: each.prometheus_is(Mode.DOWN))
            world.at(HISTORY + until, lambda each: each.prometheus_is(Mode.WORKING))

    def _equip(self, spec: CanaryReleaseSpec, chance: Chance) -> None:
        world, assumed, latency = self.world, self.assumed, spec.analysis.latency
        world.proxies.reaction = assumed.reaction
        world.prometheus.first_window, world.prometheus.lag = HISTORY, assumed.lag
        world.prometheus.stagger({target: part * assumed.scrape for target, part in zip(world.traffic.targets, chance.phases, strict=True)})
        world.traffic.arrive, world.traffic.clump = chance.arrive, assumed.clump
        if latency is not None:
            world.traffic.threshold = milliseconds(latency.threshold)
            canary = assumed.stable_slow if assumed.canary_slow is None else assumed.canary_slow
            world.traffic.slow = dict(zip(self.revisions, (assumed.stable_slow, canary), strict=True))

    def _record(self, seconds: float) -> None:
        """The rate of the recording at this time of the release, and then that of the next stretch."""
        recorded = self.assumed.recorded
        if recorded is None:
            return
        self.world.traffic.rate = recorded.at(seconds + recorded.length / 2).rate
        following = seconds + recorded.length
        self.world.at(HISTORY + following, lambda world: self._record(following))

    def play(self, most: float, watch: Callable[[World], None] | None = None) -> Played:
        """Until its end is decided and obeyed, or so many seconds have passed; who watches sees it to its end."""
        approved = 0
        if watch is not None:
            self.world.quiet = None

        def step(world: World) -> bool:
            if watch is not None:
                watch(world)
            if self._decided is None and (ending := self._decision()) is not None:
                self._decided = ending
                world.at(world.now + self.assumed.reaction, lambda _: self._add_up())
            return self._ended() or self._waits() or (watch is None and self._failed is not None)

        while (left := self.start + most - self.world.cluster.time) > 0:
            self.world.run(left, step)
            if self._ended() or not self._waits() or self.assumed.approve_after is None:
                break
            self.world.run(min(left, self.assumed.approve_after))
            approved += 1
            self.world.act(f"approve/{self._release().number}/{approved}")
            self.world.run(0)
        return self._played()

    def _played(self) -> Played:
        failed = self._counts(self.revisions[1]).failures if self._failed is None else self._failed
        if self._decided is not None:
            return replace(self._decided, failed=failed)
        past = self._past()
        if past is not None:  # without a settle time all of the end happens at once
            return Played(past.outcome, past.reason, past.message, failed, self.world.cluster.time - self.start)
        self.world.look()
        after = self.world.passes[-1].after
        words = after.reason or "", after.message or ""
        return Played(UNFINISHED, *words, failed, self.world.cluster.time - self.start)

    def _add_up(self) -> None:
        """Every proxy obeys the end: what it cost is known."""
        self._failed = self._counts(self.revisions[1]).failures

    def moment(self) -> Moment:
        """The release as it stands."""
        stable = self._counts(self.revisions[0])
        since = Counts(stable.requests - self._before.requests, stable.failures - self._before.failures)
        return Moment(self.world.cluster.time - self.start, self.world.weight, self._ln_worse(), self._counts(self.revisions[1]), since)

    def _ln_worse(self) -> float | None:
        """What the last look at a running release said; of the instant in which it was ended, the look that ended it."""
        passes, now = self.world.passes, self.world.cluster.time
        for one in takewhile(lambda one: one is passes[-1] or one.time == now, reversed(passes)):
            if one.decision.ln_worse is not None:
                return one.decision.ln_worse
        return None

    def _counts(self, revision: str) -> Counts:
        traffic = self.world.traffic
        return Counts(traffic.served[revision], traffic.failed.get(revision, 0)) if revision in traffic.served else NOTHING

    def _status(self) -> CanaryReleaseStatus | None:
        resource = self.world.cluster.now.resource
        return resource.status if resource else None

    def _past(self) -> PastRelease | None:
        """The record of the release; None while it runs."""
        status = self._status()
        return status.last_release if status and self._ended() else None

    def _release(self) -> ReleaseRecord:
        resource = self.world.cluster.now.resource
        return resource.record if resource else ReleaseRecord()

    def _ended(self) -> bool:
        record = self._release()
        return record.number > 0 and record.state is State.STABLE

    def _decision(self) -> Played | None:
        """How it ends, once it goes back or the stable subset selects the new version; None: that is not decided yet."""
        record, subsets = self._release(), self.world.cluster.now.subsets
        seconds = self.world.cluster.time - self.start
        if record.ending is not None:
            return Played(record.ending.outcome, record.ending.reason, record.ending.message, 0, seconds)
        if record.state is State.PROMOTING and subsets is not None and subsets.stable == subsets.canary:
            return Played(Outcome.PROMOTED, reasons.PROMOTED, f"{record.to} passed all steps and the bake", 0, seconds)
        return None

    def _waits(self) -> bool:
        status = self._status()
        return bool(status and status.reason == reasons.APPROVAL_REQUIRED)


def version_before(spec: CanaryReleaseSpec) -> str:
    """The version that serves before the release."""
    known = spec.stable_version or STABLE
    return known if known != spec.version else f"before-{spec.version}"[:63].rstrip("-._")
