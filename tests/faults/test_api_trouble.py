"""The API server answers wrongly, goes away, or forgets who we are: the release waits, goes on by itself, and nobody is in a hurry.

FAULTS_AWAY_SECONDS=120 for a long absence.
"""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.addresses import API_SERVER
from lab.operator import ACCOUNT, NAMESPACE
from lab.waiting import until
from tests import rules
from tests.faults.outcome import differences, final_state
from tests.faults.proxy import Once, away
from tests.faults.rig import Rig
from tests.faults.runs import QUIET_SECONDS, Model, models
from tests.faults.scenarios import SCENARIOS
from tests.faults.stories import LONG, SHORT, reaches, steps

AWAY_SECONDS = float(os.environ.get("FAULTS_AWAY_SECONDS", "6"))
RECOVERY_SECONDS = 15
STATUSES = (500, 503, 429, 409, 410, 401, 403, 422)
GOOD = SCENARIOS["good"]


@pytest.fixture(scope="module")
def usual(rig: Rig) -> Iterator[Model]:
    yield models(rig, ["good"], 1)["good"]


@pytest.fixture(scope="module")
def found(rig: Rig, usual: Model) -> Mapping[int, tuple[str, ...]]:
    """Side by side: what came of a release whose first request of each kind was answered so."""
    with ThreadPoolExecutor(rig.size) as threads:
        return dict(zip(STATUSES, threads.map(lambda status: _outcome(rig, usual, status), STATUSES), strict=True))


def _outcome(rig: Rig, usual: Model, status: int) -> tuple[str, ...]:
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench, f"trouble-{status}") as life:
            once = Once(status)
            life.meddle(once)
            try:
                until(lambda: GOOD.begun(bench), "adopted", 40)
                GOOD.story(bench)
                until(lambda: GOOD.over(bench) and life.proxy.settled(QUIET_SECONDS), "promoted", 60)
            except TimeoutError as error:
                return str(error), life.log.read_text()[-3000:]
            differing = differences(final_state(bench.objects), usual.first.state)
            if status == 403:  # what may not be read is told as a warning, until the next release reads it again
                differing = tuple(line for line in differing if ".status.warnings" not in line)
            lines = [*differing, *rules.check(rig.revisions(bench))]
            if len(once.struck) < 15:
                lines.append(f"struck only {sorted(once.struck)}")
            return tuple(lines)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("status", STATUSES)
def test_a_release_ends_the_same_when_each_kind_of_request_fails_once(found: Mapping[int, tuple[str, ...]], status: int) -> None:
    assert not found[status], "\n".join(found[status])


@pytest.mark.timeout(120 + AWAY_SECONDS)
def test_while_the_api_server_is_away_nothing_moves_and_after_its_return_it_takes_a_fresh_look(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    with rig.bench() as bench:
        bench.create(version="v1", stableVersion="v1", steps=steps({**SHORT, "min": "1s"}, SHORT))
        with rig.operator(bench) as life:
            until(lambda: GOOD.begun(bench), "adopted")
            GOOD.story(bench)
            reaches(bench, 20)
            rig.background.run(rig.prometheus.freeze(bench, on=True))
            life.meddle(away)
            asked, left = life.proxy.asked, time.monotonic()
            until(lambda: time.monotonic() - left > AWAY_SECONDS, "time passes", AWAY_SECONDS + 5)
            asked = life.proxy.asked - asked
            assert bench.weight == 20
            life.meddle(None)
            back = time.monotonic()
            until(lambda: life.proxy.settled(0), "all watches are back", RECOVERY_SECONDS)
            watched = time.monotonic() - back
            until(lambda: time.monotonic() - back > 3, "time passes")
            assert bench.weight == 20, "no rise without a sample that is newer than the return"
            rig.background.run(rig.prometheus.freeze(bench, on=False))
            thawed = time.monotonic()
            until(lambda: bench.weight != 20, "it goes on", RECOVERY_SECONDS)
            moved = time.monotonic() - thawed
            until(lambda: GOOD.over(bench), "promoted", 60)
        assert not rules.check(rig.revisions(bench))
    with capsys.disabled():
        print(f"\naway for {AWAY_SECONDS:g} s: {asked} requests meanwhile")
        print(f"watches back after {watched:.1f} s; next weight {moved:.1f} s after the first new sample")
    assert asked <= 60 + 5 * AWAY_SECONDS


def test_an_abort_given_while_the_api_server_was_away_is_obeyed_on_its_return(rig: Rig) -> None:
    with rig.bench() as bench:
        bench.create(version="v1", stableVersion="v1", steps=steps(LONG, LONG))
        with rig.operator(bench) as life:
            until(lambda: GOOD.begun(bench), "adopted")
            GOOD.story(bench)
            reaches(bench, 20)
            life.meddle(away)
            bench.act("abort/1/1")
            cut = time.monotonic()
            until(lambda: time.monotonic() - cut > 3, "time passes")
            life.meddle(None)
            until(lambda: bench.weight == 0, "aborted", RECOVERY_SECONDS)
            until(lambda: SCENARIOS["abort"].over(bench), "withdrawn", 30)
        assert not rules.check(rig.revisions(bench))


def test_a_token_that_was_rotated_is_read_again(rig: Rig) -> None:
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench) as life:
            until(lambda: GOOD.begun(bench) and life.proxy.settled(QUIET_SECONDS), "adopted")
            old = life.kubeconfig.read_text()
            token = old.partition('"token": "')[2].partition('"')[0]
            life.meddle(lambda request: Once(401)(request) if request.headers["Authorization"].endswith(token) else None)
            fresh = rig.cluster.service_account_kubeconfig(NAMESPACE, ACCOUNT).read_text()
            assert token and token not in fresh
            address = old.partition('"server": "')[2].partition('"')[0]
            life.kubeconfig.write_text(fresh.replace(API_SERVER, address))
            GOOD.story(bench)
            until(lambda: GOOD.over(bench), "promoted", 60)
