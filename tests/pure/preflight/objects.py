"""Objects as the API server gives them, with only what a test is about."""

from dataclasses import replace
from typing import Any

from canary_operator.api.names import OWNER, ROUTE
from canary_operator.mesh.config import Mesh, MeshConfig
from canary_operator.preflight import Arm, Facts, Finding, reads
from canary_operator.preflight.reading import Listing, Read

HOST = "reviews.shop.svc.cluster.local"
Document = dict[str, Any]


def facts(**changes: Any) -> Facts:
    """The CanaryRelease shop/reviews, with nothing wrong around it."""
    return Facts(
        **{
            "release": "reviews",
            "namespace": "shop",
            "service_name": "reviews",
            "service_port": None,
            "version_label": "version",
            "host": HOST,
            "service": service(),
            "mesh": Mesh(config=MeshConfig()),
            **changes,
        }
    )


def service(*ports: Document, **spec: Any) -> Document:
    listed = list(ports) or [{"name": "http", "port": 9080, "protocol": "TCP"}]
    return {
        "metadata": {"namespace": "shop", "name": "reviews"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.7", "selector": {"app": "reviews"}, "ports": listed, **spec},
    }


def named(name: str, owner: str | None = None, **spec: Any) -> Document:
    """An object at `namespace/name`; a spec field that is None is left out."""
    namespace, _, short = name.partition("/")
    labels = {"labels": {OWNER: owner}} if owner else {}
    return {
        "metadata": {"namespace": namespace, "name": short, **labels},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def routed(name: str, *hosts: str, owner: str | None = None, to: Document | None = None, **spec: Any) -> Document:
    """A VirtualService of these hosts whose one route sends to a destination."""
    route = ROUTE if owner else "main"
    return named(
        name, owner, hosts=list(hosts), http=[{"name": route, "route": [{"destination": to or {"host": "elsewhere.example.com"}}]}], **spec
    )


def told(findings: Any) -> list[tuple[str, str]]:
    """Reason and severity of each finding."""
    assert all(isinstance(finding, Finding) and finding.message for finding in findings)
    return [(finding.reason, str(finding.severity)) for finding in findings]


def template(*, labels: Document | None = None, annotations: Document | None = None, **spec: Any) -> Document:
    """A pod template of the app `reviews`."""
    container = {"name": "app", "ports": [{"name": "web", "containerPort": 9080}]}
    metadata = {"labels": {"app": "reviews"} | (labels or {}), **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}}


def replica_set(version: str, pods: Document | None = None, *, owner: str | None = None, replicas: int = 2) -> Document:
    """The ReplicaSet `reviews-<version>-1` of the Deployment `reviews-<version>`, or of another owner."""
    owner = owner or f"reviews-{version}"
    return {
        "metadata": {
            "namespace": "shop",
            "name": f"reviews-{version}-1",
            "ownerReferences": [{"kind": "Deployment", "name": owner, "controller": True}],
        },
        "spec": {"replicas": replicas, "template": pods or template(labels={"version": version})},
    }


def pod(version: str, *containers: str, number: int = 1, leaving: bool = False, **spec: Any) -> Document:
    """A pod of `replica_set(version)`, with a sidecar unless containers are named."""
    listed = containers or ("app", "istio-proxy")
    leave = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {}
    owner = {"kind": "ReplicaSet", "name": f"reviews-{version}-1", "controller": True}
    return {
        "metadata": {"namespace": "shop", "name": f"reviews-{version}-1-{number}", "ownerReferences": [owner], **leave},
        "spec": {"containers": [{"name": name} for name in listed], **spec},
    }


INJECTOR: Document = {
    "metadata": {"name": "istio-sidecar-injector", "labels": {"istio.io/rev": "default"}},
    "webhooks": [
        {
            "name": "rev.namespace.sidecar-injector.istio.io",
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "istio.io/rev", "operator": "In", "values": ["default"]},
                    {"key": "istio-injection", "operator": "DoesNotExist"},
                ]
            },
            "objectSelector": {"matchExpressions": [{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]},
        },
        {
            "name": "namespace.sidecar-injector.istio.io",
            "namespaceSelector": {"matchExpressions": [{"key": "istio-injection", "operator": "In", "values": ["enabled"]}]},
            "objectSelector": {"matchExpressions": [{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]},
        },
        {
            "name": "object.sidecar-injector.istio.io",
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "istio-injection", "operator": "DoesNotExist"},
                    {"key": "istio.io/rev", "operator": "DoesNotExist"},
                ]
            },
            "objectSelector": {
                "matchExpressions": [
                    {"key": "sidecar.istio.io/inject", "operator": "In", "values": ["true"]},
                    {"key": "istio.io/rev", "operator": "DoesNotExist"},
                ]
            },
        },
    ],
}
"""As Istio's chart installs it for the default revision."""
VALIDATOR: Document = {
    "metadata": {"name": "istiod-default-validator"},
    "webhooks": [{"name": "validation.istio.io", "failurePolicy": "Fail"}],
}
ENABLED = {"istio-injection": "enabled"}


def namespace(**labels: str) -> Document:
    return {"metadata": {"name": "shop", "labels": labels}}


def row(where: str = "clients", workload: str = "web", reporter: str = "source", requests: float = 100.0) -> Document:
    """A row of telemetry."""
    return {"reporter": reporter, "workload": workload, "namespace": where, "requests": requests}


def mesh(labels: Document | None = None, around: dict[Read, Listing] | None = None, **changes: Any) -> Facts:
    """`facts` with v1 and v2 deployed in a mesh in which everything could be read and is well.

    Args:
        labels: Of the namespace.
        around: What was read instead.
        **changes: Other facts.
    """
    sets = (replica_set("v1"), replica_set("v2"))
    plain = {
        "version": "v2",
        "replica_sets": sets,
        "arms": (Arm("stable", "v1", sets[:1]), Arm("canary", "v2", sets[1:])),
        "services": (service(),),
    }
    base = facts(**{**plain, **changes})
    well: dict[Read, Listing] = {
        reads.namespace(base): (namespace(**(ENABLED if labels is None else labels)),),
        reads.MUTATING: (INJECTOR,),
        reads.mesh_config(base.mesh.config_map): ({"metadata": {"namespace": "istio-system", "name": "istio"}, "mesh": {}},),
        reads.VALIDATING: (VALIDATOR,),
        reads.telemetry(base): (row(),),
        **dict.fromkeys(reads.policies(base), ()),
        **({read: (pod("v1"), pod("v2"))} if (read := reads.pods(base)) else {}),
    }
    return replace(base, around={**well, **(around or {})})


def arms(stable: Document, canary: Document) -> dict[str, Any]:
    """Facts about two ReplicaSets, one of each version."""
    return {"replica_sets": (stable, canary), "arms": (Arm("stable", "v1", (stable,)), Arm("canary", "v2", (canary,)))}
