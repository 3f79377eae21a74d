"""A change freeze: an admission policy refuses the operator's writes, before a real API server."""

from collections.abc import Iterator

import pytest

from lab.api import ApiError
from lab.operator import USER
from lab.waiting import until
from tests.api.place import Document, Place

POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{}"
BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{}"
SHORT = {"min": "0s", "max": "5s"}
STEPS = [{"weight": 20, "hold": SHORT}, {"weight": 40, "hold": {"min": "30m", "max": "40m"}}]
SAID = "change freeze: canaries may have {} % at most until Monday"


class Freeze:
    """No more than so many percent for a canary in the VirtualServices of one namespace; below 0: no update at all."""

    def __init__(self, place: Place, most: int) -> None:
        self.api, self.name = place.api, f"freeze-{place.namespace}"
        share = f"(has(d.destination.subset) && d.destination.subset == 'canary' && has(d.weight) && d.weight > {most})"
        allowed = "false" if most < 0 else f"object.spec.http.all(r, !has(r.route) || r.route.all(d, !{share}))"
        rules = [{"apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["virtualservices"]}]
        labels = {"kubernetes.io/metadata.name": place.namespace}
        policy: Document = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": allowed, "message": SAID.format(max(most, 0))}],
        }
        binding = {
            "policyName": self.name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": labels}},
        }
        for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
            self.api.create({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": self.name}, "spec": spec})

    def lift(self) -> None:
        for path in (BINDING, POLICY):
            if self.api.find(path.format(self.name)):
                self.api.delete(path.format(self.name))


@pytest.fixture
def freezes() -> Iterator[list[Freeze]]:
    made: list[Freeze] = []
    yield made
    for freeze in made:
        freeze.lift()


def frozen(place: Place, freezes: list[Freeze], most: int) -> Freeze:
    """The policy is in force; the API server takes a new one up within a moment."""
    freeze = Freeze(place, most)
    freezes.append(freeze)
    path = place.api.path("networking.istio.io/v1", "VirtualService", place.namespace, "probe")
    shares = [{"destination": {"host": "probe", "subset": "canary"}, "weight": 100}]
    place.api.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "probe", "namespace": place.namespace},
            "spec": {"hosts": ["probe"], "http": [{"route": shares}]},
        }
    )

    def refuses() -> bool:
        try:
            place.api.patch(path, {"metadata": {"labels": {"probe": "here"}}})
        except ApiError as error:
            return "change freeze" in str(error)
        return False

    until(refuses, "the policy is in force", 30)
    return freeze


def _refused(place: Place) -> int:
    found = place.cluster.audit.requests(user_agent="istio-canary-operator")
    return sum(each.namespace == place.namespace and each.code in (403, 422) for each in found)


def _events(place: Place, reason: str) -> list[str]:
    found = place.api.list(f"/api/v1/namespaces/{place.namespace}/events")
    return [event["message"] for event in found if event["reason"] == reason]


def _may_patch(place: Place) -> bool:
    wanted = {"verb": "patch", "group": "networking.istio.io", "resource": "virtualservices", "namespace": place.namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": USER, "resourceAttributes": wanted},
    }
    allowed: bool = place.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
    return allowed


def _condition(place: Place, kind: str) -> str:
    return next(each["status"] for each in place.status()["conditions"] if each["type"] == kind)


def test_a_rise_under_a_freeze_is_told_and_written_when_it_is_lifted(place: Place, freezes: list[Freeze]) -> None:
    place.deploy("reviews")
    place.release(steps=STEPS)
    place.adopted("reviews")
    freeze = frozen(place, freezes, 20)
    place.want("v2")
    place.wait_weight(20)

    place.wait_reason("WriteRefused")

    status = place.status()
    assert (status["phase"], status["weight"], place.weight(), status["release"]["weight"]) == ("Blocked", 20, 20, 40)
    assert "the canary is to get 40 % and has 20 %" in status["message"] and SAID.format(20) in status["message"]
    assert (_condition(place, "Stalled"), _condition(place, "TrafficShifted")) == ("True", "True")
    version = place.api.get(place.path())["metadata"]["resourceVersion"]
    before = _refused(place)
    until(lambda: _refused(place) >= before + 2, "it is tried again", 40)
    assert place.api.get(place.path())["metadata"]["resourceVersion"] == version, "the same again is no news"
    assert len(_events(place, "WriteRefused")) == 1

    freeze.lift()
    place.wait_weight(40)
    place.wait_reason("Gathering")
    assert (place.status()["weight"], _condition(place, "Stalled")) == (40, "False")


def test_an_abort_under_a_freeze_is_acknowledged_and_carried_out_when_it_is_lifted(place: Place, freezes: list[Freeze]) -> None:
    place.rising()
    freeze = frozen(place, freezes, -1)

    done = place.plugin("abort", "reviews", "--namespace", place.namespace)

    assert done.returncode == 1, "heard, and not carried out"
    assert "still has 20 %" in done.stderr and "change freeze" in done.stderr
    status = place.status()
    assert (status["lastAction"], status["reason"], status["weight"], place.weight()) == ("abort/1/1", "WriteRefused", 20, 20)
    assert len(_events(place, "ActionTaken")) == len(_events(place, "WriteRefused")) == 1
    assert not _events(place, "Aborted")

    freeze.lift()
    assert place.ended(1) == ("v2", "Withdrawn", "Aborted")
    assert place.weight() == 0


def test_without_a_right_it_says_which(place: Place) -> None:
    """The right is taken away while a release runs."""
    place.rising()
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/istio-canary-operator"
    rules = place.api.get(path)["rules"]
    fewer = [{**rule, "verbs": ["get", "list", "watch"]} if "virtualservices" in rule["resources"] else rule for rule in rules]
    place.api.patch(path, {"rules": fewer})
    try:
        until(lambda: not _may_patch(place), "the right is gone", 30)
        place.plugin("abort", "reviews", "--namespace", place.namespace)
        place.wait_reason("WriteRefused")
        assert "give the operator's ServiceAccount the rights of deploy/install.yaml" in place.status()["message"]
        assert (place.status()["lastAction"], place.weight()) == ("abort/1/1", 20)
    finally:
        place.api.patch(path, {"rules": rules})
    assert place.ended(1)[2] == "Aborted"
