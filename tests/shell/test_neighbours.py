"""What a CanaryRelease does to others, and what others hold it to."""

from typing import cast

import pytest

from canary_operator.api.names import FINALIZER
from canary_operator.api.status import ReleaseRecord, State
from canary_operator.apply import apply
from canary_operator.cache import Key
from canary_operator.clients.errors import Conflict
from canary_operator.clients.kinds import CANARY_RELEASE, VIRTUAL_SERVICE
from canary_operator.clients.kubernetes import Cluster
from canary_operator.hands import Hands
from canary_operator.observe import route_seen, subsets_seen
from canary_operator.release import reasons
from canary_operator.release.belief import believe
from canary_operator.release.model import Disown, EnsureSubsets, EnsureWeights, Mark, Observation, ReleaseFinalizer
from canary_operator.routing import Stale
from canary_operator.subject import subject
from canary_operator.traffic.mark import mark_text
from tests.builders import release, weights
from tests.shell.applying import HOST, KEY, MARK, USERS_MARK, Document, World, attached, named, split


async def test_who_waits_for_what_a_pass_takes_away_is_woken() -> None:
    """The watch has no news of what this process wrote itself: nobody else would tell the other CanaryRelease."""
    world = World()
    going = {"finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    release = world.memory.objects["CanaryRelease", *KEY]
    world.memory.put(CANARY_RELEASE, {**release, "metadata": {**release["metadata"], **going}})
    world.memory.put(CANARY_RELEASE, named("waiting", release["spec"], generation=1))
    process = world.process()
    await process.reach(ReleaseFinalizer())
    assert subject(KEY, process.cache) is None
    assert Key("shop", "waiting") in process.woken


async def test_what_a_pass_reads_afresh_wakes_the_others_whom_it_concerns() -> None:
    world = attached()
    spec = {"service": {"name": "ratings"}, "version": "v2", "traffic": {"attach": [{"virtualService": "web", "routes": ["other"]}]}}
    world.memory.put(CANARY_RELEASE, named("ratings", spec, generation=1))
    process = world.process()
    world.memory.put(VIRTUAL_SERVICE, named("web", {"http": [split(), split("other", canary=40)]}))
    with pytest.raises(Conflict):
        await process.reach(EnsureWeights(25, process.mark(2, 25)))
    assert Key("shop", "ratings") in process.woken


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"http": [{"route": [{"destination": {"host": HOST, "subset": "stable"}}]}]}, "VirtualService edge/web"),
        ({"tcp": [{"route": [{"destination": {"host": HOST, "subset": "canary"}}]}]}, "VirtualService edge/web"),
        ({"http": [{"route": [{"destination": {"host": HOST}}]}]}, None),
        ({"http": [{"route": [{"destination": {"host": "reviews", "subset": "stable"}}]}]}, None),
        ({"http": [{"route": [{"destination": {"host": HOST, "subset": "other"}}]}]}, None),
    ],
    ids=["one names stable", "a TCP route names canary", "without a subset", "the Service of another namespace", "another subset"],
)
async def test_whoever_sends_to_our_subsets_is_known_in_a_deletion(spec: Document, told: str | None) -> None:
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v1", process.mark(2)), EnsureWeights(0, process.mark(3)))
    assert (seen := subsets_seen(process.it, process.cache)) is not None and seen.named_by is None
    release = world.memory.objects["CanaryRelease", *KEY]
    world.memory.put(CANARY_RELEASE, {**release, "metadata": {**release["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    world.memory.put(VIRTUAL_SERVICE, named("web", spec, namespace="edge"))
    process = world.process()
    assert (seen := subsets_seen(process.it, process.cache)) is not None and seen.named_by == told


ATTACHED = {"service": {"name": "ratings"}, "version": "v2", "traffic": {"attach": [{"virtualService": "web", "routes": ["other"]}]}}
RATINGS = Key("shop", "ratings")
RATINGS_MARK = "mark.canary.rollouts.dev/ratings"


def shared() -> World:
    """Two CanaryReleases, attached to different routes of the VirtualService `web`, and to nothing else."""
    world = World(attach=[{"virtualService": "web", "routes": ["primary"]}])
    world.memory.put(CANARY_RELEASE, named("ratings", ATTACHED, generation=1))
    shares = [{"destination": {"host": "ratings", "subset": s}, "weight": w} for s, w in (("stable", 100), ("canary", 0))]
    world.memory.put(VIRTUAL_SERVICE, named("web", {"http": [split(canary=25), {"name": "other", "route": shares}]}))
    return world


async def neighbour_writes(world: World, weight: int) -> Mark:
    """The other CanaryRelease moves its own route."""
    process = world.process()
    it = subject(RATINGS, process.cache)
    assert it is not None
    mark = Mark(it.uid, 1, 4, weight, reasons.STEP_PASSED)
    await apply(EnsureWeights(weight, mark), it, Hands(cast(Cluster, world.memory), process.cache, process.woken.extend), dict)
    return mark


async def test_a_drop_that_was_not_recorded_outlives_a_write_of_the_other_release() -> None:
    """A crash after the drop, a rise of the neighbour, then a look: the bad canary must not begin again at its first step."""
    world = shared()
    process = world.process()
    drop = Mark(process.it.uid, 1, 7, 0, reasons.MORE_FAILURES)
    await process.reach(EnsureWeights(0, drop))
    await neighbour_writes(world, 5)
    process = world.process()
    seen = route_seen(process.it, process.cache)
    recorded = ReleaseRecord(number=1, state=State.PROGRESSING, step=2, weight=25, seq=6)
    now = process.cache.now()
    believed = believe(recorded, Observation(now=now, uid=process.it.uid, generation=1, route=seen))
    assert (believed.state, believed.weight) == (State.ROLLING_BACK, 0)


async def test_an_overtaken_process_is_refused_though_the_other_release_wrote_in_between() -> None:
    world = shared()
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(7)))
    await neighbour_writes(world, 5)
    overtaken = world.process()
    with pytest.raises(Stale):
        await overtaken.reach(EnsureWeights(50, overtaken.mark(6, 50)))


async def test_a_write_of_the_other_release_makes_the_record_no_older() -> None:
    world = shared()
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(7)))
    before = process.cache.is_own_mark(KEY, mark_text(world.memory.objects["VirtualService", "shop", "web"], "reviews"))
    await neighbour_writes(world, 5)
    after = process.cache.is_own_mark(KEY, mark_text(world.memory.objects["VirtualService", "shop", "web"], "reviews"))
    assert (before, after) == (True, True)


