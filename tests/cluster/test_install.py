"""deploy/install.yaml before a real API server: it applies, its pod is admitted under the strictest rules, and its rights are the least."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary_operator.api import names
from lab import Cluster
from lab.api import Api
from lab.waiting import until
from tests.cluster.clients import Document, Kubectl, Releases

INSTALL = Path(__file__).resolve().parents[2] / "deploy" / "install.yaml"
OPERATOR = "system:serviceaccount:istio-canary-operator:istio-canary-operator"
SPEC = {"service": {"name": "reviews"}, "version": "v2"}
ROUTES = ("virtualservices", "destinationrules")


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> list[Document]:
    """What the file holds, applied."""
    kubectl("apply", "--server-side", "-f", str(INSTALL))
    return list(yaml.safe_load_all(INSTALL.read_text(encoding="utf-8")))


@pytest.fixture
def pod(installed: list[Document], api: Api, namespace: str) -> Document:
    """The operator's pod, in a namespace that enforces the strictest pod security standard and warns of everything below it."""
    [template] = [document["spec"]["template"] for document in installed if document["kind"] == "Deployment"]
    strict = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": strict}})
    account = template["spec"]["serviceAccountName"]
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator", "namespace": namespace}, "spec": template["spec"]}


def test_the_pod_is_admitted_where_only_restricted_pods_are(kubectl: Kubectl, pod: Document) -> None:
    assert "created (server dry run)" in kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))


@pytest.mark.parametrize("loosened", ["runAsNonRoot", "seccompProfile"])
def test_that_namespace_refuses_a_looser_pod(kubectl: Kubectl, pod: Document, loosened: str) -> None:
    """The test above would not notice a namespace that lets everything in."""
    del pod["spec"]["securityContext"][loosened]

    assert "violates PodSecurity" in kubectl.complaint("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))


def test_the_container_writes_nowhere(installed: list[Document]) -> None:
    [deployment] = [document["spec"] for document in installed if document["kind"] == "Deployment"]
    [container] = deployment["template"]["spec"]["containers"]

    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert all(mount["readOnly"] for mount in container["volumeMounts"])


# -------------------------------------------------------------------------------------------------------------------------------- rights


@pytest.mark.parametrize(
    ("answer", "verb", "resource"),
    [
        ("yes", "watch", "canaryreleases.canary.rollouts.dev"),
        ("yes", "patch", "canaryreleases.canary.rollouts.dev/status"),
        ("yes", "create", "virtualservices.networking.istio.io"),
        ("yes", "patch", "destinationrules.networking.istio.io"),
        ("yes", "list", "endpointslices.discovery.k8s.io"),
        ("yes", "list", "replicasets.apps"),
        ("yes", "create", "events"),
        ("no", "create", "canaryreleases.canary.rollouts.dev"),
        ("no", "delete", "canaryreleases.canary.rollouts.dev"),
        ("no", "deletecollection", "virtualservices.networking.istio.io"),
        ("no", "get", "secrets"),
        ("no", "list", "secrets"),
        ("no", "get", "configmaps"),
        ("no", "patch", "services"),
        ("no", "patch", "replicasets.apps"),
        ("no", "create", "pods"),
        ("no", "create", "serviceaccounts/token"),
        ("no", "get", "customresourcedefinitions.apiextensions.k8s.io"),
        ("no", "create", "leases.coordination.k8s.io"),
        ("no", "get", "leases.coordination.k8s.io"),
        ("no", "escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("no", "impersonate", "users"),
    ],
)
def test_the_operator_may(installed: list[Document], api: Api, namespace: str, answer: str, verb: str, resource: str) -> None:
    assert installed
    assert _may(api, OPERATOR, verb, resource, namespace) == (answer == "yes")


@pytest.mark.parametrize(
    ("answer", "verb", "name"),
    [
        ("yes", "create", ""),
        ("yes", "get", "istio-canary-operator"),
        ("yes", "patch", "istio-canary-operator"),
        ("no", "get", "somebody-elses"),
        ("no", "patch", "somebody-elses"),
        ("no", "delete", "istio-canary-operator"),
        ("no", "list", ""),
    ],
)
def test_in_its_own_namespace_it_may_use_its_own_lease(installed: list[Document], api: Api, answer: str, verb: str, name: str) -> None:
    assert installed
    assert _may(api, OPERATOR, verb, "leases.coordination.k8s.io", "istio-canary-operator", name) == (answer == "yes")


def test_a_replica_is_there_while_the_other_is_replaced(installed: list[Document]) -> None:
    [deployment] = [document["spec"] for document in installed if document["kind"] == "Deployment"]
    [budget] = [document["spec"] for document in installed if document["kind"] == "PodDisruptionBudget"]

    assert deployment["replicas"] > budget["maxUnavailable"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["selector"] == deployment["selector"]
    assert "lifecycle" not in deployment["template"]["spec"]["containers"][0]


def test_no_rule_is_a_wildcard(installed: list[Document]) -> None:
    rules = [rule for document in installed if document["kind"] in ("ClusterRole", "Role") for rule in document["rules"]]

    assert not [rule for rule in rules if "*" in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])]


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        ("view", {"get", "list", "watch"}),
        ("edit", {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}),
        ("admin", {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}),
    ],
)
def test_kubernetes_own_roles_include_ours(installed: list[Document], api: Api, role: str, verbs: set[str]) -> None:
    """Whoever may view or edit a namespace may view or edit its CanaryReleases; nobody but the operator writes their status."""
    assert installed

    def granted(resource: str) -> set[str]:
        rules = api.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}")["rules"]
        return {verb for rule in rules if names.GROUP in rule["apiGroups"] and resource in rule["resources"] for verb in rule["verbs"]}

    until(lambda: granted("canaryreleases") == verbs, f"{role} includes {verbs}")
    assert granted("canaryreleases/status") == {"get", "list", "watch"}


