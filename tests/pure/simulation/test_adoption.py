"""A service is taken over once for all plays of a release, and each play goes on from there by itself."""

from copy import deepcopy
from dataclasses import replace

from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.api.status import State
from canary_operator.simulation.adoption import adoption
from canary_operator.simulation.assumed import HISTORY
from canary_operator.simulation.world import World

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v2")


def replayed(spec: CanaryReleaseSpec) -> World:
    world = World(replace(spec, version="v1"))
    adoption(spec, "v1").replay(world)
    world.run(HISTORY)
    return world


def adopted(spec: CanaryReleaseSpec) -> World:
    world = World(replace(spec, version="v1"))
    world.deploy("v1")
    world.run(HISTORY)
    return world


def test_a_replayed_adoption_leaves_what_an_adoption_leaves() -> None:
    world, plain = replayed(SPEC), adopted(SPEC)
    assert world.cluster.log == plain.cluster.log
    assert world.traffic.counters == plain.traffic.counters


def test_the_operator_goes_on_as_if_it_had_written_it_itself() -> None:
    worlds = replayed(SPEC), adopted(SPEC)
    for world in worlds:
        world.deploy("v2")
        world.edit(version="v2")
        world.run(150)
    one, other = (world.cluster.now.resource for world in worlds)
    assert one is not None
    assert other is not None
    assert (one.record, one.record.state) == (other.record, State.PROGRESSING)


def test_it_is_worked_out_once_and_what_one_play_does_is_unknown_to_the_next() -> None:
    assert adoption(SPEC, "v1") is adoption(SPEC, "v1")
    before = deepcopy(adoption(SPEC, "v1").process)
    world = replayed(SPEC)
    world.deploy("v2")
    world.edit(version="v2")
    world.run(600)
    assert adoption(SPEC, "v1").process == before
