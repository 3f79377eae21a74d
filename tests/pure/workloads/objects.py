"""Endpoints, pods and ReplicaSets with only what a test is about."""

from typing import Any

from canary_operator.workloads.model import Endpoint, Owner, Pod, Survey
from canary_operator.workloads.source import Behind
from canary_operator.workloads.version_label import ByVersionLabel


def at(name: str, *, ready: bool = True, uid: str = "", leaving: bool = False) -> Endpoint:
    """The endpoint of a pod."""
    return Endpoint("Pod", name, uid, "10.0.0.1", ready=ready, serving=ready, terminating=leaving)


def elsewhere(address: str, kind: str = "", name: str = "", *, ready: bool = True) -> Endpoint:
    """An endpoint that is no pod."""
    return Endpoint(kind, name, "", address, ready=ready)


def replica_set(
    name: str,
    version: str | None,
    *,
    of: str | None = None,
    number: int = 1,
    replicas: int = 2,
    owner: str = "Deployment",
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The ReplicaSet `name` of the Deployment `of` (its name without the hash when left out; empty: of nobody)."""
    deployment, _, template = name.rpartition("-")
    owner_name = deployment if of is None else of
    return {
        "metadata": {
            "name": name,
            "labels": {"pod-template-hash": template},
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"kind": owner, "name": owner_name, "controller": True}] if owner_name else [],
        },
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": {"app": "reviews", **({"version": version} if version else {}), **(labels or {})}}},
        },
    }


def pod(
    name: str,
    version: str | None = None,
    owner: tuple[str, str] | None = None,
    template: str | None = None,
    *,
    created: str = "2026-01-01T00:00:00Z",
    key: str = "controller-revision-hash",
    uid: str = "",
    generated: bool | None = None,
    **labels: str,
) -> Pod:
    """A pod by its metadata."""
    told = {**({"version": version} if version else {}), **({key: template} if template else {}), **labels}
    return Pod(name, uid, told, Owner(*owner) if owner else None, created, owner is not None if generated is None else generated)


def survey(endpoints: list[Endpoint], *, sets: list[dict[str, Any]] | None = None, pods: list[Pod] | None = None) -> Survey:
    """What serves, told by the label `version`."""
    read: dict[tuple[str, str], Pod | None] = {(each.name, each.uid): each for each in pods or []}
    return ByVersionLabel("version").survey(Behind(endpoints, sets or [], read))
