"""WorkloadEntries, such as virtual machines, that Istio lets the Service select beside pods: what blocks, what warns, and in which words."""

from typing import Any

import pytest

from canary_operator.preflight import Arm, inspect, reads
from canary_operator.preflight.reading import NotPermitted, Unserved
from preflight.objects import facts, mesh, replica_set, told

ENTRY = "WorkloadEntrySelected"
BLOCKS, WARNS = [(ENTRY, "Error")], [(ENTRY, "Warning")]
NEW: dict[str, Any] = {"adopted": False}
REST: dict[str, Any] = {"adopted": True}
CHECKED = "proxy.istio.io/health-checks-enabled"


def entry(
    name: str = "vm-1", address: str | None = "10.9.0.1", healthy: bool | None = None, meta: Any = None, **labels: str
) -> dict[str, Any]:
    """A WorkloadEntry of the app `reviews` as the API server gives it; `healthy` None: its health is not checked."""
    metadata = {"namespace": "shop", "name": name} | ({"labels": meta} if meta else {})
    status: dict[str, Any] = {}
    if healthy is not None:
        metadata["annotations"] = {CHECKED: "true"}
        status = {"status": {"conditions": [{"type": "Healthy", "status": str(healthy)}]}}
    return {"metadata": metadata, "spec": {"address": address, "labels": {"app": "reviews", **labels}}, **status}


def found(*entries: dict[str, Any], **changes: Any) -> Any:
    read = reads.workload_entries(facts())
    return [each for each in inspect(mesh(around={read: entries}, **changes)) if each.reason == ENTRY]


@pytest.mark.parametrize(
    ("entries", "changes", "expected"),
    [
        pytest.param((), NEW, [], id="there is none"),
        pytest.param((entry(),), NEW, BLOCKS, id="of no version, before the adoption"),
        pytest.param((entry(),), REST, BLOCKS, id="of no version, before a first weight"),
        pytest.param((entry(),), {**REST, "under_way": True}, WARNS, id="of no version, once traffic moves"),
        pytest.param((entry(), entry("vm-2")), NEW, BLOCKS, id="several are one finding"),
        pytest.param((entry(version="v0"),), NEW, BLOCKS, id="of a version that the operator would leave without requests"),
        pytest.param((entry(version="v0"),), {**NEW, "stable_named": True}, WARNS, id="the same, and a person has said which is stable"),
        pytest.param(
            (entry(version="v2"),), {**NEW, "stable_named": True}, WARNS, id="of what is wanted, and a person has said which is stable"
        ),
        pytest.param((entry(version="v0"),), REST, [], id="of a version that no subset has selected for long"),
        pytest.param((entry(version="v1"),), NEW, WARNS, id="of stable"),
        pytest.param((entry(version="v1"),), REST, WARNS, id="of stable, in a release"),
        pytest.param((entry(version="v2"),), NEW, BLOCKS, id="of what is wanted, before the adoption"),
        pytest.param((entry(version="v2"),), REST, WARNS, id="of the canary"),
        pytest.param((entry(), entry("vm-2", version="v1")), REST, [*BLOCKS, *WARNS], id="one of each"),
        pytest.param((entry(meta={"version": "v1"}),), REST, WARNS, id="labels of its metadata count"),
        pytest.param((entry(meta={"app": "else"}),), NEW, [], id="and come before those of its spec"),
        pytest.param((entry(app="else"),), NEW, [], id="another app"),
        pytest.param((entry(address="vm.example.com"),), NEW, [], id="a host name, which no Service gets"),
        pytest.param((entry(address="unix:///var/run/x"),), NEW, [], id="a Unix socket, which no Service gets"),
        pytest.param((entry(address=None),), NEW, BLOCKS, id="no address: another network's gateway leads there"),
        pytest.param((entry(address="fd00::7"),), NEW, BLOCKS, id="IPv6"),
        pytest.param((entry(healthy=False),), NEW, [], id="unhealthy"),
        pytest.param((entry(healthy=True),), NEW, BLOCKS, id="healthy"),
        pytest.param(({"metadata": {"namespace": "shop", "name": "vm"}},), NEW, [], id="without a spec"),
    ],
)
def test_what_blocks_and_what_warns(entries: Any, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(found(*entries, **changes)) == expected


def test_an_entry_whose_health_is_checked_and_not_told_yet_gets_nothing() -> None:
    checked = entry()
    checked["metadata"]["annotations"] = {CHECKED: "true"}
    assert found(checked, **NEW) == []


@pytest.mark.parametrize(
    ("entries", "changes", "words"),
    [
        pytest.param(
            (entry(), entry("vm-2")),
            NEW,
            "WorkloadEntry shop/vm-1 (10.9.0.1) and 1 more, which Istio lets Service shop/reviews select as it selects pods, carries no label "
            "`version`, so neither subset has it and no request would reach it any more: write `version: v2` (or whichever version it is) into its "
            "spec.labels, or take `app` out of its labels",
            id="no version",
        ),
        pytest.param(
            (entry(version="v0"),),
            NEW,
            "WorkloadEntry shop/vm-1 (10.9.0.1), which Istio lets Service shop/reviews select as it selects pods, serves as version v0, and the "
            "operator, which counts pods alone, would give its requests to v1: write the version that is stable now into spec.stableVersion, with "
            "pods of it behind the Service, or take `app` out of its labels",
            id="a version that would get nothing",
        ),
        pytest.param(
            (entry(version="v1"),),
            REST,
            "WorkloadEntry shop/vm-1 (10.9.0.1), which Istio lets Service shop/reviews select as it selects pods, gets a share of the requests of "
            "v1, but the operator counts pods alone, in spec.capacity and to tell whether a version serves: let pods carry the load of each "
            "version, or take `app` out of its labels",
            id="in a subset",
        ),
        pytest.param(
            (entry(version="v0"),),
            {**NEW, "stable_named": True},
            "WorkloadEntry shop/vm-1 (10.9.0.1), which Istio lets Service shop/reviews select as it selects pods, serves as version v0, and by "
            "spec.stableVersion all requests go to v1 once the route is taken over",
            id="a version that a person leaves out",
        ),
    ],
)
def test_it_is_named_with_what_to_write(entries: Any, changes: dict[str, Any], words: str) -> None:
    (only,) = found(*entries, **changes)
    assert only.message == words


def test_the_wanted_version_alone_serving_is_taken_for_stable_and_an_entry_of_another_blocks() -> None:
    """A service that moves from virtual machines to pods: the pods are wanted, and the machines have the traffic."""
    pods = (replica_set("v2"),)
    assert told(found(entry(version="v1"), arms=(Arm("stable", "v2", pods),), replica_sets=pods, **NEW)) == BLOCKS


@pytest.mark.parametrize("listing", [Unserved(), NotPermitted()])
def test_where_it_cannot_be_read_nothing_is_found_but_the_missing_right(listing: Any) -> None:
    read = reads.workload_entries(facts())
    expected = [("NotPermitted", "Warning")] if listing == NotPermitted() else []
    assert told(inspect(mesh(around={read: listing}))) == expected
