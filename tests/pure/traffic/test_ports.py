"""Every port of the Service keeps its server: in the mesh the caller's port, at a gateway the release's, and one weight on both."""

from copy import deepcopy
from typing import Any

import pytest

from canary_operator.api.names import MESH_PREVIEW, MESH_ROUTE, PREVIEW, ROUTE
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.traffic import destination_rule, virtual_service
from canary_operator.traffic.virtual_service import Wanted, read, with_weights

HOST = "reviews.shop.svc.cluster.local"
MATCH = {"headers": {"x-canary": {"exact": "always"}}}
MESH = Wanted(host=HOST, port=9080, preview=(MATCH,))
BOTH = Wanted(host=HOST, port=9080, gateways=("infra/public", "mesh"), preview=(MATCH,))
GATEWAY = Wanted(host=HOST, port=9080, gateways=("infra/public",), preview=(MATCH,))
DELEGATE = Wanted(host=HOST, port=9080, delegate=True, preview=(MATCH,))
OLD = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": "old"}}]}
Document = dict[str, Any]


def new(wanted: Wanted, weight: int = 0) -> Document:
    return virtual_service.owned("reviews", "shop", wanted, weight)


def ports(document: Document) -> dict[str, Any]:
    """Per route the ports that its destinations and mirrors name."""
    return {
        http["name"]: {(each["destination"].get("port") or {}).get("number") for each in (*http.get("route", ()), *http.get("mirrors", ()))}
        for http in document["spec"]["http"]
        if http["name"] != "old"
    }


def as_before(document: Document) -> Document:
    """As the operator wrote it before it knew of several ports and of exports."""
    former = deepcopy(document)
    former["spec"].pop("exportTo")
    former["spec"]["http"] = [http for http in former["spec"]["http"] if http["name"] not in (MESH_ROUTE, MESH_PREVIEW)]
    for http in former["spec"]["http"]:
        for each in (*http.get("route", ()), *http.get("mirrors", ())):
            if each["destination"]["host"] == HOST:
                each["destination"]["port"] = {"number": 9080}
    return former


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(MESH, {PREVIEW: {None}, ROUTE: {None}}, id="in the mesh no port is named"),
        pytest.param(GATEWAY, {PREVIEW: {9080}, ROUTE: {9080}}, id="at a gateway the release's"),
        pytest.param(BOTH, {MESH_PREVIEW: {None}, PREVIEW: {9080}, MESH_ROUTE: {None}, ROUTE: {9080}}, id="at both, two routes"),
        pytest.param(DELEGATE, {MESH_PREVIEW: {None}, PREVIEW: {9080}, MESH_ROUTE: {None}, ROUTE: {9080}}, id="a delegate is read by both"),
    ],
)
def test_which_port_each_route_names_preview_and_mirror_included(wanted: Wanted, expected: Document) -> None:
    document = with_weights(new(wanted), wanted, 25, preview=True, mirror=50)
    assert ports(document) == expected
    assert list(ports(document)) == list(expected), "the routes for the mesh come first, or the others would take their requests"
    for http in document["spec"]["http"]:
        own = [each.get("gateways") for each in http.get("match", ())]
        assert all(each == (["mesh"] if http["name"] in (MESH_ROUTE, MESH_PREVIEW) else None) for each in own)
    reading = read(document, wanted)
    assert (reading.weight, reading.intact, reading.reached, reading.preview, reading.mirror) == (25, True, True, True, 50)
    assert with_weights(document, wanted, 0) == new(wanted)


@pytest.mark.parametrize("wanted", [MESH, GATEWAY, BOTH, DELEGATE], ids=["mesh", "gateway", "both", "delegate"])
@pytest.mark.parametrize(("preview", "mirror"), [(False, 0), (True, 100)], ids=["bare", "preview and mirror"])
def test_what_an_earlier_version_wrote_is_told_apart_and_taken_over_in_one_write(wanted: Wanted, preview: bool, mirror: int) -> None:
    right = with_weights(new(wanted), wanted, 25, preview=preview, mirror=mirror)
    former = as_before(right)
    former["spec"]["http"].insert(0, OLD)
    reading = read(former, wanted)
    assert (reading.weight, reading.intact, reading.reached, reading.former) == (25, False, True, True)
    assert (reading.preview, reading.mirror) == (preview, mirror)
    taken_over = with_weights(former, wanted, 25, preview=preview, mirror=mirror)
    assert taken_over["spec"] == {**right["spec"], "http": [OLD, *right["spec"]["http"]]} or preview
    again = read(taken_over, wanted)
    assert (again.weight, again.intact, again.former, again.preview, again.mirror) == (25, True, False, preview, mirror)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda spec: spec["http"][-1]["route"][0].update(weight=80), id="other weights"),
        pytest.param(lambda spec: spec["http"][-1]["route"][0]["destination"].update(host="elsewhere"), id="another host"),
        pytest.param(lambda spec: spec.update(gateways=["infra/private"]), id="another gateway"),
        pytest.param(lambda spec: spec["http"].pop(), id="the route is gone"),
        pytest.param(lambda spec: spec.update(exportTo=["."]), id="somebody limited it"),
    ],
)
def test_what_somebody_else_changed_is_no_earlier_versions(edit: Any) -> None:
    former = as_before(new(BOTH))
    edit(former["spec"])
    reading = read(former, BOTH)
    assert (reading.intact, reading.former) == (False, False)


