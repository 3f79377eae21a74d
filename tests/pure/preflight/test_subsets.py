"""Whether our two subsets reach every client."""

from dataclasses import replace
from typing import Any

import pytest

from canary_operator.mesh.config import Mesh
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.preflight import inspect, reads
from preflight.objects import HOST, Document, facts, mesh, named, row, told

POLICY = {"connectionPool": {"tcp": {"maxConnections": 9}}}
NAMESPACE_WIDE, MESH_WIDE = "*.shop.svc.cluster.local", "*.local"
TAKEN, NAME, SHADOWED, UNUSED = ("RuleTaken", "Error"), ("NameTaken", "Error"), ("PolicyShadowed", "Error"), ("PolicyShadowed", "Warning")


def rule(name: str, host: str, owner: str | None = None, **spec: Any) -> Document:
    return named(name, owner, host=host, **spec)


OURS = rule("shop/reviews", HOST, "reviews", subsets=[{"name": "stable"}, {"name": "canary"}])
PINNED = [{"name": name, "labels": {"version": "v1"}} for name in ("stable", "canary")]
LEFT_BEHIND = rule("shop/reviews", HOST, subsets=PINNED)
THEIRS = rule("shop/reviews", HOST, subsets=[{"name": "stable", "labels": {"track": "a"}}, {"name": "canary", "labels": {"track": "b"}}])
OURS_WITH_POLICY = rule("shop/reviews", HOST, "reviews", trafficPolicy=POLICY)


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        pytest.param([OURS], [], id="our own does not stand in our way"),
        pytest.param([LEFT_BEHIND], [], id="nor does what a deleted CanaryRelease of our name left behind"),
        pytest.param([rule("shop/mine", HOST)], [], id="a user's for our host gets our subsets"),
        pytest.param([rule("shop/mine", "reviews")], [], id="so does a user's for the short host"),
        pytest.param([rule("shop/reviews", HOST)], [], id="and a user's for our host, under our name"),
        pytest.param([rule("shop/mine", HOST), rule("shop/mine2", "reviews")], [TAKEN], id="two of the user's for our host"),
        pytest.param([rule("shop/mine", HOST), OURS], [TAKEN], id="one of the user's beside ours"),
        pytest.param([rule("shop/mine", HOST), rule("shop/reviews", "ratings")], [], id="with a user's, our name is not needed"),
        pytest.param([rule("shop/mine", HOST, "reviews")], [TAKEN], id="labelled as ours under another name"),
        pytest.param([rule("shop/reviews", "ratings")], [NAME], id="a user's for another host, under our name"),
        pytest.param([rule("shop/ratings", "ratings", trafficPolicy=POLICY)], [], id="a user's for another host"),
        # Ours hides a broader rule.
        pytest.param(
            [rule("shop/all", NAMESPACE_WIDE, trafficPolicy=POLICY)], [SHADOWED], id="a wildcard's policy in our namespace would be lost"
        ),
        pytest.param([OURS, rule("shop/all", NAMESPACE_WIDE, trafficPolicy=POLICY)], [SHADOWED], id="and is lost while ours has none"),
        pytest.param(
            [OURS_WITH_POLICY, rule("shop/all", NAMESPACE_WIDE, trafficPolicy=POLICY)], [], id="and is not missed once ours has one"
        ),
        pytest.param([rule("shop/all", NAMESPACE_WIDE)], [], id="a wildcard without policy has nothing to lose"),
        pytest.param([rule("shop/all", NAMESPACE_WIDE, subsets=[{"name": "v1"}])], [SHADOWED], id="a wildcard's subsets would be lost"),
        pytest.param(
            [rule("istio-system/all", MESH_WIDE, trafficPolicy=POLICY)], [SHADOWED], id="the root namespace's policy would be lost"
        ),
        pytest.param(
            [OURS_WITH_POLICY, rule("istio-system/all", MESH_WIDE, trafficPolicy=POLICY)], [], id="and is not missed once ours has one"
        ),
        pytest.param(
            [rule("istio-system/x", HOST, trafficPolicy=POLICY)], [SHADOWED], id="the root namespace's rule for the very host would be lost"
        ),
        pytest.param(
            [rule("shop/all", NAMESPACE_WIDE), rule("istio-system/all", MESH_WIDE, trafficPolicy=POLICY)],
            [],
            id="the root namespace's policy is hidden by the namespace's wildcard already",
        ),
        pytest.param(
            [rule("shop/a", NAMESPACE_WIDE), rule("shop/b", MESH_WIDE, trafficPolicy=POLICY)],
            [],
            id="a wider wildcard is hidden by a narrower one already",
        ),
        pytest.param(
            [rule("shop/mine", HOST), rule("shop/all", NAMESPACE_WIDE, trafficPolicy=POLICY)],
            [],
            id="a wildcard is hidden by the user's own rule already",
        ),
        pytest.param(
            [rule("istio-system/all", MESH_WIDE, trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}})],
            [],
            id="a policy that only says what auto mTLS does anyway is no loss",
        ),
        pytest.param(
            [rule("istio-system/all", MESH_WIDE, trafficPolicy={"tls": {"mode": "DISABLE"}})],
            [SHADOWED],
            id="one that turns mTLS off is",
        ),
        pytest.param(
            [rule("istio-system/all", MESH_WIDE, trafficPolicy=POLICY, exportTo=["other"])], [], id="a root rule for another namespace"
        ),
        # A rule elsewhere comes before ours.
        pytest.param(
            [rule("client/x", HOST)], [UNUSED], id="a rule in a client's namespace hides our subsets from callers that are not known"
        ),
        pytest.param([rule("client/x", "reviews")], [], id="the short host there is another Service"),
        pytest.param([rule("client/x", MESH_WIDE, trafficPolicy=POLICY)], [UNUSED], id="a wildcard there warns while no callers are known"),
        pytest.param([rule("client/x", HOST, exportTo=["."])], [UNUSED], id="so does one that is private there"),
        pytest.param([rule("client/x", HOST, exportTo=["third"])], [], id="one exported only elsewhere is used by nobody"),
        pytest.param(
            [rule("istio-system/x", HOST, exportTo=["."])], [UNUSED], id="one private to the root namespace holds for its own callers"
        ),
    ],
)
def test_destination_rule(documents: list[Document], found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(destination_rules=tuple(documents)))) == found


