"""Whether every ready endpoint of the Service belongs to a version, and in which words it is said."""

from typing import Any

import pytest

from canary_operator.preflight import Arm, inspect
from canary_operator.preflight.sets import as_sets
from canary_operator.workloads.model import Endpoint, Owner, Pod, Stranger, Workload
from preflight.objects import mesh, pod, told

BARE = Pod("debug", "u", {"app": "reviews"}, None, "", generated=False)
DB = Pod("db-0", "u", {"app": "reviews"}, Owner("StatefulSet", "db"), "", generated=True)
AT = Endpoint("Pod", "debug", "u", "10.0.0.9", ready=True)
LABEL = ("EndpointWithoutVersion", "Error")


@pytest.mark.parametrize(
    ("stranger", "words"),
    [
        pytest.param(
            Stranger(AT, BARE, Workload("Pod", "debug")),
            "Pod shop/debug (10.0.0.9), of nobody, is behind Service shop/reviews and carries no label `version`, so neither subset has it: "
            "say which version it is, such as: kubectl label pod debug -n shop version=v2, "
            "or take it out of the Service: kubectl label pod debug -n shop app-",
            id="a bare pod",
        ),
        pytest.param(
            Stranger(AT, DB, Workload("StatefulSet", "db")),
            "Pod shop/db-0 (10.0.0.9), of StatefulSet shop/db, is behind Service shop/reviews and carries no label `version`, so neither subset "
            "has it: write `version: v2` (or whichever version it is) into spec.template.metadata.labels of StatefulSet shop/db, "
            "or take it out of the Service: kubectl label pod db-0 -n shop app-",
            id="of a StatefulSet",
        ),
        pytest.param(
            Stranger(Endpoint("", "", "", "10.0.0.7", ready=True)),
            "Endpoint 10.0.0.7 of Service shop/reviews names no pod, so Istio knows no labels of it and neither subset has it: "
            "take it out of its EndpointSlice, or let a pod serve in its place",
            id="written by hand",
        ),
        pytest.param(
            Stranger(Endpoint("WorkloadEntry", "vm-8", "", "10.0.0.8", ready=True)),
            "Endpoint 10.0.0.8 of Service shop/reviews names no pod but WorkloadEntry shop/vm-8, so Istio knows no labels of it and neither subset "
            "has it: take it out of its EndpointSlice, or let a pod serve in its place",
            id="a virtual machine",
        ),
    ],
)
def test_an_endpoint_of_no_version_is_named_with_what_to_write(stranger: Stranger, words: str) -> None:
    (found,) = [each for each in inspect(mesh(strangers=(stranger,))) if each.reason == LABEL[0]]
    assert found.message == words


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, [], id="all is well"),
        pytest.param({"strangers": (Stranger(AT, BARE), Stranger(AT, DB))}, [LABEL], id="several are one finding"),
        pytest.param({"strangers": (Stranger(AT, BARE),), "under_way": True}, [(LABEL[0], "Warning")], id="once traffic moves it is told"),
        pytest.param({"strangers": (Stranger(AT, workload=Workload("Deployment", "x")),)}, [], id="its template is told by another check"),
        pytest.param({"unreadable": (AT,)}, [LABEL], id="a pod that may not be read"),
        pytest.param({"unreadable": (AT,), "under_way": True}, [(LABEL[0], "Warning")], id="the same once traffic moves"),
        pytest.param({"unreadable": (AT._replace(ready=False),)}, [], id="one that is not ready serves nobody"),
    ],
)
def test_what_blocks_and_what_warns(facts: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(**facts))) == expected


# ----------------------------------------------------------------------------------- the other checks, over what is no ReplicaSet
def stateful(version: str, **labels: str) -> Pod:
    told_labels = {"app": "reviews", "version": version, **labels}
    return Pod(f"{version}-0", "u", told_labels, Owner("StatefulSet", f"reviews-{version}"), "", generated=True)


def whole(of: Pod, *containers: str, **spec: Any) -> dict[str, Any]:
    """The same pod as it is read with its containers."""
    document = pod("v1", *containers, **spec)
    owner = {"kind": "StatefulSet", "name": of.owner.name if of.owner else "", "controller": True}
    return {**document, "metadata": {"namespace": "shop", "name": of.name, "labels": of.labels, "ownerReferences": [owner]}}


def in_mesh(read: tuple[dict[str, Any], ...], *members: Pod) -> Any:
    from canary_operator.preflight import reads

    roles = ("stable", "canary")
    arms = tuple(
        Arm(role, each.labels["version"], tuple(as_sets("shop", [each], read))) for role, each in zip(roles, members, strict=False)
    )
    facts = mesh(arms=arms, replica_sets=())
    key = reads.pods(facts)
    assert key is not None
    return mesh(around={key: read}, arms=arms, replica_sets=())


V1, V2 = stateful("v1"), stateful("v2")
WELL = {"app": "app", "proxy": "istio-proxy"}


def test_stateful_sets_with_sidecars_are_well() -> None:
    assert told(inspect(in_mesh((whole(V1, "app", "istio-proxy"), whole(V2, "app", "istio-proxy")), V1, V2))) == []


def test_pods_of_which_only_the_labels_are_known_are_taken_as_they_are() -> None:
    assert told(inspect(in_mesh((), V1, V2))) == []


def test_a_stateful_set_without_a_sidecar_is_named_and_so_is_the_command() -> None:
    (found,) = inspect(in_mesh((whole(V1, "app"), whole(V2, "app", "istio-proxy")), V1, V2))
    assert found.reason == "SidecarMissing"
    assert "kubectl rollout restart statefulset/reviews-v1 -n shop" in found.message


def test_a_stateful_set_on_the_nodes_network_is_named() -> None:
    found = inspect(in_mesh((whole(V1, "app", hostNetwork=True), whole(V2, "app", "istio-proxy")), V1, V2))
    assert [(each.reason, each.message.partition(" (")[0]) for each in found] == [("HostNetwork", "StatefulSet shop/reviews-v1")]


def test_one_stateful_set_for_both_versions_is_told_like_one_deployment() -> None:
    both = V2._replace(owner=V1.owner)
    found = inspect(in_mesh((), V1, both))
    assert [each.reason for each in found] == ["WorkloadShared"]
    assert found[0].message.startswith("StatefulSet shop/reviews-v1 runs v1 and v2")


def test_a_pod_of_nobodys_is_named_as_what_it_is() -> None:
    lone = V2._replace(owner=None, name="debug", labels={"version": "v2"})
    (found,) = [each for each in inspect(in_mesh((), V1, lone)) if each.reason == "AppLabelMissing"]
    assert found.message.startswith("Pods of Pod shop/debug carry no label `app`")
    assert found.message.endswith("write `app: reviews` into its metadata.labels")
