"""From an end to API calls, whosever the routes are: what is written, and what is let go again."""

from copy import deepcopy

import pytest

from canary_operator.clients.errors import Conflict
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, VIRTUAL_SERVICE, Kind
from canary_operator.observe import route_seen, subsets_seen
from canary_operator.release.model import (
    BARE,
    Disown,
    EnsureSubsets,
    EnsureUnsplit,
    EnsureWeights,
    RemoveRoute,
    RemoveSubsets,
    SubsetsSeen,
)
from canary_operator.routing import Stale
from tests.shell.applying import HOST, KEY, MARK, USERS_MARK, Process, World, attached, named, split


async def test_all_attached_routes_are_written_in_a_fixed_order_and_read_as_one() -> None:
    world = attached()
    process = world.process()
    await process.reach(EnsureWeights(25, process.mark(2, 25)))
    assert world.memory.requests == ["patch VirtualService api", "patch VirtualService web"]
    assert world.spec("VirtualService", "web") == {"hosts": ["a"], "http": [split(canary=25, timeout="1s"), split("other")]}
    assert world.spec("VirtualService", "api")["http"] == [split(canary=25, mirrors=[{"destination": {"host": "log"}}])]
    assert set(world.metadata("VirtualService", "web")) == {"namespace", "name", "uid", "resourceVersion", "annotations"}
    seen = route_seen(process.it, process.cache)
    assert seen is not None
    assert (seen.weight, seen.intact, seen.mark, seen.stays, seen.extras) == (25, True, process.mark(2, 25), True, BARE)
    await process.reach(EnsureWeights(25, process.mark(2, 25)))
    assert len(world.memory.requests) == 2, "twice is once"


async def test_a_later_decision_marks_the_routes_though_their_weights_are_right() -> None:
    """A write that is still on its way was derived from what stood before: now it is refused."""
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v2", process.mark(1)), EnsureWeights(0, process.mark(2)))
    before = world.metadata("VirtualService", "reviews")["resourceVersion"]
    await process.reach(EnsureWeights(0, process.mark(3)))
    assert world.metadata("VirtualService", "reviews")["resourceVersion"] != before
    assert world.metadata("VirtualService", "reviews")["annotations"][MARK] == str(process.mark(3))


async def test_routes_that_differ_read_as_the_highest_and_are_not_intact() -> None:
    world = attached()
    world.memory.put(VIRTUAL_SERVICE, named("web", {"http": [split(canary=40)]}))
    process = world.process()
    seen = route_seen(process.it, process.cache)
    assert seen is not None and (seen.weight, seen.intact) == (40, False)


@pytest.mark.parametrize(
    ("canary", "written"),
    [pytest.param(25, [], id="a rise ends with the first failure"), pytest.param(0, ["web"], id="a drop reaches the other route")],
)
async def test_one_of_two_writes_is_refused(canary: int, written: list[str]) -> None:
    world = attached()
    for name, http in (("web", split(canary=50)), ("api", split(canary=50))):
        world.memory.put(VIRTUAL_SERVICE, named(name, {"http": [http]}))
    process = world.process()
    world.memory.put(VIRTUAL_SERVICE, named("api", {"http": [split(canary=50)], "hosts": ["edited"]}))
    with pytest.raises(Conflict):
        await process.reach(EnsureWeights(canary, process.mark(2, canary)))
    marked = [name for name in ("api", "web") if USERS_MARK in world.metadata("VirtualService", name).get("annotations", {})]
    assert marked == written


async def test_a_write_that_reached_some_routes_only_is_told_from_somebody_elses() -> None:
    world = attached()
    process = world.process()
    await process.reach(EnsureWeights(5, process.mark(2, 5)))
    web = world.memory.objects["VirtualService", "shop", "web"]
    world.memory.put(
        VIRTUAL_SERVICE, {**web, "metadata": {**web["metadata"], "annotations": {**web["metadata"]["annotations"], "seen": "1"}}}
    )
    with pytest.raises(Conflict):
        await process.reach(EnsureWeights(25, process.mark(3, 25)))
    seen = route_seen(process.it, process.cache)
    assert seen is not None and (seen.weight, seen.intact, seen.unfinished) == (25, False, True)
    by_hand = {**world.memory.objects["VirtualService", "shop", "web"], "spec": {"http": [split(canary=7)]}}
    world.memory.put(VIRTUAL_SERVICE, by_hand)
    process = world.process()
    seen = route_seen(process.it, process.cache)
    assert seen is not None and (seen.weight, seen.intact, seen.unfinished) == (25, False, False)


