"""The CRD before a real API server: what it is, what it takes, and what it fills in."""

from pathlib import Path

import pytest
import yaml

from lab.api import Api
from tests.cluster.clients import Document, Releases
from tests.cluster.definition import DEFINITION_PATH
from tests.cluster.specs import attach, errors, held, owned, pace, query, spec, weights

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))

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
