"""Whether the Service and the pod templates of both versions fit each other."""

from typing import Any

import pytest

from canary_operator.preflight import Arm, inspect
from canary_operator.workloads.reading import OVERRIDE
from preflight.objects import arms, mesh, replica_set, service, template, told

ERROR, WARNING = "Error", "Warning"
V1, V2 = replica_set("v1"), replica_set("v2")


def canary(**options: Any) -> dict[str, Any]:
    """Another template for the canary."""
    return arms(V1, replica_set("v2", template(**{"labels": {"version": "v2"}, **options})))


def ports(**port: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", "ports": [port]}]}


def stray(**labels: str) -> dict[str, Any]:
    """A canary whose labels are these alone, so that the Service does not select it."""
    pods = {"metadata": {"labels": {"version": "v2", **labels}}, "spec": {"containers": [{"name": "app"}]}}
    return {"arms": (Arm("stable", "v1", (V1,)),), "replica_sets": (V1, replica_set("v2", pods))}


def other(name: str, **selector: str) -> dict[str, Any]:
    return {"services": (service(), {"metadata": {"namespace": "shop", "name": name}, "spec": {"selector": selector}})}


def long(version: str, length: int) -> dict[str, Any]:
    """A ReplicaSet whose Deployment is named with so many characters, the version last."""
    name = "x" * (length - len(version)) + version
    found = replica_set(version, owner=name)
    return {**found, "metadata": {**found["metadata"], "name": f"{name}-5fc588cb57"}}


WEB = {"name": "http", "port": 9080, "targetPort": "web"}
GRPC = {"name": "http", "port": 9080, "targetPort": "grpc"}
APPLESS = {"metadata": {"labels": {"version": "v2", "run": "reviews"}}, "spec": {"containers": []}}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({}, [], id="both versions are as they should be"),
        pytest.param(stray(app="review"), [("ServiceSelectsNoPod", ERROR)], id="the canary's pods carry another app"),
        pytest.param(stray(), [("ServiceSelectsNoPod", ERROR)], id="the canary's pods carry no app"),
        pytest.param(stray(app="ratings") | other("ratings", app="ratings"), [], id="version v2 of another Service is not ours"),
        pytest.param(
            {"arms": (Arm("stable", "v1", (V1,)),), "replica_sets": (V1, replica_set("v2", template(labels={"app": "x"}), replicas=0))},
            [],
            id="nothing is asked of what is scaled to 0",
        ),
        pytest.param(
            {"replica_sets": (V1, V2, replica_set("x", template()))}, [("VersionLabelMissing", ERROR)], id="pods without a version label"
        ),
        pytest.param(
            {"replica_sets": (V1, V2, replica_set("x", template(), replicas=0))}, [], id="an old ReplicaSet without pods is no matter"
        ),
        pytest.param(
            arms(replica_set("v1", owner="reviews"), replica_set("v2", owner="reviews")),
            [("WorkloadShared", ERROR)],
            id="both versions in one Deployment",
        ),
        pytest.param(
            arms(*(replica_set(version, template(labels={"version": version, OVERRIDE: "reviews"})) for version in ("v1", "v2"))),
            [("WorkloadShared", ERROR)],
            id="two Deployments that telemetry calls alike",
        ),
        pytest.param(
            arms(*(replica_set(version, template(labels={"version": version, OVERRIDE: f"r-{version}"})) for version in ("v1", "v2"))),
            [],
            id="two Deployments with names of their own in telemetry",
        ),
        pytest.param(arms(long("v1", 58), long("v2", 58)), [], id="long names whose pods' names still end in the version"),
        pytest.param(arms(long("v1", 59), long("v2", 59)), [], id="names so long that the version is cut off: their pods are read"),
        pytest.param(arms(long("v1", 59), long("v2", 20)), [], id="one long name is no matter"),
        pytest.param(
            arms(V1, replica_set("v2", APPLESS)) | {"service": service(selector={"version-less": "x"})},
            [("AppLabelMissing", WARNING)],
            id="no app label",
        ),
        pytest.param(
            canary(labels={"version": "v2", "app.kubernetes.io/name": "reviews"}), [], id="the recommended label names the app too"
        ),
        pytest.param(other("reviews-all", app="reviews"), [("ServiceOverlaps", WARNING)], id="another Service of the same pods"),
        pytest.param(other("headless"), [], id="another Service without a selector"),
        pytest.param({"service": service(WEB)}, [], id="a target port by name"),
        pytest.param(
            {"service": service(WEB), **canary(**ports(name="http", containerPort=9080))},
            [("TargetPortUnknown", ERROR)],
            id="a name that the canary lacks",
        ),
        pytest.param(
            {"service": service({**WEB, "targetPort": 8081})},
            [("TargetPortUndeclared", WARNING)] * 2,
            id="a number that no container declares",
        ),
        pytest.param({"service": service({**WEB, "targetPort": 9080})}, [], id="a number that is declared"),
        pytest.param(
            {"service": service({"name": "http", "port": 80})},
            [("TargetPortUndeclared", WARNING)] * 2,
            id="a target port that is left out is the port",
        ),
        pytest.param(canary(containers=[{"name": "app"}]), [], id="a container need not declare ports"),
        pytest.param(
            {
                "service": service(GRPC),
                **arms(
                    replica_set("v1", template(labels={"version": "v1"}, **ports(name="grpc", containerPort=9080))),
                    replica_set("v2", template(labels={"version": "v2"}, **ports(name="grpc", containerPort=9080))),
                ),
            },
            [("GrpcPortNotNamed", ERROR)],
            id="a port called grpc by the pods and http by the Service",
        ),
        pytest.param(
            {"service": service({**WEB, "targetPort": 9080}), **canary(**ports(name="grpc-web", containerPort=9080))},
            [],
            id="grpc-web goes over HTTP/1.1",
        ),
    ],
)
def test_workloads(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(**changes))) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            stray(app="review"),
            "Service shop/reviews selects app=reviews, and the pods of Deployment shop/reviews-v2 (version=v2) carry app=review: "
            "write `app: reviews` into its spec.template.metadata.labels, or correct spec.selector of the Service",
            id="selector",
        ),
        pytest.param(
            {"service": service(WEB), **canary(**ports(name="http", containerPort=9080))},
            "Port 9080 of Service shop/reviews leads to the container port web, which Deployment shop/reviews-v2 (canary) does not have "
            "(it has: http): write `targetPort: 9080` into that port of the Service",
            id="target port",
        ),
        pytest.param(
            arms(replica_set("v1", owner="reviews"), replica_set("v2", owner="reviews")),
            "Deployment shop/reviews runs v1 and v2, so their requests cannot be told apart: "
            "leave v1 in it, and deploy v2 as a Deployment of its own, such as reviews-v2",
            id="one Deployment",
        ),
    ],
)
def test_messages_say_what_to_write(changes: dict[str, Any], message: str) -> None:
    assert inspect(mesh(**changes))[0].message == message
