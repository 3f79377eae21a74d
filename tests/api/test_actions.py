"""`kubectl canary abort` and its like, before the operator: what is written, what is answered."""

from tests.api.place import Place


def test_an_abort_is_carried_out_and_its_outcome_is_told(place: Place) -> None:
    place.rising()

    done = place.plugin("abort", "reviews", "--namespace", place.namespace)

    assert done.returncode == 0, done.stderr
    assert place.weight() == 0
    asked, told = done.stdout.splitlines()
    assert asked == "canaryrelease/reviews: asked for abort/1/1"
    assert "was aborted by hand at 20 %" in told


def test_an_action_without_effect_says_why_and_fails(place: Place) -> None:
    place.rising()
    place.plugin("abort", "reviews", "--namespace", place.namespace)

    done = place.plugin("abort", "reviews", "--namespace", place.namespace)

    assert done.returncode == 1
    assert "action 'abort/1/2' was ignored" in done.stderr


def test_an_abort_that_cannot_be_carried_out_yet_is_not_overwritten(place: Place) -> None:
    place.rising()
    place.api.patch(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-v1", {"spec": {"replicas": 0}})
    place.wait_phase("Blocked")

    waiting = place.plugin("abort", "reviews", "--namespace", place.namespace, "--timeout", "1")
    refused = place.plugin("retry", "reviews", "--namespace", place.namespace)

    assert (waiting.returncode, refused.returncode) == (1, 1)
    assert "not acknowledged within 1 s: " in waiting.stderr
    assert "has no ready pod" in waiting.stderr
    assert "still has to carry out abort/1/1; nothing is put in its place" in refused.stderr
    place.api.patch(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-v1", {"spec": {"replicas": 1}})
    place.wait_weight(0)


def test_what_does_not_exist_is_named(place: Place) -> None:
    done = place.plugin("abort", "nothing", "--namespace", place.namespace)

    assert done.returncode == 1
    assert 'kubectl-canary: Error from server (NotFound): canaryreleases.canary.rollouts.dev "nothing" not found' in done.stderr
