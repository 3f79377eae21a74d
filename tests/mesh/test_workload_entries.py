"""Virtual machines behind the Service, as WorkloadEntries: Istio sends them its requests, no EndpointSlice names them, and none loses any unasked."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.waiting import until
from tests.mesh.shop import NAME, Shop

ADDRESS = "10.244.250.8"
"""Of the lab's pods, in a part that no pod gets."""


@contextmanager
def machine(shop: Shop, **labels: str) -> Iterator[None]:
    """A virtual machine that answers as version `vm`, and its WorkloadEntry."""
    environment = os.environ | {"VERSION": "vm", "POD": "vm-1"}
    command = [sys.executable, "-m", "lab.backend", ADDRESS, str(shop.service.port)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # which it takes for its lifeline
    try:
        entry(shop, **labels)
        yield
    finally:
        process.kill()
        process.communicate()


def entry(shop: Shop, **labels: str) -> None:
    shop.lab.api.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": "vm-1", "namespace": shop.namespace},
            "spec": {"address": ADDRESS, "labels": {"app": NAME, **labels}},
        }
    )


def answers(shop: Shop, *versions: str) -> None:
    """Waits until callers get answers of exactly these versions for a second."""
    load = shop.loads[-1]

    def there() -> bool:
        since = time.time() - 1
        seen = {version for version in ("v1", "v2", "vm", "-") if load.report.count(version=version, since=since)}
        return seen == set(versions)

    until(there, f"answers of {versions}: {load.report.versions}", 30)


def begun(shop: Shop) -> None:
    load = shop.lab.load(shop.service, rate=60, through=("mesh",))
    shop.loads.append(load)


def test_a_machine_that_runs_the_old_version_keeps_its_requests(shop: Shop) -> None:
    """A service that moves from virtual machines to pods: the pods of v2 are wanted, and nobody has tried them."""
    shop.version("v2")
    with machine(shop, version="v1"):
        begun(shop)
        answers(shop, "v2", "vm")
        shop.release("v2", traffic=None)
        told = shop.wait("it is blocked", phase="Blocked", reason="WorkloadEntrySelected")
        assert f"WorkloadEntry {shop.namespace}/vm-1 ({ADDRESS})" in told["message"]
        assert "spec.stableVersion" in told["message"]
        assert shop.weight is None, "nothing is written"
        answers(shop, "v2", "vm")
        shop.version("v1")
        shop.patch({"spec": {"stableVersion": "v1", "version": "v1"}})
        shop.wait("adopted", phase="Stable", reason="AtRest")
        answers(shop, "v1", "vm")  # both are version v1: the subset `stable` has them
        shop.want("v2")
        shop.wait_weight(25)
        warned = until(
            lambda: [each for each in shop.status.get("warnings", ()) if each["reason"] == "WorkloadEntrySelected"], "warned", 30
        )
        assert warned and "counts pods alone" in warned[0]["message"]
        assert shop.wait_ended(1)["outcome"] == "Promoted"
        answers(shop, "v2")
        report = shop.loads[-1].stop()
        assert report.lost == 0, report
    shop.assert_rules()


def test_a_machine_without_a_version_blocks_by_name_and_costs_nothing_at_rest(shop: Shop) -> None:
    shop.version("v1")
    with machine(shop):
        begun(shop)
        answers(shop, "v1", "vm")
        shop.release("v1", traffic=None)
        told = shop.wait("it is blocked", phase="Blocked", reason="WorkloadEntrySelected")
        assert "write `version: v1`" in told["message"]
        assert shop.weight is None, "nothing is written"
        entry(shop, version="v1")
        shop.wait("adopted", 90, phase="Stable", reason="AtRest")
        rested = time.time()
        answers(shop, "v1", "vm")
        assert shop.loads[-1].stop().lost == 0
    found = shop.lab.audit.requests(since=rested + 1, verbs={"list", "get", "watch"}, resources={"workloadentries"})
    assert not [each for each in found if each.user_agent.startswith("istio-canary-operator")], "nothing is read at rest"