async def test_a_later_mark_on_any_route_stops_the_pass() -> None:
    world = attached()
    late = world.process()
    await late.reach(EnsureWeights(0, late.mark(9)))
    with pytest.raises(Stale):
        await late.reach(EnsureWeights(25, late.mark(8, 25)))
    assert [share["weight"] for share in world.spec("VirtualService", "api")["http"][0]["route"]] == [100, 0]


async def test_attached_routes_are_given_back_without_a_trace_and_never_removed() -> None:
    world = attached()
    before = world.spec("VirtualService", "web")
    process = world.process()
    await process.reach(EnsureWeights(25, process.mark(2, 25)), EnsureWeights(0, process.mark(3)), Disown(), RemoveRoute())
    assert world.spec("VirtualService", "web") == before
    metadata = {key: value for key, value in world.metadata("VirtualService", "web").items() if value}
    assert set(metadata) == {"namespace", "name", "uid", "resourceVersion"}


POLICY = {"connectionPool": {"tcp": {"maxConnections": 9}}}


async def test_a_users_destination_rule_gets_our_subsets_and_loses_them_again() -> None:
    world = World()
    users = {"host": "reviews", "trafficPolicy": POLICY, "subsets": [{"name": "all"}]}
    world.memory.put(DESTINATION_RULE, named("policies", users))
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v2", process.mark(2)))
    ours = [{"name": "stable", "labels": {"version": "v1"}}, {"name": "canary", "labels": {"version": "v2"}}]
    assert world.spec("DestinationRule", "policies") == {**users, "subsets": [{"name": "all"}, *ours]}
    assert "labels" not in world.metadata("DestinationRule", "policies")
    seen = subsets_seen(process.it, process.cache)
    assert seen == SubsetsSeen("v1", "v2", process.mark(2), seen.since if seen else None, stays=True)  # type: ignore[arg-type]
    await process.reach(RemoveSubsets())
    assert world.spec("DestinationRule", "policies") == users
    assert not world.metadata("DestinationRule", "policies").get("annotations")


async def test_the_name_of_the_last_other_editor_is_kept() -> None:
    world = World()
    entries = [
        {"manager": "istio-canary-operator", "time": "2026-01-01T00:00:02Z"},
        {"manager": "git", "time": "2026-01-01T00:00:01Z"},
        {"manager": "alice", "time": "2026-01-01T00:00:03Z"},
        {"manager": "status-writer", "time": "2026-01-01T00:00:09Z", "subresource": "status"},
    ]
    world.memory.put(DESTINATION_RULE, named("policies", {"host": "reviews"}, managedFields=entries))
    process = world.process()
    seen = subsets_seen(process.it, process.cache)
    assert seen is not None and seen.touched_by == "alice"
    assert "managedFields" not in (process.it.rule or {})["metadata"]


# ------------------------------------------------------------------------------------------------- two processes and a deletion


