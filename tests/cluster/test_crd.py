"""The CRD before a real API server: what it takes, what it refuses, and whether the refusal tells the user what to write."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary_operator.api import names
from canary_operator.api.quantities import DURATION_ADVICE, NUMBER_ADVICE, SHARE_ADVICE
from lab.api import Api, ApiError
from lab.waiting import until
from tests.cluster.clients import Document, Releases

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
DEFINITION_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"
LABEL_VALUE_ADVICE = "write a label value as the pods carry it"
SERVICE_ADVICE = "write the name of a Service of this namespace"
HOST_ADVICE = "write a host name in lower case such as reviews.example.com"
GATEWAY_ADVICE = "write the name of a Gateway as name or namespace/name"


def spec(**fields: Any) -> Document:
    """The least spec, changed; a field given as None is left out."""
    wanted = {"service": {"name": "reviews"}, "version": "v2", **fields}
    return {name: value for name, value in wanted.items() if value is not None}


def errors(**fields: Any) -> Document:
    return spec(analysis={"errors": fields})


def query(**fields: Any) -> Document:
    """One query of the user's own; a field given as None is left out."""
    wanted = {"name": "depth", "query": "max(depth)", "max": "100", **fields}
    return spec(analysis={"queries": [{name: value for name, value in wanted.items() if value is not None}]})


def owned(**fields: Any) -> Document:
    return spec(traffic={"owned": fields})


def attach(*entries: Document) -> Document:
    return spec(traffic={"attach": list(entries)})


def preview(**match: Any) -> Document:
    return spec(preview={"match": [match]})


def held(**hold: str) -> Document:
    return spec(steps=[{"weight": 5, "hold": hold}])


def pace(**fields: Any) -> Document:
    return spec(pace={"failureBudget": 20, **fields})


def weights(*numbers: Any) -> Document:
    return spec(steps=[{"weight": number} for number in numbers])


# ------------------------------------------------------------------------------------------------------------------------ the CRD itself


def test_the_definition_is_established_and_structural(api: Api) -> None:
    conditions = {condition["type"]: condition for condition in api.get(DEFINITION_PATH)["status"]["conditions"]}

    assert conditions["Established"]["status"] == "True"
    assert conditions["NamesAccepted"]["status"] == "True"
    assert "NonStructuralSchema" not in conditions
    assert not [kind for kind, condition in conditions.items() if condition["status"] != "True"]


def test_the_stored_definition_is_the_file(api: Api) -> None:
    """A key that the API server drops would be a promise that nobody keeps."""
    [version] = yaml.safe_load((ROOT / "crds" / "canaryreleases.yaml").read_text(encoding="utf-8"))["spec"]["versions"]
    [stored] = api.get(DEFINITION_PATH)["spec"]["versions"]

    for column in version["additionalPrinterColumns"]:
        if not column["priority"]:
            del column["priority"]  # the API server leaves a zero out
    assert stored == version


