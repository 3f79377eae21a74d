"""From documents to endpoints and pods."""

from typing import Any

import pytest

from canary_operator.workloads.model import Endpoint
from canary_operator.workloads.reading import endpoint_of, pod_of


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"addresses": ["10.0.0.7"]}, Endpoint("", "", "", "10.0.0.7", True, True, False), id="by hand, no conditions: ready"),
        pytest.param({}, Endpoint("", "", "", "", True, True, False), id="nothing at all"),
        pytest.param(
            {"addresses": ["10.0.0.7", "10.0.0.8"], "conditions": {"ready": False}},
            Endpoint("", "", "", "10.0.0.7", False, False, False),
            id="of several addresses the first",
        ),
        pytest.param(
            {
                "addresses": ["a"],
                "conditions": {"ready": False, "serving": True, "terminating": True},
                "targetRef": {"kind": "Pod", "name": "p"},
            },
            Endpoint("Pod", "p", "", "a", False, True, True),
            id="a pod on its way out that still answers",
        ),
        pytest.param(
            {"addresses": None, "conditions": None, "targetRef": {"kind": "WorkloadEntry", "name": "vm", "uid": "u"}},
            Endpoint("WorkloadEntry", "vm", "u", "", True, True, False),
            id="null where a list should be",
        ),
    ],
)
def test_an_endpoint(document: dict[str, Any], expected: Endpoint) -> None:
    assert endpoint_of(document) == expected


def test_a_pod_without_labels_and_owners() -> None:
    found = pod_of({"metadata": {"name": "p"}})
    assert (found.labels, found.owner, found.generated, found.leaving) == ({}, None, False, False)


def test_only_the_controller_owns_a_pod() -> None:
    owners = [{"kind": "Backup", "name": "b"}, {"kind": "StatefulSet", "name": "db", "controller": True}]
    found = pod_of(
        {"metadata": {"name": "db-0", "generateName": "db-", "ownerReferences": owners, "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    )
    assert (found.owner, found.generated, found.leaving) == (("StatefulSet", "db"), True, True)
