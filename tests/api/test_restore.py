"""etcd is restored from an older snapshot under a running operator. Runs last: whatever else watches this API server has lost its place in time.

As Kubernetes' documentation asks for, every other component is started anew after a restore; the operator is not.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Cluster
from lab.operator import AGENT, NAMESPACE, Operator
from lab.waiting import until
from tests.api.place import Place

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/istio-canary-operator"


class Snapshots:
    """The data of etcd as it was once."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster, self._copy = cluster, directory / "etcd"
        self._data = cluster.directory / "etcd"

    def take(self) -> None:
        """The API server waits meanwhile."""
        self._cluster.etcd.kill()
        shutil.copytree(self._data, self._copy, dirs_exist_ok=True)
        self._start()

    def restore(self) -> None:
        """Everything that happened since is forgotten, and resource versions begin again from there."""
        cluster = self._cluster
        for number in range(300):  # so that the versions before and after do not meet for a while
            self._bump(number)
        others = (cluster.controller_manager, cluster.kubelet)
        for part in (*others, cluster.api_server, cluster.etcd):
            part.kill()
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        self._start()
        for part in others:
            part.start()
            part.wait_ready()

    def _start(self) -> None:
        for part in (self._cluster.etcd, self._cluster.api_server):
            part.start()
            part.wait_ready()

    def _bump(self, number: int) -> None:
        name = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bump", "namespace": "default"}, "data": {"n": str(number)}}
        self._cluster.api.apply(name)


@pytest.fixture
def snapshots(cluster: Cluster, tmp_path: Path) -> Iterator[Snapshots]:
    yield Snapshots(cluster, tmp_path)


def written(place: Place, since: float) -> list[Any]:
    """What the operator has written into routing objects of the namespace, and was let."""
    found = place.cluster.audit.requests(
        since=since, verbs={"create", "patch", "delete"}, resources={"virtualservices", "destinationrules"}
    )
    return [each for each in found if each.user_agent.startswith(AGENT) and each.namespace == place.namespace and each.code < 300]


def leads(place: Place, since: float) -> None:
    """The Lease that was restored is renewed again."""
    before = place.api.get(LEASE)["spec"]["renewTime"]
    until(lambda: place.api.get(LEASE)["spec"]["renewTime"] != before, "the Lease is renewed", 60)


def test_a_release_that_is_forgotten_to_have_ended_goes_on_where_it_was(place: Place, operator: Operator, snapshots: Snapshots) -> None:
    place.rising()
    pid = operator.pid
    snapshots.take()
    until(lambda: place.status().get("weight") == 20, "the API server is back", 60)
    place.plugin("abort", "reviews", "--namespace", place.namespace)
    assert place.ended(1)[2] == "Aborted"

    snapshots.restore()
    restored = time.time()

    assert (place.weight(), place.status()["release"]["state"]) == (20, "Progressing"), "as the snapshot has it"
    leads(place, restored)
    place.plugin("pause", "reviews", "--namespace", place.namespace)
    until(lambda: place.status().get("lastAction") == "pause/1/1", "the operator goes by what there is now", 90)
    assert place.status()["reason"] == "Paused"
    assert not written(place, restored), "what is right is not written"
    place.plugin("abort", "reviews", "--namespace", place.namespace)
    place.wait_weight(0)
    assert place.ended(1)[2] == "Aborted"
    assert operator.alive and operator.pid == pid


def test_what_has_vanished_is_let_go_and_taken_over_when_it_is_there_again(place: Place, operator: Operator, snapshots: Snapshots) -> None:
    place.deploy("reviews")
    pid = operator.pid
    snapshots.take()
    place.release()
    place.adopted("reviews")
    place.want("v2")
    place.wait_weight(20)

    snapshots.restore()
    restored = time.time()

    assert place.status() == {} and place.weight() is None, "none of it was there at the time"
    leads(place, restored)
    place.release()
    place.adopted("reviews")
    assert (place.weight(), place.status()["stable"].partition("@")[0]) == (0, "v1")
    assert {each.verb for each in written(place, restored)} == {"create"}
    place.want("v2")
    place.wait_weight(20)
    assert operator.alive and operator.pid == pid
