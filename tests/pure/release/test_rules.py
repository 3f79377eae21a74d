"""The rules of the design as a state machine: its moves are the world, its checks look at every stored revision."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.api.status import State
from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.release.actions import VERBS
from canary_operator.release.model import Because, Extras
from canary_operator.release.scene import version_of
from canary_operator.simulation.api import Fault
from canary_operator.simulation.objects import OPERATOR, Route, Subsets
from canary_operator.simulation.process import Process
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.world import World
from tests.pure.release.invariants import Watcher, label

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
VERSIONS = ("v1", "v2", "v3")
SPEC = CanaryReleaseSpec(
    service=ServiceRef(name="reviews"),
    version="v1",
    steps=(
        Step(weight=10, hold=Hold(min=timedelta(seconds=20), max=timedelta(seconds=60))),
        Step(weight=40, hold=Hold(min=timedelta(seconds=20), max=timedelta(seconds=60))),
    ),
    bake=timedelta(seconds=20),
    drain=timedelta(seconds=10),
)
GATED = tuple(replace(step, approval="Required") for step in SPEC.steps or ())
PREVIEW = Preview(match=(PreviewMatch(header="x-preview", exact="yes"),))
VERBS_AND_NONSENSE = (*VERBS, "nonsense")
PARTS = st.sampled_from(["canary", "canary", "stable", "another"])
SHARES = st.sampled_from([0.0, 0.02, 0.2, 1.0])


def pace(budget: int, *, most: int = 50, gated: bool = False) -> Pace:
    """A pace that is over within minutes."""
    least, longest = timedelta(seconds=30), timedelta(minutes=20)
    return Pace(
        failure_budget=budget, min_duration=least, max_duration=longest, max_weight=most, approval="BeforePromotion" if gated else None
    )


class Rules(RuleBasedStateMachine):
    """Everything that can happen to one CanaryRelease."""

    world: World
    watcher: Watcher

    @initialize(
        insufficient=st.sampled_from(["Advance", "Hold"]),
        no_data=st.sampled_from(["Hold", "Withdraw"]),
        deadline=st.sampled_from([timedelta(minutes=3), timedelta(hours=1)]),
        proxies=st.sampled_from([1, 2]),
        rate=st.sampled_from([100.0, 7.0, 0.0]),
        settle=st.sampled_from([5, 20]),
        reached=st.sampled_from([10, 40, 100]),
        gated=st.sampled_from([False, False, True]),
        attached=st.sampled_from([None, None, 0, 30]),
        gateway=st.booleans(),
        on_failure=st.sampled_from(["RollBack", "RollBack", "Hold"]),
        extras=st.booleans(),
        paced=st.sampled_from([None, None, 20, 100_000]),
    )
    def begin(  # noqa: PLR0913 (what may differ between two days)
        self,
        insufficient: str,
        no_data: str,
        deadline: timedelta,
        proxies: int,
        rate: float,
        settle: int,
        reached: int,
        gated: bool,
        attached: int | None,
        gateway: bool,
        on_failure: str,
        extras: bool,
        paced: int | None,
    ) -> None:
        analysis = replace(SPEC.analysis, insufficient_data=insufficient, no_data=no_data, deadline=deadline)
        steps = GATED if gated else SPEC.steps
        spec = replace(SPEC, analysis=analysis, settle=timedelta(seconds=settle), steps=steps, on_failure=on_failure)
        if extras and attached is None:
            spec = replace(spec, preview=PREVIEW, mirror=Mirror(percent=50, hold=timedelta(seconds=15)))
        if paced:
            spec = replace(spec, steps=None, pace=pace(paced, gated=gated))
        self.world = World(spec, rate=rate, targets=proxies, attached=attached, gateway=gateway)
        self.watcher = Watcher(self.world)
        self.hanging: Process | None = None
        self.n = 0
        self.world.deploy("v1")
        self.world.run(4 * settle)
        self.world.deploy("v2")
        self.world.edit(version="v2")
        self.world.run(300, until=lambda world: world.weight >= reached)

    # ------------------------------------------------------------------------------------------------------------------ time

    @rule(seconds=st.sampled_from([1.0, 3.3, 5.0, 7.3, 20.0, 31.0, 55.0, 62.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule()
    def a_step_is_passed(self) -> None:
        weight = self.world.weight
        self.world.run(90, until=lambda world: world.weight != weight)

    # ------------------------------------------------------------------------------------------------------------------ pods

    def _version(self, who: str) -> str:
        """The version that plays this part now."""
        resource = self.world.cluster.now.resource
        if who == "another" or resource is None:
            return "v3"
        if who == "canary":
            return version_of(resource.record.to) or resource.spec.version
        return version_of(resource.status.stable if resource.status else None) or "v1"

    @rule(who=PARTS, share=SHARES)
    def requests_fail(self, who: str, share: float) -> None:
        version = self._version(who)
        if serving := (self.world.cluster.now.versions or {}).get(version):
            self.world.fail(serving.revision, share)

    @rule(who=PARTS, pods=st.sampled_from([0, 1, 4]))
    def pods_come_and_go(self, who: str, pods: int) -> None:
        version = self._version(who)
        if version in (self.world.cluster.now.versions or {}):
            self.world.scale(version, pods)

    @rule(who=PARTS, pods=st.sampled_from([0, 1, 3]))
    def pods_of_an_older_template_serve(self, who: str, pods: int) -> None:
        version = self._version(who)
        if version in (self.world.cluster.now.versions or {}):
            self.world.roll(version, pods)

    @rule(who=PARTS, template=st.integers(1, 3), share=SHARES)
    def deployed_anew(self, who: str, template: int, share: float) -> None:
        self.world.deploy(self._version(who), template=template, fails=share)

    @rule(who=PARTS)
    def undeployed(self, who: str) -> None:
        self.world.undeploy(self._version(who))

    @rule(there=st.booleans())
    def the_service_comes_and_goes(self, there: bool) -> None:
        if there:
            self.world.restore_service()
        else:
            self.world.lose_service()

    # ---------------------------------------------------------------------------------------------------------------- people

    @rule(version=st.sampled_from(VERSIONS))
    def another_version_is_wanted(self, version: str) -> None:
        self.world.edit(version=version)

    @rule(weights=st.sampled_from([(10, 40), (5, 10, 20), (40,), (60, 100), (1, 2, 3), (100,)]), gated=st.booleans())
    def steps_are_edited(self, weights: tuple[int, ...], gated: bool) -> None:
        approval = "Required" if gated else None
        steps = tuple(Step(weight=weight, hold=SPEC.steps[0].hold, approval=approval) for weight in weights)  # type: ignore[index,arg-type]
        self.world.edit(steps=steps, pace=None)

    @rule(budget=st.sampled_from([1, 20, 100_000]), most=st.sampled_from([5, 50]), gated=st.booleans())
    def the_pace_is_edited(self, budget: int, most: int, gated: bool) -> None:
        self.world.edit(steps=None, pace=pace(budget, most=most, gated=gated))

    @rule(policy=st.sampled_from(["RollBack", "Hold"]))
    def the_answer_to_failure_is_edited(self, policy: str) -> None:
        self.world.edit(on_failure=policy)

    @rule(preview=st.booleans(), mirror=st.booleans())
    def extras_are_edited(self, preview: bool, mirror: bool) -> None:
        if not self.world.cluster.attached:
            self.world.edit(preview=PREVIEW if preview else None, mirror=Mirror(hold=timedelta(seconds=30)) if mirror else None)

    @rule(preview=st.booleans(), mirror=st.sampled_from([0, 100]))
    def extras_drift(self, preview: bool, mirror: int) -> None:
        route = self.world.cluster.now.route
        if route is not None and route.owned:
            self.world.drift(route=replace(route, extras=Extras(preview, mirror)))

    @rule(suspend=st.booleans())
    def suspended(self, suspend: bool) -> None:
        self.world.edit(suspend=suspend)

    @rule(verb=st.sampled_from(VERBS_AND_NONSENSE), off=st.sampled_from([0, 0, 0, -1, 1]), again=st.booleans())
    def somebody_acts(self, verb: str, off: int, again: bool) -> None:
        resource = self.world.cluster.now.resource
        self.n += 0 if again else 1
        if resource is not None:
            self.world.act(f"{verb}/{max(0, resource.record.number + off)}/{self.n}")

    @rule(weight=st.sampled_from([0, 1, 10, 40, 99, 100]), intact=st.booleans(), marked=st.booleans())
    def weights_drift(self, weight: int, intact: bool, marked: bool) -> None:
        if (route := self.world.cluster.now.route) is not None and (route.owned or self.world.cluster.attached):
            self.world.drift(route=replace(route, weight=weight, intact=intact, mark=route.mark if marked else None))

    @rule(stable=st.sampled_from([None, *VERSIONS]), canary=st.sampled_from([None, *VERSIONS]), marked=st.booleans())
    def subsets_drift(self, stable: str | None, canary: str | None, marked: bool) -> None:
        if (subsets := self.world.cluster.now.subsets) is not None and subsets.owned:
            self.world.drift(subsets=replace(subsets, stable=stable, canary=canary, mark=subsets.mark if marked else None))

    @rule(what=st.sampled_from(["route", "subsets", "both"]))
    def routing_is_deleted(self, what: str) -> None:
        gone_route: Route | str | None = "" if what == "subsets" else None
        gone_subsets: Subsets | str | None = "" if what == "route" else None
        self.world.drift(route=gone_route, subsets=gone_subsets)

    @rule(blocked=st.booleans())
    def preflight(self, blocked: bool) -> None:
        self.world.find(*([Because("PolicyShadowed", "another DestinationRule")] if blocked else []))

    @rule()
    def the_resource_is_deleted(self) -> None:
        if self.n % 3 == 2:  # not in every run
            self.world.delete()

    # --------------------------------------------------------------------------------------------------------------- trouble

    @rule(mode=st.sampled_from(Mode))
    def prometheus_fails(self, mode: Mode) -> None:
        self.world.prometheus_is(mode)

    @rule(rate=st.sampled_from([0.0, 3.0, 100.0]))
    def users_come_and_go(self, rate: float) -> None:
        self.world.traffic.rate = rate

    @rule(faults=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Fault)), min_size=1, max_size=2))
    def a_write_goes_wrong(self, faults: list[tuple[int, Fault]]) -> None:
        number = len(self.world.api.writes)
        for ahead, fault in faults:
            number += ahead
            self.world.api.faults[number] = fault
            number += 1

    @rule()
    def the_operator_crashes(self) -> None:
        if self.world.process:
            self.world.crash()

    @rule(what=st.sets(st.sampled_from(["status", "route", "subsets", "resource"]), max_size=2))
    def the_api_refuses(self, what: set[str]) -> None:
        self.world.api.broken = what

    @rule()
    def the_operator_hangs(self) -> None:
        self.hanging = self.world.pause()

    @precondition(lambda self: self.hanging is not None)
    @rule()
    def the_hanging_one_wakes(self) -> None:
        assert self.hanging
        self.watcher.woken = self.world.cluster.time
        self.world.wake(self.hanging)
        self.hanging = None

    # ---------------------------------------------------------------------------------------------------------------- checks

    @invariant()
    def rules_hold(self) -> None:
        if hasattr(self, "world"):
            self.world.run(0)
            self.watcher.check()
            self.watcher.quiet()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            end_of_trouble(self.world)
            self.watcher.check()
            self.watcher.quiet()
            at_rest(self.world)


def end_of_trouble(world: World) -> None:
    """All that was broken is mended; then there is time."""
    world.api.faults.clear()
    world.api.broken = set()
    world.find()
    world.restore_service()
    world.prometheus_is(Mode.WORKING)
    world.traffic.rate = 100.0
    resource = world.cluster.now.resource
    if world.cluster.attached and world.cluster.now.route is None:
        world.drift(route=Route(0, owned=False))
    for version in VERSIONS:
        if version not in (world.cluster.now.versions or {}):
            world.deploy(version)
        if resource is None or not resource.deleting or version in (label(world.cluster.now, "stable"), "v1"):
            world.scale(version, 4)
    world.edit(suspend=False, on_failure="RollBack")
    for n in range(1000, 1010):
        world.run(4 * 3600, until=lambda each: is_quiet(each) or waits_for_a_person(each))
        resource = world.cluster.now.resource
        if resource is None or is_quiet(world):
            return
        verb = "resume" if resource.record.asked.paused else "promote"
        world.act(f"{verb}/{resource.record.number}/{n}")
        world.run(30)


def waits_for_a_person(world: World) -> bool:
    """A gate or a pause: time alone changes nothing."""
    return world.process is not None and world.state in (State.PROGRESSING, State.PROMOTING) and world.phase in ("Waiting", "Suspended")


def is_quiet(world: World) -> bool:
    """Nothing is waited for: no timer, no samples, no change."""
    return world.process is not None and world.process.due is None and world.state in (None, State.STABLE)


def at_rest(world: World) -> None:
    """Rule 13: a final phase, and then silence."""
    stored = world.cluster.now
    if stored.resource is None:
        assert not stored.route or not stored.route.owned, "rule 12: the route is still ours"
        assert not stored.subsets or not stored.subsets.owned, "rule 12: the subsets are still ours"
        if stored.route is not None and world.cluster.log[-1].by == OPERATOR and stored.subsets is not None:
            assert stored.route.weight == 0, "rule 12: given away with weight at the canary"
            assert stored.route.mark is None, "rule 12: given away with our mark"
        return
    assert not stored.resource.deleting, "rule 12: the deletion does not end"
    assert stored.resource.record.state is State.STABLE, f"rule 13: {stored.resource.record} {world.passes[-1].decision}"
    number, requests = stored.number, (world.api.reads, len(world.api.writes))
    world.run(900)
    assert world.cluster.now.number == number, f"rule 10: at rest, {world.cluster.now.what} was written: {world.passes[-1].decision}"
    assert (world.api.reads, len(world.api.writes)) == requests, "rule 10: requests at rest"


Rules.TestCase.settings = settings(
    max_examples=5000 if THOROUGH else 40,
    stateful_step_count=40 if THOROUGH else 25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not THOROUGH,
    print_blob=True,
    report_multiple_bugs=False,
    # Shrinking is worth its time, explaining is not; PHASES=generate only says whether a rule breaks.
    phases=[Phase[name] for name in os.environ.get("PHASES", "explicit reuse generate target shrink").split()],
)
TestRules = pytest.mark.timeout(7200 if THOROUGH else 120)(Rules.TestCase)