# -------------------------------------------------------------------------------------------------------------------------------- policy


@pytest.fixture(scope="module")
def enforced(installed: list[Document], cluster: Cluster, api: Api) -> None:
    """The API server takes up a new policy within a moment."""
    assert installed
    _grant(api, "default", "nobody", {"canary.rollouts.dev/canaryreleases": ["create"]})
    probe = yaml.safe_dump(Releases(api, "default").document(SPEC, "probe"))
    attempt = ("--as", "nobody", "create", "--dry-run=server", "-f", "-")
    until(lambda: "may not update" in cluster.kubectl(*attempt, stdin=probe, check=False).stderr, "the policy is in force")


def test_the_policy_is_well_typed(enforced: None, api: Api) -> None:
    """Kubernetes checks the expressions against the CRD and writes what it finds into the policy's status."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/istio-canary-operator"
    policy = until(lambda: (found := api.get(path)).get("status", {}).get("observedGeneration") and found, "the policy is checked")

    assert not policy["status"].get("typeChecking", {}).get("expressionWarnings")


EVERY = ["get", "create", "update", "patch", "delete"]
BOTH = dict.fromkeys((f"networking.istio.io/{kind}" for kind in ROUTES), EVERY)


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        pytest.param({}, "may not update virtualservices.networking.istio.io", id="no right on routes"),
        pytest.param(
            {"networking.istio.io/virtualservices": EVERY}, "may not update destinationrules.networking", id="virtualservices only"
        ),
        pytest.param(
            {"networking.istio.io/destinationrules": EVERY}, "may not update virtualservices.networking", id="destinationrules only"
        ),
        pytest.param(dict.fromkeys(BOTH, ["get", "list", "watch"]), "may not update virtualservices.networking", id="reading routes"),
        pytest.param(dict.fromkeys(BOTH, ["update"]), "may not create virtualservices.networking", id="no right to create"),
        pytest.param(dict.fromkeys(BOTH, ["create"]), "may not update virtualservices.networking", id="no right to update"),
        pytest.param(
            {"networking.istio.io/virtualservices": EVERY, "networking.istio.io/destinationrules": ["update"]},
            "may not create destinationrules.networking",
            id="no right to create destinationrules",
        ),
    ],
)
@pytest.mark.usefixtures("enforced")
def test_refuses_a_canary_release_of_who_may_not_write_routes(
    releases: Releases, kubectl: Kubectl, rights: Mapping[str, list[str]], said: str
) -> None:
    _grant(releases.api, releases.namespace, "alice", {"canary.rollouts.dev/canaryreleases": EVERY, **rights})

    refused = kubectl.complaint("--as", "alice", "create", "-f", "-", stdin=yaml.safe_dump(releases.document(SPEC)))

    assert f"alice {said}" in refused
    assert f"in the namespace {releases.namespace}" in refused
    assert "its author needs the rights to create and update both" in refused


@pytest.mark.usefixtures("enforced")
def test_refuses_an_action_of_who_may_not_write_routes(releases: Releases, kubectl: Kubectl) -> None:
    """An annotation moves traffic as well as a new version does."""
    releases.create(SPEC)
    _grant(releases.api, releases.namespace, "alice", {"canary.rollouts.dev/canaryreleases": EVERY})

    refused = kubectl.complaint("--as", "alice", "-n", releases.namespace, "annotate", "crel", "reviews", f"{names.ACTION}=promote/1/1")

    assert "may not update virtualservices" in refused
    assert "annotations" not in releases.get()["metadata"]


@pytest.mark.usefixtures("enforced")
def test_rights_in_another_namespace_do_not_count(releases: Releases, kubectl: Kubectl) -> None:
    _grant(releases.api, releases.namespace, "alice", {"canary.rollouts.dev/canaryreleases": EVERY})
    _grant(releases.api, "default", "alice", BOTH)

    refused = kubectl.complaint("--as", "alice", "create", "-f", "-", stdin=yaml.safe_dump(releases.document(SPEC)))

    assert "may not update" in refused


@pytest.mark.usefixtures("enforced")
def test_lets_in_who_may_write_routes(releases: Releases, kubectl: Kubectl) -> None:
    _grant(releases.api, releases.namespace, "bob", {"canary.rollouts.dev/canaryreleases": EVERY, **BOTH})

    kubectl("--as", "bob", "create", "-f", "-", stdin=yaml.safe_dump(releases.document(SPEC)))
    kubectl("--as", "bob", "-n", releases.namespace, "patch", "crel", "reviews", "--type=merge", "-p", '{"spec": {"version": "v3"}}')
    kubectl("--as", "bob", "-n", releases.namespace, "delete", "crel", "reviews")


@pytest.mark.usefixtures("enforced")
def test_who_may_patch_routes_may_release(releases: Releases, kubectl: Kubectl) -> None:
    releases.create(SPEC)
    _grant(releases.api, releases.namespace, "bob", {"canary.rollouts.dev/canaryreleases": EVERY, **dict.fromkeys(BOTH, ["patch"])})

    kubectl("--as", "bob", "-n", releases.namespace, "patch", "crel", "reviews", "--type=merge", "-p", '{"spec": {"version": "v3"}}')


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        pytest.param({}, "may not delete virtualservices.networking.istio.io", id="no right on routes"),
        pytest.param(
            dict.fromkeys(BOTH, ["get", "create", "update", "patch"]), "may not delete virtualservices.networking", id="all but delete"
        ),
        pytest.param(
            {"networking.istio.io/virtualservices": EVERY}, "may not delete destinationrules.networking.istio.io", id="virtualservices only"
        ),
    ],
)
@pytest.mark.usefixtures("enforced")
def test_refuses_a_deletion_by_who_may_not_delete_routes(
    releases: Releases, kubectl: Kubectl, rights: Mapping[str, list[str]], said: str
) -> None:
    """The operator would take the routes away for him."""
    held(releases, kubectl)
    _grant(releases.api, releases.namespace, "mallory", {"canary.rollouts.dev/canaryreleases": [*EVERY, "deletecollection"], **rights})

    one = kubectl.complaint("--as", "mallory", "-n", releases.namespace, "delete", "crel", "reviews", "--wait=false")
    path = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{releases.namespace}/canaryreleases"
    every = kubectl.complaint("--as", "mallory", "delete", "--raw", path)

    assert f"mallory {said}" in one and said in every
    assert "so who deletes it needs the right to delete both" in one
    assert "deletionTimestamp" not in releases.get()["metadata"]


@pytest.mark.usefixtures("enforced")
def test_what_holds_no_route_may_be_deleted_by_who_may_delete_canary_releases(releases: Releases, kubectl: Kubectl) -> None:
    releases.create(SPEC)
    _grant(releases.api, releases.namespace, "mallory", {"canary.rollouts.dev/canaryreleases": EVERY})

    kubectl("--as", "mallory", "-n", releases.namespace, "delete", "crel", "reviews")


@pytest.mark.usefixtures("enforced")
def test_who_may_delete_routes_may_delete_what_holds_them(releases: Releases, kubectl: Kubectl) -> None:
    held(releases, kubectl)
    _grant(releases.api, releases.namespace, "bob", {"canary.rollouts.dev/canaryreleases": EVERY, **dict.fromkeys(BOTH, ["delete"])})

    kubectl("--as", "bob", "-n", releases.namespace, "delete", "crel", "reviews", "--wait=false")

    assert "deletionTimestamp" in releases.get()["metadata"]
    kubectl("-n", releases.namespace, "patch", "crel", "reviews", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


@pytest.mark.usefixtures("enforced")
def test_a_namespace_that_is_deleted_goes_with_what_is_in_it(releases: Releases, kubectl: Kubectl) -> None:
    """The namespace controller deletes what is left; once the operator has taken its finalizer off, the namespace is gone."""
    held(releases, kubectl)

    kubectl("delete", "namespace", releases.namespace, "--wait=false")

    until(lambda: "deletionTimestamp" in releases.get()["metadata"], "the namespace controller has deleted the CanaryRelease", 60)
    kubectl(
        *("-n", releases.namespace, "--as", OPERATOR, "patch", "crel", "reviews", "--type=merge", "-p"),
        '{"metadata": {"finalizers": null}}',
    )
    until(lambda: not releases.api.exists(f"/api/v1/namespaces/{releases.namespace}"), "the namespace is gone", 60)


def held(releases: Releases, kubectl: Kubectl) -> None:
    """A CanaryRelease that the operator has taken over."""
    releases.create(SPEC)
    patch = f'{{"metadata": {{"finalizers": ["{names.FINALIZER}"]}}}}'
    kubectl("-n", releases.namespace, "--as", OPERATOR, "patch", "crel", "reviews", "--type=merge", "-p", patch)


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(OPERATOR, id="the operator"),
        pytest.param("system:serviceaccount:kube-system:generic-garbage-collector", id="Kubernetes' garbage collector"),
    ],
)
@pytest.mark.usefixtures("enforced")
def test_finalizers_come_and_go_by(releases: Releases, kubectl: Kubectl, user: str) -> None:
    releases.create(SPEC)
    patch = ("-n", releases.namespace, "--as", user, "patch", "crel", "reviews", "--type=merge", "-p")

    kubectl(*patch, f'{{"metadata": {{"finalizers": ["{names.FINALIZER}"]}}}}')
    kubectl(*patch, '{"metadata": {"finalizers": null}}')


def _grant(api: Api, namespace: str, user: str, rights: Mapping[str, list[str]]) -> None:
    """Rights (group/resource: verbs) of a user in a namespace, in place of those before."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": user, "namespace": namespace}
    rules = [{"apiGroups": [key.split("/")[0]], "resources": [key.split("/")[1]], "verbs": verbs} for key, verbs in rights.items()]
    api.apply(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


def _may(api: Api, user: str, verb: str, resource: str, namespace: str, name: str = "") -> bool:
    """Whether the API server would let a user do it, in the words `plural.group/subresource`."""
    place, _, subresource = resource.partition("/")
    plural, _, group = place.partition(".")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, "namespace": namespace, "name": name}
    review: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    allowed: bool = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
    return allowed
