"""What the route gives the canary, and what every write must keep, whatever users put into the document."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.api.names import MESH_ROUTE, ROUTE
from canary_operator.traffic import destination_rule, mark, virtual_service
from canary_operator.traffic.shares import Reading
from canary_operator.traffic.virtual_service import Wanted, read, with_weights

HOST = "reviews.shop.svc.cluster.local"
WANTED = Wanted(host=HOST, port=9080)
(MANAGED,) = WANTED.routes
ALL = {"name": "all", "route": [{"destination": {"host": "elsewhere"}}]}


def share(subset: str | None, weight: int | None) -> dict[str, Any]:
    destination = MANAGED.destination(subset) if subset else {"host": HOST}
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def document(
    *shares: dict[str, Any], before: tuple[dict[str, Any], ...] = (), hosts: tuple[str, ...] = (HOST,), **route: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": "reviews"},
        "spec": {"hosts": list(hosts), "exportTo": ["*"], "http": [*before, {"name": ROUTE, "route": list(shares), **route}]},
    }


@pytest.mark.parametrize(
    ("given_document", "reading"),
    [
        pytest.param(document(share("stable", 80), share("canary", 20)), Reading(20, True, True), id="as written: its weight"),
        pytest.param(document(share("canary", 20), share("stable", 80)), Reading(20, True, True), id="in the other order: its weight"),
        pytest.param(document(share("stable", 100), share("canary", None)), Reading(0, True, True), id="weight left out: 0"),
        pytest.param(document(share("stable", 1), share("canary", 3)), Reading(75, False, True), id="weights are shares of their sum"),
        pytest.param(
            document(share("stable", 999), share("canary", 1)), Reading(1, False, True), id="one request in a thousand is not nothing"
        ),
        pytest.param(
            document(share("stable", 1), share("canary", 999)), Reading(99, False, True), id="all but one in a thousand is not everything"
        ),
        pytest.param(document(share("stable", 0), share("canary", 7)), Reading(100, False, True), id="stable at 0: everything"),
        pytest.param(document(share("canary", 0)), Reading(100, False, True), id="a single destination gets everything, even at weight 0"),
        pytest.param(document(share("stable", 0)), Reading(0, False, True), id="stable as the single destination: nothing"),
        pytest.param(
            document(share("stable", 0), share("canary", 0)), Reading(0, False, True), id="all weights 0: refused by Istio, reads 0"
        ),
        pytest.param(
            document(share("stable", 80), share("canary", 20), share(None, 0)),
            Reading(20, False, True),
            id="a third destination is not ours",
        ),
        pytest.param(document(share("stable", 120), share("canary", -20)), Reading(0, False, True), id="a negative weight is not intact"),
        pytest.param(
            document(share("stable", 80), share("canary", 20), hosts=("x",)), Reading(20, False, True), id="foreign hosts are not intact"
        ),
        pytest.param(document(), Reading(0, False, True), id="a route without destinations gives nothing"),
        pytest.param({"metadata": {}, "spec": {"http": [ALL]}}, Reading(0, False, False), id="our route is missing"),
        pytest.param({"metadata": {}}, Reading(0, False, False), id="an object without spec"),
        pytest.param(
            document(share("stable", 80), share("canary", 20), before=(ALL,)), Reading(20, True, False), id="behind a route that takes all"
        ),
        pytest.param(
            document(share("stable", 80), share("canary", 20), before=({**ALL, "match": [{"uri": {"prefix": "/"}, "name": "any"}]},)),
            Reading(20, True, False),
            id="behind a route whose match is every path",
        ),
        pytest.param(
            document(share("stable", 80), share("canary", 20), before=({**ALL, "match": [{"uri": {"prefix": "/old"}}]},)),
            Reading(20, True, True),
            id="behind a route that matches some requests",
        ),
        pytest.param(
            document(share("stable", 80), share("canary", 20), match=[{"headers": {"x": {"exact": "y"}}}]),
            Reading(20, True, False),
            id="a match of its own keeps requests away from it",
        ),
        pytest.param(
            document(share("stable", 80), share("canary", 20), delegate={"name": "x"}),
            Reading(20, False, True),
            id="a delegate beside the destinations",
        ),
    ],
)
def test_read(given_document: dict[str, Any], reading: Reading) -> None:
    assert read(given_document, WANTED) == reading


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_out_of_range_is_a_mistake_of_the_caller(weight: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        with_weights(document(), WANTED, weight)


@pytest.mark.parametrize(
    ("subsets", "selected"),
    [
        pytest.param(
            [{"name": "stable", "labels": {"version": "v1"}}, {"name": "canary", "labels": {"version": "v2"}}],
            ("v1", "v2"),
            id="both subsets",
        ),
        pytest.param([{"name": "canary", "labels": {"version": "v2"}}], (None, "v2"), id="one is missing"),
        pytest.param(
            [{"name": "stable", "labels": {"version": "v1", "zone": "a"}}], (None, None), id="a further label selects something else"
        ),
        pytest.param(
            [{"name": "stable"}, {"name": "stable", "labels": {"version": "v1"}}], (None, None), id="the first of two with one name counts"
        ),
        pytest.param(None, (None, None), id="no subsets at all"),
    ],
)
def test_read_subsets(subsets: list[dict[str, Any]] | None, selected: tuple[str | None, str | None]) -> None:
    assert destination_rule.read({"metadata": {}, "spec": {"host": HOST, "subsets": subsets}}, HOST, "version") == selected


# ------------------------------------------------------------------------------------------------------------------ properties

WEIGHTS = st.integers(0, 100)
NAMES = st.text("abcxyz", min_size=1, max_size=5)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 200), NAMES)
JSON = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)), max_leaves=6)
SHARES = st.fixed_dictionaries(
    {
        "destination": st.one_of(
            st.sampled_from([MANAGED.destination("stable"), MANAGED.destination("canary")]), st.fixed_dictionaries({"host": NAMES})
        )
    },
    optional={"weight": st.integers(0, 1000), "headers": JSON},
)
ROUTES = st.fixed_dictionaries(
    {"name": st.one_of(NAMES, st.sampled_from((ROUTE, MESH_ROUTE))), "route": st.lists(SHARES, max_size=3)},
    optional={
        "timeout": NAMES,
        "retries": JSON,
        "fault": JSON,
        "match": st.lists(st.fixed_dictionaries({"uri": JSON}), max_size=2),
        "redirect": JSON,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": NAMES, "namespace": NAMES}, optional={"labels": st.dictionaries(NAMES, NAMES), "x": JSON})},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "hosts": st.lists(NAMES),
                "gateways": st.lists(NAMES),
                "http": st.lists(ROUTES, max_size=4),
                "tcp": JSON,
                "exportTo": st.lists(NAMES),
            },
        ),
        "status": JSON,
    },
)
WANTEDS = st.builds(
    Wanted,
    host=st.just(HOST),
    port=st.just(9080),
    hosts=st.lists(NAMES, max_size=3).map(tuple),
    gateways=st.lists(st.one_of(NAMES, st.just("mesh")), max_size=3).map(tuple),
    delegate=st.booleans(),
    export_to=st.lists(NAMES, min_size=1, max_size=2, unique=True).map(tuple),
)


def without_what_is_managed(given_document: dict[str, Any]) -> dict[str, Any]:
    rest = deepcopy(given_document)
    spec = rest.pop("spec", None) or {}
    routes = [route for route in spec.pop("http", []) if route.get("name") != MESH_ROUTE]
    ours = next((route for route in routes if route.get("name") == ROUTE), None)
    if ours is not None:
        index = routes.index(ours)
        routes[index] = {key: value for key, value in ours.items() if key not in ("route", "redirect")}
    else:
        routes.append({"name": ROUTE})
    return {
        "rest": rest,
        "spec": {key: value for key, value in spec.items() if key not in ("hosts", "gateways", "exportTo")},
        "routes": routes,
    }


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, WANTEDS, WEIGHTS, WEIGHTS)
def test_every_write_reads_as_meant_and_keeps_the_rest(before: dict[str, Any], wanted: Wanted, earlier: int, weight: int) -> None:
    untouched = deepcopy(before)
    after = with_weights(before, wanted, weight)
    assert before == untouched, "the input is not mutated"
    assert with_weights(after, wanted, weight) == after, "twice is once"
    assert with_weights(with_weights(before, wanted, earlier), wanted, weight) == after, "what was written before leaves no trace"
    reading = read(after, wanted)
    assert (reading.weight, reading.intact) == (weight, True)
    assert without_what_is_managed(after) == without_what_is_managed(before)


@pytest.mark.parametrize("weight", range(101))
def test_weights_are_two_integers_that_sum_to_100(weight: int) -> None:
    (route,) = virtual_service.owned("reviews", "shop", WANTED, weight)["spec"]["http"]
    weights = {each["destination"]["subset"]: each["weight"] for each in route["route"]}
    assert weights == {"stable": 100 - weight, "canary": weight}
    assert read({"spec": {"hosts": [HOST], "exportTo": ["*"], "http": [route]}}, WANTED) == Reading(weight, True, True)


RULES = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": NAMES})},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "host": NAMES,
                "trafficPolicy": JSON,
                "subsets": st.lists(
                    st.fixed_dictionaries(
                        {"name": st.one_of(NAMES, st.just("stable"))},
                        optional={"labels": st.dictionaries(NAMES, NAMES), "trafficPolicy": JSON},
                    ),
                    max_size=3,
                    unique_by=lambda subset: str(subset["name"]),
                ),
            },
        )
    },
)


@settings(max_examples=40, deadline=None)
@given(RULES, NAMES, NAMES)
def test_every_write_of_subsets_reads_as_meant_and_keeps_the_rest(before: dict[str, Any], stable: str, canary: str) -> None:
    def foreign(rule: dict[str, Any]) -> list[Any]:
        spec = rule.get("spec", {})
        ours = [
            {**subset, "labels": None}
            for subset in spec.get("subsets", [])
            if subset["name"] in ("stable", "canary") and "trafficPolicy" in subset
        ]
        return [
            rule["metadata"],
            spec.get("trafficPolicy"),
            ours,
            [subset for subset in spec.get("subsets", []) if subset["name"] not in ("stable", "canary")],
        ]

    untouched = deepcopy(before)
    after = destination_rule.with_subsets(before, host=HOST, label="version", stable=stable, canary=canary)
    assert before == untouched
    assert destination_rule.read(after, HOST, "version") == (stable, canary)
    assert destination_rule.with_subsets(after, host=HOST, label="version", stable=stable, canary=canary) == after
    assert foreign(after) == foreign(before)
    assert after["spec"]["host"] == HOST


@given(DOCUMENTS, NAMES)
def test_no_metadata_key_of_ours_makes_istiod_push(before: dict[str, Any], owner: str) -> None:
    untouched = deepcopy(before)
    metadata = mark.with_mark(before, "u/1/1/5/Step", owner)["metadata"]
    keys = set(metadata["labels"]) | set(metadata["annotations"])
    assert before == untouched
    assert not [key for key in keys if "istio.io" in key]
