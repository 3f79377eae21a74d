"""A release while Git is applied again and again, and while people edit what is theirs and what is not."""

from itertools import pairwise

import pytest

from lab.waiting import until
from tests.mesh.git import Git, as_in_git
from tests.mesh.shop import Shop
from tests.mesh.users import at_rest, document, gone, split, stored, weights

POLICY = {"outlierDetection": {"consecutive5xxErrors": 50}}
LONG = [{"weight": 25, "hold": {"min": "6s", "max": "60s"}}, {"weight": 50, "hold": {"min": "4s", "max": "30s"}}]
LASTING = [{"weight": 25, "hold": {"min": "60s", "max": "120s"}}]


def served_weights(shop: Shop, name: str) -> list[int]:
    """The canary's weight at every revision of a VirtualService at which it changed."""
    found: list[int] = []
    for revision in shop.revisions.all:
        metadata = revision.object["metadata"]
        if (revision.object["kind"], metadata["namespace"], metadata["name"]) != ("VirtualService", shop.namespace, name):
            continue
        route = next(http for http in revision.object["spec"]["http"] if http["name"] == "primary")
        weight = next(share.get("weight", 0) for share in route["route"] if share["destination"]["subset"] == "canary")
        if not found or found[-1] != weight:
            found.append(weight)
    return found


def events(shop: Shop, reason: str) -> list[str]:
    """What events of this reason say."""
    found = shop.lab.api.list(f"/api/v1/namespaces/{shop.namespace}/events")
    return [event["message"] for event in found if event["reason"] == reason]


@pytest.mark.parametrize("server_side", [False, True], ids=["client-side", "server-side"])
def test_with_the_ignore_rules_a_release_finishes_without_flapping_while_git_is_applied(shop: Shop, server_side: bool) -> None:
    """The DestinationRule in Git has no subsets: the operator adds them before the route may name them."""
    shop.version("v1")
    load = shop.load()
    rule = document(shop, "DestinationRule", "reviews", host="reviews", trafficPolicy=POLICY)
    web = document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews", retries={"attempts": 1})])
    shop.lab.api.apply(rule, manager="git")
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]}, steps=LONG)
    shop.wait("the subsets are there", phase="Blocked", reason="RouteMissing")
    with Git(shop.lab.api, web, rule, server_side=server_side) as git:
        shop.wait("adopted", phase="Stable", reason="AtRest")
        shop.version("v2")
        shop.want("v2")
        assert shop.wait_ended(1)["outcome"] == "Promoted"
        rounds = git.rounds
        until(lambda: git.rounds > rounds + 1, "Git goes on", 10)
        gone(shop)
    report = load.stop()
    assert report.lost == 0, report
    assert served_weights(shop, "web") == [0, 25, 50, 100, 0]
    assert stored(shop, "DestinationRule", "reviews")["spec"]["trafficPolicy"] == POLICY
    assert events(shop, "Drift") == []
    shop.assert_rules()


def test_without_the_ignore_rules_the_release_gives_way_and_says_to_whom(shop: Shop) -> None:
    shop.version("v1")
    rule = document(shop, "DestinationRule", "subsets", host="reviews", trafficPolicy=POLICY)
    web = document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews")])
    shop.lab.api.apply(rule, manager="git")
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]}, steps=LONG)
    shop.wait("the subsets are there", phase="Blocked", reason="RouteMissing")
    with Git(shop.lab.api, web, rule, rule=as_in_git, every=2):
        shop.wait("adopted", phase="Stable", reason="AtRest")
        load = shop.load()
        shop.version("v2")
        shop.want("v2")
        past = shop.wait_ended(1)
    assert (past["outcome"], past["reason"]) == ("Withdrawn", "DriftFight")
    assert "git" in past["message"]
    rises = sum(one < other for one, other in pairwise(served_weights(shop, "web")))
    assert rises <= 6, served_weights(shop, "web")
    assert load.stop().lost == 0
    shop.assert_rules()


def test_what_people_add_to_our_objects_stays_and_a_reset_weight_is_set_right_and_named(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", steps=LASTING, traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    until(lambda: shop.status["release"]["step"] == 1, "the step is recorded", 10)
    found = stored(shop, "VirtualService", "reviews")
    old = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": "reviews", "subset": "stable"}}]}
    found["spec"]["http"] = [old, {**found["spec"]["http"][0], "timeout": "9s"}]
    for share, weight in zip(found["spec"]["http"][1]["route"], (10, 90), strict=True):
        share["weight"] = weight
    shop.lab.api.request("PUT", shop.lab.api.path_of(found), found, query={"fieldManager": "alice"})
    until(lambda: weights(shop, "reviews") in ([25], [0]), "the weight is set right", 10)
    after = stored(shop, "VirtualService", "reviews")["spec"]["http"]
    assert (after[0], after[1]["timeout"]) == (old, "9s")
    until(lambda: any("alice" in message for message in events(shop, "Drift")), "the other editor is named", 10)
    shop.act("abort")
    shop.wait_ended(1)
    assert load.stop().lost == 0
    shop.assert_rules()


def test_a_renamed_subset_comes_back_and_the_release_goes_on(shop: Shop) -> None:
    shop.version("v1")
    shop.release("v1", steps=LONG)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    found = stored(shop, "DestinationRule", "reviews")
    found["spec"]["subsets"][1]["name"] = "kanary"
    shop.lab.api.request("PUT", shop.lab.api.path_of(found), found, query={"fieldManager": "alice"})
    until(
        lambda: [each["name"] for each in stored(shop, "DestinationRule", "reviews")["spec"]["subsets"]][2:] == ["canary"], "it is back", 10
    )
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    assert stored(shop, "DestinationRule", "reviews")["spec"]["subsets"][1]["name"] == "kanary"


def test_an_attached_virtual_service_deleted_in_mid_release_blocks_it_and_it_goes_on_when_it_is_back(shop: Shop) -> None:
    shop.version("v1")
    web = document(shop, "VirtualService", "web", hosts=["reviews"], http=[split("reviews")])
    shop.lab.api.apply(document(shop, "DestinationRule", "subsets", host="reviews", subsets=at_rest("v1")), web)
    shop.release("v1", traffic={"attach": [{"virtualService": "web"}]}, steps=LONG)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")
    until(lambda: weights(shop, "web") == [25], "25 %", 60)
    shop.lab.api.delete(shop.lab.api.path_of(web))
    assert "web" in shop.wait("blocked", phase="Blocked", reason="RouteMissing")["message"]
    shop.lab.api.apply(web)
    assert shop.wait_ended(1)["outcome"] == "Promoted"


def test_deleted_while_the_operator_is_away_and_created_anew_under_the_same_name(shop: Shop, operator: object) -> None:
    shop.version("v1")
    shop.release("v1", steps=LASTING, traffic={"owned": {}})
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    operator.terminate()  # type: ignore[attr-defined]
    shop.lab.api.delete(shop.path)
    operator.start()  # type: ignore[attr-defined]
    until(lambda: shop.lab.api.find(shop.path) is None, "the CanaryRelease is gone", 60)
    assert weights(shop, "reviews") == [0]
    shop.release("v2", stableVersion="v1", traffic={"owned": {}})
    assert shop.wait_ended(1)["outcome"] == "Promoted"
    labels = stored(shop, "VirtualService", "reviews")["metadata"]["labels"]
    assert labels["canary.rollouts.dev/release"] == "reviews"
    assert load.stop().lost == 0
