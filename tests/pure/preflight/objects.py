"""Objects as the API server gives them, with only what a test is about."""

from typing import Any

from canary_operator.api.names import OWNER
from canary_operator.preflight import Facts, Finding

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
    return named(
        name, owner, hosts=list(hosts), http=[{"name": "main", "route": [{"destination": to or {"host": "elsewhere.example.com"}}]}], **spec
    )


def told(findings: Any) -> list[tuple[str, str]]:
    """Reason and severity of each finding."""
    assert all(isinstance(finding, Finding) and finding.message for finding in findings)
    return [(finding.reason, str(finding.severity)) for finding in findings]
