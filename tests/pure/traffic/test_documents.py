"""Whole objects before and after, so that nothing changes unseen."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary_operator.traffic import destination_rule, mark, virtual_service
from canary_operator.traffic.virtual_service import Wanted

HOST = "reviews.shop.svc.cluster.local"
WANTED = Wanted(host=HOST, port=9080)
Document = dict[str, Any]


def load(name: str) -> Document:
    document = yaml.safe_load((Path(__file__).parent / "testdata" / f"{name}.yaml").read_text())
    assert isinstance(document, dict)
    return document


def to_ten_percent(document: Document) -> Document:
    return virtual_service.with_weights(document, WANTED, 10)


def to_v1_and_v2(document: Document) -> Document:
    return destination_rule.with_subsets(document, host=HOST, label="version", stable="v1", canary="v2")


def marked(document: Document) -> Document:
    return mark.with_mark(document, "u/2/7/5/StepPassed", "reviews")


def given_back(document: Document) -> Document:
    return mark.without_ownership(document, "reviews")


@pytest.mark.parametrize(
    ("change", "case"),
    [
        pytest.param(
            to_ten_percent,
            "vs_user_additions",
            id="of a VirtualService with routes, timeouts and headers of the user only the weights change",
        ),
        pytest.param(
            to_ten_percent, "vs_drifted", id="foreign hosts, gateways, destinations and a redirect in our route go, its timeout stays"
        ),
        pytest.param(to_ten_percent, "vs_route_missing", id="a missing route of ours is appended behind the user's"),
        pytest.param(to_ten_percent, "vs_swapped", id="destinations that are ours keep their order"),
        pytest.param(
            to_v1_and_v2, "dr_user_additions", id="policies and foreign subsets of a DestinationRule stay, our labels are set whole"
        ),
        pytest.param(marked, "mark", id="a mark replaces the older one and leaves other metadata alone"),
        pytest.param(given_back, "disown", id="a disowned object has neither our mark nor our labels"),
        pytest.param(given_back, "disown_of_another_manager", id="a managed-by of somebody else stays"),
    ],
)
def test_document(change: Callable[[Document], Document], case: str) -> None:
    before = load(f"{case}.before")
    untouched = deepcopy(before)
    assert change(before) == load(f"{case}.after")
    assert before == untouched
    assert change(load(f"{case}.after")) == load(f"{case}.after")


@pytest.mark.parametrize(
    ("wanted", "canary", "case"),
    [
        pytest.param(WANTED, 0, "vs_new", id="in the mesh alone"),
        pytest.param(
            Wanted(host=HOST, port=9080, hosts=("reviews", "reviews.example.com"), gateways=("infra/public", "mesh")),
            25,
            "vs_new_at_gateway",
            id="at a gateway too, where a host that is the Service's own stands once",
        ),
    ],
)
def test_new_virtual_service(wanted: Wanted, canary: int, case: str) -> None:
    assert virtual_service.owned("reviews", "shop", wanted, canary) == load(f"{case}.after")


def test_new_destination_rule() -> None:
    new = destination_rule.owned("reviews", "shop", host=HOST, label="version", stable="v1", canary="v2")
    assert new == load("dr_new.after")
    assert destination_rule.read(new, HOST, "version") == ("v1", "v2")


def test_a_disowned_object_is_nobodys_and_can_be_owned_again() -> None:
    new = marked(virtual_service.owned("reviews", "shop", WANTED, 0))
    assert mark.is_ours(new, "reviews") and not mark.is_ours(new, "ratings")
    assert mark.mark_text(new, "reviews") == "u/2/7/5/StepPassed"
    bare = mark.without_ownership(new, "reviews")
    assert not mark.is_ours(bare, "reviews")
    assert mark.mark_text(bare, "reviews") is None
    assert "labels" not in bare["metadata"] and "annotations" not in bare["metadata"]
    assert marked(bare) == new


@pytest.mark.parametrize(
    ("labels", "annotations", "told"),
    [
        ({}, {"canary.rollouts.dev/mark": "a"}, "a"),
        ({}, {"mark.canary.rollouts.dev/reviews": "b"}, "b"),
        ({}, {"mark.canary.rollouts.dev/reviews": "b", "canary.rollouts.dev/mark": "a"}, "b"),
        ({}, {"mark.canary.rollouts.dev/ratings": "c"}, None),
        ({"canary.rollouts.dev/release": "ratings"}, {"canary.rollouts.dev/mark": "a"}, None),
        ({"canary.rollouts.dev/release": "ratings"}, {"canary.rollouts.dev/mark": "a", "mark.canary.rollouts.dev/reviews": "b"}, "b"),
    ],
    ids=["its label was taken off", "the user's", "the user's that was ours", "a neighbour's", "another's", "attached to another's"],
)
def test_whose_mark_is_read(labels: dict[str, str], annotations: dict[str, str], told: str | None) -> None:
    document = {"metadata": {"labels": labels, "annotations": annotations}}
    assert mark.mark_text(document, "reviews") == told
    kept = mark.without_ownership(document, "reviews")["metadata"]
    assert mark.mark_text({"metadata": kept}, "reviews") is None
    assert kept.get("labels", {}) == labels


def test_no_name_makes_a_key_that_istiod_pushes_for_and_no_two_names_share_one() -> None:
    assert mark.users_mark("my.istio.io") == "mark.canary.rollouts.dev/my_istio_io"
    assert len({mark.users_mark(name) for name in ("my.istio.io", "my-istio-io", "myistioio")}) == 3