# ------------------------------------------------------------------------------------------------------------------------------ accepted


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_accepts_the_example(releases: Releases, path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        created = releases.create(document["spec"], document["metadata"]["name"])

        assert created["status"] == {"observedGeneration": -1}


GOOD = [
    pytest.param(spec(version="v1.2.3_rc-1"), id="a version with every character that a label value may have"),
    pytest.param(spec(version="2"), id="a version that is a number in quotes"),
    pytest.param(spec(version="a" * 63), id="the longest version"),
    pytest.param(spec(versionLabel="app.kubernetes.io/version"), id="a version label with a prefix"),
    pytest.param(spec(service={"name": "1st", "port": 65535}), id="a Service whose name begins with a digit, and the highest port"),
    pytest.param(weights(*range(1, 21)), id="the most steps"),
    pytest.param(weights(1, 99), id="the least weight, and the greatest below everything"),
    pytest.param(weights(5, 100), id="100 written out"),
    pytest.param(
        spec(steps=[{"weight": 5, "approval": "Required"}, {"weight": 100, "approval": "Required"}]), id="approval before two weights"
    ),
    pytest.param(spec(steps=[{"weight": 100, "approval": "Required"}]), id="everything at once, when a person says so"),
    pytest.param(pace(), id="a price alone"),
    pytest.param(
        pace(minDuration="5m", maxDuration="2h", maxWeight=50, approval="BeforePromotion"), id="a pace with everything written out"
    ),
    pytest.param(pace(failureBudget=1, minDuration="0s", maxDuration="1m", maxWeight=1), id="the least pace"),
    pytest.param(pace(failureBudget=1_000_000, minDuration="24h", maxDuration="720h", maxWeight=99), id="the greatest pace"),
    pytest.param(pace(minDuration="2h", maxDuration="2h"), id="a pace that takes as long as it may"),
    pytest.param(
        spec(steps=[{"weight": 5, "hold": {"min": "1s", "max": "2s"}}, {"weight": 100}], analysis={"deadline": "10s"}),
        id="100 beside a deadline shorter than the default hold",
    ),
    pytest.param(spec(preview={"match": [{"header": "x-preview", "exact": "yes"}, {"cookie": "preview", "exact": "yes"}]}), id="a preview"),
    pytest.param(
        spec(preview={"match": [{"header": "User-Agent", "prefix": "Mozilla"}, {"header": "x-user", "regex": "qa-[0-9]+"}]}),
        id="a preview by prefix and by regular expression",
    ),
    pytest.param(spec(mirror={}), id="a mirror with everything left out"),
    pytest.param(spec(mirror={"percent": 1, "hold": "24h"}), id="the least and longest mirror"),
    pytest.param(spec(suspend=True), id="suspended"),
    pytest.param(spec(onFailure="Hold"), id="held after a failure"),
    pytest.param(held(min="0s", max="168h"), id="the shortest and the longest hold"),
    pytest.param(held(min="5m"), id="hold.min as long as the default of hold.max"),
    pytest.param(held(min="1h29m59s999ms", max="24h") | {"analysis": {"deadline": "1h30m"}}, id="a duration of four parts"),
    pytest.param(spec(bake="0s", settle="0s", drain="0s"), id="no waiting at all"),
    pytest.param(spec(bake="24h", settle="300s", drain="60m"), id="the longest waits, in other units"),
    pytest.param(spec(capacity="0%"), id="capacity switched off"),
    pytest.param(spec(capacity="100%"), id="full capacity"),
    pytest.param(errors(tolerance="0%", ruleOut="0.0001%"), id="the finest shares"),
    pytest.param(errors(tolerance="9%", ruleOut="10%"), id="shares compared as numbers, not as texts"),
    pytest.param(errors(limit="100%"), id="a limit that nothing exceeds"),
    pytest.param(errors(http=["4xx", "503"]), id="a class and a code"),
    pytest.param(errors(grpc=["Unavailable"]), id="a single gRPC code"),
    pytest.param(owned(), id="owned traffic in the mesh alone"),
    pytest.param(attach({"virtualService": "reviews"}), id="the only route of a user's VirtualService"),
    pytest.param(
        attach({"virtualService": "edge.public", "routes": ["primary", "API v2"]}, {"virtualService": "inside"}),
        id="several VirtualServices and routes, with names as Istio allows them",
    ),
    pytest.param(spec(traffic={"delegate": {}}), id="a delegate under the user's root"),
    pytest.param(owned(hosts=["reviews.example.com"]), id="a further host in the mesh alone"),
    pytest.param(owned(hosts=["*.example.com"], gateways=["infra/public"]), id="a wildcard host behind a gateway"),
    pytest.param(owned(hosts=["a.example.com"], gateways=["public", "infra/public", "mesh"]), id="gateways here, elsewhere and the mesh"),
    pytest.param(spec(analysis={"confidence": 80, "minRequests": 1_000_000}), id="the least confidence, the most requests"),
    pytest.param(spec(analysis={"insufficientData": "Hold", "noData": "Withdraw"}), id="the other answer to missing data"),
    pytest.param(spec(analysis={"reporter": "Auto", "latency": {"threshold": "250ms"}}), id="slow answers, whoever counts"),
    pytest.param(
        spec(analysis={"latency": {"threshold": "1h", "tolerance": "0%", "ruleOut": "0.0001%", "warmup": "0s"}}), id="the bounds of latency"
    ),
    pytest.param(spec(steps=[{"weight": 5, "hold": {}}]), id="an empty hold"),
    pytest.param(query(query='max(depth{version="{{canary.version}}"})'), id="a query with a placeholder"),
    pytest.param(query(max=None, min="-0.5"), id="a query with a negative least value alone"),
    pytest.param(query(min="9", max="10"), id="bounds of a query compared as numbers, not as texts"),
    pytest.param(query(min="-999999999999999.999999999", max="999999999999999.999999999"), id="the longest bounds of a query"),
    pytest.param(query(interval="5s", consecutiveFailures=1), id="the quickest query"),
    pytest.param(query(interval="1h", consecutiveFailures=100, query="x" * 2048), id="the slowest and longest query"),
    pytest.param(spec(analysis={"queries": [{"name": f"q{n}", "query": "up", "max": "1"} for n in range(10)]}), id="the most queries"),
]


@pytest.mark.parametrize("given", GOOD)
def test_accepts(releases: Releases, given: Document) -> None:
    assert releases.create(given)["metadata"]["generation"] == 1


def test_shows_every_default_but_steps_and_traffic(releases: Releases) -> None:
    assert releases.create(spec())["spec"] == {
        "service": {"name": "reviews"},
        "version": "v2",
        "versionLabel": "version",
        "bake": "2m",
        "capacity": "50%",
        "settle": "5s",
        "drain": "30s",
        "analysis": {
            "prometheus": "default",
            "errors": {
                "tolerance": "0.1%",
                "ruleOut": "1%",
                "http": ["5xx"],
                "grpc": ["Unknown", "DeadlineExceeded", "Internal", "Unavailable", "DataLoss"],
            },
            "reporter": "Source",
            "confidence": 99,
            "minRequests": 5,
            "insufficientData": "Advance",
            "noData": "Hold",
            "deadline": "1h",
        },
        "onFailure": "RollBack",
        "suspend": False,
    }


def test_fills_in_the_rest_of_what_is_half_written(releases: Releases) -> None:
    created = releases.create(
        spec(steps=[{"weight": 5}, {"weight": 9, "hold": {"max": "9m"}}], traffic={"owned": {}}, analysis={"errors": {}})
    )["spec"]

    assert created["steps"] == [{"weight": 5, "hold": {"min": "1m", "max": "5m"}}, {"weight": 9, "hold": {"min": "1m", "max": "9m"}}]
    assert created["traffic"] == {"owned": {}}
    assert created["analysis"]["errors"]["ruleOut"] == "1%"


# ------------------------------------------------------------------------------------------------------------------------------- refused

BAD = [
    pytest.param(
        spec(steps=[{"weight": 100, "hold": {"min": "10m"}}]), "spec.steps[0]", "write how long it takes in spec.bake", id="a hold at 100"
    ),
    pytest.param(spec(steps=[{"weight": 5, "approval": True}]), "spec.steps[0].approval", "must be of type string", id="approval: true"),
    pytest.param(spec(steps=[{"weight": 5, "approval": "required"}]), "spec.steps[0].approval", '"Required"', id="approval in lower case"),
    pytest.param(spec(onFailure="Abort"), "spec.onFailure", '"RollBack", "Hold"', id="an answer to failure that is none"),
    pytest.param(spec(preview={"match": []}), "spec.preview.match", "at least 1 items", id="a preview of nothing"),
    pytest.param(
        preview(header="a", cookie="b", exact="c"), "spec.preview.match[0]", "exactly one of header and cookie", id="header and cookie"
    ),
    pytest.param(preview(exact="c"), "spec.preview.match[0]", "exactly one of header and cookie", id="neither header nor cookie"),
    pytest.param(preview(header="a"), "spec.preview.match[0]", "exactly one of exact, prefix and regex", id="a header without a value"),
    pytest.param(
        preview(header="a", exact="b", prefix="c"),
        "spec.preview.match[0]",
        "exactly one of exact, prefix and regex",
        id="a header with two values",
    ),
    pytest.param(preview(header="x_y", exact="b"), "spec.preview.match[0].header", "such as x-preview", id="a header with an underscore"),
    pytest.param(
        preview(cookie="a=b", exact="b"), "spec.preview.match[0].cookie", "write the name of a cookie", id="a cookie with its value"
    ),
    pytest.param(preview(header="a", exact="b\nc"), "spec.preview.match[0].exact", "printable characters", id="a value of two lines"),
    pytest.param(preview(header="a", prefix=""), "spec.preview.match[0].prefix", "printable characters", id="an empty beginning"),
    pytest.param(preview(header="a", regex=""), "spec.preview.match[0].regex", "printable characters", id="an empty expression"),
    pytest.param(spec(mirror={"percent": 0}), "spec.mirror.percent", "greater than or equal to 1", id="a mirror of nothing"),
    pytest.param(spec(mirror={"percent": 101}), "spec.mirror.percent", "less than or equal to 100", id="a mirror of more than all"),
    pytest.param(spec(mirror={"hold": "0s"}), "spec.mirror.hold", "from 1s to 24h", id="a mirror of no time"),
    pytest.param(spec(mirror={"hold": "soon"}), "spec.mirror.hold", DURATION_ADVICE, id="a mirror until some day"),
    pytest.param(
        spec(traffic={"attach": [{"virtualService": "reviews"}]}, mirror={}),
        "spec",
        "write traffic.owned or traffic.delegate",
        id="a mirror in a user's route",
    ),
    pytest.param(spec(suspend="yes"), "spec.suspend", "must be of type boolean", id="suspend is a word"),
    # what a user did; the spec; the field that the answer names; what it says to write
    pytest.param(spec(service=None), "spec.service", "Required value", id="service is missing"),
    pytest.param(spec(version=None), "spec.version", "Required value", id="version is missing"),
    pytest.param(spec(service={}), "spec.service.name", "Required value", id="service has no name"),
    pytest.param(spec(service="reviews"), "spec.service", "must be of type object", id="service is a text"),
    pytest.param(spec(service={"name": ""}), "spec.service.name", SERVICE_ADVICE, id="service name is empty"),
    pytest.param(spec(service={"name": "Reviews"}), "spec.service.name", SERVICE_ADVICE, id="service name has a capital"),
    pytest.param(spec(service={"name": "shop/reviews"}), "spec.service.name", SERVICE_ADVICE, id="service name carries a namespace"),
    pytest.param(spec(service={"name": "reviews.shop.svc"}), "spec.service.name", SERVICE_ADVICE, id="service name is a host name"),
    pytest.param(spec(service={"name": "reviews\n"}), "spec.service.name", SERVICE_ADVICE, id="service name ends in a line break"),
    pytest.param(spec(service={"name": "a" * 64}), "spec.service.name", "may not be more than 63", id="service name is too long"),
    pytest.param(spec(service={"name": "a", "port": 0}), "spec.service.port", "greater than or equal to 1", id="port is zero"),
    pytest.param(spec(service={"name": "a", "port": 65536}), "spec.service.port", "less than or equal to 65535", id="port is too high"),
    pytest.param(spec(service={"name": "a", "port": "http"}), "spec.service.port", "must be of type integer", id="port is a name"),
    pytest.param(spec(version=""), "spec.version", LABEL_VALUE_ADVICE, id="version is empty"),
    pytest.param(spec(version=2), "spec.version", "must be of type string", id="version is a number without quotes"),
    pytest.param(spec(version=1.1), "spec.version", "must be of type string", id="version is a decimal number without quotes"),
    pytest.param(spec(version=True), "spec.version", "must be of type string", id="version is a truth value"),
    pytest.param(spec(version="v 2"), "spec.version", LABEL_VALUE_ADVICE, id="version has a space"),
    pytest.param(spec(version="v2-"), "spec.version", LABEL_VALUE_ADVICE, id="version ends in a dash"),
    pytest.param(spec(version="reviews:v2"), "spec.version", LABEL_VALUE_ADVICE, id="version is an image"),
    pytest.param(spec(version='v2"} or up{a="'), "spec.version", LABEL_VALUE_ADVICE, id="version breaks out of a query"),
    pytest.param(spec(version="a" * 64), "spec.version", "may not be more than 63", id="version is too long"),
    pytest.param(spec(versionLabel=""), "spec.versionLabel", "write a label key", id="version label is empty"),
    pytest.param(spec(versionLabel="a/b/c"), "spec.versionLabel", "write a label key", id="version label has two slashes"),
    pytest.param(
        spec(versionLabel="pod-template-hash"), "spec.versionLabel", "that you set yourself", id="version label is the Deployment's"
    ),
    pytest.param(spec(stableVersion="v1!"), "spec.stableVersion", LABEL_VALUE_ADVICE, id="stable version is no label value"),
    pytest.param(spec(bake="2"), "spec.bake", DURATION_ADVICE, id="bake has no unit"),
    pytest.param(spec(bake=120), "spec.bake", "must be of type string", id="bake is a number of seconds"),
    pytest.param(spec(bake="1d"), "spec.bake", DURATION_ADVICE, id="bake is in days"),
    pytest.param(spec(bake="1.5h"), "spec.bake", DURATION_ADVICE, id="bake has a decimal point"),
    pytest.param(spec(bake="-5m"), "spec.bake", DURATION_ADVICE, id="bake is negative"),
    pytest.param(spec(bake=""), "spec.bake", DURATION_ADVICE, id="bake is empty"),
    pytest.param(spec(bake="5 m"), "spec.bake", DURATION_ADVICE, id="bake has a space"),
    pytest.param(spec(bake="1h1m1s1ms1ms"), "spec.bake", DURATION_ADVICE, id="bake has five parts"),
    pytest.param(spec(bake="24h1ms"), "spec.bake", "bake must be from 0s to 24h", id="bake is too long"),
    pytest.param(spec(settle="6m"), "spec.settle", "settle must be from 0s to 5m", id="settle is too long"),
    pytest.param(spec(settle="soon"), "spec.settle", DURATION_ADVICE, id="settle is a word"),
    pytest.param(spec(drain="61m"), "spec.drain", "drain must be from 0s to 1h", id="drain is too long"),
    pytest.param(spec(capacity="50"), "spec.capacity", SHARE_ADVICE, id="capacity has no percent sign"),
    pytest.param(spec(capacity=50), "spec.capacity", "must be of type string", id="capacity is a number"),
    pytest.param(spec(capacity="101%"), "spec.capacity", SHARE_ADVICE, id="capacity is above 100 percent"),
    pytest.param(spec(capacity="-1%"), "spec.capacity", SHARE_ADVICE, id="capacity is negative"),
    pytest.param(spec(capacity=".5%"), "spec.capacity", SHARE_ADVICE, id="capacity begins with the decimal point"),
    pytest.param(spec(capacity="0.12345%"), "spec.capacity", SHARE_ADVICE, id="capacity has five decimals"),
    pytest.param(spec(steps=[]), "spec.steps", "at least 1 items", id="steps are an empty list"),
    pytest.param(spec(steps=[5, 10]), "spec.steps[0]", "must be of type object", id="steps are bare numbers"),
    pytest.param(spec(steps=[{"hold": {"max": "5m"}}]), "spec.steps[0].weight", "Required value", id="a step has no weight"),
    pytest.param(weights(0), "spec.steps[0].weight", "greater than or equal to 1", id="a weight is zero"),
    pytest.param(weights(50, 101), "spec.steps[1].weight", "less than or equal to 100", id="a weight above everything"),
    pytest.param(weights(-5), "spec.steps[0].weight", "greater than or equal to 1", id="a weight is negative"),
    pytest.param(weights("5%"), "spec.steps[0].weight", "must be of type integer", id="a weight is a text"),
    pytest.param(weights(2.5), "spec.steps[0].weight", "must be of type int32", id="a weight has decimals"),
    pytest.param(weights(10, 5), "spec.steps", "write the weights in ascending order", id="weights fall"),
    pytest.param(weights(5, 5), "spec.steps", "each weight may stand only once", id="a weight stands twice"),
    pytest.param(weights(*range(1, 22)), "spec.steps", "must have at most 20 items", id="too many steps"),
    pytest.param(spec(steps=[{"weight": 5, "hold": "5m"}]), "spec.steps[0].hold", "must be of type object", id="hold is a duration"),
    pytest.param(held(min="forever"), "spec.steps[0].hold.min", DURATION_ADVICE, id="hold.min is a word"),
    pytest.param(held(min="25h", max="26h"), "spec.steps[0].hold.min", "hold.min must be from 0s to 24h", id="hold.min is too long"),
    pytest.param(held(min="0s", max="0s"), "spec.steps[0].hold.max", "hold.max must be from 1s to 168h", id="hold.max is zero"),
    pytest.param(held(max="169h"), "spec.steps[0].hold.max", "hold.max must be from 1s to 168h", id="hold.max is too long"),
    pytest.param(held(min="3m", max="2m"), "spec.steps[0].hold", "lower min or raise max", id="hold.min is longer than hold.max"),
    pytest.param(
        held(max="30s"), "spec.steps[0].hold", "hold.min (1m when left out)", id="hold.max is shorter than the default of hold.min"
    ),
    pytest.param(held(min="2h", max="3h"), "spec", "lower min or raise deadline", id="hold.min is longer than the deadline"),
    pytest.param(
        spec(pace={"failureBudget": 20}, steps=[{"weight": 5}]),
        "spec",
        "write steps to name the weights yourself, or pace",
        id="steps and pace",
    ),
    pytest.param(spec(pace={}), "spec.pace.failureBudget", "Required value", id="a pace without a price"),
    pytest.param(pace(failureBudget=0), "spec.pace.failureBudget", "greater than or equal to 1", id="a budget of nothing"),
    pytest.param(pace(failureBudget=1_000_001), "spec.pace.failureBudget", "less than or equal to 1000000", id="a budget without end"),
    pytest.param(pace(failureBudget="20"), "spec.pace.failureBudget", "must be of type integer", id="a budget in quotes"),
    pytest.param(pace(maxWeight=0), "spec.pace.maxWeight", "greater than or equal to 1", id="no weight at all"),
    pytest.param(pace(maxWeight=100), "spec.pace.maxWeight", "less than or equal to 99", id="everything before everything"),
    pytest.param(pace(minDuration="25h", maxDuration="30h"), "spec.pace.minDuration", "from 0s to 24h", id="pace.minDuration is too long"),
    pytest.param(pace(minDuration="soon"), "spec.pace.minDuration", DURATION_ADVICE, id="pace.minDuration is a word"),
    pytest.param(pace(minDuration="0s", maxDuration="59s"), "spec.pace.maxDuration", "from 1m to 720h", id="pace.maxDuration is too short"),
    pytest.param(pace(maxDuration="721h"), "spec.pace.maxDuration", "from 1m to 720h", id="pace.maxDuration is too long"),
    pytest.param(
        pace(minDuration="3h"),
        "spec.pace",
        "lower minDuration or raise maxDuration",
        id="pace.minDuration is longer than the whole way may be",
    ),
    pytest.param(
        pace(maxDuration="4m"),
        "spec.pace",
        "pace.minDuration (5m when left out)",
        id="pace.maxDuration is shorter than the default of minDuration",
    ),
    pytest.param(pace(approval="Required"), "spec.pace.approval", '"BeforePromotion"', id="the word of a step's approval"),
    pytest.param(
        owned(gateways=["infra/public"]), "spec.traffic.owned", "write the hosts that these gateways serve", id="gateways without hosts"
    ),
    pytest.param(spec(traffic={}), "spec.traffic", "exactly one of owned, attach and delegate", id="traffic is empty"),
    pytest.param(
        spec(traffic={"owned": {}, "attach": [{"virtualService": "reviews"}]}),
        "spec.traffic",
        "exactly one of owned, attach and delegate",
        id="traffic is both the operator's and the user's",
    ),
    pytest.param(attach(), "spec.traffic.attach", "at least 1 items", id="nothing is attached"),
    pytest.param(attach({}), "spec.traffic.attach[0].virtualService", "Required value", id="an attached VirtualService has no name"),
    pytest.param(
        attach({"virtualService": "shop/reviews"}),
        "spec.traffic.attach[0].virtualService",
        "write the name of a VirtualService of this namespace",
        id="an attached VirtualService is elsewhere",
    ),
    pytest.param(
        attach({"virtualService": "a"}, {"virtualService": "a", "routes": ["b"]}),
        "spec.traffic.attach[1]",
        "Duplicate value",
        id="a VirtualService is attached twice",
    ),
    pytest.param(
        attach(*({"virtualService": f"a{n}"} for n in range(9))), "spec.traffic.attach", "must have at most 8 items", id="too many attached"
    ),
    pytest.param(attach({"virtualService": "a", "routes": []}), "spec.traffic.attach[0].routes", "at least 1 items", id="no routes"),
    pytest.param(
        attach({"virtualService": "a", "routes": [" "]}),
        "spec.traffic.attach[0].routes[0]",
        "write the name of an http route",
        id="a route's name is blank",
    ),
    pytest.param(
        attach({"virtualService": "a", "routes": ["b", "b"]}), "spec.traffic.attach[0].routes[1]", "Duplicate value", id="a route twice"
    ),
    pytest.param(owned(hosts=[]), "spec.traffic.owned.hosts", "at least 1 items", id="hosts are an empty list"),
    pytest.param(owned(hosts=["https://a.example.com"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a scheme"),
    pytest.param(owned(hosts=["a.example.com:443"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a port"),
    pytest.param(owned(hosts=["A.example.com"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has a capital"),
    pytest.param(owned(hosts=["*"], gateways=["a"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host is every host"),
    pytest.param(owned(hosts=["a.*.com"], gateways=["a"]), "spec.traffic.owned.hosts[0]", HOST_ADVICE, id="a host has its star inside"),
    pytest.param(owned(hosts=["a.com", "a.com"]), "spec.traffic.owned.hosts[1]", "Duplicate value", id="a host stands twice"),
    pytest.param(
        owned(hosts=[f"h{n}.com" for n in range(17)]), "spec.traffic.owned.hosts", "must have at most 16 items", id="too many hosts"
    ),
    pytest.param(
        owned(hosts=["*.a.com"]), "spec.traffic.owned", "name the gateways in traffic.owned.gateways", id="a wildcard in the mesh"
    ),
    pytest.param(
        owned(hosts=["*.a.com"], gateways=["g", "mesh"]),
        "spec.traffic.owned",
        "without mesh",
        id="a wildcard behind a gateway and in the mesh",
    ),
    pytest.param(
        owned(hosts=["a.com"], gateways=["a/b/c"]), "spec.traffic.owned.gateways[0]", GATEWAY_ADVICE, id="a gateway has two slashes"
    ),
    pytest.param(
        owned(hosts=["a.com"], gateways=["Public"]), "spec.traffic.owned.gateways[0]", GATEWAY_ADVICE, id="a gateway has a capital"
    ),
    pytest.param(
        spec(analysis={"prometheus": "http://prometheus:9090"}),
        "spec.analysis.prometheus",
        "write the name of a provider in the operator's configuration",
        id="prometheus is an address",
    ),
    pytest.param(spec(analysis={"confidence": 100}), "spec.analysis.confidence", "less than or equal to 99", id="confidence is certainty"),
    pytest.param(spec(analysis={"confidence": 79}), "spec.analysis.confidence", "greater than or equal to 80", id="confidence is too low"),
    pytest.param(spec(analysis={"confidence": "99%"}), "spec.analysis.confidence", "must be of type integer", id="confidence is a text"),
    pytest.param(spec(analysis={"minRequests": 0}), "spec.analysis.minRequests", "greater than or equal to 1", id="no requests are needed"),
    pytest.param(
        spec(analysis={"minRequests": 10**30}), "spec.analysis.minRequests", "less than or equal to 1e+06", id="requests without end"
    ),
    pytest.param(
        spec(analysis={"insufficientData": "advance"}), "spec.analysis.insufficientData", '"Advance", "Hold"', id="a word in lower case"
    ),
    pytest.param(spec(analysis={"noData": "Promote"}), "spec.analysis.noData", '"Hold", "Withdraw"', id="no data is taken for a pass"),
    pytest.param(spec(analysis={"deadline": "9s"}), "spec.analysis.deadline", "from 10s to 720h", id="the deadline is too short"),
    pytest.param(spec(analysis={"deadline": "721h"}), "spec.analysis.deadline", "from 10s to 720h", id="the deadline is too long"),
    pytest.param(spec(analysis={"deadline": "never"}), "spec.analysis.deadline", DURATION_ADVICE, id="the deadline is a word"),
    pytest.param(spec(analysis={"latency": {}}), "spec.analysis.latency.threshold", "Required value", id="slower than what"),
    pytest.param(
        spec(analysis={"latency": {"threshold": "0s"}}), "spec.analysis.latency.threshold", "from 1ms to 1h", id="everything is slow"
    ),
    pytest.param(spec(analysis={"latency": {"threshold": 250}}), "spec.analysis.latency.threshold", "must be of type string", id="no unit"),
    pytest.param(
        spec(analysis={"latency": {"threshold": "1s", "warmup": "2h"}}),
        "spec.analysis.latency.warmup",
        "from 0s to 1h",
        id="a long warm-up",
    ),
    pytest.param(
        spec(analysis={"latency": {"threshold": "1s", "tolerance": "5%"}}),
        "spec.analysis.latency",
        "latency.ruleOut (5% when left out)",
        id="latency.tolerance as large as ruleOut",
    ),
    pytest.param(spec(analysis={"reporter": "source"}), "spec.analysis.reporter", '"Source", "Destination"', id="a reporter in lower case"),
    pytest.param(
        query(max=None), "spec.analysis.queries[0]", "write the least and the greatest value that is good", id="a query without bounds"
    ),
    pytest.param(query(max="100", min="100"), "spec.analysis.queries[0]", "lower min or raise max", id="no value fits a query"),
    pytest.param(query(max=100), "spec.analysis.queries[0].max", "must be of type string", id="a bound without quotes"),
    pytest.param(query(max="1e3"), "spec.analysis.queries[0].max", NUMBER_ADVICE, id="a bound with an exponent"),
    pytest.param(query(max=None, min="NaN"), "spec.analysis.queries[0].min", NUMBER_ADVICE, id="a bound that is no number"),
    pytest.param(query(max="100%"), "spec.analysis.queries[0].max", NUMBER_ADVICE, id="a bound in percent"),
    pytest.param(query(name="Queue Depth"), "spec.analysis.queries[0].name", "such as queue-depth", id="a query's name has capitals"),
    pytest.param(query(name=None), "spec.analysis.queries[0].name", "Required value", id="a query without a name"),
    pytest.param(query(query=None), "spec.analysis.queries[0].query", "Required value", id="a query without a query"),
    pytest.param(query(query=""), "spec.analysis.queries[0].query", "at least 1 chars", id="an empty query"),
    pytest.param(query(query="x" * 2049), "spec.analysis.queries[0].query", "may not be more than 2048", id="a query without end"),
    pytest.param(query(interval="1s"), "spec.analysis.queries[0].interval", "from 5s to 1h", id="a query is asked too often"),
    pytest.param(query(interval="often"), "spec.analysis.queries[0].interval", DURATION_ADVICE, id="a query is asked often"),
    pytest.param(
        query(consecutiveFailures=0), "spec.analysis.queries[0].consecutiveFailures", "greater than or equal to 1", id="no look blames"
    ),
    pytest.param(
        query(consecutiveFailures=101), "spec.analysis.queries[0].consecutiveFailures", "less than or equal to 100", id="too many looks"
    ),
    pytest.param(spec(analysis={"queries": []}), "spec.analysis.queries", "at least 1 items", id="an empty list of queries"),
    pytest.param(
        spec(analysis={"queries": [{"name": "a", "query": "up", "max": "1"}, {"name": "a", "query": "down", "max": "1"}]}),
        "spec.analysis.queries[1]",
        "Duplicate value",
        id="two queries of one name",
    ),
    pytest.param(
        spec(analysis={"queries": [{"name": f"q{n}", "query": "up", "max": "1"} for n in range(11)]}),
        "spec.analysis.queries",
        "must have at most 10 items",
        id="too many queries",
    ),
    pytest.param(errors(tolerance="0,1%"), "spec.analysis.errors.tolerance", SHARE_ADVICE, id="tolerance has a decimal comma"),
    pytest.param(errors(ruleOut="1"), "spec.analysis.errors.ruleOut", SHARE_ADVICE, id="ruleOut has no percent sign"),
    pytest.param(errors(limit="half"), "spec.analysis.errors.limit", SHARE_ADVICE, id="limit is a word"),
    pytest.param(errors(tolerance="1%"), "spec.analysis.errors", "lower tolerance or raise ruleOut", id="tolerance as large as ruleOut"),
    pytest.param(
        errors(ruleOut="0.1%"), "spec.analysis.errors", "errors.tolerance (0.1% when left out)", id="ruleOut below the default tolerance"
    ),
    pytest.param(
        errors(tolerance="2%", ruleOut="9%", limit="1%"), "spec.analysis.errors", "raise limit, or leave it out", id="limit below tolerance"
    ),
    pytest.param(errors(http=[]), "spec.analysis.errors.http", "at least 1 items", id="no HTTP code is a failure"),
    pytest.param(errors(http=["200"]), "spec.analysis.errors.http[0]", "write a code from 400 to 599", id="a success is a failure"),
    pytest.param(errors(http=["5XX"]), "spec.analysis.errors.http[0]", "write a code from 400 to 599", id="a class in capitals"),
    pytest.param(errors(http=[500]), "spec.analysis.errors.http[0]", "must be of type string", id="an HTTP code without quotes"),
    pytest.param(errors(http=["500", "500"]), "spec.analysis.errors.http[1]", "Duplicate value", id="an HTTP code stands twice"),
    pytest.param(errors(grpc=["UNAVAILABLE"]), "spec.analysis.errors.grpc[0]", '"Unavailable"', id="a gRPC code in capitals"),
    pytest.param(errors(grpc=["OK"]), "spec.analysis.errors.grpc[0]", "supported values", id="gRPC's OK is a failure"),
    pytest.param(errors(grpc=[14]), "spec.analysis.errors.grpc[0]", "must be of type string", id="a gRPC code as a number"),
]


@pytest.mark.parametrize(("given", "field", "advice"), BAD)
def test_refuses_and_says_what_to_write(releases: Releases, given: Document, field: str, advice: str) -> None:
    causes = _causes(releases, given)

    assert any(cause["field"] == field and advice in cause["message"] for cause in causes), causes
    assert not [cause for cause in causes if "evaluating rule" in cause["message"]], "a rule broke down instead of answering"


def test_refuses_a_name_that_is_no_label_value(releases: Releases) -> None:
    assert any("metadata.name must have at most 63 characters" in cause["message"] for cause in _causes(releases, spec(), "a" * 64))
    assert releases.create(spec(), "a" * 63)


def test_refuses_a_resource_without_spec(releases: Releases) -> None:
    document = releases.document(spec())
    del document["spec"]

    with pytest.raises(ApiError, match="spec: Required value"):
        releases.api.request("POST", releases.path, document)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param(spec(weight=5), "spec.weight", id="at the top"),
        pytest.param(spec(steps=[{"weight": 5, "pause": "5m"}]), "spec.steps[0].pause", id="another tool's field in a step"),
        pytest.param(spec(steps={"weight": 5}), "spec.steps.weight", id="one step without its list"),
        pytest.param(spec(service={"name": "reviews", "namespace": "other"}), "spec.service.namespace", id="a namespace of a reference"),
        pytest.param(spec(analysis={"errors": {"Limit": "5%"}}), "spec.analysis.errors.Limit", id="a field in capitals"),
    ],
)
def test_names_an_unknown_field(releases: Releases, given: Document, field: str) -> None:
    with pytest.raises(ApiError, match=re.escape(f'unknown field \\"{field}\\"')):
        releases.create(given)


def test_every_rule_of_the_definition_is_broken_by_some_row(api: Api, releases: Releases) -> None:
    """No rule lands without a spec that it refuses."""
    [version] = api.get(DEFINITION_PATH)["spec"]["versions"]
    rules = [rule for node in _nodes(version["schema"]["openAPIV3Schema"]) for rule in node.get("x-kubernetes-validations", ())]
    answers = [cause["message"] for row in BAD for cause in _causes(releases, row.values[0])]
    answers += [cause["message"] for cause in _causes(releases, spec(), "a" * 64)]

    silent = {rule["message"] for rule in rules if not any(rule["message"] in answer for answer in answers)}
    assert silent == {rule["message"] for rule in rules if "oldSelf" in rule["rule"]}  # these need an update


# ------------------------------------------------------------------------------------------------------------------------------- updates


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        pytest.param({"service": {"name": "ratings"}}, "service.name cannot change: create another CanaryRelease", id="another Service"),
        pytest.param({"versionLabel": "release"}, "versionLabel cannot change: delete this CanaryRelease", id="another version label"),
        pytest.param({"traffic": {"attach": [{"virtualService": "a"}]}}, "traffic cannot change between", id="from owned to attach"),
        pytest.param({"traffic": {"delegate": {}}}, "traffic cannot change between", id="from owned to delegate"),
    ],
)
def test_refuses_to_change(releases: Releases, change: Document, advice: str) -> None:
    releases.create(spec())

    with pytest.raises(ApiError, match=advice):
        releases.patch({"spec": change})


def test_what_is_attached_changes_only_while_no_release_runs(releases: Releases) -> None:
    """A route that is left out in mid-release would keep the weight that it has."""
    other = {"spec": {"traffic": {"attach": [{"virtualService": "b"}]}}}
    releases.create(attach({"virtualService": "a"}))
    releases.patch_status({"status": {"observedGeneration": 1, "release": {"state": "Progressing"}}})
    with pytest.raises(ApiError, match="can change only while no release runs"):
        releases.patch(other)
    releases.patch({"spec": {"version": "v3"}})
    releases.patch_status({"status": {"release": {"state": "Stable"}}})
    assert releases.patch(other)["spec"]["traffic"] == {"attach": [{"virtualService": "b"}]}


def test_a_new_version_is_a_new_generation_and_metadata_is_none(releases: Releases) -> None:
    releases.create(spec())

    assert releases.patch({"metadata": {"annotations": {names.ACTION: "abort/1/1"}}})["metadata"]["generation"] == 1
    assert releases.patch({"spec": {"version": "v3"}})["metadata"]["generation"] == 2


def test_status_is_written_apart_from_spec(releases: Releases) -> None:
    releases.create(spec())

    told = releases.patch_status({"spec": {"version": "v9"}, "status": {"phase": "Stable", "observedGeneration": 1}})
    assert told["spec"]["version"] == "v2"
    assert told["status"] == {"phase": "Stable", "observedGeneration": 1}
    assert told["metadata"]["generation"] == 1

    wished = releases.patch({"spec": {"version": "v3"}, "status": {"phase": "Progressing"}})
    assert wished["spec"]["version"] == "v3"
    assert wished["status"]["phase"] == "Stable"


def test_a_fresh_resource_was_never_looked_at(releases: Releases) -> None:
    document = releases.document(spec()) | {"status": {"observedGeneration": 7, "phase": "Promoted"}}

    assert releases.api.request("POST", releases.path, document)["status"] == {"observedGeneration": -1}


def test_what_an_older_definition_let_in_stays_editable(api: Api, releases: Releases) -> None:
    """The CRD of tomorrow may be stricter; whoever has an older resource must still be able to change its version."""
    definition = api.get(DEFINITION_PATH)
    old = spec(bake="1d", capacity="half", steps=[{"weight": 50}, {"weight": 5}], analysis={"errors": {"http": ["all"]}})
    try:
        _replace_schema(api, _without_rules(definition))
        until(lambda: not _causes(releases, old, "probe"), "the looser definition is in force")
        releases.create(old)
    finally:
        _replace_schema(api, definition)
    until(lambda: _causes(releases, old, "another"), "the definition is in force again")

    assert releases.patch({"spec": {"version": "v3"}})["spec"]["version"] == "v3"
    assert releases.patch_status({"status": {"phase": "Stable"}})["status"]["phase"] == "Stable"
    assert releases.patch({"metadata": {"finalizers": [names.FINALIZER]}})["metadata"]["finalizers"] == [names.FINALIZER]
    assert "finalizers" not in releases.patch({"metadata": {"finalizers": None}})["metadata"]
    with pytest.raises(ApiError, match="write a duration"):
        releases.patch({"spec": {"bake": "2d"}})
    assert releases.patch({"spec": {"bake": "2m", "capacity": "50%"}})["spec"]["bake"] == "2m"


# ------------------------------------------------------------------------------------------------------------------------------ the tools


def _causes(releases: Releases, given: object, name: str = "reviews") -> list[Document]:
    """What the API server has against a spec, field by field; nothing is stored."""
    try:
        releases.create(given, name, dry_run=True)
    except ApiError as error:
        causes: list[Document] = json.loads(error.body)["details"]["causes"]
        return causes
    return []


def _nodes(schema: Document) -> Iterator[Document]:
    yield schema
    for field in schema.get("properties", {}).values():
        yield from _nodes(field)
    if "items" in schema:
        yield from _nodes(schema["items"])


def _without_rules(definition: Document) -> Document:
    loose = deepcopy(definition)
    for node in _nodes(loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
        node.pop("x-kubernetes-validations", None)
    return loose


def _replace_schema(api: Api, definition: Document) -> None:
    api.patch(DEFINITION_PATH, {"spec": {"versions": definition["spec"]["versions"]}})
