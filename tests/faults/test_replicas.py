"""Two replicas under a running release: one dies, is stopped, sleeps, or is cut off; the other goes on, and never do both write.

FAULTS_LEASE_SECONDS=15 FAULTS_ROUNDS=5 for the figures with the lease as it is installed.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from lab.operator import NAMESPACE
from lab.waiting import until
from tests import rules
from tests.faults.bench import Bench
from tests.faults.proxy import away
from tests.faults.rig import Life, Rig
from tests.faults.runs import QUIET_SECONDS
from tests.faults.scenarios import SCENARIOS
from tests.faults.stories import LONG, SHORT, reaches, steps

LEASE_SECONDS = int(os.environ.get("FAULTS_LEASE_SECONDS", "3"))
ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "1"))
STOPS = int(os.environ.get("FAULTS_STOPS", "6"))
LEASE = f"{LEASE_SECONDS}s"
PATH = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/istio-canary-operator"
GOOD = SCENARIOS["good"]
MEDDLE_SECONDS = 1.5


def lease(rig: Rig) -> dict[str, Any]:
    spec: dict[str, Any] = (rig.cluster.api.find(PATH) or {}).get("spec") or {}
    return spec


def leads(rig: Rig, life: Life) -> bool:
    return lease(rig).get("holderIdentity") == life.identity


@contextmanager
def running(rig: Rig, *holds: dict[str, str]) -> Iterator[tuple[Bench, Life, Life]]:
    """A release at its first weight; the first replica leads, the second stands by."""
    rig.cluster.api.delete(PATH)
    with rig.bench() as bench:
        bench.create(version="v1", stableVersion="v1", steps=steps(*holds))
        with rig.operator(bench, "first", LEASE) as first:
            until(lambda: GOOD.begun(bench), "adopted")
            with rig.operator(bench, "second", LEASE) as second:
                until(lambda: "standing by" in second.log.read_text() and second.proxy.settled(0), "the second stands by")
                GOOD.story(bench)
                reaches(bench, 20)
                assert leads(rig, first) and not accepted(second)
                yield bench, first, second
        assert not rules.check(rig.revisions(bench))


def accepted(life: Life) -> list[str]:
    """What this replica wrote of releases and routes."""
    ours = [write for write in life.proxy.writes if "/leases" not in write.path and "/events" not in write.path]
    return [str(write) for write in ours if 200 <= write.status < 300]


def promoted(bench: Bench, *lives: Life) -> None:
    until(lambda: GOOD.over(bench), "promoted", 60)
    for life in lives:
        until(lambda: life.proxy.settled(QUIET_SECONDS), "still")  # noqa: B023


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize(("how", "seconds"), [("kill", LEASE_SECONDS + 2), ("terminate", 3)], ids=["SIGKILL", "SIGTERM"])
def test_the_other_takes_over(rig: Rig, how: str, seconds: float, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with running(rig, LONG, LONG) as (bench, first, second):
        began = time.monotonic()
        getattr(first.operator, how)()
        until(lambda: leads(rig, second), "taken over", seconds)
        took = time.monotonic() - began
        first.operator.wait()
        bench.act("abort/1/1")
        until(lambda: bench.weight == 0, "it works", 5)
    with capsys.disabled():
        print(f"\ntakeover after {how}, lease {LEASE}: {took:.2f} s")
    assert took <= seconds


@pytest.mark.parametrize("leases", [0.5, 1, 3])
def test_a_leader_that_slept_writes_nothing_of_what_another_has_decided(rig: Rig, leases: float) -> None:
    with running(rig, {**SHORT, "min": "2s"}, SHORT) as (bench, first, second):
        until(lambda: all(write.status for write in first.proxy.writes), "its last write is answered")
        first.operator.pause()
        slept, before = time.monotonic(), len(accepted(first))
        until(lambda: time.monotonic() - slept > leases * LEASE_SECONDS, "time passes", leases * LEASE_SECONDS + 5)
        first.operator.resume()
        promoted(bench, first, second)
        assert first.operator.alive
        assert handovers(first, second) <= lease(rig)["leaseTransitions"]
        if leases > 2:
            assert len(accepted(first)) == before
            assert accepted(second)


def test_a_leader_that_is_cut_off_gives_way_and_stands_by_when_it_is_back(rig: Rig) -> None:
    with running(rig, LONG, SHORT) as (bench, first, second):
        until(lambda: all(write.status for write in first.proxy.writes), "its last write is answered")
        before = accepted(first)
        first.meddle(away)
        cut = time.monotonic()
        until(lambda: leads(rig, second), "taken over", LEASE_SECONDS + 2)
        until(lambda: "no longer leading" in first.log.read_text(), "it knows")
        assert time.monotonic() - cut <= LEASE_SECONDS + 2.5
        bench.act("skip/1/1")
        promoted(bench, second)
        first.meddle(None)
        until(lambda: "standing by" in first.log.read_text(), "it stands by")
        until(lambda: first.proxy.settled(MEDDLE_SECONDS), "still")
        assert accepted(first) == before


@pytest.mark.timeout(60 + 10 * STOPS)
def test_it_ends_in_time_whenever_it_is_stopped_and_gives_its_lease_back(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.cluster.api.delete(PATH)
    chance, took = Random(1), []
    with rig.bench() as bench:
        GOOD.prepare(bench)
        begun = False
        for _ in range(STOPS):
            with rig.operator(bench, "first", LEASE) as life:
                started, pause = time.monotonic(), chance.uniform(0.3, 3)
                if not begun and GOOD.begun(bench):
                    GOOD.story(bench)
                    begun = True
                until(lambda: time.monotonic() - started > pause, "some time", 10)  # noqa: B023
                stopped = time.monotonic()
                life.operator.terminate()
                life.operator.wait()
                took.append(time.monotonic() - stopped)
                assert not lease(rig).get("holderIdentity"), life.log.read_text()
        with rig.operator(bench, "last", LEASE) as life:
            if not begun:
                until(lambda: GOOD.begun(bench), "adopted")
                GOOD.story(bench)
            promoted(bench, life)
        assert not rules.check(rig.revisions(bench))
    with capsys.disabled():
        print(f"\n{STOPS} ends: median {sorted(took)[len(took) // 2]:.2f} s, longest {max(took):.2f} s")
    assert max(took) <= 5


def handovers(*lives: Life) -> int:
    """How often the hand that writes changed."""
    hands = sorted(
        (write.at, life.identity)
        for life in lives
        for write in life.proxy.writes
        if 200 <= write.status < 300 and "/leases" not in write.path and "/events" not in write.path
    )
    return sum(one != other for (_, one), (_, other) in pairwise(hands))
