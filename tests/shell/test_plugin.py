"""What the plugin writes, and when it refuses: the values behind `kubectl canary`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from canary_operator.api.names import ACTION
from canary_operator.cli.asking import Refused, action_text, change
from canary_operator.cli.running import operator_at_work

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
Document = dict[str, Any]


def release(number: int = 3, action: str | None = None, last: str | None = None, n: int = 0) -> Document:
    metadata: Document = {"name": "reviews", "namespace": "shop", "resourceVersion": "7"}
    if action:
        metadata["annotations"] = {ACTION: action}
    return {"metadata": metadata, "status": {"release": {"number": number, "asked": {"n": n}}, "lastAction": last, "message": "told"}}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (release(), "abort/3/1"),
        (release(last="retry/2/4"), "abort/3/1"),
        (release(last="retry/3/4"), "abort/3/5"),
        (release(action="retry/3/6", last="retry/3/4"), "abort/3/7"),
        (release(action="abort/2/9"), "abort/3/1"),
        (release(action="nonsense", last="retry/3/1"), "abort/3/2"),
        (release(action="abort/3/2", last="abort/3/2"), "abort/3/3"),
        (release(action="stop!", last="stop!", n=5), "abort/3/6"),
    ],
    ids=[
        "the first action of a release",
        "an earlier release's action does not count",
        "above the last that was acknowledged",
        "above one that waits to be carried out",
        "an abort that was meant for an earlier release may be overwritten",
        "what is no action does not count",
        "an abort that was acknowledged may be overwritten",
        "above the last that was done, though nonsense was acknowledged after it",
    ],
)
def test_an_action_names_the_present_release_and_the_next_n(document: Document, text: str) -> None:
    assert action_text(document, "abort") == text


def test_an_abort_that_waits_to_be_carried_out_is_never_overwritten() -> None:
    with pytest.raises(Refused, match=r"CanaryRelease shop/reviews still has to carry out abort/3/2; nothing is put in its place: told"):
        action_text(release(action="abort/3/2", last="retry/3/1"), "retry")


@pytest.mark.parametrize(
    ("status", "words"),
    [({}, "has no status yet"), ({"release": {"number": 0}}, "has had no release yet")],
    ids=["no status", "no release"],
)
def test_without_a_release_there_is_nothing_to_act_on(status: Document, words: str) -> None:
    with pytest.raises(Refused, match=words):
        action_text({**release(), "status": status}, "abort")


def test_an_action_is_bound_to_what_was_read() -> None:
    assert change(release(), "abort/3/1") == {"metadata": {"resourceVersion": "7", "annotations": {ACTION: "abort/3/1"}}}


# ------------------------------------------------------------------------------------------------------------------- is an operator at work


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lease(holder: str, seconds: float) -> Document:
    metadata = {"name": "istio-canary-operator", "namespace": "istio-canary-operator"}
    return {"metadata": metadata, "spec": {"holderIdentity": holder, "renewTime": ago(seconds), "leaseDurationSeconds": 15}}


def deployment(ready: int) -> Document:
    return {"metadata": {"name": "istio-canary-operator", "namespace": "infra"}, "status": {"readyReplicas": ready} if ready else {}}


def route(manager: str, seconds: float) -> Document:
    fields = [{"manager": manager, "time": ago(seconds)}]
    return {"kind": "VirtualService", "metadata": {"name": "reviews", "namespace": "shop", "managedFields": fields}}


@pytest.mark.parametrize(
    ("leases", "deployments", "written", "told"),
    [
        ([lease("pod-1", 5)], [], [], "pod-1 holds the lease istio-canary-operator/istio-canary-operator"),
        ([lease("pod-1", 16)], [], [], None),
        ([lease("", 1)], [], [], None),
        ([], [deployment(1)], [], "Deployment infra/istio-canary-operator has ready pods"),
        ([], [deployment(0)], [], None),
        ([], [], [route("istio-canary-operator", 12)], "VirtualService shop/reviews was written 12 s ago"),
        ([], [], [route("istio-canary-operator", 31)], None),
        ([], [], [route("kubectl-edit", 1)], None),
    ],
    ids=[
        "a lease that is held",
        "a lease that ran out",
        "a lease that was given back",
        "a Deployment with ready pods",
        "a Deployment at 0",
        "a write of a moment ago",
        "an old write",
        "somebody else's write",
    ],
)
def test_what_shows_that_an_operator_is_at_work(
    leases: list[Document], deployments: list[Document], written: list[Document], told: str | None
) -> None:
    assert operator_at_work(leases, deployments, written, NOW) == told
