"""Every way in which the API server refuses a write of routes, before a real one: webhooks with codes and words of their own, a quota, rights."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.operator import USER, Operator
from lab.waiting import until
from tests.api.place import Place
from tests.api.webhook import Webhook, seconds

LONG = "[deny-weights] canaries cannot have more than 25 %:\n\t- weight 50 in route 1\r\n\x1b[31mred\x1b[0m\n" + "x" * 3000


@pytest.fixture
def webhooks() -> Iterator[list[Webhook]]:
    made: list[Webhook] = []
    yield made
    for webhook in made:
        webhook.close()


def events(place: Place, reason: str) -> list[str]:
    found = place.api.list(f"/api/v1/namespaces/{place.namespace}/events")
    return [event["message"] for event in found if event["reason"] == reason]


@pytest.mark.parametrize(
    ("webhook", "timeout", "words", "remedy", "within"),
    [
        pytest.param(
            {"code": 403, "words": LONG}, 5, "cannot have more than 25 %: - weight 50", "lift the policy", 3, id="403-in-many-lines"
        ),
        pytest.param({"code": 404, "words": "no ticket"}, 5, "denied the request: no ticket", "lift the policy", 3, id="404"),
        pytest.param({"code": 409, "words": "not yet"}, 5, "denied the request: not yet", "lift the policy", 3, id="409"),
        pytest.param({"code": 422, "words": "weights"}, 5, "denied the request: weights", "lift the policy", 3, id="422"),
        pytest.param({"code": 500, "words": "bug"}, 5, "denied the request: bug", "lift the policy", 3, id="500"),
        pytest.param({"away": True}, 5, "failed calling webhook", "bring the webhook back", 3, id="nobody-behind-its-Service"),
        pytest.param({"hangs": 60}, 1, "failed calling webhook", "bring the webhook back", 5, id="it-hangs"),
        pytest.param(
            {"hangs": 60}, 30, "no answer within", "nothing is to be done unless it lasts", 15, id="it-hangs-for-longer-than-is-waited"
        ),
    ],
)
def test_an_abort_is_acknowledged_in_the_servers_words_and_carried_out_afterwards(
    place: Place, webhooks: list[Webhook], webhook: dict[str, Any], timeout: int, words: str, remedy: str, within: float
) -> None:
    place.rising()
    refusing = Webhook(place, **webhook)
    webhooks.append(refusing)
    refusing.up(timeout)

    asked = time.monotonic()
    place.api.patch(place.path(), {"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})
    until(lambda: place.status().get("lastAction") == "abort/1/1", "the abort is acknowledged", 40)
    assert seconds(asked) <= within

    place.wait_reason("WriteRefused")
    status = place.status()
    assert (status["phase"], status["weight"], place.weight()) == ("Blocked", 20, 20)
    assert words in status["message"] and remedy in status["message"] and "still has 20 %" in status["message"]
    assert len(status["message"]) <= 1024 and status["message"].isprintable()
    until(lambda: events(place, "WriteRefused"), "an event tells it", 10)

    refusing.down()
    assert place.ended(1) == ("v2", "Withdrawn", "Aborted")
    assert place.weight() == 0
    assert len(events(place, "WriteRefused")) == 1 and all(each.isprintable() for each in events(place, "WriteRefused"))


def test_a_release_goes_on_when_the_webhook_is_back(place: Place, webhooks: list[Webhook]) -> None:
    short = {"min": "0s", "max": "4s"}
    place.begun(steps=[{"weight": 20, "hold": short}, {"weight": 40, "hold": {"min": "30m", "max": "40m"}}])
    place.wait_weight(20)
    away = Webhook(place, away=True)
    webhooks.append(away)
    away.up()
    place.wait_reason("WriteRefused")
    assert (place.status()["weight"], place.weight(), place.status()["release"]["weight"]) == (20, 20, 40)
    assert place.status()["release"]["waitingSince"], "the deadline stands still"
    away.down()
    place.wait_weight(40)
    place.wait_reason("Gathering")
    assert "waitingSince" not in place.status()["release"]


def test_a_deletion_waits_and_says_what_for(place: Place, webhooks: list[Webhook]) -> None:
    place.rising()
    webhooks.append(Webhook(place, code=404, words="not found in the list of tickets").up())
    place.api.delete(place.path())
    place.wait_reason("WriteRefused")
    status = place.status()
    assert (status["phase"], status["weight"], place.weight()) == ("Deleting", 20, 20)
    assert "not found in the list of tickets" in status["message"]
    webhooks[0].down()
    place.gone()
    assert place.weight() in (None, 0), "requests go to stable before the CanaryRelease goes"


def test_an_uninstall_says_who_refuses_and_can_be_done_again(place: Place, stopped: Operator, webhooks: list[Webhook]) -> None:
    place.rising()
    stopped.terminate()
    webhooks.append(Webhook(place, code=409, words="a change freeze").up())
    refused = place.plugin("uninstall", "--namespace", place.namespace, "--force")
    assert refused.returncode == 1
    assert "a change freeze" in refused.stdout + refused.stderr
    assert place.weight() == 20 and place.api.get(place.path())["metadata"].get("finalizers")
    webhooks[0].down()
    assert place.plugin("uninstall", "--namespace", place.namespace, "--force").returncode == 0
    assert place.weight() in (None, 0)


def test_a_quota_that_is_full_is_told_at_the_adoption(place: Place) -> None:
    place.deploy("reviews")
    kind, hard = "count/virtualservices.networking.istio.io", "0"
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "routes", "namespace": place.namespace},
        "spec": {"hard": {kind: hard}},
    }
    place.api.create(quota)
    path = f"/api/v1/namespaces/{place.namespace}/resourcequotas/routes"
    place.api.patch(f"{path}/status", {"status": {"hard": {kind: hard}, "used": {kind: "0"}}})  # as its controller, which the lab has not
    place.release()
    place.wait_reason("WriteRefused")
    status = place.status()
    assert "exceeded quota: routes" in status["message"] and "lift the policy or quota" in status["message"]
    assert (status["phase"], place.weight()) == ("Blocked", None)
    place.api.delete(path)
    place.adopted("reviews")
    assert place.weight() == 0


def test_without_the_right_to_write_status_traffic_goes_home_all_the_same(place: Place) -> None:
    place.rising()
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/istio-canary-operator"
    rules = place.api.get(path)["rules"]
    place.api.patch(path, {"rules": [rule for rule in rules if "canaryreleases/status" not in rule["resources"]]})
    try:
        before = place.status()
        until(lambda: not _may_write_status(place), "the right is gone", 30)
        place.api.patch(place.path(), {"metadata": {"annotations": {"canary.rollouts.dev/action": "abort/1/1"}}})
        place.wait_weight(0)
        assert place.status() == before, "nothing can be told"
    finally:
        place.api.patch(path, {"rules": rules})
    assert place.ended(1) == ("v2", "Withdrawn", "Aborted")


def _may_write_status(place: Place) -> bool:
    wanted = {
        "verb": "patch",
        "group": "canary.rollouts.dev",
        "resource": "canaryreleases",
        "subresource": "status",
        "namespace": place.namespace,
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": USER, "resourceAttributes": wanted}}
    allowed: bool = place.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
    return allowed
