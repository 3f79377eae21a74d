"""Whether both versions' pods are in the mesh."""

from typing import Any

import pytest

from canary_operator.preflight import inspect, reads
from canary_operator.preflight.reading import NotPermitted
from preflight.objects import ENABLED, INJECTOR, arms, facts, mesh, pod, replica_set, template, told

ERROR, WARNING = "Error", "Warning"
PODS = reads.pods(facts())
assert PODS
OFF = [("NotInjected", ERROR)] * 2
V1 = replica_set("v1")
BARE = (pod("v1", "app"), pod("v2", "app"))


def labelled(**labels: str) -> dict[str, Any]:
    """Both versions with these labels on their pods, and no pod yet."""
    one, two = (replica_set(version, template(labels={"version": version, **labels})) for version in ("v1", "v2"))
    return {**arms(one, two), "around": {PODS: ()}}


INJECT = "sidecar.istio.io/inject"


@pytest.mark.parametrize(
    ("labels", "changes", "found"),
    [
        pytest.param(ENABLED, {}, [], id="an injected namespace"),
        pytest.param({"istio.io/rev": "default"}, {}, [], id="injected by revision"),
        pytest.param({}, {"around": {PODS: ()}}, OFF, id="no label, no pods"),
        pytest.param({}, {"around": {PODS: BARE}}, OFF, id="no label, bare pods"),
        pytest.param({}, {}, [("NotInjected", WARNING)] * 2, id="the label was taken off while all pods still have a sidecar"),
        pytest.param({"istio-injection": "disabled"}, {"around": {PODS: ()}}, OFF, id="injection disabled"),
        pytest.param({"istio-injection": "yes"}, {"around": {PODS: ()}}, OFF, id="a value that means nothing"),
        pytest.param({}, labelled(**{INJECT: "true"}), [], id="no label, and the pods ask for it"),
        pytest.param(ENABLED, labelled(**{INJECT: "false"}), OFF, id="the pods' label is against it"),
        pytest.param(
            {"istio-injection": "disabled"}, labelled(**{INJECT: "true"}), OFF, id="a disabled namespace wins over the pods' label"
        ),
        pytest.param(
            ENABLED,
            arms(V1, replica_set("v2", template(labels={"version": "v2"}, annotations={INJECT: "false"}))) | {"around": {PODS: ()}},
            OFF[:1],
            id="an annotation refuses too",
        ),
        pytest.param(
            {}, {"around": {PODS: (), reads.MUTATING: NotPermitted()}}, [*OFF, ("NotPermitted", WARNING)], id="by the labels alone"
        ),
        pytest.param(
            ENABLED, {"around": {PODS: (), reads.MUTATING: NotPermitted()}}, [("NotPermitted", WARNING)], id="the labels alone may be right"
        ),
        pytest.param(ENABLED, {"around": {PODS: (), reads.MUTATING: ()}}, OFF, id="no injector is installed"),
        pytest.param(
            {"istio.io/rev": "1-24"}, {"around": {PODS: ()}}, [("RevisionUnknown", ERROR)], id="a revision that nobody serves is told once"
        ),
        pytest.param(
            {"istio.io/rev": "canary"},
            {"around": {reads.MUTATING: (INJECTOR | {"metadata": {"name": "tag", "labels": {"istio.io/tag": "canary"}}},)}},
            [("NotInjected", WARNING)] * 2,
            id="a tag is a revision too, and then the webhooks' own selectors decide",
        ),
        pytest.param(
            {"istio-injection": "enabled", "istio.io/rev": "1-24"},
            {},
            [("SeveralInjectionLabels", WARNING)],
            id="of several labels istio-injection wins",
        ),
        pytest.param(
            ENABLED,
            {"around": {PODS: (pod("v1", "app"), pod("v2"))}},
            [("SidecarMissing", ERROR)],
            id="a pod from before the namespace was labelled",
        ),
        pytest.param(
            ENABLED,
            {"around": {PODS: (pod("v1", "app", leaving=True), pod("v1", number=2), pod("v2"))}},
            [],
            id="a pod that is leaving does not count",
        ),
        pytest.param(
            ENABLED,
            {"around": {PODS: (pod("v1", "app", initContainers=[{"name": "istio-proxy", "restartPolicy": "Always"}]), pod("v2"))}},
            [],
            id="a native sidecar is an init container",
        ),
        pytest.param(
            {},
            arms(
                replica_set("v1", template(labels={"version": "v1"}, containers=[{"name": "app"}, {"name": "istio-proxy"}])),
                replica_set("v2", template(labels={"version": "v2"}, initContainers=[{"name": "istio-proxy"}])),
            )
            | {"around": {PODS: ()}},
            [],
            id="injected by hand",
        ),
        pytest.param(
            ENABLED,
            arms(V1, replica_set("v2", template(labels={"version": "v2"}, hostNetwork=True))) | {"around": {PODS: BARE[1:]}},
            [("HostNetwork", ERROR)],
            id="the node's network, told once",
        ),
    ],
)
def test_injection(labels: dict[str, str], changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(labels, **changes))) == found


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        pytest.param(
            {},
            {"around": {PODS: ()}},
            "Pods of Deployment shop/reviews-v1 get no sidecar: namespace shop is not enabled for injection: "
            "kubectl label namespace shop istio-injection=enabled --overwrite; then: kubectl rollout restart deployment/reviews-v1 -n shop",
            id="not injected",
        ),
        pytest.param(
            {"istio-injection": "disabled"},
            {"around": {PODS: (), reads.MUTATING: (INJECTOR | {"metadata": {"name": "x", "labels": {"istio.io/rev": "1-30"}}},)}},
            "Pods of Deployment shop/reviews-v1 get no sidecar: namespace shop is labelled istio-injection=disabled: kubectl label namespace "
            "shop istio.io/rev=1-30 istio-injection- --overwrite; then: kubectl rollout restart deployment/reviews-v1 -n shop",
            id="there is no default revision",
        ),
        pytest.param(
            ENABLED,
            labelled(**{INJECT: "false"}),
            'Pods of Deployment shop/reviews-v1 get no sidecar: take `sidecar.istio.io/inject: "false"` out of the labels and annotations of '
            "spec.template of Deployment shop/reviews-v1",
            id="the pods' label",
        ),
        pytest.param(
            ENABLED,
            {"around": {PODS: (pod("v1", "app"), pod("v1", "app", number=2), pod("v2"))}},
            "Pod shop/reviews-v1-1-1 and 1 more of stable v1 has no istio-proxy, though a new one would get it: "
            "restart it: kubectl rollout restart deployment/reviews-v1 -n shop",
            id="bare pods",
        ),
        pytest.param(
            {"istio.io/rev": "1-24"},
            {},
            "Namespace shop asks for revision 1-24, and no control plane serves it: "
            "kubectl label namespace shop istio.io/rev=default --overwrite; then: kubectl rollout restart deployment -n shop (known: default)",
            id="unknown revision",
        ),
    ],
)
def test_messages_say_what_to_run(labels: dict[str, str], changes: dict[str, Any], message: str) -> None:
    assert inspect(mesh(labels, **changes))[0].message == message
