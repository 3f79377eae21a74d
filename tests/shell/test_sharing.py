"""What ReplicaSets of a Deployment have in common is kept once; nothing else changes by it."""

import json
from typing import Any

from canary_operator.clients.kinds import REPLICA_SET
from canary_operator.trimming import trimmed


def replica_set(number: int, name: str = "reviews", **spec: Any) -> dict[str, Any]:
    """As the API server sends it: no part of one document is a part of another."""
    labels = {"app": name, "version": "v1", "pod-template-hash": f"hash{number}"}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-v1", "uid": f"uid-{name}", "controller": True}
    containers = [{"name": "app", "image": f"app:{number}", "ports": [{"name": "http", "containerPort": 9080}]}, {"name": "istio-proxy"}]
    metadata = {"name": f"{name}-{number}", "namespace": "shop", "uid": f"uid-{number}", "labels": labels, "ownerReferences": [owner]}
    template = {
        "metadata": {"labels": labels, "annotations": {"sidecar.istio.io/inject": "true"}},
        "spec": {"containers": containers, **spec},
    }
    document = {"metadata": metadata, "spec": {"replicas": 2, "template": template}}
    return dict(json.loads(json.dumps(document)))


def test_owner_containers_and_texts_are_there_once() -> None:
    one, other = (trimmed(REPLICA_SET, replica_set(number)) for number in (1, 2))
    assert one["metadata"]["ownerReferences"] is other["metadata"]["ownerReferences"]
    assert one["spec"]["template"]["spec"] is other["spec"]["template"]["spec"]
    assert one["metadata"]["namespace"] is other["metadata"]["namespace"]
    assert one["metadata"]["labels"]["app"] is other["metadata"]["labels"]["app"]
    assert one["metadata"]["labels"] is one["spec"]["template"]["metadata"]["labels"]


def test_what_differs_stays_different() -> None:
    one, other = trimmed(REPLICA_SET, replica_set(1)), trimmed(REPLICA_SET, replica_set(1, "ratings", hostNetwork=True))
    assert (one["metadata"]["ownerReferences"][0]["name"], other["metadata"]["ownerReferences"][0]["name"]) == ("reviews-v1", "ratings-v1")
    assert "hostNetwork" not in one["spec"]["template"]["spec"]
    assert other["spec"]["template"]["spec"]["hostNetwork"] is True


def test_labels_that_differ_from_those_of_the_pods_are_kept() -> None:
    document = replica_set(1)
    document["metadata"]["labels"] = {"team": "shop"}
    found = trimmed(REPLICA_SET, document)
    assert found["metadata"]["labels"] == {"team": "shop"}
    assert found["spec"]["template"]["metadata"]["labels"]["app"] == "reviews"


def test_trimming_what_is_trimmed_changes_nothing() -> None:
    found = trimmed(REPLICA_SET, replica_set(1))
    assert trimmed(REPLICA_SET, found) == found
