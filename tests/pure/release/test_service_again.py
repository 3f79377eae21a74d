"""The Service is deleted and made again in the middle of a release: nobody is blamed for that time, and who is broken is found after it."""

import pytest

from canary_operator.api.status import Outcome
from canary_operator.release import reasons
from canary_operator.simulation.traffic import Failing
from canary_operator.simulation.world import EPOCH, World
from tests.pure.release.invariants import Watcher
from tests.pure.release.scenarios import begin, reaches


def without_endpoints(until: float, after: float = 0.0) -> Failing:
    """Most requests of the canary fail until the proxies have its endpoints again; `after`, its own share."""
    return lambda time, weight: 0.7 if time < EPOCH + until else after


def recreated(away: float = 20.0, lag: float = 4.0, after: float = 0.0) -> World:
    """At 40 % the Service goes, comes back after so many seconds, and proxies have the canary's endpoints again a while later."""
    world = begin()
    reaches(world, 40)
    world.run(7)
    world.lose_service()
    world.run(away)
    world.fail("v2@t1", without_endpoints(world.now + lag, after))
    world.restore_service()
    return world


def past(world: World) -> tuple[Outcome, str]:
    resource = world.cluster.now.resource
    assert resource and resource.status and resource.status.last_release
    return resource.status.last_release.outcome, resource.status.last_release.reason


@pytest.mark.parametrize("away", [pytest.param(seconds, id=f"{seconds:g} s") for seconds in (0.0, 1.0, 20.0, 300.0)])
@pytest.mark.parametrize("lag", [pytest.param(seconds, id=f"endpoints {seconds:g} s later") for seconds in (0.0, 4.0, 8.0)])
def test_a_service_that_is_made_again_blames_nobody(away: float, lag: float) -> None:
    world = recreated(away, lag)
    world.run(600)
    assert past(world) == (Outcome.PROMOTED, reasons.PROMOTED)


@pytest.mark.parametrize("after", [0.05, 0.3, 1.0])
def test_a_canary_that_is_broken_afterwards_is_found(after: float) -> None:
    world = recreated(after=after)
    assert world.run(60, until=lambda each: each.weight == 0)
    world.run(60)
    assert past(world) == (Outcome.ROLLED_BACK, reasons.MORE_FAILURES)


@pytest.mark.parametrize("delay", [0.0, 1.0, 3.0, 7.0])
def test_a_process_that_never_saw_the_service_gone_blames_nobody_either(delay: float) -> None:
    """It died before, and another one starts when the Service is back: the samples tell of the time between."""
    world = begin()
    reaches(world, 40)
    world.run(7)
    world.restart = 20 + delay
    world.crash()
    world.run(1)
    world.lose_service()
    world.run(19)
    world.fail("v2@t1", without_endpoints(world.now + 4))
    world.restore_service()
    world.run(600)
    assert past(world) == (Outcome.PROMOTED, reasons.PROMOTED)


def test_no_rule_breaks_meanwhile() -> None:
    world = recreated()
    watcher = Watcher(world)
    for _ in range(60):
        world.run(5)
        watcher.check()


def test_nothing_rises_before_the_endpoints_are_everywhere_and_it_is_said() -> None:
    world = recreated()
    world.run(2)
    because = world.passes[-1].decision.because
    assert (world.weight, because.reason) == (40, reasons.SETTLING)
    assert because.message == "Service reviews was made anew; for 10 s nothing is counted: not all proxies know its endpoints"
