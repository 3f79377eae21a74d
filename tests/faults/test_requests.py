"""What the operator asks of the API server, counted in the server's own audit log: nothing at rest, little while a release runs."""

import os
import time
from itertools import pairwise

import pytest

from canary_operator.clients.kinds import LOOKED_UP
from lab.audit import Request
from lab.waiting import until
from tests.faults.bench import Bench
from tests.faults.rig import Rig
from tests.faults.runs import QUIET_SECONDS
from tests.faults.scenarios import SCENARIOS
from tests.faults.stories import SHORT

IDLE_SECONDS = float(os.environ.get("FAULTS_IDLE_SECONDS", "20"))
PER_STEP, PER_RELEASE = 3, 20
WEIGHTS = (5, 10, 25, 50)
AGENTS = ("istio-canary-operator", "kopf")
GOOD = SCENARIOS["good"]


def asked(rig: Rig, bench: Bench, since: float) -> list[Request]:
    """Requests of the bench's operator. Watches, renewed every few minutes, and its lease, if it has one, are no requests for a release's sake.

    What surrounds a release is read once a minute while that is needed, and budgeted apart.
    """
    found = (request for agent in AGENTS for request in rig.cluster.audit.requests(user_agent=agent, since=since))
    apart = {"leases", *(kind.plural for kind in LOOKED_UP)}
    ours = [
        request for request in found if request.namespace == bench.namespace and request.verb != "watch" and request.resource not in apart
    ]
    return sorted(ours, key=lambda request: request.time)


@pytest.mark.timeout(120 + IDLE_SECONDS)
def test_a_canary_release_at_rest_costs_nothing(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench) as life:
            until(lambda: GOOD.begun(bench) and life.proxy.settled(QUIET_SECONDS), "adopted")
            # Right after the start, whatever the watches' first lists did not name is looked for once.
            began = time.time()
            until(lambda: time.time() - began > IDLE_SECONDS, "time passes", IDLE_SECONDS + 5)
            found = asked(rig, bench, began)
    with capsys.disabled():
        print(f"\nat rest for {IDLE_SECONDS:g} s: {len(found)} requests")
    assert not found


def test_a_release_costs_little(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with rig.bench() as bench:
        bench.create(version="v1", stableVersion="v1", steps=[{"weight": weight, "hold": SHORT} for weight in WEIGHTS])
        with rig.operator(bench) as life:
            until(lambda: GOOD.begun(bench) and life.proxy.settled(QUIET_SECONDS), "adopted")
            began = time.time()
            GOOD.story(bench)
            until(lambda: GOOD.over(bench) and life.proxy.settled(QUIET_SECONDS), "promoted", 60)
            found = asked(rig, bench, began)
        rises = sum(each > one for one, each in pairwise(_recorded_weights(rig, bench)))
    rest = [request for request in found if request.resource != "events"]
    # A status that raises no weight is a checkpoint: of the evidence, or of where the release stands.
    checkpoints = sum(request.subresource == "status" for request in rest) - rises
    shifts = [number for number, request in enumerate(rest) if request.resource == "virtualservices" and request.verb == "patch"]
    between = [rest[one + 1 : other + 1] for one, other in pairwise(shifts[:rises])]
    steps = [len(step) - max(0, sum(request.subresource == "status" for request in step) - 1) for step in between]
    with capsys.disabled():
        print(
            f"\na release of {len(WEIGHTS)} steps: {len(rest)} requests, {checkpoints} of them checkpoints; {len(found) - len(rest)} events"
        )
        print(f"from one rise to the next, without checkpoints: {steps}")
    assert rises == len(WEIGHTS) + 1
    assert max(steps) <= PER_STEP
    assert len(rest) - checkpoints <= PER_RELEASE


def _recorded_weights(rig: Rig, bench: Bench) -> list[int]:
    statuses = [each.object.get("status") or {} for each in rig.revisions(bench) if each.object["kind"] == "CanaryRelease"]
    return [(status.get("release") or {}).get("weight", 0) for status in statuses]
