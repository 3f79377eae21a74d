"""Whole releases, as scripts that a world plays: what happens, until when. The weights are few, so that a run is short."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from canary_operator.api.pace import Pace
from canary_operator.api.spec import CanaryReleaseSpec, Hold, ServiceRef, Step
from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.simulation.api import Fault
from canary_operator.simulation.objects import Subsets
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.world import World

HOLD = Hold(min=timedelta(seconds=10), max=timedelta(seconds=30))
SPEC = CanaryReleaseSpec(
    service=ServiceRef(name="reviews"),
    version="v1",
    steps=(Step(weight=10, hold=HOLD), Step(weight=40, hold=HOLD)),
    bake=timedelta(seconds=10),
    drain=timedelta(seconds=10),
)
Script = Callable[[World], None]


def begin(
    faults: dict[int, Fault] | None = None, fails: float = 0.0, attached: int | None = None, gateway: bool = False, **spec: Any
) -> World:
    """A world with v1 in service and v2 deployed beside it; the first write of the adoption is number 0."""
    world = World(replace(SPEC, **spec), attached=attached, gateway=gateway)
    world.api.faults = dict(faults or {})
    world.deploy("v1")
    if attached is not None:  # whoever has a route of his own to these subsets has the subsets, too
        world.drift(subsets=Subsets("v1", "v1"))
    world.run(30)
    world.deploy("v2", fails=fails)
    world.edit(version="v2")
    return world


def reaches(world: World, weight: int, seconds: float = 300) -> None:
    """Plays until the canary has this weight."""
    assert world.run(seconds, until=lambda each: each.weight == weight), f"{weight} % was not reached"


def good(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults)
    world.run(400)
    return world


def bad(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, fails=0.2)
    world.run(300)
    return world


def aborted(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults)
    reaches(world, 40)
    world.act("abort/1/1")
    world.run(200)
    return world


def by_hand(faults: dict[int, Fault] | None = None) -> World:
    steps = (Step(weight=10, hold=HOLD), Step(weight=40, hold=HOLD, approval="Required"), Step(weight=100))
    world = begin(faults, steps=steps)
    reaches(world, 10)
    assert world.run(200, until=lambda each: each.phase == "Waiting")
    world.act("approve/1/1")
    reaches(world, 40)
    world.act("pause/1/2")
    world.run(60)
    world.act("promote/1/3")
    reaches(world, 100)
    world.act("skip/1/4")
    world.run(200)
    return world


def attached(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, attached=20)
    reaches(world, 10)
    reaches(world, 100)
    world.run(200)
    world.delete()
    world.run(60)
    return world


def aborted_blind(faults: dict[int, Fault] | None = None) -> World:
    """Aborted while Prometheus has nothing to say: that must not keep the traffic where it is."""
    world = begin(faults)
    reaches(world, 40)
    world.prometheus_is(Mode.EMPTY)
    world.run(20)
    world.act("abort/1/1")
    reaches(world, 0, 15)
    world.run(200)
    return world


def furnished(faults: dict[int, Fault] | None = None) -> World:
    preview = Preview(match=(PreviewMatch(header="x-preview", exact="yes"),))
    world = begin(faults, preview=preview, mirror=Mirror(hold=timedelta(seconds=10)))
    reaches(world, 40)
    reaches(world, 100)
    world.run(200)
    return world


def withdrawn(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, analysis=replace(SPEC.analysis, deadline=timedelta(seconds=60)))
    reaches(world, 10)
    world.prometheus_is(Mode.EMPTY)
    world.run(300)
    return world


def superseded(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults)
    reaches(world, 40)
    world.deploy("v3")
    world.edit(version="v3")
    world.run(500)
    return world


PACED = {"steps": None, "pace": Pace(failure_budget=100_000, min_duration=timedelta(seconds=30))}
"""So dear that only growth bounds the weights: 10, 25, 50, whatever a crash lets pass by."""


def paced(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, **PACED)
    reaches(world, 50)
    reaches(world, 100)
    world.run(200)
    return world


def paced_bad(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, **PACED)
    reaches(world, 25)
    world.fail("v2@t1", 0.3)
    world.run(200)
    return world


def paced_by_hand(faults: dict[int, Fault] | None = None) -> World:
    pace = Pace(failure_budget=100_000, min_duration=timedelta(seconds=30), max_weight=30, approval="BeforePromotion")
    world = begin(faults, steps=None, pace=pace)
    reaches(world, 10)
    world.act("pause/1/1")
    world.run(60)
    world.act("resume/1/2")
    reaches(world, 30)
    assert world.run(200, until=lambda each: each.phase == "Waiting")
    world.act("approve/1/3")
    reaches(world, 100)
    world.run(200)
    return world


def pace_edited(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, **PACED)
    reaches(world, 10)
    world.edit(pace=None, steps=(Step(weight=20, hold=HOLD), Step(weight=40, hold=HOLD)))
    reaches(world, 20)
    world.edit(**PACED)
    reaches(world, 100)
    world.run(200)
    return world


def stable_gone(faults: dict[int, Fault] | None = None) -> World:
    """Stable loses all pods on the way, the canary takes everything, and stable comes back: it rises again from step 1."""
    world = begin(faults)
    reaches(world, 40)
    world.scale("v1", 0)
    reaches(world, 100, 60)
    world.run(60)
    world.scale("v1", 4)
    reaches(world, 0, 60)
    reaches(world, 100)
    world.run(200)
    return world


def stable_gone_at_rest(faults: dict[int, Fault] | None = None) -> World:
    """The one version that still serves takes what its pods carry, then everything, and gives it back."""
    world = begin(faults)
    world.run(400)
    world.scale("v1", 1)
    world.scale("v2", 0)
    reaches(world, 50, 60)
    world.scale("v1", 4)
    reaches(world, 100, 60)
    world.run(60)
    world.scale("v2", 4)
    reaches(world, 0, 60)
    world.run(200)
    return world


def promoted_instead(faults: dict[int, Fault] | None = None) -> World:
    """Stable is deleted, and a person makes the other version stable, though it was rolled back."""
    world = begin(faults, fails=0.2)
    world.run(300)
    world.undeploy("v1")
    world.run(60)
    world.act("promote/1/1")
    reaches(world, 100, 60)
    world.run(200)
    return world


def deleted(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults)
    reaches(world, 40)
    world.delete()
    world.run(200)
    return world


def deleted_at_rest(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults)
    world.edit(version="v1")
    world.undeploy("v2")
    world.run(60)
    world.delete()
    world.run(60)
    return world


def deleted_at_a_gateway(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, gateway=True)
    reaches(world, 100)
    world.run(200)
    world.undeploy("v1")
    world.run(30)
    world.delete()
    world.run(60)
    return world


def deleted_at_a_gateway_with_two(faults: dict[int, Fault] | None = None) -> World:
    world = begin(faults, gateway=True)
    reaches(world, 40)
    world.delete()
    world.run(200)
    return world


def deleted_without_stable(faults: dict[int, Fault] | None = None) -> World:
    """Stable is wanted, and has no ready pod: the traffic ends at the canary."""
    world = begin(faults, gateway=True)
    reaches(world, 40)
    world.scale("v1", 0, desired=4)
    world.delete()
    world.run(200)
    return world


def detached_at_rest_without_stable(faults: dict[int, Fault] | None = None) -> World:
    """The user's routes, at rest, and only a version that was never tried serves."""
    world = begin(faults, attached=20)
    world.edit(version="v1")
    world.run(60)
    world.scale("v1", 0, desired=0)
    world.delete()
    world.run(200)
    return world


SCRIPTS: dict[str, Callable[[dict[int, Fault] | None], World]] = {
    "good": good,
    "bad": bad,
    "aborted": aborted,
    "aborted blind": aborted_blind,
    "by hand": by_hand,
    "attached": attached,
    "furnished": furnished,
    "withdrawn": withdrawn,
    "superseded": superseded,
    "paced": paced,
    "paced bad": paced_bad,
    "paced by hand": paced_by_hand,
    "pace edited": pace_edited,
    "stable gone": stable_gone,
    "stable gone at rest": stable_gone_at_rest,
    "promoted instead": promoted_instead,
    "deleted": deleted,
    "deleted at rest": deleted_at_rest,
    "deleted at a gateway": deleted_at_a_gateway,
    "deleted at a gateway, with two versions": deleted_at_a_gateway_with_two,
    "deleted without stable": deleted_without_stable,
    "detached at rest without stable": detached_at_rest_without_stable,
}
