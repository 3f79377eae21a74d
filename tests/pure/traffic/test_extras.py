"""What a route of ours carries beside its weights: a preview for chosen requests, a mirror; and the delegate, which has no hosts."""

from typing import Any

import pytest

from canary_operator.traffic import virtual_service
from canary_operator.traffic.virtual_service import Wanted, read, with_weights

HOST = "reviews.shop.svc.cluster.local"
MATCH = {"headers": {"x-canary": {"exact": "always"}}}
WANTED = Wanted(host=HOST, port=9080, preview=(MATCH,))
(MANAGED,) = WANTED.routes
PREVIEW = {"name": "canary-preview", "match": [MATCH], "route": [{"destination": MANAGED.destination("canary")}]}
MIRROR = {"destination": MANAGED.destination("canary"), "percentage": {"value": 100}}
Document = dict[str, Any]


def new(weight: int = 0, **managed: Any) -> Document:
    document = virtual_service.owned("reviews", "shop", WANTED, weight)
    document["spec"]["http"][0].update(managed)
    return document


def names(document: Document) -> list[str]:
    return [route["name"] for route in document["spec"]["http"]]


def test_the_preview_comes_first_and_goes_without_a_trace() -> None:
    users = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": "old"}}]}
    before = new()
    before["spec"]["http"].insert(0, users)
    with_it = with_weights(before, WANTED, 0, preview=True)
    assert with_it["spec"]["http"] == [PREVIEW, users, before["spec"]["http"][1]]
    assert (read(with_it, WANTED).preview, read(with_it, WANTED).intact, read(with_it, WANTED).reached) == (True, True, True)
    assert with_weights(with_it, WANTED, 0, preview=True) == with_it
    assert with_weights(with_it, WANTED, 0) == before
    assert not read(before, WANTED).preview


def test_the_preview_treats_its_requests_as_the_managed_route_does() -> None:
    (preview, _) = with_weights(new(timeout="3s", mirrors=[{"destination": {"host": "log"}}]), WANTED, 0, preview=True)["spec"]["http"]
    assert preview == {**PREVIEW, "timeout": "3s"}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"match": [{"uri": {"prefix": "/"}}]}, id="another match"),
        pytest.param({"route": [{"destination": MANAGED.destination("stable")}]}, id="another destination"),
        pytest.param({"redirect": {"uri": "/"}}, id="a redirect"),
    ],
)
def test_an_edited_preview_is_not_intact_and_is_set_right(edit: Document) -> None:
    document = with_weights(new(), WANTED, 0, preview=True)
    right = {**document, "spec": {**document["spec"], "http": list(document["spec"]["http"])}}
    document["spec"]["http"][0] = {**PREVIEW, **edit}
    assert (read(document, WANTED).preview, read(document, WANTED).intact) == (True, False)
    assert with_weights(document, WANTED, 0, preview=True) == right


def test_a_preview_behind_the_managed_route_would_never_match_and_is_moved_to_the_front() -> None:
    document = new()
    document["spec"]["http"].append(PREVIEW)
    assert not read(document, WANTED).intact
    assert names(with_weights(document, WANTED, 0, preview=True)) == ["canary-preview", "canary-release"]


def test_without_matches_there_is_no_preview() -> None:
    assert names(with_weights(new(), Wanted(host=HOST, port=9080), 0, preview=True)) == ["canary-release"]


def test_the_mirror_is_added_and_goes_without_a_trace() -> None:
    before = new(mirrors=[{"destination": {"host": "log"}, "percentage": {"value": 0.5}}])
    with_it = with_weights(before, WANTED, 0, mirror=100)
    assert with_it["spec"]["http"][0]["mirrors"] == [{"destination": {"host": "log"}, "percentage": {"value": 0.5}}, MIRROR]
    assert (read(with_it, WANTED).mirror, read(with_it, WANTED).intact) == (100, True)
    assert with_weights(with_it, WANTED, 0, mirror=100) == with_it
    assert with_weights(with_it, WANTED, 0) == before
    assert "mirrors" not in with_weights(with_weights(new(), WANTED, 0, mirror=10), WANTED, 0)["spec"]["http"][0]


def test_a_users_single_mirror_becomes_one_of_several() -> None:
    before = new(mirror={"host": "log"}, mirrorPercentage={"value": 5})
    (route,) = with_weights(before, WANTED, 0, mirror=100)["spec"]["http"]
    assert route["mirrors"] == [{"destination": {"host": "log"}, "percentage": {"value": 5}}, MIRROR]
    assert "mirror" not in route and "mirrorPercentage" not in route


@pytest.mark.parametrize(("value", "read_as"), [(0.4, 1), (0, 0), (12.0, 12)])
def test_a_mirror_reads_as_whole_percents_and_0_means_nothing(value: float, read_as: int) -> None:
    assert read(new(mirrors=[{**MIRROR, "percentage": {"value": value}}]), WANTED).mirror == read_as


def test_a_mirror_without_percentage_copies_everything() -> None:
    assert read(new(mirrors=[{"destination": MANAGED.destination("canary")}]), WANTED).mirror == 100


def test_a_delegate_has_neither_hosts_nor_gateways() -> None:
    delegate = Wanted(host=HOST, port=9080, delegate=True)
    document = virtual_service.owned("reviews", "shop", delegate, 25)
    assert set(document["spec"]) == {"http", "exportTo"}
    assert (read(document, delegate).weight, read(document, delegate).intact) == (25, True)
    edited = {**document, "spec": {**document["spec"], "hosts": ["x"], "gateways": ["y"]}}
    assert not read(edited, delegate).intact
    assert with_weights(edited, delegate, 25) == document