def test_the_route_for_the_mesh_begins_as_what_its_callers_had() -> None:
    former = as_before(new(BOTH, 25))
    former["spec"]["http"][0] |= {"timeout": "3s", "retries": {"attempts": 1}}
    former["spec"]["http"][0]["route"][1]["headers"] = {"response": {"set": {"x-version": "canary"}}}
    inside, outside = with_weights(former, BOTH, 25)["spec"]["http"]
    assert (inside["timeout"], inside["retries"], inside["route"][1]["headers"]) == ("3s", {"attempts": 1}, outside["route"][1]["headers"])


@pytest.mark.parametrize(("before", "after"), [(MESH, BOTH), (BOTH, MESH), (BOTH, GATEWAY), (GATEWAY, MESH), (DELEGATE, BOTH)])
def test_another_wish_is_written_at_once_and_leaves_nothing_of_the_old_one(before: Wanted, after: Wanted) -> None:
    document = with_weights(new(before), before, 25, preview=True, mirror=10)
    assert not read(document, after).intact
    assert (
        with_weights(document, after, 25, preview=True, mirror=10)["spec"]
        == with_weights(new(after), after, 25, preview=True, mirror=10)["spec"]
    )


@pytest.mark.parametrize(
    ("edit", "weight"),
    [
        pytest.param(lambda http: [each.update(weight=50) for each in http[0]["route"]], 50, id="the mesh has more"),
        pytest.param(lambda http: [each.update(weight=50) for each in http[1]["route"]], 50, id="the gateway has more"),
        pytest.param(lambda http: http.reverse(), 25, id="the order is turned"),
        pytest.param(lambda http: http[0].pop("match"), 25, id="the mesh's takes the gateway's requests"),
        pytest.param(lambda http: http[0]["route"][0]["destination"].update(port={"number": 9080}), 25, id="a port in the mesh"),
        pytest.param(lambda http: http[1]["route"][0]["destination"].pop("port"), 25, id="none at the gateway"),
        pytest.param(lambda http: http.pop(0), 25, id="the mesh's is gone"),
        pytest.param(lambda http: http.pop(1), 25, id="the gateway's is gone"),
    ],
)
def test_routes_that_differ_read_as_the_highest_and_are_set_right(edit: Any, weight: int) -> None:
    document = new(BOTH, 25)
    edit(document["spec"]["http"])
    assert (read(document, BOTH).weight, read(document, BOTH).intact) == (weight, False)
    assert with_weights(document, BOTH, 25) == new(BOTH, 25)


@pytest.mark.parametrize(
    ("wanted", "gateways", "reached"),
    [
        pytest.param(BOTH, ["mesh"], False, id="takes what the route for the mesh is for"),
        pytest.param(BOTH, ["infra/public"], False, id="takes what the route for the gateway is for"),
        pytest.param(BOTH, ["infra/other"], True, id="of a gateway that is not ours"),
        pytest.param(MESH, ["infra/public"], True, id="of a gateway, before a route in the mesh"),
        pytest.param(MESH, ["mesh"], False, id="of the mesh"),
        pytest.param(DELEGATE, ["infra/public"], False, id="of any gateway, under a root"),
    ],
)
def test_a_users_route_that_takes_all_of_some_callers_is_seen(wanted: Wanted, gateways: list[str], reached: bool) -> None:
    document = new(wanted)
    document["spec"]["http"].insert(0, {"name": "x", "match": [{"gateways": gateways}], "route": [{"destination": {"host": "x"}}]})
    assert read(document, wanted).reached is reached


def test_exports_are_written_and_somebody_elses_are_not_intact() -> None:
    few = Wanted(host=HOST, port=9080, export_to=(".", "web"))
    document = new(few)
    assert document["spec"]["exportTo"] == [".", "web"]
    document["spec"]["exportTo"] = ["web", "."]
    assert read(document, few).intact, "in whatever order"
    assert with_weights(document, few, 0) == document
    document["spec"]["exportTo"] = ["."]
    assert not read(document, few).intact
    rule = destination_rule.owned("reviews", "shop", host=HOST, label="version", stable="v1", canary="v1", export_to=(".", "web"))
    assert rule["spec"]["exportTo"] == [".", "web"] and destination_rule.is_exported(rule, ("web", "."))


@pytest.mark.parametrize("wanted", [MESH, GATEWAY, BOTH, DELEGATE], ids=["mesh", "gateway", "both", "delegate"])
def test_what_a_deletion_leaves_behind_is_known_again(wanted: Wanted) -> None:
    document = new(wanted)
    document["metadata"]["labels"] = {}
    assert is_left_behind(document, HOST)
    assert is_left_behind(as_before(document), HOST)
    document["spec"]["http"][-1]["route"].pop()
    assert not is_left_behind(document, HOST)
    rule = destination_rule.owned("reviews", "shop", host=HOST, label="version", stable="v1", canary="v1")
    rule["metadata"]["labels"] = {}
    assert is_left_behind(rule, HOST)
