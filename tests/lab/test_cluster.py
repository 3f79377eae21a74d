"""What comes up is the real thing: injector, validator, controllers, rights, audit log."""

import time
from contextlib import closing

import pytest

from lab import ApiError, Lab
from lab.waiting import until
from tests.lab.shop import Shop

VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/virtualservices"


def test_comes_up_in_time(lab: Lab) -> None:
    assert lab.started_in < 60, "20 s are the goal with an idle machine; this bound only catches a lab that hangs"


def test_pods_are_injected_by_istio(shop: Shop) -> None:
    pod = shop.version("v1").pods()[0]
    containers = [container["name"] for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", [])]
    assert "istio-proxy" in containers
    assert pod["metadata"]["labels"]["service.istio.io/canonical-revision"] == "v1"


def test_pods_of_an_unlabelled_namespace_are_not_injected(lab: Lab) -> None:
    lab.namespace("plain", injection=False)
    workload = lab.workload(lab.service("web", "plain"), "v1")
    workload.wait_ready()
    assert [container["name"] for container in workload.pods()[0]["spec"]["containers"]] == ["app"]


def test_istio_refuses_a_negative_weight(shop: Shop) -> None:
    with pytest.raises(ApiError, match="weight -3 < 0|weight -3 .u003c 0"):
        shop.route(v1=103, v2=-3)


def test_a_service_account_has_its_own_rights_only(lab: Lab) -> None:
    kubeconfig = str(lab.service_account_kubeconfig("default", "visitor"))
    asked = lab.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", "--kubeconfig", kubeconfig)
    assert asked.stdout == "system:serviceaccount:default:visitor"
    refused = lab.kubectl("get", "secrets", "--kubeconfig", kubeconfig, check=False)
    assert refused.returncode and "forbidden" in refused.stderr


def test_the_audit_log_counts_requests(lab: Lab) -> None:
    begun = time.time()
    lab.kubectl("get", "nodes")
    found = until(lambda: lab.audit.requests(user_agent="kubectl/", since=begun, resources={"nodes"}), "request in the log")
    assert [(request.verb, request.code, request.user) for request in found] == [("list", 200, "lab-admin")]


def test_a_watch_is_counted_once_and_when_it_begins(lab: Lab) -> None:
    begun = time.time()
    events = lab.api.watch("/api/v1/nodes", seconds=2)
    assert next(events).type == "ADDED"
    assert len(lab.audit.requests(since=begun, verbs={"watch"}, resources={"nodes"}, user_agent="lab-admin")) == 1
    assert [event.type for event in events if event.type != "BOOKMARK"] == []
    assert len(lab.audit.requests(since=begun, verbs={"watch"}, resources={"nodes"}, user_agent="lab-admin")) == 1


def test_a_policy_can_ask_for_the_rights_of_whoever_writes(lab: Lab) -> None:
    """ValidatingAdmissionPolicy with `authorizer`, which the operator's own policy is built on."""
    lab.api.apply(*_POLICY)
    lab.kubectl("create", "rolebinding", "editor", "--clusterrole=edit", "--user=mallory", "-n", "default")
    make = ("create", "configmap", "guarded", "-n", "default", "--dry-run=server")
    until(lambda: "may not" in lab.kubectl(*make, "--as=mallory", check=False).stderr, "mallory is refused")
    lab.kubectl(*make)


def test_every_revision_is_recorded_across_a_restart_of_the_api_server(shop: Shop) -> None:
    record = shop.lab.revisions(VIRTUAL_SERVICES, "/apis/networking.istio.io/v1/destinationrules")
    shop.route(v1=100, v2=0)
    shop.lab.api_server.restart()
    for weight in (10, 20, 30):
        last = shop.route(v1=100 - weight, v2=weight)
    record.wait_for(last)
    written = [found.object["spec"]["http"][0]["route"][1].get("weight", 0) for found in record.of("VirtualService", "reviews")]
    assert written == [0, 10, 20, 30]
    assert [found.object["kind"] for found in record.all][:2] == ["DestinationRule", "VirtualService"]


def test_a_recorder_of_one_namespace_sees_no_other(shop: Shop, request: pytest.FixtureRequest) -> None:
    neighbour = Shop(shop.lab, f"{shop.namespace}-too")
    request.addfinalizer(lambda: shop.lab.api.delete(f"/api/v1/namespaces/{neighbour.namespace}"))
    with closing(shop.lab.revisions(VIRTUAL_SERVICES, namespace=shop.namespace)) as record:
        neighbour.route(v1=100, v2=0)
        record.wait_for(shop.route(v1=100, v2=0))
        assert {found.object["metadata"]["namespace"] for found in record.all} == {shop.namespace}


def test_a_recorder_that_is_closed_sees_nothing_more(shop: Shop) -> None:
    closed, open_ = (shop.lab.revisions(VIRTUAL_SERVICES, namespace=shop.namespace) for _ in range(2))
    closed.wait_for(shop.route(v1=100, v2=0))
    closed.close()
    with closing(open_):
        open_.wait_for(shop.route(v1=90, v2=10))
        assert (len(closed.all), len(open_.all)) == (1, 2)


_RIGHT = "authorizer.group('networking.istio.io').resource('virtualservices').namespace('default').check('update').allowed()"
_POLICY = (
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "guard"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
            },
            "validations": [{"expression": f"object.metadata.name != 'guarded' || {_RIGHT}", "message": "may not"}],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "guard"},
        "spec": {"policyName": "guard", "validationActions": ["Deny"]},
    },
)