@pytest.mark.parametrize("effect", ["subsets", "weights"])
@pytest.mark.parametrize("gone", [True, False], ids=["the CanaryRelease is gone", "it is going"])
async def test_what_a_late_process_creates_for_a_release_that_goes_is_removed_again(effect: str, gone: bool) -> None:
    """It was asleep while another process deleted everything: nobody else would ever remove what it makes now."""
    world = World()
    late = world.process()
    if gone:
        world.memory.drop(CANARY_RELEASE, *KEY)
    else:
        release = world.memory.objects["CanaryRelease", *KEY]
        world.memory.put(CANARY_RELEASE, {**release, "metadata": {**release["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    mark = late.mark(2)
    with pytest.raises(Conflict, match="let go again"):
        await late.reach(EnsureSubsets("v1", "v1", mark) if effect == "subsets" else EnsureWeights(0, mark))
    assert not [kind for kind, _, _ in world.memory.objects if kind in ("DestinationRule", "VirtualService")]


async def test_what_a_late_process_takes_over_again_is_given_back() -> None:
    world = World()
    first = world.process()
    await first.reach(EnsureSubsets("v1", "v1", first.mark(1)), EnsureWeights(0, first.mark(2)), Disown())
    late = world.process()
    before = {key: document["spec"] for key, document in world.memory.objects.items() if key[0] != "CanaryRelease"}
    mark = late.mark(3)
    world.memory.drop(CANARY_RELEASE, *KEY)
    with pytest.raises(Conflict, match="let go again"):
        await late.reach(EnsureWeights(0, mark))
    assert {key: document["spec"] for key, document in world.memory.objects.items()} == before
    assert not world.metadata("VirtualService", "reviews").get("labels")


@pytest.mark.parametrize("kind", [VIRTUAL_SERVICE, DESTINATION_RULE], ids=["the VirtualService", "the DestinationRule"])
async def test_what_somebody_has_edited_since_it_was_seen_is_not_deleted_unseen(kind: Kind) -> None:
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    edited = world.memory.objects[kind.kind, *KEY]
    world.memory.put(kind, {**edited, "spec": {**edited["spec"], "exportTo": ["."]}})
    effect = RemoveRoute() if kind == VIRTUAL_SERVICE else RemoveSubsets()
    with pytest.raises(Conflict):
        await process.reach(effect)
    assert world.spec(kind.kind, "reviews")["exportTo"] == ["."]
    await process.reach(effect)
    assert (kind.kind, *KEY) not in world.memory.objects, "now it was decided on as it is"


async def test_what_was_left_behind_is_taken_over_by_a_namesake() -> None:
    world = World()
    first = world.process()
    await first.reach(EnsureSubsets("v1", "v1", first.mark(1)), EnsureWeights(0, first.mark(2)), Disown())
    again = world.process()
    seen = route_seen(again.it, again.cache)
    assert seen is not None and not seen.intact and seen.stays, "it is to be written once, so that it is ours; until then it is not removed"
    await again.reach(EnsureWeights(0, again.mark(1)))
    assert world.metadata("VirtualService", "reviews")["labels"]["canary.rollouts.dev/release"] == "reviews"
    assert (seen := route_seen(again.it, again.cache)) is not None and seen.intact


async def test_at_a_gateway_the_route_stays_without_a_subset_and_a_namesake_takes_it_back() -> None:
    world = World(owned={"hosts": ["shop.example.com"], "gateways": ["infra/public"]})
    first = world.process()
    await first.reach(EnsureSubsets("v1", "v1", first.mark(1)), EnsureWeights(0, first.mark(2)))
    seen = route_seen(first.it, first.cache)
    assert seen is not None and (seen.stays, seen.unsplit) == (True, False)

    await first.reach(EnsureUnsplit(first.mark(3)))

    whole = {"destination": {"host": HOST, "port": {"number": 9080}}}
    bound = {"hosts": [HOST, "shop.example.com"], "gateways": ["infra/public"], "exportTo": ["*"]}
    spec = {**bound, "http": [{"name": "canary-release", "route": [whole]}]}
    assert world.spec("VirtualService", "reviews") == spec
    seen = route_seen(first.it, first.cache)
    assert seen is not None and (seen.stays, seen.unsplit, seen.weight) == (True, True, 0)
    requests = len(world.memory.requests)
    await first.reach(EnsureUnsplit(first.mark(3)))
    assert len(world.memory.requests) == requests, "twice is once"
    with pytest.raises(Stale):
        await first.reach(EnsureUnsplit(first.mark(2)))
    await first.reach(RemoveSubsets(), Disown())
    assert ("DestinationRule", *KEY) not in world.memory.objects
    assert not world.metadata("VirtualService", "reviews").get("labels") and world.spec("VirtualService", "reviews") == spec

    again = world.process()
    seen = route_seen(again.it, again.cache)
    assert seen is not None and not seen.intact, "it is known, and to be written"
    await again.reach(EnsureSubsets("v1", "v1", again.mark(1)), EnsureWeights(0, again.mark(2)))
    assert (seen := route_seen(again.it, again.cache)) is not None and seen.intact and not seen.unsplit


async def test_what_was_added_to_our_objects_outlives_them() -> None:
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    rule, route = (world.memory.objects[kind, *KEY] for kind in ("DestinationRule", "VirtualService"))
    world.memory.put(DESTINATION_RULE, {**rule, "spec": {**rule["spec"], "trafficPolicy": POLICY}})
    old = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": HOST, "subset": "stable"}}]}
    world.memory.put(VIRTUAL_SERVICE, {**route, "spec": {**route["spec"], "http": [old, *route["spec"]["http"]]}})
    release = world.memory.objects["CanaryRelease", *KEY]
    world.memory.put(CANARY_RELEASE, {**release, "metadata": {**release["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    process = world.process()

    seen, subsets = route_seen(process.it, process.cache), subsets_seen(process.it, process.cache)
    assert seen is not None and seen.stays
    assert subsets is not None and subsets.named_by == "route `old` of VirtualService shop/reviews"

    await process.reach(RemoveSubsets())
    assert world.spec("DestinationRule", "reviews") == {"host": HOST, "exportTo": ["*"], "trafficPolicy": POLICY}
    assert not world.metadata("DestinationRule", "reviews").get("labels")


async def test_an_object_of_our_name_that_somebody_else_made_meanwhile_is_not_taken_over() -> None:
    world = World()
    process = world.process()
    world.memory.put(VIRTUAL_SERVICE, named("reviews", {"hosts": [HOST], "http": []}))
    with pytest.raises(Conflict):
        await process.reach(EnsureWeights(0, process.mark(1)))
    assert world.spec("VirtualService", "reviews") == {"hosts": [HOST], "http": []}


async def test_a_route_that_is_as_we_left_it_is_told_from_one_that_somebody_else_wrote() -> None:
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v2", process.mark(1)), EnsureWeights(25, process.mark(2, 25)))
    release = world.memory.objects["CanaryRelease", *KEY]
    world.memory.put(CANARY_RELEASE, {**release, "spec": {**release["spec"], "traffic": {"owned": {"hosts": ["shop.example.com"]}}}})
    seen = route_seen((process := world.process(age=6)).it, process.cache)
    assert seen is not None and (seen.weight, seen.intact, seen.unfinished) == (25, False, True)
    seen = route_seen((process := world.process(age=1)).it, process.cache)
    assert seen is not None and not seen.unfinished, "what was written a moment ago and is not as wanted was changed by somebody"
    edited = world.memory.objects["CanaryRelease", *KEY]
    answered = {
        **edited,
        "metadata": {**edited["metadata"], "generation": 2},
        "status": {**edited.get("status", {}), "observedGeneration": 1},
    }
    world.memory.put(CANARY_RELEASE, answered)
    seen = route_seen((process := world.process(age=1)).it, process.cache)
    assert seen is not None and seen.unfinished, "the spec was edited a moment after the write"
    world.memory.put(CANARY_RELEASE, {**answered, "status": {**answered["status"], "observedGeneration": 2}})
    route = world.memory.objects["VirtualService", *KEY]
    editor = [{"manager": "kubectl-edit", "time": "2026-01-01T00:00:01Z"}]
    world.memory.put(VIRTUAL_SERVICE, {**route, "metadata": {**route["metadata"], "managedFields": editor}})
    seen = route_seen((process := world.process(age=6)).it, process.cache)
    assert seen is not None and (seen.intact, seen.unfinished) == (False, False)


def former(process: Process) -> None:
    """Puts what stands there into the shape in which the operator wrote it before it knew of several ports and of exports."""
    for kind in (VIRTUAL_SERVICE, DESTINATION_RULE):
        document = deepcopy(process.memory.objects[kind.kind, *KEY])
        spec = {field: value for field, value in document["spec"].items() if field != "exportTo"}
        for http in spec.get("http", ()):
            for share in http["route"]:
                share["destination"]["port"] = {"number": 9080}
        process.memory.put(kind, {**document, "spec": spec})


@pytest.mark.parametrize("age", [0, 60], ids=["at once", "after a while"])
async def test_routing_of_an_earlier_version_is_taken_over_in_one_write_each(age: float) -> None:
    world = World()
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v2", process.mark(1)), EnsureWeights(25, process.mark(2, 25)))
    right = {kind: world.spec(kind, "reviews") for kind in ("VirtualService", "DestinationRule")}
    former(process)
    world.memory.requests.clear()
    later = world.process(age=age)
    seen, subsets = route_seen(later.it, later.cache), subsets_seen(later.it, later.cache)
    assert seen is not None and (seen.weight, seen.intact, seen.unfinished) == (25, False, True)
    assert subsets is not None and (subsets.stable, subsets.canary, subsets.exported, subsets.former) == ("v1", "v2", False, True)
    await later.reach(EnsureSubsets("v1", "v2", later.mark(3)), EnsureWeights(25, later.mark(4, 25)))
    assert {kind: world.spec(kind, "reviews") for kind in right} == right
    assert world.memory.requests == ["patch DestinationRule reviews", "patch VirtualService reviews"]
    seen, subsets = route_seen(later.it, later.cache), subsets_seen(later.it, later.cache)
    assert seen is not None and (seen.weight, seen.intact) == (25, True)
    assert subsets is not None and (subsets.exported, subsets.former) == (True, False)


async def test_a_rule_of_the_users_keeps_its_exports() -> None:
    world = World()
    world.memory.put(DESTINATION_RULE, named("policies", {"host": HOST, "exportTo": ["."]}))
    process = world.process()
    await process.reach(EnsureSubsets("v1", "v2", process.mark(1)))
    assert world.spec("DestinationRule", "policies")["exportTo"] == ["."]
    subsets = subsets_seen(process.it, process.cache)
    assert subsets is not None and subsets.exported
