"""Our VirtualService without a split: what stays in it, what goes, and who would notice if it were gone."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.traffic import virtual_service
from canary_operator.traffic.destination_rule import has_subset_policies, holds_more
from canary_operator.traffic.unsplit import is_needed, is_unsplit, unsplit, user_route_to_subsets
from canary_operator.traffic.virtual_service import Wanted

Document = dict[str, Any]
HOST = "reviews.shop.svc.cluster.local"
PUBLIC = Wanted(host=HOST, port=9080, hosts=("reviews.example.com",), gateways=("infra/public", "mesh"))
INSIDE = Wanted(host=HOST, port=9080)
WHOLE = {"destination": {"host": HOST, "port": {"number": 9080}}}


def ours(wanted: Wanted = INSIDE, canary: int = 25, *, mirror: int = 0, preview: bool = False, **route: Any) -> Document:
    """As the operator wrote it, with what a user added to the route."""
    document = virtual_service.with_weights(
        virtual_service.owned("reviews", "shop", wanted, 0), wanted, canary, preview=preview, mirror=mirror
    )
    document["spec"]["http"][-1].update(route)
    return document


def with_spec(document: Document, **spec: Any) -> Document:
    return {**document, "spec": {**document["spec"], **spec}}


def with_route(document: Document, *routes: Document) -> Document:
    return with_spec(document, http=[*routes, *document["spec"]["http"]])


def to(subset: str | None = None, host: str = HOST) -> Document:
    return {"destination": {"host": host, **({"subset": subset} if subset else {})}}


OLD = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [to("stable")]}
REDIRECT = {"name": "login", "match": [{"uri": {"prefix": "/login"}}], "redirect": {"authority": "login.example.com"}}
HEADED = [{**WHOLE, "destination": {**WHOLE["destination"], "subset": "stable"}, "weight": 75, "headers": {"response": {"remove": ["x"]}}}]


@pytest.mark.parametrize(
    ("route", "left"),
    [
        ({}, {"route": [WHOLE]}),
        ({"timeout": "3s", "retries": {"attempts": 2}}, {"route": [WHOLE], "timeout": "3s", "retries": {"attempts": 2}}),
        ({"route": HEADED}, {"route": [{**WHOLE, "headers": HEADED[0]["headers"]}]}),
        ({"route": [to("stable"), to("canary")]}, {"route": [to()]}),
        ({"route": [to("canary", "reviews")]}, {"route": [to(None, "reviews")]}),
        ({"route": [to(None, "other.shop.svc.cluster.local")]}, {"route": [WHOLE]}),
        ({"route": None, "redirect": {"uri": "/"}}, {"route": [WHOLE]}),
    ],
    ids=[
        "as we wrote it: the port stays",
        "what users added stays",
        "what users added to the stable share stays",
        "no port was named: none is",
        "a short host is the same host",
        "drifted to another host: ours again",
        "drifted to a redirect: ours again",
    ],
)
def test_each_of_our_routes_names_the_host_alone(route: Document, left: Document) -> None:
    before = ours(PUBLIC, **route)
    untouched = deepcopy(before)

    after = unsplit(before, HOST, 9080)

    inside = {"name": "canary-release-mesh", "match": [{"gateways": ["mesh"]}], "route": [to()]}
    assert after == with_spec(before, http=[inside, {"name": "canary-release", **left}])
    assert before == untouched
    assert unsplit(after, HOST, 9080) == after
    assert is_unsplit(after, HOST)
    assert not is_unsplit(before, HOST), "the route for the mesh still leads to the subsets"
    alone = with_spec(before, http=before["spec"]["http"][1:])
    assert is_unsplit(alone, HOST) is ("other" in str(route) or "redirect" in route)


def test_preview_and_copies_go_and_the_users_routes_and_copies_stay() -> None:
    wanted = Wanted(host=HOST, port=9080, preview=({"headers": {"x-preview": {"exact": "yes"}}},))
    before = with_route(ours(wanted, mirror=50, preview=True), REDIRECT)
    log = {"destination": {"host": "log"}}
    before["spec"]["http"][-1]["mirrors"].append(log)

    after = unsplit(before, HOST, 9080)

    assert after["spec"]["http"] == [REDIRECT, {"name": "canary-release", "route": [to()], "mirrors": [log]}]


@pytest.mark.parametrize("wanted", [PUBLIC, replace(INSIDE, delegate=True)], ids=["a gateway and the mesh", "a delegate"])
def test_both_routes_name_the_host_and_in_the_mesh_no_port_even_when_nothing_leads_there(wanted: Wanted) -> None:
    showing = replace(wanted, preview=({"headers": {"x-preview": {"exact": "yes"}}},))
    before = ours(showing, mirror=50, preview=True)
    for route in before["spec"]["http"]:
        route["route"] = [to(None, "elsewhere")]
    after = unsplit(before, HOST, 9080)
    assert [(route["name"], route["route"]) for route in after["spec"]["http"]] == [
        ("canary-release-mesh", [to()]),
        ("canary-release", [WHOLE]),
    ]
    assert is_unsplit(after, HOST) and is_left_behind({**after, "metadata": {}}, HOST)


@pytest.mark.parametrize(
    ("document", "needed"),
    [
        (ours(), False),
        (ours(preview=False, mirror=50), False),
        (with_spec(ours(), gateways=["mesh"]), False),
        (with_spec(ours(), exportTo=["*"]), False),
        (with_spec(ours(), hosts=["reviews"]), False),
        (ours(PUBLIC), True),
        (with_spec(ours(), gateways=["infra/public"]), True),
        (with_spec(ours(), hosts=[HOST, "reviews.example.com"]), True),
        (with_spec(ours(), hosts=[]), True),
        (with_route(ours(), REDIRECT), True),
        (ours(timeout="3s"), True),
        (ours(route=HEADED), True),
        (with_spec(ours(), tcp=[{"route": [to()]}]), True),
        (unsplit(ours(), HOST, 9080), False),
    ],
    ids=["the Service's name in the mesh", "copies are ours", "mesh by name", "exported", "a short host", "a gateway and the mesh"]
    + ["a gateway alone", "a further host in the mesh", "a delegate", "a route of the user's", "a timeout", "headers", "TCP", "unsplit"],
)
def test_a_route_is_needed_when_a_caller_would_get_another_answer_without_it(document: Document, needed: bool) -> None:
    assert is_needed(document, HOST) is needed


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (ours(), None),
        (with_route(ours(), REDIRECT), None),
        (with_route(ours(), OLD), "route `old`"),
        (with_route(ours(), {"route": [to("canary")]}), "a route that was added"),
        (with_spec(ours(), tls=[{"route": [to("stable")]}]), "a route that was added"),
    ],
    ids=["ours alone", "a redirect", "a named route", "a route without a name", "TLS"],
)
def test_a_users_route_in_ours_may_need_the_subsets(document: Document, named: str | None) -> None:
    assert user_route_to_subsets(document, HOST) == named


@pytest.mark.parametrize(
    ("document", "left"),
    [
        (ours(), True),
        (unsplit(ours(PUBLIC), HOST, 9080), True),
        (ours(route=[to("stable")]), False),
        (ours(route=[to(None, "other.shop.svc.cluster.local")]), False),
        (ours(name="mine"), False),
    ],
    ids=["pinned", "without a subset", "another form", "another host", "no route of ours"],
)
def test_what_a_deletion_left_is_known_again(document: Document, left: bool) -> None:
    given_back = {**document, "metadata": {"name": "reviews", "namespace": "shop"}}

    assert is_left_behind(given_back, HOST) is left


@pytest.mark.parametrize(
    ("spec", "more", "policies"),
    [
        ({}, False, False),
        ({"exportTo": ["*"]}, False, False),
        ({"trafficPolicy": {}}, True, False),
        ({"subsets": [{"name": "mine"}]}, True, False),
        ({"subsets": [{"name": "stable", "labels": {}, "trafficPolicy": {}}]}, False, True),
        ({"subsets": [{"name": "mine", "labels": {}, "trafficPolicy": {}}]}, True, False),
    ],
)
def test_what_somebody_added_to_a_rule_of_ours(spec: Document, more: bool, policies: bool) -> None:
    document = {"metadata": {}, "spec": {"host": HOST, **spec}}

    assert (holds_more(document), has_subset_policies(document)) == (more, policies)
