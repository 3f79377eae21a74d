"""The transition table, walked: every way is taken by some release, and no release leaves the table. And the decision is a function."""

from collections.abc import Callable
from functools import cache

from canary_operator.api.status import State
from canary_operator.release.decide import decide
from canary_operator.release.transitions import TRANSITIONS, diagram
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import SCRIPTS, begin, reaches


def _at_full(happens: Callable[[World], object]) -> World:
    world = begin()
    reaches(world, 100)
    world.run(3)
    happens(world)
    world.run(120)
    return world


@cache
def worlds() -> tuple[World, ...]:
    return (
        *(script(None) for script in SCRIPTS.values()),
        _at_full(lambda world: world.act("abort/1/1")),
        _at_full(lambda world: world.fail("v2@t1", 0.9)),
        _at_full(lambda world: world.drift(route=None)),
    )


def _walked(world: World) -> set[tuple[State, State]]:
    states = [stored.resource.record.state for stored in world.cluster.log if stored.resource and stored.resource.status]
    return {(one, other) for one, other in zip(states, states[1:], strict=False) if one is not other}


def test_every_way_is_taken_and_none_besides() -> None:
    table = {(state, follower) for state, followers in TRANSITIONS.items() for follower in followers}
    assert {way for world in worlds() for way in _walked(world)} == table


def test_every_state_is_in_the_table_and_leads_on() -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS.values())


def test_the_diagram_shows_every_way() -> None:
    lines = diagram().splitlines()
    assert len(lines) == 2 + sum(len(followers) for followers in TRANSITIONS.values())


def test_the_same_look_always_gives_the_same_decision() -> None:
    for one in (each for world in worlds() for each in world.passes):
        record = one.before.release
        if record is not None:
            assert decide(one.spec, record, one.seen) == one.decision
