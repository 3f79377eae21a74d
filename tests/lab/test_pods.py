"""Pods live as pods do: ready when they are, restarted when they crash, leaving without losing a request."""

from typing import Any

from lab.waiting import until
from lab.workloads import Workload
from tests.lab.shop import Shop


def test_a_pod_is_not_ready_before_its_start_delay(shop: Shop) -> None:
    workload = shop.lab.workload(shop.service, "v1", start_delay=1.0)
    reported = until(lambda: [pod for pod in workload.pods() if pod["status"].get("podIP")], "pod reported")
    assert _ready(reported[0]) == "False"
    workload.wait_ready()


def test_readiness_switches_at_run_time(shop: Shop) -> None:
    v1 = shop.version("v1", replicas=2)
    first = v1.pods()[0]["metadata"]["name"]
    v1.behave_in_pod(first, ready=False)
    until(lambda: sorted(_ready(pod) for pod in v1.pods()) == ["False", "True"], "one pod unready")
    v1.behave(ready=False)
    until(lambda: [_ready(pod) for pod in v1.pods()] == ["False", "False"], "both unready")
    v1.behave(ready=True)
    v1.behave_in_pod(first, ready=True)
    v1.wait_ready()


def test_a_crashed_backend_is_restarted_and_counted(shop: Shop) -> None:
    v1 = shop.version("v1")
    v1.crash()
    until(lambda: _restarts(v1) == 1, "restart reported")
    v1.wait_ready()


def test_a_crashing_version_never_stays_up(shop: Shop) -> None:
    v1 = shop.version("v1")
    v1.behave(crashing=True)
    until(lambda: _restarts(v1) >= 2 and _ready(v1.pods()[0]) == "False", "crash loop")
    assert "CrashLoopBackOff" in str(v1.pods()[0]["status"]["containerStatuses"])
    v1.behave(crashing=False)
    v1.wait_ready()


def test_backends_hang_and_cut_their_answers_as_told(shop: Shop) -> None:
    v1 = shop.version("v1")
    shop.lab.wait_served(shop.service, "v1", through=["mesh"])
    with shop.lab.load(shop.service, rate=30, through=["mesh"], timeout=3) as load:
        v1.behave(hang_share=0.5)
        until(lambda: load.report.timeouts > 10 and load.report.count(version="v1") > 10, "some are answered, some are not")
        v1.behave(hang_share=0.0, cut_share=1.0)  # Envoy closes such a connection after a second
        until(lambda: load.report.count(status="reset") > 10, "answers are cut")
        report = load.stop()
    assert report.count(status="200") + report.timeouts + report.count(status="reset") == report.answered, report.details


def test_a_new_template_replaces_pods_without_losing_a_request(shop: Shop) -> None:
    shop.version("v1", replicas=2)
    shop.lab.wait_served(shop.service, "v1", through=["mesh"])
    with shop.lab.load(shop.service, rate=100, through=["mesh"]) as load:
        until(lambda: load.report.answered > 50, "answers")
        v1 = shop.version("v1", replicas=2, environment={"CHANGED": "yes"})
        until(lambda: len(v1.pods()) == 2, "old pods gone")
        report = load.stop()
    assert report.lost == 0, report.details


def test_pause_pods_are_ready_without_a_process(shop: Shop) -> None:
    v1 = shop.version("v1", replicas=50, image="pause")
    assert len(v1.pods()) == 50
    assert not v1.backends()


def _ready(pod: dict[str, Any]) -> str:
    return next((str(found["status"]) for found in pod["status"].get("conditions", []) if found["type"] == "Ready"), "")


def _restarts(workload: Workload) -> int:
    return max((found["restartCount"] for pod in workload.pods() for found in pod["status"].get("containerStatuses", [])), default=0)
