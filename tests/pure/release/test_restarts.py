"""The operator dies again and again while a release runs: nothing is found later, nothing takes longer than the restarts themselves."""

from datetime import timedelta

import pytest

from canary_operator.api.spec import Hold, Step
from canary_operator.api.status import Outcome
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import begin, reaches

EVERY, AWAY = 20.0, 2.0
"""Seconds between two deaths, and from one to the next process."""


def dying(world: World) -> World:
    def die(world: World) -> None:
        world.crash()
        world.at(world.now + EVERY, die)

    world.restart = AWAY
    world.at(world.now + EVERY, die)
    return world


def ended(world: World) -> tuple[float, Outcome]:
    """How long it took from here, and how it ended."""
    began = world.now
    assert world.run(900, until=lambda each: bool(each.cluster.now.resource and each.cluster.now.resource.status.last_release))  # type: ignore[union-attr]
    resource = world.cluster.now.resource
    assert resource and resource.status and resource.status.last_release
    return world.now - began, resource.status.last_release.outcome


def test_a_release_whose_operator_dies_every_20_s_takes_hardly_longer() -> None:
    """A hold goes on where the last process left it."""
    (untroubled, _), (troubled, outcome) = ended(begin()), ended(dying(begin()))
    # Each pending settle starts anew, and a rise waits for the next process and its first scrape: five writes.
    assert (outcome, troubled <= untroubled + 5 * (EVERY + AWAY) / 2) == (Outcome.PROMOTED, True)


def test_a_long_hold_goes_on_where_the_last_process_left_it() -> None:
    """What is covered is stored with each checkpoint, and never begins again."""
    hold = Hold(min=timedelta(minutes=4), max=timedelta(minutes=20))
    world = begin(steps=(Step(weight=40, hold=hold),))
    reaches(world, 40)
    reaches(dying(world), 100, seconds=hold.min.total_seconds() + EVERY + AWAY)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_a_bad_canary_is_found_as_soon_though_the_operator_dies_every_20_s(share: float) -> None:
    def failed(world: World) -> int:
        world.fail("v2@t1", share)
        assert ended(world)[1] is Outcome.ROLLED_BACK
        return world.traffic.failed["v2@t1"]

    def at_ten() -> World:
        world = begin()
        reaches(world, 10)
        return world

    assert failed(dying(at_ten())) <= 1.5 * failed(at_ten())
