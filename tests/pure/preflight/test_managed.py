"""Whether the routes that a user hands over are there, and fit."""

from typing import Any

import pytest

from canary_operator.preflight import Attachment, Peer, inspect
from preflight.objects import HOST, Document, facts, named, told

ATTACHED = (Attachment("web", ("primary",)),)
ERROR = "Error"


def to(*subsets: str | None, host: str = HOST, **route: Any) -> Document:
    shares = [{"destination": {"host": host} | ({"subset": subset} if subset else {})} for subset in subsets]
    return {"route": shares, **route}


def web(*http: Document, **spec: Any) -> Document:
    return named("shop/web", hosts=["web.example.com"], gateways=["infra/public"], http=list(http), **spec)


RULE = named("shop/policies", host="reviews", subsets=[{"name": name, "labels": {"version": "v1"}} for name in ("stable", "canary")])


def attached(*documents: Document, by: Attachment = ATTACHED[0], **more: Any) -> list[tuple[str, str]]:
    """What is found when the subsets are there."""
    return told(inspect(facts(attachments=(by,), virtual_services=documents, destination_rules=(RULE,), **more)))


BOTH = to("stable", "canary", name="primary")
MISSING, UNFIT, NOT_HTTP = ("RouteMissing", ERROR), ("RouteUnfit", ERROR), ("RouteNotHttp", ERROR)


@pytest.mark.parametrize(
    ("attachment", "document", "found"),
    [
        pytest.param(Attachment("web", ("primary",)), web(BOTH), [], id="a named route to both subsets"),
        pytest.param(Attachment("web"), web(BOTH), [], id="the only route, without a name"),
        pytest.param(Attachment("web"), web(to("canary", "stable", host="reviews")), [], id="either order, short host"),
        pytest.param(Attachment("other"), web(BOTH), [MISSING], id="no such VirtualService"),
        pytest.param(Attachment("web", ("main",)), web(BOTH), [MISSING], id="no such route"),
        pytest.param(Attachment("web"), web(BOTH, to("stable", name="x")), [MISSING], id="several routes, none named"),
        pytest.param(Attachment("web", ("primary",)), web(BOTH, BOTH), [MISSING], id="a name that two routes have"),
        pytest.param(Attachment("web"), web(), [MISSING], id="no route at all"),
        pytest.param(Attachment("web"), web(tls=[{"route": []}]), [NOT_HTTP], id="TLS routes only"),
        pytest.param(Attachment("web", ("primary",)), web(tcp=[{"route": []}]), [NOT_HTTP], id="TCP routes only"),
        pytest.param(Attachment("web"), web(to("stable")), [UNFIT], id="one destination"),
        pytest.param(Attachment("web"), web(to("stable", "canary", "v3")), [UNFIT], id="a third destination"),
        pytest.param(Attachment("web"), web(to("stable", "canary", host="reviews.other")), [UNFIT], id="another Service"),
        pytest.param(Attachment("web"), web(to("v1", "v2")), [UNFIT], id="other subsets"),
        pytest.param(Attachment("web"), web({"redirect": {"uri": "/"}}), [UNFIT], id="no destinations"),
    ],
)
def test_attached_routes(attachment: Attachment, document: Document, found: list[tuple[str, str]]) -> None:
    assert [each for each in attached(document, by=attachment) if each[1] == ERROR and each[0] not in ("SubsetMissing",)] == found


@pytest.mark.parametrize("rules", [(), (named("shop/policies", host="reviews", trafficPolicy={}),)], ids=["no rule", "a rule without them"])
def test_until_the_subsets_are_there_no_route_is_asked_for(rules: tuple[Document, ...]) -> None:
    # Whoever wrote it now would get 503.
    assert told(inspect(facts(attachments=ATTACHED, destination_rules=rules))) == []


def test_an_unfit_route_is_told_what_to_write() -> None:
    unfit = web(to("stable", name="primary"))
    found = inspect(facts(attachments=ATTACHED, virtual_services=(unfit,), destination_rules=(RULE,)))
    lines = [
        f"`- {{destination: {{host: {HOST}, subset: {subset}, port: {{number: 9080}}}}, weight: {weight}}}`"
        for subset, weight in (("stable", 100), ("canary", 0))
    ]
    assert next(each for each in found if each.reason == "RouteUnfit").message == (
        f"VirtualService shop/web, route primary, does not lead to the subsets stable and canary of {HOST} alone, on one port: write exactly "
        f"these two lines under its `route:`, and leave the rest as it is: {lines[0]} and {lines[1]}"
    )


def test_hosts_and_gateways_of_an_attached_virtual_service_are_the_users_business() -> None:
    other = named("shop/other", hosts=[HOST], http=[to("stable")])
    assert attached(web(BOTH), other) == [("RouteNotManaged", "Warning")]


def test_another_route_of_it_that_ignores_the_subsets_is_a_warning() -> None:
    assert attached(web(to(None, name="old", match=[{"uri": {"prefix": "/old"}}]), BOTH)) == [("RouteBypassesSubsets", "Warning")]


@pytest.mark.parametrize(
    ("theirs", "conflict"),
    [
        pytest.param(Attachment("web", ("primary",)), True, id="the same route"),
        pytest.param(Attachment("web"), True, id="the only route, unnamed"),
        pytest.param(Attachment("web", ("other",)), False, id="another route of it"),
        pytest.param(Attachment("shop", ("primary",)), False, id="another VirtualService"),
    ],
)
def test_of_two_that_attach_one_route_the_older_works(theirs: Attachment, conflict: bool) -> None:
    older = Peer("shop", "ratings", "2026-01-01T00:00:00Z", "ratings", (theirs,))
    younger = Peer("shop", "reviews", "2026-01-02T00:00:00Z", "reviews", ATTACHED)
    for peers in ((older, younger), (younger, older)):
        assert (("Conflict", ERROR) in attached(web(BOTH), releases=peers)) is conflict
    younger_one = Peer("shop", "ratings", "2026-01-03T00:00:00Z", "ratings", (theirs,))
    assert attached(web(BOTH), releases=(younger, younger_one)) == []


DELEGATE = named("shop/reviews", "reviews", http=[to("stable", "canary", name="canary-release")])


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        pytest.param([], [], id="a root without its delegate would answer 404: the delegate comes first"),
        pytest.param([DELEGATE], [("RootMissing", ERROR)], id="then nothing names it"),
        pytest.param([DELEGATE, web({"delegate": {"name": "reviews"}})], [], id="a root of the namespace names it"),
        pytest.param(
            [DELEGATE, named("infra/root", hosts=["x"], http=[{"delegate": {"name": "reviews", "namespace": "shop"}}])],
            [],
            id="a root elsewhere names it",
        ),
        pytest.param(
            [DELEGATE, named("infra/root", hosts=["x"], http=[{"delegate": {"name": "reviews"}}])],
            [("RootMissing", ERROR)],
            id="a root elsewhere means its own namespace",
        ),
    ],
)
def test_a_delegate_needs_a_root(documents: list[Document], found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(delegate=True, virtual_services=tuple(documents)))) == found
