"""Rule 13: the operator dies, or a write goes wrong, at every write of a release; it ends as if nothing had happened."""

import os
from collections.abc import Iterable
from itertools import groupby, product
from random import Random, SystemRandom
from typing import Any, TypeVar

import pytest

from canary_operator.simulation.api import Fault
from canary_operator.simulation.world import World
from tests.pure.release.invariants import Watcher
from tests.pure.release.scenarios import SCRIPTS

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
WHOLE = ("good", "by hand")
"""Stories that are crashed at every write each time; of the others a sample."""
LOSING = ("stable gone", "stable gone at rest", "promoted instead", "deleted without stable", "detached at rest without stable")
"""Stories in which stable has no pods: what its share loses until another version serves it depends on how long the operator is away."""
SEED = os.environ.get("SEED") or str(SystemRandom().randrange(10**6))
T = TypeVar("T")
CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.REPLY_LOST)


def ending(world: World) -> dict[str, Any]:
    """What must not depend on a crash: where everything stands, and every weight that was served on the way."""
    stored = world.cluster.now
    status = stored.resource.status if stored.resource else None
    past = status.last_release if status else None
    weights = [each.route.weight if each.route else None for each in world.cluster.log]
    return {
        "phase": status and status.phase,
        "stable": status and status.stable,
        "release": past and (past.number, past.revision, past.outcome, past.reason),
        "releases": status and [each.number for each in status.history],
        "route": stored.route and (stored.route.weight, stored.route.intact, stored.route.split, stored.route.owned),
        "subsets": stored.subsets and (stored.subsets.stable, stored.subsets.canary, stored.subsets.owned),
        "weights served": [weight for weight, _ in groupby(weights)],
        "lost": (world.traffic.lost.no_subset, world.traffic.lost.no_pods),
        "resource": stored.resource and (stored.resource.finalizer, stored.resource.deleting),
    }


def play(name: str, faults: dict[int, Fault]) -> World:
    world = SCRIPTS[name](faults)
    watcher = Watcher(world)
    watcher.check()
    watcher.quiet()
    return world


def spread(points: Iterable[T], most: int) -> list[T]:
    """All of them, or so many, drawn anew each time: SEED draws them again."""
    every = list(points)
    return every if THOROUGH or len(every) <= most else Random(SEED).sample(every, most)  # noqa: S311


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_crash_at_any_write_changes_nothing_in_the_end(name: str) -> None:
    untroubled = play(name, {})
    expected, writes = ending(untroubled), len(untroubled.api.writes)
    compared = [*expected]
    if name in LOSING:
        compared.remove("lost")
    else:
        assert expected["lost"] == (0, 0), "a request found nobody"
    for number, fault in spread(product(range(writes), Fault), 1000 if name in WHOLE else 24):
        found = ending(play(name, {number: fault}))
        assert {key: found[key] for key in compared} == {key: expected[key] for key in compared}, f"{fault} at write {number}"


def test_two_crashes_in_a_row_change_nothing_in_the_end() -> None:
    untroubled = play("good", {})
    expected, writes = ending(untroubled), len(untroubled.api.writes)
    apart = range(1, writes if THOROUGH else 2)
    for first, gap, one, other in spread(product(range(writes), apart, CRASHES, CRASHES), 40):
        faults = {first: one, first + gap: other}
        assert ending(play("good", faults)) == expected, f"{faults} (SEED={SEED})"
