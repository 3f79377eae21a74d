"""`kubectl canary uninstall`, and every order in which people take things away: nothing is left stuck."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab import Cluster
from lab.operator import Operator, install
from lab.programs import kubectl
from lab.waiting import until
from tests.api.place import ROOT, Place, plugin

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/canaryreleases.canary.rollouts.dev"
DOCUMENT = ROOT / "docs" / "uninstall.md"


def stop(operator: Operator) -> None:
    operator.terminate()


def subsets(place: Place, name: str = "reviews") -> set[str]:
    """The versions that the subsets select."""
    rule = place.find("DestinationRule", name)
    assert rule is not None
    return {subset["labels"]["version"] for subset in rule["spec"]["subsets"]}


def ours(document: dict[str, object]) -> bool:
    return "canary.rollouts.dev" in str({field: document["metadata"].get(field) for field in ("labels", "annotations")})  # type: ignore[attr-defined]


def test_it_brings_traffic_home_pins_the_routes_and_frees_the_release(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)

    done = place.plugin("uninstall", "--namespace", place.namespace, "--force")

    assert done.returncode == 0, done.stderr
    assert place.weight() == 0
    assert subsets(place) == {"v1"}
    route, rule = place.find("VirtualService"), place.find("DestinationRule")
    assert route and rule and not ours(route) and not ours(rule)
    assert not place.api.get(place.path())["metadata"].get("finalizers")
    said = done.stdout.splitlines()
    assert said[0] == f"VirtualService {place.namespace}/reviews: canary 20 -> 0 %"
    assert said[-1] == "nothing is held any more"
    status = place.status()
    assert (status["phase"], status["reason"], status["weight"]) == ("Released", "Released", 0)
    assert {each["status"] for each in status["conditions"] if each["type"] != "Ready"} == {"False"}


def test_an_operator_that_comes_back_takes_everything_over_again(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)
    assert place.plugin("uninstall", "--namespace", place.namespace, "--force").returncode == 0

    stopped.start()

    until(lambda: place.api.get(place.path())["metadata"].get("finalizers"), "the finalizer is back", 30)
    until(lambda: (route := place.find("VirtualService")) is not None and ours(route), "the route is the operator's again", 30)
    place.wait_weight(20)


def test_a_route_that_only_one_version_serves_goes_and_its_rule_after_it(place: Place, stopped: Operator) -> None:
    place.deploy("ratings", versions=("v1",))
    place.release("ratings")
    place.adopted("ratings")
    stop(stopped)

    assert place.plugin("uninstall", "--namespace", place.namespace, "--force").returncode == 0

    assert place.find("VirtualService", "ratings") is None
    assert place.find("DestinationRule", "ratings") is None


def test_a_dry_run_says_it_all_and_does_nothing(place: Place) -> None:
    place.rising()
    before = place.find("VirtualService"), place.find("DestinationRule")

    done = place.plugin("uninstall", "--namespace", place.namespace, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert (place.find("VirtualService"), place.find("DestinationRule")) == before
    note, *lines = done.stdout.splitlines()
    assert note.startswith("note: an operator is still at work") and "if you have stopped it, wait 30 s" in note
    assert lines == [
        f"would do: VirtualService {place.namespace}/reviews: canary 20 -> 0 %",
        f"would do: DestinationRule {place.namespace}/reviews: subset canary selects v1 too",
        f"would do: VirtualService {place.namespace}/reviews: is yours now, pinned to v1",
        f"would do: DestinationRule {place.namespace}/reviews: is yours now, both subsets select v1",
        f"would do: CanaryRelease {place.namespace}/reviews: finalizer off",
        f"would do: CanaryRelease {place.namespace}/reviews: status says Released",
        "nothing was done",
    ]


def test_it_refuses_while_an_operator_is_at_work(place: Place) -> None:
    place.rising()

    done = place.plugin("uninstall", "--namespace", place.namespace)

    assert done.returncode == 1
    assert "an operator is still at work" in done.stderr
    assert place.weight() == 20


def test_where_stable_has_no_ready_pod_the_traffic_ends_at_what_serves(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)
    place.api.patch(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-v1", {"spec": {"replicas": 0}})
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    until(lambda: not place.api.list(pods, labelSelector="version=v1"), "v1 is gone", 30)
    done = place.plugin("uninstall", "--namespace", place.namespace, "--force")

    assert done.returncode == 0, done.stderr
    assert place.find("VirtualService") is None and place.find("DestinationRule") is None, "v2 alone serves, in the mesh"


def test_after_a_deletion_and_an_adoption_it_knows_the_destination_rule(place: Place, stopped: Operator) -> None:
    place.begun()
    place.want("v1")
    place.api.delete(place.path())
    place.gone()
    rule = place.find("DestinationRule")
    assert rule and not ours(rule), "several versions serve: it stays, and is nobody's"
    place.release()
    place.adopted("reviews")
    rule = place.find("DestinationRule")
    assert rule and ours(rule)
    stop(stopped)

    done = place.plugin("uninstall", "--namespace", place.namespace, "--force")

    assert done.returncode == 0, done.stderr
    rule = place.find("DestinationRule")
    assert rule and not ours(rule) and subsets(place) == {"v1"}


def test_at_a_gateway_the_route_stays_without_a_subset(place: Place, stopped: Operator) -> None:
    place.deploy("ratings", versions=("v1",))
    place.release("ratings", traffic={"owned": {"hosts": ["ratings.example.com"]}})
    place.adopted("ratings")
    stop(stopped)

    assert place.plugin("uninstall", "--namespace", place.namespace, "--force").returncode == 0

    route = place.find("VirtualService", "ratings")
    assert route and not ours(route)
    assert ["subset" in share["destination"] for http in route["spec"]["http"] for share in http["route"]] == [False]
    assert place.find("DestinationRule", "ratings") is None


# ------------------------------------------------------------------------------------------------- the orders in which things are taken away


def test_operator_first_then_the_releases(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)
    place.api.delete(place.path())
    assert place.api.get(place.path())["metadata"]["deletionTimestamp"]

    assert place.plugin("uninstall", "--namespace", place.namespace, "--force").returncode == 0

    place.gone()
    assert place.weight() == 0


def test_namespace_first_while_the_operator_runs(place: Place) -> None:
    place.rising()
    place.api.delete(f"/api/v1/namespaces/{place.namespace}")
    until(lambda: place.api.find(f"/api/v1/namespaces/{place.namespace}") is None, "the namespace is gone", 90)


def test_namespace_first_after_the_operator(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)
    place.api.delete(f"/api/v1/namespaces/{place.namespace}")
    until(lambda: place.find("VirtualService") is None, "only what is held is left", 60)

    done = place.plugin("uninstall", "--namespace", place.namespace, "--force")

    assert done.returncode == 0, done.stderr
    until(lambda: place.api.find(f"/api/v1/namespaces/{place.namespace}") is None, "the namespace is gone", 60)


@pytest.mark.parametrize("running", [True, False], ids=["while the operator runs", "after the operator"])
def test_kind_first(place: Place, stopped: Operator, running: bool) -> None:
    place.rising()
    if not running:
        stop(stopped)
    place.api.delete(DEFINITION)
    try:
        if not running:
            done = place.plugin("uninstall", "--force")
            assert done.returncode == 0, done.stderr
        until(lambda: place.api.find(DEFINITION) is None, "the kind is gone", 60)
        assert place.weight() == 0
    finally:
        if place.api.find(DEFINITION) is None:
            stop(stopped) if stopped.alive else None
            install(place.cluster)


def test_the_documented_line_frees_everything_with_kubectl_alone(place: Place, stopped: Operator) -> None:
    place.rising()
    stop(stopped)
    place.api.delete(place.path())
    [line] = re.findall(r"```\n(kubectl get canaryreleases -A .*?)\n```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)

    shell(place.cluster, line)

    place.gone()


def test_without_the_kind_there_is_nothing_to_do(cluster: Cluster, place: Place, stopped: Operator) -> None:
    stop(stopped)
    place.api.delete(DEFINITION)
    until(lambda: place.api.find(DEFINITION) is None, "the kind is gone", 60)
    try:
        done = plugin(cluster, "uninstall", "--force")
        assert (done.returncode, done.stdout) == (0, "nothing is held any more\n")
    finally:
        install(cluster)


def shell(cluster: Cluster, line: str) -> None:
    path = os.pathsep.join((str(Path(kubectl()).parent), os.environ["PATH"]))
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
    subprocess.run(["bash", "-euc", line], env=environment, check=True, timeout=60)
