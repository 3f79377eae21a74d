"""A user's VirtualService: nothing but the weights of the managed routes ever changes in it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.traffic.attached import Attached, patch, read, together, with_weights
from canary_operator.traffic.shares import Reading

HOST = "reviews.shop.svc.cluster.local"
Document = dict[str, Any]


def share(subset: str | None, weight: int | None, host: str = HOST, **more: Any) -> Document:
    destination = {"host": host} | ({"subset": subset} if subset else {})
    return {"destination": destination, **more} | ({} if weight is None else {"weight": weight})


def web(*http: Document) -> Document:
    return {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"}, "spec": {"hosts": ["x"], "http": list(http)}}


def route(*shares: Document, name: str = "primary", **more: Any) -> Document:
    return {"name": name, "route": list(shares), **more}


ATTACHED = Attached(host=HOST, routes=("primary",))
SPLIT = route(share("stable", 80), share("canary", 20))


@pytest.mark.parametrize(
    ("http", "reading"),
    [
        pytest.param([SPLIT], Reading(20, True), id="as written: its weight"),
        pytest.param([route(share("stable", 80, "reviews"), share("canary", 20, "reviews"))], Reading(20, True), id="a short host"),
        pytest.param([route(share("stable", 4), share("canary", 1))], Reading(20, False), id="weights are shares of their sum"),
        pytest.param([route(share("stable", None), share("canary", None))], Reading(0, False), id="weights left out"),
        pytest.param(
            [route(share("stable", 60), share("canary", 20), share("v3", 20))], Reading(20, False), id="traffic beside a third destination"
        ),
        pytest.param([route(share("stable", 80), share("v3", 20))], None, id="without our two nothing is ours to weigh"),
        pytest.param([route(share("stable", 80), share("canary", 0), share("v3", 20))], None, id="nothing to set right at 0"),
        pytest.param([route(share("stable", 80), share("canary", 20), name="other")], None, id="another route"),
        pytest.param([{"name": "primary", "redirect": {}}], None, id="a redirect"),
        pytest.param([], None, id="no route"),
    ],
)
def test_read(http: list[Document], reading: Reading | None) -> None:
    assert read(web(*http), ATTACHED) == reading


def test_several_routes_read_as_the_highest_and_are_intact_only_if_equal() -> None:
    both = Attached(host=HOST, routes=("primary", "second"))
    second = route(share("stable", 50), share("canary", 50), name="second")
    assert read(web(SPLIT, second), both) == Reading(50, False)
    assert read(web(SPLIT, {**SPLIT, "name": "second"}), both) == Reading(20, True)
    assert together([Reading(20, True), Reading(25, True)]) == Reading(25, False)
    assert together([]) is None


def test_a_route_with_a_third_destination_loses_its_canary_traffic_to_stable_and_is_then_left_alone() -> None:
    before = web(route(share("stable", 60), share("canary", 20), share("v3", 20)))
    after = with_weights(before, ATTACHED, 50)
    assert [each["weight"] for each in after["spec"]["http"][0]["route"]] == [80, 0, 20]
    assert with_weights(after, ATTACHED, 50) == after


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_out_of_range_is_a_mistake_of_the_caller(weight: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        with_weights(web(SPLIT), ATTACHED, weight)


def test_the_patch_names_nothing_but_the_mark_and_the_weights() -> None:
    assert patch(web(SPLIT), ATTACHED, 25, ("mark/~1", "u/1/2/25/StepPassed")) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/metadata/annotations", "value": {"mark/~1": "u/1/2/25/StepPassed"}},
        {"op": "add", "path": "/spec/http/0/route/0/weight", "value": 75},
        {"op": "add", "path": "/spec/http/0/route/1/weight", "value": 25},
    ]


# ------------------------------------------------------------------------------------------------------------------ properties

NAMES = st.text("abcxyz", min_size=1, max_size=5)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 200), st.floats(allow_nan=False, allow_infinity=False), NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
MORE = st.dictionaries(st.sampled_from(["headers", "unknownField"]), JSON)
SHARES = st.builds(
    lambda subset, weight, host, more: share(subset, weight, host, **more),
    st.sampled_from(["stable", "canary", "v3", None]),
    st.one_of(st.none(), st.integers(0, 1000)),
    st.sampled_from([HOST, "reviews", "elsewhere"]),
    MORE,
)
FIT = st.builds(
    lambda one, other, turned: [other, one] if turned else [one, other],
    st.builds(lambda weight, more: share("stable", weight, **more), st.integers(0, 1000), MORE),
    st.builds(lambda weight, more: share("canary", weight, "reviews", **more), st.integers(0, 1000), MORE),
    st.booleans(),
)
REST = st.dictionaries(st.sampled_from(["retries", "timeout", "fault", "mirrors", "corsPolicy", "match", "futureField"]), JSON)
ROUTES = st.builds(
    lambda name, shares, more: {"name": name, "route": shares, **more},
    st.sampled_from(["primary", "second", "other"]),
    st.one_of(FIT, st.lists(SHARES, max_size=3)),
    REST,
)
DOCUMENTS = st.builds(
    lambda http, spec, metadata: {
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7", **metadata},
        "spec": {**spec, "http": http},
    },
    st.lists(ROUTES, max_size=4),
    st.dictionaries(st.sampled_from(["hosts", "gateways", "tls", "tcp", "exportTo", "futureField"]), JSON),
    st.fixed_dictionaries({}, optional={"labels": st.dictionaries(NAMES, NAMES), "annotations": st.dictionaries(NAMES, NAMES)}),
)
ROUTE_NAMES = st.sampled_from([(), ("primary",), ("primary", "second")])


def without_weights(document: Document, names: tuple[str, ...]) -> Document:
    """Everything but the weights of our two subsets in the routes that are meant."""
    rest = deepcopy(document)
    http = rest["spec"]["http"]
    for each in http:
        if each["name"] in names or (not names and len(http) == 1):
            for one in each["route"]:
                if one["destination"].get("subset") in ("stable", "canary") and one["destination"]["host"] in (HOST, "reviews"):
                    one.pop("weight", None)
    return rest


def applied(document: Document, operations: list[Document]) -> Document:
    """What the API server makes of the patch."""
    after = deepcopy(document)
    for each in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in each["path"].split("/")[1:]]
        target: Any = after
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        if each["op"] == "test":
            assert target[last] == each["value"]
        else:
            target[last] = each["value"]
    return after


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, ROUTE_NAMES, st.integers(0, 100))
def test_every_write_reads_as_meant_and_keeps_the_rest(before: Document, names: tuple[str, ...], weight: int) -> None:
    attached, untouched = Attached(host=HOST, routes=names), deepcopy(before)
    after = with_weights(before, attached, weight)
    assert before == untouched, "the input is not mutated"
    assert with_weights(after, attached, weight) == after, "twice is once"
    assert without_weights(after, names) == without_weights(before, names)
    reading = read(after, attached)
    assert reading is None or (reading.weight, reading.intact) == (weight, True)


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS, ROUTE_NAMES, st.integers(0, 100))
def test_the_patch_does_what_the_document_says_and_marks_it(before: Document, names: tuple[str, ...], weight: int) -> None:
    attached = Attached(host=HOST, routes=names)
    after = applied(before, patch(before, attached, weight, ("mark/~1", "u/1/2/3/X")))
    assert after["spec"] == with_weights(before, attached, weight)["spec"]
    assert after["metadata"]["annotations"] == {**before["metadata"].get("annotations", {}), "mark/~1": "u/1/2/3/X"}
    assert {key: value for key, value in after["metadata"].items() if key != "annotations"} == {
        key: value for key, value in before["metadata"].items() if key != "annotations"
    }
