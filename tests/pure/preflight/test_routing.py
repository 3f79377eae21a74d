"""Whether the host is free for our VirtualService."""

from typing import Any

import pytest

from canary_operator.preflight import Peer, inspect
from preflight.objects import HOST, Document, facts, named, routed, told

ERROR, WARNING = "Error", "Warning"
OURS = routed("shop/reviews", HOST, owner="reviews", to={"host": HOST, "subset": "stable"})
AT_GATEWAY: dict[str, Any] = {"hosts": ("reviews.example.com",), "gateways": ("infra/public", "mesh")}
TO_ALL = {"host": HOST}
SPLIT = [{"name": "canary-release", "route": [{"destination": {"host": HOST, "subset": subset}} for subset in ("stable", "canary")]}]
LEFT_BEHIND = named("shop/reviews", hosts=[HOST], http=SPLIT)


@pytest.mark.parametrize(
    ("changes", "document", "found"),
    [
        pytest.param({}, OURS, [], id="our own does not stand in our way"),
        pytest.param({}, LEFT_BEHIND, [], id="nor does what a deleted CanaryRelease of our name left behind"),
        pytest.param({}, named("shop/reviews", "x", hosts=[HOST], http=SPLIT), [("NameTaken", ERROR)], id="that somebody else owns now"),
        pytest.param({}, routed("shop/reviews", "other.example.com"), [("NameTaken", ERROR)], id="a user's under our name"),
        pytest.param({}, routed("shop/reviews", HOST), [("NameTaken", ERROR)], id="a user's under our name for our host is told once"),
        pytest.param(
            {}, routed("shop/reviews", HOST, owner="ratings"), [("NameTaken", ERROR)], id="another CanaryRelease's under our name"
        ),
        pytest.param({}, routed("shop/mine", HOST), [("HostTaken", ERROR)], id="the full host in the mesh"),
        pytest.param({}, routed("shop/mine", "reviews"), [("HostTaken", ERROR)], id="the short host, in our namespace"),
        pytest.param({}, routed("other/mine", "reviews"), [], id="the short host elsewhere is another Service"),
        pytest.param({}, routed("other/mine", HOST), [("HostTaken", ERROR)], id="the full host from another namespace"),
        pytest.param(
            {}, routed("shop/mine", HOST, to=TO_ALL), [("HostTaken", ERROR)], id="who takes the host is not told to bypass it too"
        ),
        pytest.param(
            {}, routed("other/mine", HOST, exportTo=["."]), [("HostTaken", WARNING)], id="one that only its own namespace sees: a warning"
        ),
        pytest.param({}, routed("other/mine", HOST, exportTo=["shop"]), [("HostTaken", ERROR)], id="one that is exported to us"),
        pytest.param({}, routed("shop/mine", HOST, gateways=["infra/public"]), [], id="in a gateway that is not ours"),
        pytest.param(AT_GATEWAY, routed("shop/mine", HOST, gateways=["infra/public"]), [("HostTaken", ERROR)], id="in a gateway of ours"),
        pytest.param(
            AT_GATEWAY,
            routed("infra/x", "reviews.example.com", gateways=["public"]),
            [("HostTaken", ERROR)],
            id="our public host, short gateway",
        ),
        pytest.param(
            AT_GATEWAY,
            routed("infra/x", "reviews.example.com", gateways=["./public"]),
            [("HostTaken", ERROR)],
            id="our public host, dotted gateway",
        ),
        pytest.param(
            AT_GATEWAY,
            routed("shop/x", "reviews.example.com", gateways=["public.infra.svc.cluster.local"]),
            [("HostTaken", ERROR)],
            id="our public host, the gateway in its old spelling",
        ),
        pytest.param(
            AT_GATEWAY, routed("shop/x", "reviews.example.com", gateways=["public"]), [], id="a gateway of the same short name elsewhere"
        ),
        pytest.param(
            {"hosts": ("reviews.example.com",), "gateways": ("infra/public",)},
            routed("shop/mine", HOST),
            [],
            id="the mesh is not ours when the gateways leave it out",
        ),
        pytest.param({}, routed("shop/mine", "*.shop.svc.cluster.local"), [("HostCovered", WARNING)], id="a wildcard loses the host to us"),
        pytest.param(
            {}, routed("other/mine", "*.shop.svc.cluster.local", exportTo=["."]), [], id="a wildcard that we do not see loses nothing"
        ),
        pytest.param({}, routed("shop/mine", "*.example.com"), [], id="a wildcard over other hosts"),
    ],
)
def test_virtual_service(changes: dict[str, Any], document: Document, found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(virtual_services=(document,), **changes))) == found


