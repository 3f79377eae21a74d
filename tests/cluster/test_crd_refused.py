"""The CRD before a real API server: what it refuses, and whether the refusal tells the user what to write."""

import re

import pytest

from lab.api import Api, ApiError
from tests.cluster.clients import Document, Releases
from tests.cluster.definition import DEFINITION_PATH, causes, nodes
from tests.cluster.refused_release import RELEASE
from tests.cluster.refused_traffic import TRAFFIC_AND_ANALYSIS
from tests.cluster.specs import spec

BAD = [*RELEASE, *TRAFFIC_AND_ANALYSIS]


@pytest.mark.parametrize(("given", "field", "advice"), BAD)
def test_refuses_and_says_what_to_write(releases: Releases, given: Document, field: str, advice: str) -> None:
    found = causes(releases, given)

    assert any(cause["field"] == field and advice in cause["message"] for cause in found), found
    assert not [cause for cause in found if "evaluating rule" in cause["message"]], "a rule broke down instead of answering"


def test_refuses_a_name_that_is_no_label_value(releases: Releases) -> None:
    assert any("metadata.name must have at most 63 characters" in cause["message"] for cause in causes(releases, spec(), "a" * 64))
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
    rules = [rule for node in nodes(version["schema"]["openAPIV3Schema"]) for rule in node.get("x-kubernetes-validations", ())]
    answers = [cause["message"] for row in BAD for cause in causes(releases, row.values[0])]
    answers += [cause["message"] for cause in causes(releases, spec(), "a" * 64)]

    silent = {rule["message"] for rule in rules if not any(rule["message"] in answer for answer in answers)}
    assert silent == {rule["message"] for rule in rules if "oldSelf" in rule["rule"]}  # these need an update