@pytest.mark.parametrize(
    ("callers", "found"),
    [
        pytest.param(["client"], SHADOWED, id="callers there: they would get 503"),
        pytest.param(["other"], UNUSED, id="callers elsewhere only"),
        pytest.param([], UNUSED, id="no callers at all"),
    ],
)
def test_a_wildcard_in_another_namespace_blocks_only_where_callers_are(callers: list[str], found: tuple[str, str]) -> None:
    given = facts(destination_rules=(rule("client/x", MESH_WIDE),))
    rows = tuple({"reporter": "source", "workload": "web", "namespace": each, "requests": 9.0} for each in callers)
    seen = replace(given, around={reads.telemetry(given): rows})
    assert found in told(inspect(seen))


def test_a_service_of_the_root_namespace_is_treated_as_any_other() -> None:
    policy = rule("shop/all", NAMESPACE_WIDE, trafficPolicy=POLICY)
    assert told(inspect(facts(destination_rules=(OURS, policy), mesh=Mesh(config_map=("shop", "istio"))))) == [SHADOWED]


def test_messages_name_the_object_and_what_to_write() -> None:
    rules = (rule("shop/mine", HOST), rule("shop/old", HOST), rule("client/x", MESH_WIDE))
    taken, hidden = inspect(facts(destination_rules=rules))
    assert taken.message == (
        f"DestinationRule shop/mine and DestinationRule shop/old rule {HOST}: write what they say into one of them, and delete the others. "
        "The operator then adds its two subsets and keeps the rest"
    )
    assert hidden.message == (
        f"DestinationRule client/x rules *.local for all callers in client and hides the subsets stable and canary of {HOST} from them, so "
        f"callers there would get 503: narrow its host so that it leaves {HOST} out, or delete it. Requests from client are left out of the "
        "evidence, and the release goes on"
    )


# ------------------------------------------------------------------------------------------------ names that the user has already

ONE, OTHER = {"version": "v1"}, {"version": "v2"}
NAMES_TAKEN = ("SubsetTaken", "Error")


def subset(name: str, labels: Document | None) -> Document:
    return {"name": name} | ({"labels": labels} if labels else {})


@pytest.mark.parametrize(
    ("subsets", "found"),
    [
        pytest.param([subset("stable", ONE), subset("canary", ONE)], 0, id="as the operator would write them"),
        pytest.param([subset("stable", ONE), subset("canary", OTHER)], 1, id="a canary of the user's own"),
        pytest.param([subset("canary", ONE)], 0, id="the canary alone, at the version that serves"),
        pytest.param([subset("canary", OTHER)], 1, id="the canary alone, at another version"),
        pytest.param([subset("stable", {**ONE, "tier": "web"}), subset("canary", ONE)], 1, id="stable by a further label"),
        pytest.param([subset("stable", {"track": "stable"})], 1, id="stable by another label"),
        pytest.param([subset("stable", None), subset("canary", ONE)], 1, id="stable without labels, which is every pod"),
        pytest.param([subset("stable", {"track": "s"}), subset("canary", {"track": "c"})], 2, id="both by another label"),
        pytest.param(
            [subset("stable", OTHER), subset("canary", OTHER)], 0, id="both at one version: that is the one that serves requests now"
        ),
        pytest.param([subset("v1", ONE), subset("v2", OTHER)], 0, id="other names"),
        pytest.param([subset("stable", ONE), subset("canary", ONE), subset("canary", OTHER)], 0, id="of two of one name the first counts"),
    ],
)
def test_subsets_of_our_names(subsets: list[Document], found: int) -> None:
    given = mesh(destination_rules=(rule("shop/mine", HOST, subsets=subsets),))
    assert told(inspect(given)) == [NAMES_TAKEN] * found


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"adopted": True}, id="after the adoption they are the operator's, or drift"),
        pytest.param({"mark": "mark.canary.rollouts.dev/reviews"}, id="with our mark they are the operator's"),
    ],
)
def test_subsets_that_the_operator_wrote_are_not_taken(changes: dict[str, Any]) -> None:
    document = rule("shop/mine", HOST, subsets=[subset("stable", ONE), subset("canary", OTHER)])
    if mark := changes.pop("mark", None):
        document["metadata"]["annotations"] = {mark: "uid/1/2/0/Adopting"}
    assert told(inspect(mesh(destination_rules=(document,), **changes))) == []


