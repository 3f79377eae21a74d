"""Stable itself fails: nobody is blamed, nothing rises, and after three minutes the traffic goes back."""

from datetime import timedelta

import pytest

from canary_operator.api.spec import Hold, Step
from canary_operator.release import reasons
from canary_operator.simulation.world import World
from tests.pure.release.scenarios import begin, reaches

INCIDENT = timedelta(minutes=3)
LONG = Step(weight=40, hold=Hold(min=timedelta(minutes=5), max=timedelta(minutes=20)))


def struck(rate: float) -> tuple[World, float]:
    """From some second on most requests fail, whichever version they reach."""
    world = begin(steps=(LONG,))
    reaches(world, 40)
    world.run(100)
    world.traffic.rate = rate
    for revision, share in (("v1@t1", 0.8), ("v2@t1", 0.75)):
        world.fail(revision, share)
    return world, world.now


@pytest.mark.parametrize("rate", [2.0, 10.0, 100.0])
def test_an_incident_is_seen_at_any_rate_and_withdraws_without_blame(rate: float) -> None:
    world, began = struck(rate)
    assert world.run(400, until=lambda each: each.weight == 0)
    assert world.passes[-1].decision.because.reason == reasons.GLOBAL_INCIDENT
    assert INCIDENT.total_seconds() <= world.now - began <= INCIDENT.total_seconds() + 60


def test_a_checkpoint_does_not_hide_an_incident() -> None:
    """What is stored already is asked for again: stable is watched over a minute, whatever the evidence has reached."""
    world, _ = struck(2.0)
    assert world.run(60, until=lambda each: bool(each.passes[-1].decision.state.incident_since))
    world.run(100)
    began = {one.decision.state.incident_since for one in world.passes if one.time > world.cluster.time - 100}
    assert len(began) == 1


# ------------------------------------------------------------------------------------------------ stable is deployed anew
def test_a_stable_that_was_deployed_anew_may_have_an_incident_too() -> None:
    """It is told by how the service was before the release: the new revision has no minutes before the first weight."""
    world = begin(steps=(LONG,))
    reaches(world, 40)
    world.run(20)
    world.deploy("v1", template=2)
    world.run(20)
    for revision, share in (("v1@t2", 0.8), ("v2@t1", 0.75)):
        world.fail(revision, share)
    assert world.run(300, until=lambda each: each.weight == 0)
    assert world.passes[-1].decision.because.reason == reasons.GLOBAL_INCIDENT


def test_a_stable_that_is_deployed_anew_during_an_incident_is_given_its_own_three_minutes() -> None:
    world, began = struck(100.0)
    world.run(INCIDENT.total_seconds() - 30)
    world.deploy("v1", template=2, fails=0.0)
    world.fail("v2@t1", 0.0)
    world.run(200)
    assert (world.weight, world.passes[-1].decision.state.incident_since) == (40, None)