async def test_giving_a_shared_virtual_service_back_leaves_the_others_mark() -> None:
    world = shared()
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(2)))
    theirs = await neighbour_writes(world, 5)
    process = world.process()
    await process.reach(Disown())
    assert world.metadata("VirtualService", "web")["annotations"] == {RATINGS_MARK: str(theirs)}


async def test_an_object_that_changes_sides_keeps_its_mark_until_the_next_write() -> None:
    """Who takes our label off, or puts it on, must not make a drop unseen; and no mark of the other kind is left to be believed later."""
    world = World()
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(3)))
    mine = world.memory.objects["VirtualService", *KEY]
    given = {**mine, "metadata": {**mine["metadata"], "labels": {}, "annotations": {USERS_MARK: str(process.mark(4))}}}
    assert mark_text({**mine, "metadata": {**mine["metadata"], "labels": {}}}, "reviews") == str(process.mark(3))
    world.memory.put(VIRTUAL_SERVICE, given)
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(5)))
    assert world.metadata("VirtualService", "reviews")["annotations"] == {MARK: str(process.mark(5))}


def test_a_rise_under_the_mark_of_an_earlier_release_of_the_name_is_written_as_if_it_had_never_been() -> None:
    recorded = release().at_step(1, since=6).routing(weight=0, mark=Mark("another", 1, 4, 5, reasons.STEP_PASSED))
    decision = recorded.decide()
    assert (decision.because.reason, weights(decision), decision.state.drifts) == (reasons.STEP_PASSED, [5], 0)
