"""`kubectl canary approve promote skip pause resume abort retry`, before the operator: what is written, what is done, what is answered."""

import pytest

from lab.operator import Operator
from tests.api.place import Place

SHORT = {"min": "0s", "max": "20s"}
LONG = {"min": "30m", "max": "40m"}
GATED = [{"weight": 20, "hold": SHORT}, {"weight": 100, "approval": "Required"}]
STEEP = [{"weight": weight, "hold": LONG} for weight in (20, 40, 60)]


def act(place: Place, verb: str, *options: str) -> str:
    """Runs an action that must be carried out; answers what it told."""
    done = place.plugin(verb, "reviews", "--namespace", place.namespace, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_abort_is_carried_out_and_its_outcome_is_told(place: Place) -> None:
    place.rising()

    asked, told = act(place, "abort").splitlines()

    assert asked == "canaryrelease/reviews: asked for abort/1/1"
    assert "was aborted by hand at 20 %" in told
    assert place.weight() == 0


def test_a_gate_before_100_percent_opens_by_approval_alone(place: Place) -> None:
    place.rising(steps=GATED)
    place.wait_phase("Waiting")
    assert (place.status()["reason"], place.weight()) == ("ApprovalRequired", 20)
    assert "kubectl canary approve reviews" in place.status()["message"]

    act(place, "approve")

    assert place.ended(1)[1] == "Promoted"


def test_a_paused_release_stays_where_it_is_until_it_is_resumed(place: Place) -> None:
    place.rising(steps=STEEP)
    act(place, "pause")
    assert (place.status()["phase"], place.status()["reason"]) == ("Suspended", "Paused")
    place.api.patch(place.path(), {"spec": {"suspend": True}})

    act(place, "resume")

    place.wait_reason("Suspended")
    assert place.weight() == 20


def test_spec_suspend_stops_a_release_before_and_in_its_course(place: Place) -> None:
    place.begun(steps=STEEP, suspend=True)
    place.wait_phase("Suspended")
    assert place.weight() == 0
    place.api.patch(place.path(), {"spec": {"suspend": False}})
    place.wait_weight(20)


@pytest.mark.parametrize("before", [(), ("pause",), ("abort", "retry")], ids=["during analysis", "from a pause", "after abort and retry"])
def test_promote_leaves_out_what_is_left(place: Place, before: tuple[str, ...]) -> None:
    place.rising(steps=STEEP)
    for verb in before:
        act(place, verb)
        if verb == "abort":
            place.ended(1)
    number = place.status()["release"]["number"]
    place.wait_weight(20)

    act(place, "promote")

    assert place.ended(number + ("retry" in before and number == 1))[1] == "Promoted"


def test_skip_ends_one_hold(place: Place) -> None:
    place.rising(steps=STEEP)

    act(place, "skip")

    place.wait_weight(40)
    assert place.status()["release"]["number"] == 1


def test_an_action_without_effect_says_why_and_fails(place: Place) -> None:
    place.rising()

    done = place.plugin("resume", "reviews", "--namespace", place.namespace)

    assert done.returncode == 1
    assert "action 'resume/1/1' was ignored: the release is not paused" in done.stderr


def test_an_abort_that_nobody_has_heard_is_not_overwritten(place: Place, stopped: Operator) -> None:
    place.rising()
    stopped.terminate()

    waiting = place.plugin("abort", "reviews", "--namespace", place.namespace, "--timeout", "1")
    refused = place.plugin("promote", "reviews", "--namespace", place.namespace)

    assert (waiting.returncode, refused.returncode) == (1, 1)
    assert "not acknowledged within 1 s: " in waiting.stderr
    assert "still has to carry out abort/1/1; nothing is put in its place" in refused.stderr
    stopped.start()
    place.wait_weight(0)


def test_what_does_not_exist_is_named(place: Place) -> None:
    done = place.plugin("abort", "nothing", "--namespace", place.namespace)

    assert done.returncode == 1
    assert 'kubectl-canary: Error from server (NotFound): canaryreleases.canary.rollouts.dev "nothing" not found' in done.stderr
