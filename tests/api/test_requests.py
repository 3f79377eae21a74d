"""What fifty CanaryReleases at rest ask of the API server: nothing. Counted in the server's own audit log."""

import os
import time
from collections import Counter

import pytest

from lab import Cluster
from lab.operator import AGENT
from lab.waiting import until
from tests.api.place import Place

RELEASES = 50
IDLE_SECONDS = float(os.environ.get("API_IDLE_SECONDS", "30"))
QUIET_SECONDS = 5
"""Without a request for so long, the adoptions are over."""
NOT_COUNTED = {"leases"}
"""Renewed as long as the process lives."""


def asked(cluster: Cluster, since: float) -> Counter[str]:
    """Requests of the operator by what they ask; a watch is none, it is renewed every few minutes."""
    found = (each for agent in (AGENT, "kopf") for each in cluster.audit.requests(user_agent=agent, since=since))
    return Counter(f"{each.verb} {each.resource}" for each in found if each.verb != "watch" and each.resource not in NOT_COUNTED)


def idle(cluster: Cluster, seconds: float) -> Counter[str]:
    """What is asked in so many seconds from now on."""
    began = time.time()
    until(lambda: time.time() - began > seconds, "time passes", seconds + 5)
    return asked(cluster, began)


@pytest.mark.timeout(310 + IDLE_SECONDS)
def test_fifty_releases_at_rest_cost_nothing(place: Place, cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"service-{number}" for number in range(RELEASES)]
    place.deploy(*names, versions=("v1",))
    began = time.time()
    for name in names:
        place.release(name)
    place.adopted(*names)
    adopting = asked(cluster, began)
    until(lambda: not asked(cluster, time.time() - QUIET_SECONDS), "adopted", 60)

    found = idle(cluster, IDLE_SECONDS)
    if found:  # the tail of an adoption on a busy machine; whatever is asked for again and again comes at least once a minute
        found = idle(cluster, 65)

    with capsys.disabled():
        print(f"\nadopting {RELEASES}: {dict(adopting)}\n{RELEASES} at rest for {IDLE_SECONDS:g} s: {found.total()} requests {dict(found)}")
    assert not found
