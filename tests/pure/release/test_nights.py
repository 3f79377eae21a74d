"""A namespace that is scaled to 0 for the night, all versions of it, and back in the morning: nothing is blamed, nothing flaps."""

import itertools
from collections.abc import Callable

import pytest

from canary_operator.api.status import CanaryReleaseStatus, Outcome, State
from canary_operator.release import reasons
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import begin, reaches

NIGHT = 400.0
PODS = 4


def evening(world: World, order: tuple[str, ...], apart: float) -> None:
    """Every version is asked for 0 pods, one after the other; those that are ready go a moment later."""
    for version in order:
        world.scale(version, PODS, desired=0)
        world.run(apart)
    for version in order:
        world.scale(version, 0, desired=0)
        world.run(apart)


def morning(world: World, order: tuple[str, ...], apart: float) -> None:
    """Every version is asked for again, and one after the other is ready."""
    for version in order:
        world.scale(version, 0, desired=PODS)
    world.run(20)
    for version in order:
        world.scale(version, PODS)
        world.run(apart)


def night(world: World, order: tuple[str, ...], back: tuple[str, ...], apart: float) -> None:
    evening(world, order, apart)
    world.run(NIGHT)
    said = status(world)
    assert (said.phase, said.reason) == ("Blocked", reasons.STABLE_GONE)
    assert "it is scaled to 0; no other version has a ready pod" in (said.message or "")
    writes = routes(world)
    world.run(100)
    assert routes(world) == writes, "nothing is written at night"
    morning(world, back, apart)


def status(world: World) -> CanaryReleaseStatus:
    resource = world.cluster.now.resource
    assert resource is not None and resource.status is not None
    return resource.status


def routes(world: World) -> int:
    """Revisions of the VirtualService so far."""
    return sum(each.what == "route" for each in world.cluster.log)


def at_25(world: World) -> None:
    reaches(world, 40)


def in_the_bake(world: World) -> None:
    reaches(world, 100)


def at_rest(world: World) -> None:
    world.run(400)
    assert status(world).stable == "v2@t1"


ORDERS = tuple(itertools.product((("v1", "v2"), ("v2", "v1")), (("v1", "v2"), ("v2", "v1")), (0.5,)))


@pytest.mark.parametrize("moment", [at_25, in_the_bake, at_rest])
@pytest.mark.parametrize(
    ("order", "back", "apart"), ORDERS, ids=lambda value: "-".join(value) if isinstance(value, tuple) else f"{value:g}s"
)
def test_two_nights_end_no_release_and_blame_nobody(
    moment: Callable[[World], None], order: tuple[str, ...], back: tuple[str, ...], apart: float
) -> None:
    world = begin()
    moment(world)
    before = routes(world)
    night(world, order, back, apart)
    world.run(15)
    night(world, order, back, apart)
    assert world.run(900, until=lambda each: status(each).phase == "Stable"), status(world)

    ended = [status(world).last_release, *status(world).history]
    assert all(past is None or past.outcome is not Outcome.ROLLED_BACK for past in ended), ended
    assert status(world).stable == "v2@t1" and status(world).release is not None
    record = status(world).release
    assert record is not None and record.state is State.STABLE
    assert routes(world) - before <= 24
