"""What a CanaryRelease does to others, and what others hold it to."""

import pytest

from canary_operator.api.names import FINALIZER
from canary_operator.cache import Key
from canary_operator.clients.errors import Conflict
from canary_operator.clients.kinds import CANARY_RELEASE, VIRTUAL_SERVICE
from canary_operator.observe import subsets_seen
from canary_operator.release import reasons
from canary_operator.release.model import Disown, EnsureSubsets, EnsureWeights, Mark, ReleaseFinalizer
from canary_operator.subject import subject
from tests.builders import release, weights
from tests.shell.applying import HOST, KEY, MARK, Document, World, attached, named, split


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


async def test_giving_a_shared_virtual_service_back_leaves_the_others_mark() -> None:
    world = attached()
    spec = {"service": {"name": "ratings"}, "version": "v2", "traffic": {"attach": [{"virtualService": "web", "routes": ["other"]}]}}
    world.memory.put(CANARY_RELEASE, named("ratings", spec, generation=1))
    process = world.process()
    await process.reach(EnsureWeights(0, process.mark(2)))
    web = world.memory.objects["VirtualService", "shop", "web"]
    theirs = f"{world.memory.objects['CanaryRelease', 'shop', 'ratings']['metadata']['uid']}/1/4/5/StepPassed"
    world.memory.put(VIRTUAL_SERVICE, {**web, "metadata": {**web["metadata"], "annotations": {MARK: theirs}}})
    process = world.process()
    await process.reach(Disown())
    assert world.metadata("VirtualService", "web")["annotations"] == {MARK: theirs}
    assert not world.metadata("VirtualService", "api")["annotations"]


def test_a_rise_that_another_releases_mark_covers_is_written_as_if_it_had_never_been() -> None:
    """Two releases in one VirtualService: the mark that stands there is the last writer's."""
    recorded = release().at_step(1, since=6).routing(weight=0, mark=Mark("another", 1, 4, 5, reasons.STEP_PASSED))
    decision = recorded.decide()
    assert (decision.because.reason, weights(decision), decision.state.drifts) == (reasons.STEP_PASSED, [5], 0)
