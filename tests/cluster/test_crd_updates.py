"""The CRD before a real API server: what may be changed of a CanaryRelease that exists, and by whom."""

from copy import deepcopy

import pytest

from canary_operator.api import names
from lab.api import Api, ApiError
from lab.waiting import until
from tests.cluster.clients import Document, Releases
from tests.cluster.definition import DEFINITION_PATH, causes, nodes
from tests.cluster.specs import attach, spec


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
        until(lambda: not causes(releases, old, "probe"), "the looser definition is in force")
        releases.create(old)
    finally:
        _replace_schema(api, definition)
    until(lambda: causes(releases, old, "another"), "the definition is in force again")

    assert releases.patch({"spec": {"version": "v3"}})["spec"]["version"] == "v3"
    assert releases.patch_status({"status": {"phase": "Stable"}})["status"]["phase"] == "Stable"
    assert releases.patch({"metadata": {"finalizers": [names.FINALIZER]}})["metadata"]["finalizers"] == [names.FINALIZER]
    assert "finalizers" not in releases.patch({"metadata": {"finalizers": None}})["metadata"]
    with pytest.raises(ApiError, match="write a duration"):
        releases.patch({"spec": {"bake": "2d"}})
    assert releases.patch({"spec": {"bake": "2m", "capacity": "50%"}})["spec"]["bake"] == "2m"


def _without_rules(definition: Document) -> Document:
    loose = deepcopy(definition)
    for node in nodes(loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
        node.pop("x-kubernetes-validations", None)
    return loose


def _replace_schema(api: Api, definition: Document) -> None:
    api.patch(DEFINITION_PATH, {"spec": {"versions": definition["spec"]["versions"]}})
