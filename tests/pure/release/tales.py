"""The stories that are kept as golden text: what happens, in order. `golden` writes them, `test_stories` compares."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from canary_operator.api.analysis import Analysis, Query
from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.telling import Line, told
from canary_operator.simulation.world import EPOCH, World

HOLD = Hold(min=timedelta(seconds=30), max=timedelta(minutes=2))
SPEC = CanaryReleaseSpec(
    service=ServiceRef(name="reviews"),
    version="v1",
    steps=tuple(Step(weight=weight, hold=HOLD) for weight in (5, 25, 50)),
    bake=timedelta(minutes=1),
)


class Story:
    """A world, and what a reader sees of it."""

    def __init__(self, *, fails: float = 0.0, attached: int | None = None, **spec: object) -> None:
        self.world = World(replace(SPEC, **spec), attached=attached)  # type: ignore[arg-type]
        self.lines: list[str] = []
        self._told = 0
        self._last: Line | None = None
        self.world.deploy("v1")
        self.play(20)
        self.world.deploy("v2", fails=fails)
        self.world.edit(version="v2")
        self.tell(f"v2 is deployed and wanted; {100 * fails:g} % of its requests fail")

    def tell(self, what: str) -> None:
        """Something happens."""
        self._passes()
        self.lines.append(f"{self.world.now:8.1f} s  -- {what}")
        self._last = None

    def play(self, seconds: float, until: Callable[[World], bool] | None = None) -> None:
        """Time passes."""
        self.world.run(seconds, until)
        self._passes()

    def reach(self, weight: int) -> None:
        """Time passes until the canary has this weight."""
        self.play(900, lambda world: world.weight == weight)

    def _passes(self) -> None:
        for line in told(self.world.passes[self._told :], self._last):
            weight = "-" if line.weight is None else f"{line.weight} %"
            self.lines.append(f"{line.time - EPOCH:8.1f} s  {line.phase:<12} {weight:>5}  {line.reason:<18} {line.message}")
            self._last = line
        self._told = len(self.world.passes)


def good_release() -> Story:
    story = Story()
    story.play(900)
    return story


def twenty_percent_fail() -> Story:
    story = Story(fails=0.2)
    story.play(600)
    return story


def every_request_fails() -> Story:
    story = Story(fails=1.0)
    story.play(600)
    return story


def failures_begin_late() -> Story:
    story = Story()
    story.reach(50)
    story.play(10)
    story.tell("v2 begins to fail 5 % of its requests")
    story.world.fail("v2@t1", 0.05)
    story.play(600)
    return story


def no_traffic() -> Story:
    story = Story(analysis=replace(SPEC.analysis, deadline=timedelta(minutes=10)))
    story.tell("the users go to bed")
    story.world.traffic.rate = 0.0
    story.play(1500)
    return story


def prometheus_outage() -> Story:
    story = Story()
    story.reach(25)
    story.tell("Prometheus goes down")
    story.world.prometheus_is(Mode.DOWN)
    story.play(300)
    story.tell("Prometheus is back")
    story.world.prometheus_is(Mode.WORKING)
    story.play(600)
    return story


def canary_loses_its_pods_once() -> Story:
    story = Story()
    story.reach(25)
    story.tell("all pods of v2 are gone")
    story.world.scale("v2", 0)
    story.play(60)
    story.tell("the pods of v2 are back")
    story.world.scale("v2", 4)
    story.play(900)
    return story


def canary_loses_its_pods_twice() -> Story:
    story = Story()
    for _ in range(2):
        story.reach(5)
        story.tell("all pods of v2 are gone")
        story.world.scale("v2", 0)
        story.play(20)
        story.tell("the pods of v2 are back")
        story.world.scale("v2", 4)
    story.play(300)
    return story


def stable_gone() -> Story:
    story = Story()
    story.reach(25)
    story.tell("all pods of v1 are gone, and v2 fails half of its requests")
    story.world.scale("v1", 0)
    story.world.fail("v2@t1", 0.5)
    story.play(60)
    story.tell("the pods of v1 are back")
    story.world.scale("v1", 4)
    story.play(300)
    return story


def abort() -> Story:
    story = Story()
    story.reach(50)
    story.tell("a person writes abort/1/1")
    story.world.act("abort/1/1")
    story.play(300)
    return story


def retry() -> Story:
    story = Story(fails=0.2)
    story.play(300)
    story.tell("v2 is healed without a new revision; a person writes retry/1/1")
    story.world.fail("v2@t1", 0.0)
    story.world.act("retry/1/1")
    story.play(900)
    return story


def drift() -> Story:
    story = Story()
    story.reach(25)
    story.play(10)
    route = story.world.cluster.now.route
    assert route
    story.tell("a person gives the canary 90 %")
    story.world.drift(route=replace(route, weight=90))
    story.play(10)
    story.tell("a person takes the canary's weight away")
    story.world.drift(route=replace(route, weight=0))
    story.play(60)
    story.tell("a person deletes the DestinationRule")
    story.world.drift(subsets=None)
    story.play(60)
    story.tell("a person deletes the VirtualService")
    story.world.drift(route=None)
    story.play(900)
    return story


def attached() -> Story:
    story = Story(attached=30)
    story.tell("the route is the user's, and Git gives the canary 30 % of it")
    story.reach(5)
    story.play(900)
    route = story.world.cluster.now.route
    assert route
    story.tell("Git is applied again: 30 %; both subsets select v2, so nobody minds")
    story.world.drift(route=replace(route, weight=30))
    story.play(600)
    story.tell("the CanaryRelease is deleted")
    story.world.delete()
    story.play(120)
    return story


def attached_route_goes_missing() -> Story:
    story = Story(attached=0)
    story.reach(25)
    route = story.world.cluster.now.route
    assert route
    story.tell("the user's VirtualService is deleted")
    story.world.drift(route=None)
    story.play(60)
    story.tell("it is applied again, as it is in Git")
    story.world.drift(route=replace(route, weight=0, mark=None))
    story.play(60)
    return story


def drift_fight() -> Story:
    story = Story()
    story.reach(25)
    story.tell("somebody applies the Git copy of the routes every 5 s")

    def apply(world: World) -> None:
        if (route := world.cluster.now.route) is not None:
            world.drift(route=replace(route, weight=0))
        world.at(world.now + 5, apply)

    story.world.at(story.world.now, apply)
    story.play(300)
    return story


def operator_restarts_mid_step() -> Story:
    story = Story()
    story.reach(25)
    story.play(17)
    story.tell("the operator is killed, and starts again 20 s later")
    story.world.restart = 20
    story.world.crash()
    story.play(900)
    return story


DEPTH = Query(name="depth", query='max(depth{version="{{canary.version}}"})', max="100", interval=timedelta(seconds=20))


def _looks_outside(world: World) -> int:
    resource = world.cluster.now.resource
    return sum(each.outside for each in (resource.record.evidence.queries or ())) if resource else 0


def a_query_leaves_its_bounds() -> Story:
    story = Story(analysis=Analysis(queries=(DEPTH,)))
    story.reach(25)
    story.world.measures("depth", 120)
    story.tell("query depth answers 120 from now on; the operator is killed after the second look, and starts again at once")
    story.play(900, lambda world: _looks_outside(world) == 2)
    story.world.crash()
    story.play(900)
    return story


def a_query_answers_nothing_for_a_while() -> Story:
    story = Story(analysis=Analysis(queries=(DEPTH,)))
    story.world.measures("depth", None)
    story.tell("query depth matches no series")
    story.play(300)
    story.world.measures("depth", 42)
    story.tell("query depth answers 42")
    story.play(900)
    return story


def a_query_is_wrong() -> Story:
    wrong = replace(DEPTH, query="max(depth_{{canary.version}})")
    story = Story()
    story.reach(5)
    story.world.edit(analysis=Analysis(queries=(wrong,)))
    story.tell("a person adds a query that is none")
    story.play(120)
    story.world.edit(analysis=Analysis(queries=(DEPTH,)))
    story.tell("a person mends the query")
    story.play(900)
    return story


def superseded() -> Story:
    story = Story()
    story.reach(25)
    story.world.deploy("v3")
    story.world.edit(version="v3")
    story.tell("v3 is deployed and wanted")
    story.play(900)
    return story


def approval() -> Story:
    story = Story(steps=(Step(weight=5, hold=HOLD), Step(weight=50, hold=HOLD, approval="Required"), Step(weight=100, approval="Required")))
    story.reach(5)
    story.play(7200)
    story.tell("after two hours a person writes approve/1/1")
    story.world.act("approve/1/1")
    story.play(300)
    story.tell("a person writes approve/1/1 once more, then approve/1/2")
    story.world.act("approve/1/1")
    story.play(1)
    story.world.act("approve/1/2")
    story.play(300)
    return story


def approval_is_awaited_and_the_canary_fails() -> Story:
    story = Story(steps=(Step(weight=25, hold=HOLD), Step(weight=100, approval="Required")))
    story.reach(25)
    story.play(600)
    story.tell("v2 begins to fail 20 % of its requests while a person is waited for")
    story.world.fail("v2@t1", 0.2)
    story.play(120)
    return story


def paused_and_resumed() -> Story:
    story = Story()
    story.reach(25)
    story.tell("a person writes pause/1/1")
    story.world.act("pause/1/1")
    story.play(3600)
    story.tell("a person writes resume/1/2")
    story.world.act("resume/1/2")
    story.play(300)
    return story


def promoted_by_hand() -> Story:
    story = Story()
    story.reach(5)
    story.play(10)
    story.tell("a person writes promote/1/1")
    story.world.act("promote/1/1")
    story.play(300)
    return story


def skipped_by_hand_without_prometheus() -> Story:
    story = Story()
    story.reach(5)
    story.world.prometheus_is(Mode.DOWN)
    story.tell("Prometheus goes down; ten minutes later a person writes skip/1/1")
    story.play(600)
    story.world.act("skip/1/1")
    story.play(60)
    return story


def suspended() -> Story:
    story = Story()
    story.reach(25)
    story.world.edit(suspend=True)
    story.tell("spec.suspend is set, and v3 is wanted a while later")
    story.play(600)
    story.world.deploy("v3")
    story.world.edit(version="v3")
    story.play(300)
    story.world.edit(suspend=False)
    story.tell("spec.suspend is taken away")
    story.play(60)
    return story


def held_after_a_failure() -> Story:
    story = Story(on_failure="Hold")
    story.reach(25)
    story.tell("v2 begins to fail 10 % of its requests; spec.onFailure is Hold")
    story.world.fail("v2@t1", 0.1)
    story.play(3600)
    story.tell("what v2 depends on is mended; a person writes retry/1/1")
    story.world.fail("v2@t1", 0.0)
    story.world.act("retry/1/1")
    story.play(600)
    return story


def held_and_aborted() -> Story:
    story = Story(on_failure="Hold")
    story.reach(25)
    story.world.fail("v2@t1", 0.1)
    story.tell("v2 begins to fail 10 % of its requests; spec.onFailure is Hold")
    story.play(600)
    story.tell("a person writes promote/1/1, and then abort/1/2")
    story.world.act("promote/1/1")
    story.play(1)
    story.world.act("abort/1/2")
    story.play(100)
    return story


def steps_edited() -> Story:
    story = Story()
    story.reach(25)
    story.play(10)
    story.tell("a person writes the steps 10, 30, 60 in place of 5, 25, 50")
    story.world.edit(steps=tuple(Step(weight=weight, hold=HOLD) for weight in (10, 30, 60)))
    story.play(600)
    return story


def preview_and_mirror() -> Story:
    story = Story(preview=Preview(match=(PreviewMatch(header="x-preview", exact="yes"),)), mirror=Mirror(hold=timedelta(seconds=30)))
    story.reach(5)
    story.play(10)
    story.tell("all pods of v2 are gone, and back a minute later")
    story.world.scale("v2", 0)
    story.play(60)
    story.world.scale("v2", 4)
    story.reach(5)
    story.tell("a person writes abort/1/1")
    story.world.act("abort/1/1")
    story.play(100)
    return story


PACE = Pace(failure_budget=20, min_duration=timedelta(minutes=2))


def paced() -> Story:
    story = Story(steps=None, pace=PACE)
    story.play(600)
    return story


def paced_and_twenty_percent_fail() -> Story:
    story = Story(steps=None, pace=PACE, fails=0.2)
    story.play(300)
    return story


def paced_and_every_request_fails() -> Story:
    story = Story(steps=None, pace=PACE, fails=1.0)
    story.play(300)
    return story


def paced_with_much_traffic() -> Story:
    story = Story(steps=None, pace=PACE)
    story.world.traffic.rate = 1000.0
    story.tell("1,000 requests come in each second")
    story.play(600)
    return story


def paced_with_approval() -> Story:
    story = Story(steps=None, pace=replace(PACE, approval="BeforePromotion", max_duration=timedelta(minutes=10)))
    story.reach(50)
    story.play(3600)
    story.tell("after an hour a person writes approve/1/1")
    story.world.act("approve/1/1")
    story.play(300)
    return story


def paced_without_traffic() -> Story:
    story = Story(steps=None, pace=replace(PACE, max_duration=timedelta(minutes=10)))
    story.tell("the users go to bed")
    story.world.traffic.rate = 0.0
    story.play(1000)
    return story


def pace_edited_to_steps_and_back() -> Story:
    story = Story(steps=None, pace=PACE)
    story.reach(7)
    story.tell("a person writes the steps 10 and 30 in place of the pace")
    story.world.edit(pace=None, steps=tuple(Step(weight=weight, hold=HOLD) for weight in (10, 30)))
    story.reach(10)
    story.tell("a person writes a pace in place of the steps")
    story.world.edit(pace=PACE, steps=None)
    story.play(600)
    return story


def deleted_mid_way() -> Story:
    story = Story()
    story.reach(50)
    story.tell("the CanaryRelease is deleted while both versions serve")
    story.world.delete()
    story.play(200)
    return story


def deleted_at_rest() -> Story:
    story = Story()
    story.play(900)
    story.world.undeploy("v1")
    story.play(10)
    story.tell("the CanaryRelease is deleted; only v2 serves")
    story.world.delete()
    story.play(60)
    return story


TALES: tuple[Callable[[], Story], ...] = (
    good_release,
    twenty_percent_fail,
    every_request_fails,
    failures_begin_late,
    no_traffic,
    prometheus_outage,
    canary_loses_its_pods_once,
    canary_loses_its_pods_twice,
    stable_gone,
    abort,
    retry,
    approval,
    approval_is_awaited_and_the_canary_fails,
    paused_and_resumed,
    promoted_by_hand,
    skipped_by_hand_without_prometheus,
    suspended,
    held_after_a_failure,
    held_and_aborted,
    steps_edited,
    preview_and_mirror,
    paced,
    paced_and_twenty_percent_fail,
    paced_and_every_request_fails,
    paced_with_much_traffic,
    paced_with_approval,
    paced_without_traffic,
    pace_edited_to_steps_and_back,
    drift,
    attached,
    attached_route_goes_missing,
    drift_fight,
    operator_restarts_mid_step,
    a_query_leaves_its_bounds,
    a_query_answers_nothing_for_a_while,
    a_query_is_wrong,
    superseded,
    deleted_mid_way,
    deleted_at_rest,
)


def texts() -> Iterator[tuple[str, str]]:
    """The name of every story's file, and what should stand in it."""
    for tale in TALES:
        yield f"{tale.__name__}.txt", "\n".join(tale().lines) + "\n"