BYPASSED = [("RouteBypassesSubsets", WARNING)]
NOT_MANAGED = [("RouteNotManaged", WARNING)]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        pytest.param(routed("shop/edge", "shop.example.com", to=TO_ALL), BYPASSED, id="to the host without a subset"),
        pytest.param(routed("shop/edge", "shop.example.com", to={"host": "reviews"}), BYPASSED, id="to the short host in our namespace"),
        pytest.param(
            routed("other/edge", "shop.example.com", to={"host": "reviews"}), [], id="to the short host elsewhere, which is another Service"
        ),
        pytest.param(routed("other/edge", "shop.example.com", to=TO_ALL), BYPASSED, id="from another namespace"),
        pytest.param(
            routed("shop/edge", "shop.example.com", to={**TO_ALL, "subset": "canary"}), BYPASSED, id="to the canary whatever its weight"
        ),
        pytest.param(
            routed("shop/edge", "shop.example.com", to={**TO_ALL, "subset": "stable"}),
            NOT_MANAGED,
            id="to stable, whose requests nobody judges",
        ),
        pytest.param(routed("shop/delegate", to=TO_ALL), BYPASSED, id="from a delegate, which has no hosts"),
        pytest.param(
            named("shop/edge", hosts=["x.example.com"], tcp=[{"route": [{"destination": TO_ALL}]}]), BYPASSED, id="by a tcp route"
        ),
        pytest.param(
            named("shop/edge", hosts=["x.example.com"], tls=[{"route": [{"destination": TO_ALL}]}]), BYPASSED, id="by a tls route"
        ),
        pytest.param(named("shop/edge", hosts=["x.example.com"], http=[{"redirect": {"uri": "/x"}}]), [], id="a redirect sends nowhere"),
        pytest.param(
            named(
                "shop/reviews",
                "reviews",
                hosts=[HOST],
                http=[{"name": "canary-release", "route": [{"destination": {**TO_ALL, "subset": "canary"}}]}],
            ),
            [],
            id="our own route is meant to send to the canary",
        ),
        pytest.param(
            named("shop/reviews", "reviews", hosts=[HOST], http=[{"name": "main", "route": [{"destination": TO_ALL}]}]),
            BYPASSED,
            id="a route that a user added to our own",
        ),
    ],
)
def test_bypass(document: Document, found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(virtual_services=(document,)))) == found


V3 = {**TO_ALL, "subset": "v3"}
WITH_V3 = named("shop/mine", host=HOST, subsets=[{"name": "v3", "labels": {"version": "v3"}}])


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        pytest.param((), [("SubsetMissing", ERROR)], id="no rule has it"),
        pytest.param((WITH_V3,), [("RouteBypassesSubsets", WARNING)], id="a rule of the host has it"),
    ],
)
def test_a_route_to_a_subset(rules: tuple[Document, ...], found: list[tuple[str, str]]) -> None:
    edge = routed("shop/edge", "shop.example.com", to=V3)
    assert told(inspect(facts(virtual_services=(edge,), destination_rules=rules))) == found


def test_messages_name_the_object_and_what_to_write() -> None:
    taken, bypass = inspect(facts(virtual_services=(routed("shop/edge", "x.example.com", to=TO_ALL), routed("shop/mine", HOST))))
    assert taken.message == (
        f"VirtualService shop/mine rules {HOST} in the mesh: delete it; routes that are still needed go before the route canary-release of "
        "VirtualService shop/reviews, which the operator creates then. Istio uses only the oldest VirtualService of a host in the mesh, "
        "and mixes them in a gateway"
    )
    assert bypass.message == (
        f"VirtualService shop/edge, route main, sends to all versions of {HOST} whatever the weights are: let the host come here "
        "by spec.traffic.owned.hosts and gateways; or write `subset: stable` into that destination, and its requests meet the new version only "
        "when that is stable, all at once"
    )


OLD, NEW = "2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"


@pytest.mark.parametrize(
    ("peers", "found"),
    [
        pytest.param([Peer("shop", "reviews", OLD, "reviews")], [], id="alone"),
        pytest.param([Peer("shop", "reviews", OLD, "reviews"), Peer("shop", "second", NEW, "reviews")], [], id="the older works"),
        pytest.param(
            [Peer("shop", "reviews", NEW, "reviews"), Peer("shop", "first", OLD, "reviews")], [("Conflict", ERROR)], id="the newer waits"
        ),
        pytest.param(
            [Peer("shop", "reviews", OLD, "reviews"), Peer("shop", "a", OLD, "reviews")],
            [("Conflict", ERROR)],
            id="of one second: the name decides",
        ),
        pytest.param(
            [Peer("shop", "reviews", OLD, "reviews"), Peer("shop", "z", OLD, "reviews")], [], id="of one second, and first by name"
        ),
        pytest.param([Peer("shop", "first", OLD, "reviews")], [("Conflict", ERROR)], id="one that is not applied yet comes last"),
        pytest.param(
            [Peer("shop", "reviews", NEW, "reviews"), Peer("other", "first", OLD, "reviews")], [], id="a Service of the same name elsewhere"
        ),
        pytest.param([Peer("shop", "reviews", NEW, "reviews"), Peer("shop", "first", OLD, "ratings")], [], id="another Service"),
    ],
)
def test_conflict(peers: list[Peer], found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(releases=tuple(peers)))) == found


@pytest.mark.parametrize(
    ("theirs", "found"),
    [
        pytest.param(NEW, [], id="the newer one is blocked by ours, not ours by it"),
        pytest.param(OLD, [("HostTaken", ERROR)], id="the older one blocks ours"),
    ],
)
def test_two_releases_on_one_public_host(theirs: str, found: list[tuple[str, str]]) -> None:
    other = routed("shop/ratings", "reviews.example.com", owner="ratings", gateways=["infra/public"])
    peers = (Peer("shop", "reviews", "2026-01-01T12:00:00Z", "reviews"), Peer("shop", "ratings", theirs, "ratings"))
    assert told(inspect(facts(virtual_services=(other,), releases=peers, **AT_GATEWAY))) == found
