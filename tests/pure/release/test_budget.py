"""Rule 10: what a release costs in requests, and that an idle one costs none."""

from collections import Counter

from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.release.model import RecordState
from canary_operator.simulation.world import World


def adopted() -> World:
    world = World(CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v1"))
    world.deploy("v1")
    world.run(60)
    return world


def test_an_idle_release_costs_nothing() -> None:
    world = adopted()
    before = world.api.reads, len(world.api.writes), len(world.passes)
    world.run(4 * 3600)
    assert (world.api.reads, len(world.api.writes), len(world.passes)) == before


def test_a_release_of_four_steps_costs_a_record_and_a_write_a_step_beside_checkpoints() -> None:
    world = adopted()
    writes, passes = len(world.api.writes), len(world.passes)
    world.deploy("v2")
    world.edit(version="v2")
    world.run(1800)
    made = world.passes[passes:]
    checkpoints = sum(1 for one in made if one.wrote and not one.decision.effects)
    found = Counter(world.api.writes[writes:])
    # Start: record, relabel. Five rises: record, write. Home: relabel (with a checkpoint), weight 0, records.
    assert found == {"status": 9 + checkpoints, "route": 6, "subsets": 2}
    assert checkpoints <= 3
    assert all(one.wrote <= 2 for one in made)


def test_a_rise_writes_the_record_and_the_route_and_nothing_after_it() -> None:
    world = adopted()
    world.deploy("v2")
    world.edit(version="v2")
    world.run(1800)
    for number, one in enumerate(world.passes):
        if one.decision.because.reason == "StepPassed" and any(isinstance(effect, RecordState) for effect in one.done):
            assert one.wrote == 2
            assert world.passes[number + 1].wrote == 0
