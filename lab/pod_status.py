"""What the kubelet stand-in reports about a pod.

Every container of the pod is reported, also those that the injector added and nobody runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.addresses import NODE_ADDRESS

SIDECAR = "istio-proxy"


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to report."""

    address: str
    ready: bool
    restarts: int
    waiting: str = ""
    """Why the application's container does not run, e.g. CrashLoopBackOff; empty when it does."""


def status(spec: dict[str, Any], seen: Seen, started: str) -> dict[str, Any]:
    """The pod's status as a merge patch."""
    now = timestamp()
    ready = "True" if seen.ready else "False"
    application = application_container(spec)["name"]
    return {
        "phase": "Running",
        "podIP": seen.address,
        "podIPs": [{"ip": seen.address}],
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "startTime": started,
        "conditions": [
            {"type": kind, "status": value, "lastTransitionTime": now}
            for kind, value in (
                ("PodScheduled", "True"),
                ("Initialized", "True"),
                ("ContainersReady", ready),
                ("Ready", ready),
            )
        ],
        "initContainerStatuses": [_initial(container, started, now) for container in spec.get("initContainers", ())],
        "containerStatuses": [
            _running(container, started) if container["name"] != application else _application(container, seen, started)
            for container in spec["containers"]
        ],
    }


def application_container(spec: dict[str, Any]) -> dict[str, Any]:
    """The container that the backend stands for: the first that is not Istio's."""
    containers: Iterable[dict[str, Any]] = spec["containers"]
    return next((container for container in containers if container["name"] != SIDECAR), spec["containers"][0])


def timestamp() -> str:
    """Now, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _running(container: dict[str, Any], started: str) -> dict[str, Any]:
    return _container(container, ready=True, restarts=0, state={"running": {"startedAt": started}})


def _application(container: dict[str, Any], seen: Seen, started: str) -> dict[str, Any]:
    state = {"waiting": {"reason": seen.waiting}} if seen.waiting else {"running": {"startedAt": started}}
    return _container(container, ready=seen.ready, restarts=seen.restarts, state=state)


def _initial(container: dict[str, Any], started: str, now: str) -> dict[str, Any]:
    if container.get("restartPolicy") == "Always":  # a native sidecar
        return _running(container, started)
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": now}}
    return _container(container, ready=True, restarts=0, state=state)


def _container(container: dict[str, Any], *, ready: bool, restarts: int, state: dict[str, Any]) -> dict[str, Any]:
    started = "running" in state
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": started,
        "restartCount": restarts,
        "state": state,
    }