def test_what_is_taken_is_told_with_the_route_that_would_be_led_elsewhere() -> None:
    edge = named("shop/edge", hosts=["edge.example.com"], http=[{"route": [{"destination": {"host": "reviews", "subset": "canary"}}]}])
    mine = rule("shop/mine", HOST, subsets=[subset("stable", ONE), subset("canary", OTHER)])
    first = inspect(mesh(destination_rules=(mine,), virtual_services=(edge,)))[0]
    assert first.message == (
        "DestinationRule shop/mine has a subset canary of its own with the labels {version: v2}, and the operator would write {version: v1} "
        "into it, which leads VirtualService shop/edge elsewhere: give the subset another name, there and in the routes that name it, or write "
        "`labels: {version: v1}` into it, if nothing but the release is to use it"
    )


# ------------------------------------------------------------------------------------------------------- rules for some workloads

FOR_SOME: dict[str, Any] = {"workloadSelector": {"matchLabels": {"app": "batch"}}}
ERROR, WARNING = "Error", "Warning"
ROUTE = named("shop/reviews", "reviews", hosts=[HOST])


@pytest.mark.parametrize(
    ("document", "callers", "routes", "found"),
    [
        pytest.param(
            rule("shop/x", HOST, **FOR_SOME), ["shop"], (), [ERROR], id="its workloads call, and would get 503 by our first route"
        ),
        pytest.param(rule("shop/x", HOST, **FOR_SOME), ["web"], (), [WARNING], id="nobody of the namespace calls"),
        pytest.param(rule("shop/x", HOST, **FOR_SOME), ["shop"], (ROUTE,), [WARNING], id="what is broken already is told"),
        pytest.param(
            rule("shop/x", HOST, subsets=[{"name": "stable"}, {"name": "canary"}], **FOR_SOME), ["shop"], (), [WARNING], id="subsets"
        ),
        pytest.param(
            rule("shop/x", NAMESPACE_WIDE, trafficPolicy=POLICY, **FOR_SOME), ["shop"], (), [WARNING], id="a wildcard's policy is lost"
        ),
        pytest.param(rule("shop/x", NAMESPACE_WIDE, **FOR_SOME), ["shop"], (), [], id="a wildcard that says nothing"),
        pytest.param(rule("shop/x", "ratings", **FOR_SOME), ["shop"], (), [], id="another host"),
    ],
)
def test_a_rule_for_some_workloads(document: Document, callers: list[str], routes: tuple[Document, ...], found: list[str]) -> None:
    given = mesh(destination_rules=(document,), virtual_services=routes)
    given = replace(given, around={**given.around, reads.telemetry(given): tuple(row(each) for each in callers)})
    assert told(inspect(given)) == [("RuleNotForAll", each) for each in found]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param((), id="alone"),
        pytest.param((OURS,), id="beside ours"),
        pytest.param((rule("shop/mine", HOST),), id="beside the user's, which gets our subsets"),
    ],
)
def test_a_rule_for_some_workloads_is_no_conflict(others: tuple[Document, ...]) -> None:
    found = inspect(facts(destination_rules=(rule("shop/batch", HOST, **FOR_SOME), *others)))
    assert told(found) == [("RuleNotForAll", WARNING)]


@pytest.mark.parametrize(
    ("document", "ours"),
    [
        pytest.param(LEFT_BEHIND, True, id="as the operator leaves it"),
        pytest.param(
            {**LEFT_BEHIND, "metadata": {**LEFT_BEHIND["metadata"], "touchedBy": "helm"}}, False, id="somebody else wrote it last"
        ),
        pytest.param(
            {**LEFT_BEHIND, "metadata": {**LEFT_BEHIND["metadata"], "annotations": {"mark.canary.rollouts.dev/reviews": "x"}}},
            False,
            id="we have written into it as the user's",
        ),
        pytest.param(THEIRS, True, id="by another label, and nobody says who wrote it"),
        pytest.param({**THEIRS, "metadata": {**THEIRS["metadata"], "touchedBy": "kubectl"}}, False, id="the same, by somebody"),
        pytest.param(
            rule("shop/reviews", HOST, subsets=[{**each, "labels": {**each["labels"], "tier": "a"}} for each in PINNED]),
            False,
            id="told apart by more than one label",
        ),
        pytest.param(rule("shop/reviews", HOST, subsets=[{**each, "trafficPolicy": POLICY} for each in PINNED]), False, id="with policies"),
    ],
)
def test_a_rule_of_our_name_is_taken_back_only_if_the_operator_left_it(document: Document, ours: bool) -> None:
    assert is_left_behind(document, HOST) is ours
