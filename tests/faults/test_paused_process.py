"""A process that sleeps through a promotion wakes up believing what was true before, and must change nothing."""

import time
from typing import Any

from lab.waiting import until
from tests import rules
from tests.faults.bench import Bench
from tests.faults.outcome import differences, final_state
from tests.faults.rig import Life, Rig
from tests.faults.runs import QUIET_SECONDS
from tests.faults.scenarios import SCENARIOS
from tests.faults.stories import ends

GOOD = SCENARIOS["good"]
STILL_SECONDS = 2.0


def begin(bench: Bench) -> None:
    until(lambda: GOOD.begun(bench), "adopted")
    GOOD.story(bench)


def promoted(bench: Bench, life: Life) -> None:
    until(lambda: GOOD.over(bench) and life.proxy.settled(QUIET_SECONDS), "promoted by the other operator", 60)


def routing(rig: Rig, bench: Bench) -> list[int]:
    return [each.number for each in rig.revisions(bench) if each.object["kind"] != "CanaryRelease"]


def test_a_process_that_slept_through_a_promotion_writes_nothing(rig: Rig) -> None:
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench, "old") as old:
            begin(bench)
            until(lambda: bench.weight == 20, "weight 20")
            old.operator.pause()
            with rig.operator(bench, "new") as new:
                promoted(bench, new)
                state, written = final_state(bench.objects), routing(rig, bench)
                slept = len(old.proxy.writes)
                old.operator.resume()
                assert_awake(old)
                assert routing(rig, bench) == written
                assert not moved(bench, state), told(old, new)
                assert not [write for write in old.proxy.writes[slept:] if "networking.istio.io" in write.path and write.status < 300]
            assert_leads_the_next_release(bench, old)
        assert not rules.check(rig.revisions(bench))


def test_a_write_that_was_on_its_way_all_the_time_is_refused(rig: Rig) -> None:
    """The old process sleeps between sending a rise and its being carried out; then it may even be killed: the write still arrives."""
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench, "old") as old:
            until(lambda: GOOD.begun(bench), "adopted")
            old.hold("virtualservices")
            GOOD.story(bench)
            until(lambda: old.proxy.held, "a write to the route is on its way")
            assert bench.weight == 0
            old.operator.pause()
            with rig.operator(bench, "new") as new:
                promoted(bench, new)
                state, written = final_state(bench.objects), routing(rig, bench)
                old.let_go()
                until(lambda: old.proxy.held[-1].status, "the API server has answered")
                assert old.proxy.held[-1].status == 409
                old.operator.resume()
                assert_awake(old)
                assert routing(rig, bench) == written
                assert not moved(bench, state), told(old, new)
            assert_leads_the_next_release(bench, old)
        assert not rules.check(rig.revisions(bench))


def test_a_pass_that_was_overtaken_while_it_waited_records_nothing(rig: Rig) -> None:
    """The reply to its write comes late; meanwhile it was told that the release has gone on without it."""
    with rig.bench() as bench:
        GOOD.prepare(bench)
        with rig.operator(bench, "slow") as slow:
            until(lambda: GOOD.begun(bench), "adopted")
            slow.hold("virtualservices", replies=True)
            GOOD.story(bench)
            until(lambda: bench.weight == 20, "weight 20")
            with rig.operator(bench, "quick"):
                until(lambda: bench.status["release"]["step"] == 2, "the other operator takes the next step")
                version = bench.release["metadata"]["resourceVersion"] if bench.release else ""
                until(lambda: any(f'"resourceVersion":"{version}"'.encode() in piece for piece in slow.proxy.told), "the slow one is told")
                slow.let_go()
                promoted(bench, slow)
        assert not rules.check(rig.revisions(bench))


def moved(bench: Bench, state: dict[str, Any]) -> list[str]:
    """What is another than before. The words of the status may differ: two processes may say it in turn, each as far as it has been told."""
    return [line for line in differences(final_state(bench.objects), state) if ".reason: " not in line]


def told(*lives: Life) -> str:
    return "\n\n".join("\n".join((*map(str, life.proxy.writes), life.log.read_text())) for life in lives)


def assert_awake(old: Life) -> None:
    """Awake, and still for a while."""
    woke = time.monotonic()
    until(lambda: time.monotonic() - woke > STILL_SECONDS and old.proxy.settled(STILL_SECONDS), "the old operator has had its say")
    assert old.operator.alive


def assert_leads_the_next_release(bench: Bench, life: Life) -> None:
    """Alone, it carries the next release through: it was awake, and believes what is true."""
    bench.change({"spec": {"version": "v1"}})
    until(lambda: ends("Promoted", 2)(bench), "the next release", 60)
    until(lambda: life.proxy.settled(QUIET_SECONDS), "still")
