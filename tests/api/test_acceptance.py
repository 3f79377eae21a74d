"""What Argo Rollouts and Flagger show in their end-to-end tests, shown here: docs/acceptance.md maps their lines to these names."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lab.operator import Operator
from lab.waiting import until
from tests.api.place import Document, Place
from tests.api.prometheus import Prometheus

SHORT = [{"weight": weight, "hold": {"min": "0s", "max": "20s"}} for weight in (20, 40)]
"""Steps that good evidence ends at once."""
STAYS = [{"weight": 20, "hold": {"min": "30m", "max": "40m"}}]
ACTION = "canary.rollouts.dev/action"


@pytest.fixture
def failing(place: Place, prometheus: Prometheus) -> Iterator[set[str]]:
    """Workloads of which every other request fails, as `namespace/name`."""
    yield prometheus.failing
    prometheus.failing.clear()


def labels(place: Place) -> dict[str, str]:
    """The version that each subset selects."""
    rule = place.find("DestinationRule")
    assert rule is not None
    return {subset["name"]: subset["labels"]["version"] for subset in rule["spec"]["subsets"]}


def routing(place: Place) -> list[Document | None]:
    """The routing objects as they stand, with their resourceVersions."""
    return [place.find(kind) for kind in ("VirtualService", "DestinationRule")]


def wait_event(place: Place, reason: str) -> None:
    path = f"/api/v1/namespaces/{place.namespace}/events"
    until(lambda: any(each["reason"] == reason for each in place.api.list(path)), f"event {reason}", 30)


def act(place: Place, text: str) -> None:
    place.api.patch(place.path(), {"metadata": {"annotations": {ACTION: text}}})
    until(lambda: place.status().get("lastAction") == text, f"{text} acknowledged", 30)


def change(place: Place, version: str, **spec: Any) -> None:
    """Changes a Deployment."""
    place.api.patch(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-{version}", {"spec": spec})


def anew(place: Place, version: str, **spec: Any) -> None:
    """Deploys a version anew: another pod template, as a new image would be."""
    change(place, version, template={"metadata": {"annotations": {"deployed": "anew"}}}, **spec)


def wait_running(place: Place, number: int, version: str, weight: int = 20) -> None:
    """Waits until a release of this number gives this version this weight."""

    def runs() -> bool:
        status = place.status()
        release = status.get("release") or {}
        return (release.get("number"), (release.get("to") or "").partition("@")[0], status.get("weight")) == (number, version, weight)

    until(runs, f"release {number} of {version} at {weight} %; now: {place.status().get('message')}", 60)


# ------------------------------------------------------------------------------------------------------------------------- a good release


def test_during_a_release_the_subsets_select_both_versions_and_after_it_both_select_the_new_one(place: Place) -> None:
    place.rising(steps=SHORT)
    assert labels(place) == {"stable": "v1", "canary": "v2"}
    assert place.ended(1)[:2] == ("v2", "Promoted")
    assert labels(place) == {"stable": "v2", "canary": "v2"}
    assert place.weight() == 0


def test_after_a_failed_version_a_fixed_one_is_promoted(place: Place, failing: set[str]) -> None:
    failing.add(f"{place.namespace}/reviews-v2")
    place.begun(steps=SHORT)
    assert place.ended(1)[1:] == ("RolledBack", "MoreFailures")
    place.deploy("reviews", versions=("v3",))
    place.want("v3")
    assert place.ended(2)[:2] == ("v3", "Promoted")


def test_scaling_both_versions_while_a_release_runs_moves_nothing(place: Place) -> None:
    place.rising(steps=STAYS)
    before = routing(place)
    for version in ("v1", "v2"):
        change(place, version, replicas=3)
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    until(lambda: len(place.api.list(pods)) == 6, "six pods", 30)
    assert routing(place) == before


# --------------------------------------------------------------------------------------------------------------------------------- aborts


def test_an_abort_with_nothing_under_way_changes_nothing_before_and_after_an_update(place: Place) -> None:
    place.deploy("reviews")
    place.release(steps=SHORT)
    place.adopted("reviews")
    before = routing(place)
    act(place, "abort/0/1")
    wait_event(place, "ActionIgnored")
    assert routing(place) == before
    place.want("v2")
    assert place.ended(1)[1] == "Promoted"
    until(lambda: place.status()["phase"] == "Stable", "at rest", 30)
    before = routing(place)
    act(place, "abort/1/1")
    assert (place.status()["phase"], routing(place)) == ("Stable", before)


def test_after_an_abort_the_canarys_pods_stay_and_scaling_stable_down_changes_no_weight(place: Place) -> None:
    place.rising(steps=STAYS)
    act(place, "abort/1/1")
    assert place.ended(1)[1:] == ("Withdrawn", "Aborted")
    change(place, "v1", replicas=3)
    change(place, "v1", replicas=1)
    assert place.api.get(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/reviews-v2")["status"]["readyReplicas"] == 1
    route = place.find("VirtualService")
    assert route is not None
    assert {share["destination"]["subset"]: share["weight"] for share in route["spec"]["http"][0]["route"]} == {"stable": 100, "canary": 0}


def test_an_aborted_version_is_not_tried_again_by_itself_but_by_retry_or_when_it_is_deployed_anew(place: Place) -> None:
    place.rising(steps=STAYS)
    act(place, "abort/1/1")
    place.ended(1)
    place.want("v1")
    until(lambda: place.status()["phase"] == "Stable", "v1 is wanted again", 30)
    place.want("v2")
    until(lambda: place.status()["phase"] == "Withdrawn", "v2 is wanted again", 30)
    act(place, "retry/1/2")
    wait_running(place, 2, "v2")
    act(place, "abort/2/1")
    place.ended(2)
    anew(place, "v2")
    wait_running(place, 3, "v2")


# ------------------------------------------------------------------------------------------------------------- another version meanwhile


def test_a_version_without_ready_pods_supersedes_and_waits_at_weight_0(place: Place) -> None:
    place.rising(steps=STAYS)
    service = place.cluster.service("reviews", place.namespace)
    place.cluster.workload(service, "v3", start_delay=600)
    place.want("v3")
    assert place.ended(1)[1] == "Superseded"
    place.wait_phase("Waiting")
    assert (place.status()["reason"], place.weight(), labels(place)["stable"]) == ("CanaryNotReady", 0, "v1")


def test_the_stable_version_wanted_again_withdraws_the_release(place: Place) -> None:
    place.rising(steps=STAYS)
    place.want("v1")
    assert place.ended(1)[1:] == ("Withdrawn", "Retargeted")
    assert place.weight() == 0


def test_a_version_that_was_superseded_may_come_back_with_a_release_of_its_own(place: Place) -> None:
    place.rising(steps=STAYS)
    place.deploy("reviews", versions=("v3",))
    place.want("v3")
    wait_running(place, 2, "v3")
    place.want("v2")
    wait_running(place, 3, "v2")
    assert place.ended(2)[:2] == ("v3", "Superseded")


def test_the_version_that_failed_may_supersede_a_later_one(place: Place, failing: set[str]) -> None:
    failing.add(f"{place.namespace}/reviews-v2")
    place.begun(steps=SHORT)
    assert place.ended(1)[1] == "RolledBack"
    place.api.patch(place.path(), {"spec": {"steps": STAYS, "version": "v3"}})
    place.deploy("reviews", versions=("v3",))
    wait_running(place, 2, "v3")
    place.want("v2")
    assert place.ended(2)[1] == "Superseded"
    assert place.ended(3)[1:] == ("RolledBack", "MoreFailures")


def test_at_full_weight_the_release_is_finished_before_the_next_version_starts(place: Place) -> None:
    place.rising(steps=SHORT, weight=100, bake="4s")
    place.deploy("reviews", versions=("v3",))
    place.api.patch(place.path(), {"spec": {"steps": STAYS, "version": "v3"}})
    assert place.ended(1)[:2] == ("v2", "Promoted")
    wait_running(place, 2, "v3")
    assert labels(place) == {"stable": "v2", "canary": "v3"}


# ----------------------------------------------------------------------------------------------------------------- deployed anew meanwhile


@pytest.mark.parametrize("scaled", [{}, {"replicas": 2}], ids=["the template alone", "template and replicas together"])
def test_a_canary_that_is_deployed_anew_supersedes_itself(place: Place, scaled: dict[str, int]) -> None:
    place.rising(steps=STAYS)
    anew(place, "v2", **scaled)
    assert place.ended(1)[:2] == ("v2", "Superseded")
    wait_running(place, 2, "v2")


def test_a_canary_that_is_deployed_anew_during_the_bake_is_not_promoted(place: Place) -> None:
    place.rising(steps=SHORT, weight=100, bake="20s")
    anew(place, "v2")
    assert place.ended(1)[1] == "Superseded"
    assert labels(place)["stable"] == "v1"


def test_a_stable_version_that_is_deployed_anew_keeps_the_weight_and_starts_the_evidence_again(place: Place) -> None:
    place.rising(steps=STAYS)
    anew(place, "v1")
    wait_event(place, "StableChanged")
    assert (place.weight(), place.status()["release"]["number"]) == (20, 1)


# -------------------------------------------------------------------------------------------------------------------------- pods and people


def test_a_canary_whose_readiness_flaps_is_taken_back_and_at_the_second_time_rolled_back(place: Place) -> None:
    service = place.cluster.service("reviews", place.namespace)
    flapping = place.cluster.workload(service, "v2")
    place.deploy("reviews", versions=("v1",))
    flapping.wait_ready()
    place.release(steps=STAYS)
    place.adopted("reviews")
    place.want("v2")
    place.wait_weight(20)
    flapping.behave(ready=False)
    place.wait_weight(0)
    flapping.behave(ready=True)
    place.wait_weight(20)
    flapping.behave(ready=False)
    assert place.ended(1)[1:] == ("RolledBack", "CanaryUnavailable")


def test_a_weight_that_somebody_raises_is_taken_back_while_a_release_runs_and_harms_nobody_at_rest(place: Place) -> None:
    def raise_to(weight: int) -> None:
        route = place.find("VirtualService")
        assert route is not None
        for share in route["spec"]["http"][0]["route"]:
            share["weight"] = weight if share["destination"]["subset"] == "canary" else 100 - weight
        place.api.replace(route)

    place.rising(steps=STAYS)
    raise_to(70)
    place.wait_weight(20)
    act(place, "abort/1/1")
    place.ended(1)
    until(lambda: labels(place)["canary"] == "v1", "both subsets select stable", 30)
    raise_to(70)
    assert labels(place) == {"stable": "v1", "canary": "v1"}


def test_a_release_is_promoted_although_somebody_edits_its_objects_all_the_time(place: Place) -> None:
    place.begun(steps=SHORT)
    over = threading.Event()
    edits = 0

    def edit() -> None:
        nonlocal edits
        while not over.wait(0.3):
            edits += 1
            for kind in ("VirtualService", "DestinationRule"):
                path = place.api.path("networking.istio.io/v1", kind, place.namespace, "reviews")
                place.api.patch(path, {"metadata": {"annotations": {"somebody": str(edits)}}})

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        assert place.ended(1)[1] == "Promoted"
    finally:
        over.set()
        editor.join()
    route = place.find("VirtualService")
    assert route is not None and route["metadata"]["annotations"]["somebody"] == str(edits)


def test_of_two_releases_for_one_service_the_older_works_and_the_newer_names_it(place: Place) -> None:
    place.rising(steps=STAYS)
    document = place.api.get(place.path())
    second = {"metadata": {"name": "second", "namespace": place.namespace}, "spec": document["spec"]}
    place.api.create({"apiVersion": document["apiVersion"], "kind": document["kind"], **second})
    place.wait_phase("Blocked", "second")
    assert place.status("second")["reason"] == "Conflict"
    assert f"CanaryRelease {place.namespace}/reviews is older" in place.status("second")["message"]
    assert (place.weight(), place.find("VirtualService", "second")) == (20, None)


def test_a_new_operator_process_starts_no_release_and_writes_nothing(place: Place, operator: Operator) -> None:
    place.rising(steps=STAYS)
    act(place, "abort/1/1")
    place.ended(1)
    until(lambda: place.status()["phase"] == "Withdrawn", "at rest", 30)
    before = [*routing(place), place.api.get(place.path())]
    operator.restart()
    operator.wait_ready()
    place.deploy("witness", versions=("v1",))
    place.release("witness")
    place.adopted("witness")  # the new process has looked at everything by now
    assert [*routing(place), place.api.get(place.path())] == before
