"""Whether our two subsets reach every client."""

from dataclasses import replace
from typing import Any

import pytest

from canary_operator.preflight import inspect, reads
from preflight.objects import HOST, Document, facts, named, told

POLICY = {"connectionPool": {"tcp": {"maxConnections": 9}}}
NAMESPACE_WIDE, MESH_WIDE = "*.shop.svc.cluster.local", "*.local"
TAKEN, NAME, SHADOWED, UNUSED = ("RuleTaken", "Error"), ("NameTaken", "Error"), ("PolicyShadowed", "Error"), ("PolicyShadowed", "Warning")


def rule(name: str, host: str, owner: str | None = None, **spec: Any) -> Document:
    return named(name, owner, host=host, **spec)


OURS = rule("shop/reviews", HOST, "reviews", subsets=[{"name": "stable"}, {"name": "canary"}])
LEFT_BEHIND = rule("shop/reviews", HOST, subsets=[{"name": "stable"}, {"name": "canary"}])
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
        pytest.param([rule("client/x", HOST)], [SHADOWED], id="a rule in a client's namespace hides our subsets"),
        pytest.param([rule("client/x", "reviews")], [], id="the short host there is another Service"),
        pytest.param([rule("client/x", MESH_WIDE, trafficPolicy=POLICY)], [UNUSED], id="a wildcard there warns while no callers are known"),
        pytest.param([rule("client/x", HOST, exportTo=["."])], [SHADOWED], id="so does one that is private there"),
        pytest.param([rule("client/x", HOST, exportTo=["third"])], [], id="one exported only elsewhere is used by nobody"),
        pytest.param(
            [rule("istio-system/x", HOST, exportTo=["."])], [SHADOWED], id="one private to the root namespace holds for its gateways"
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
    assert told(inspect(facts(destination_rules=(OURS, policy), root_namespace="shop"))) == [SHADOWED]


def test_messages_name_the_object_and_what_to_write() -> None:
    rules = (rule("shop/mine", HOST), rule("shop/old", HOST), rule("client/x", MESH_WIDE))
    taken, hidden = inspect(facts(destination_rules=rules))
    assert taken.message == (
        f"DestinationRule shop/mine and DestinationRule shop/old rule {HOST}: write what they say into one of them, and delete the others. "
        "The operator then adds its two subsets and keeps the rest"
    )
    assert hidden.message == (
        f"DestinationRule client/x rules *.local for all callers in client and hides the subsets stable and canary of {HOST} from them, so "
        f"callers there, of which none is known, would get 503: narrow its host so that it leaves {HOST} out, or delete it"
    )
