"""`insufficientData`, `noData` and `deadline`: how a release ends, for every kind of canary and every policy, in virtual time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.release import reasons
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import SPEC, begin, reaches

DEADLINE = timedelta(minutes=5)
POLICIES = tuple((insufficient, none) for insufficient in ("Advance", "Hold") for none in ("Hold", "Withdraw"))
Trouble = Callable[[World], None]


def failing(share: float) -> Trouble:
    return lambda world: world.fail("v2@t1", share)


def prometheus(mode: Mode) -> Trouble:
    return lambda world: world.prometheus_is(mode)


def requests(per_second: float) -> Trouble:
    def change(world: World) -> None:
        world.traffic.rate = per_second

    return change


def both(one: Trouble, other: Trouble) -> Trouble:
    def change(world: World) -> None:
        one(world)
        other(world)

    return change


def later(seconds: float, trouble: Trouble) -> Trouble:
    """The same, so many seconds after the first weight."""
    return lambda world: world.at(world.now + seconds, trouble)


GOOD, BAD, LATE, BLIND = reasons.PROMOTED, reasons.MORE_FAILURES, reasons.DEADLINE_EXCEEDED, reasons.NO_DATA
# What happens at the first weight | the reason of the end, for insufficientData/noData = Advance/Hold, Advance/Withdraw, Hold/Hold, Hold/Withdraw
TABLE: tuple[tuple[str, Trouble, tuple[str, str, str, str]], ...] = (
    ("a good canary", failing(0.0), (GOOD, GOOD, GOOD, GOOD)),
    ("a canary that fails 5 %", failing(0.05), (BAD, BAD, BAD, BAD)),
    ("a canary that fails everything", failing(1.0), (BAD, BAD, BAD, BAD)),
    ("two requests a second: too few to tell within a hold", requests(2.0), (GOOD, GOOD, LATE, LATE)),
    ("two requests a second, and all of the canary's fail", both(requests(2.0), failing(1.0)), (BAD, BAD, BAD, BAD)),
    ("nobody asks any more", requests(0.0), (LATE, LATE, LATE, LATE)),
    ("nobody has counted the canary", prometheus(Mode.CANARY_BLIND), (LATE, LATE, LATE, LATE)),
    ("Prometheus is down", prometheus(Mode.DOWN), (LATE, BLIND, LATE, BLIND)),
    ("Prometheus refuses to answer", prometheus(Mode.REFUSING), (LATE, BLIND, LATE, BLIND)),
    ("Prometheus has nothing", prometheus(Mode.EMPTY), (LATE, BLIND, LATE, BLIND)),
    ("Prometheus stands still: its last value still answers", prometheus(Mode.FROZEN), (LATE, BLIND, LATE, BLIND)),
    # What was seen since the last checkpoint is not stored, so it is as if it had not been seen.
    ("Prometheus goes down after a scrape or two", later(9, prometheus(Mode.DOWN)), (LATE, BLIND, LATE, BLIND)),
    ("Prometheus is down, and the canary fails everything", both(prometheus(Mode.DOWN), failing(1.0)), (LATE, BLIND, LATE, BLIND)),
)


@pytest.mark.parametrize(
    ("trouble", "insufficient", "none", "reason"),
    [
        pytest.param(trouble, *policy, reason, id=f"{name}; insufficientData {policy[0]}, noData {policy[1]}")
        for name, trouble, ends in TABLE
        for policy, reason in zip(POLICIES, ends, strict=True)
    ],
)
def test_a_release_ends_as_the_policy_says(trouble: Trouble, insufficient: str, none: str, reason: str) -> None:
    world = begin(analysis=replace(SPEC.analysis, insufficient_data=insufficient, no_data=none, deadline=DEADLINE))
    reaches(world, 10)
    trouble(world)
    world.run(1200)
    resource = world.cluster.now.resource
    assert resource and resource.status and resource.status.last_release
    assert resource.status.last_release.reason == reason
