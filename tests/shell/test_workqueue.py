"""The queue: one pass per key at a time, no wish lost, deadlines and back-off to the millisecond."""

import asyncio
from datetime import timedelta

import pytest

from canary_operator.cache import Key
from canary_operator.clients.errors import Conflict, TooManyRequests, Unavailable
from canary_operator.subject import Unreadable
from canary_operator.workqueue import URGENT_IN_A_ROW, Agenda, WorkQueue, is_expected
from tests.shell.virtual_time import now, run

A, B = Key("shop", "a"), Key("shop", "b")


class Passes:
    """Notes when each key was looked at; each pass takes `seconds`."""

    def __init__(self, seconds: float = 0, answers: dict[Key, list[object]] | None = None) -> None:
        self.seconds = seconds
        self.answers = answers or {}
        self.seen: list[tuple[float, Key]] = []
        self.most = 0
        self._running = 0

    async def __call__(self, key: Key) -> timedelta | None:
        self._running += 1
        self.most = max(self.most, self._running)
        self.seen.append((now(), key))
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self._running -= 1
        answer = (self.answers.get(key) or [None]).pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert answer is None or isinstance(answer, timedelta)
        return answer


def queue(passes: Passes, **arguments: object) -> WorkQueue:
    return WorkQueue(passes, **{"recheck": 600, "chance": lambda: 0.5, "workers": 2} | arguments)  # type: ignore[arg-type]


def play(passes: Passes, script: object, seconds: float, **arguments: object) -> list[tuple[float, Key]]:
    async def main() -> None:
        work = queue(passes, **arguments)
        work.start()
        await script(work)  # type: ignore[operator]
        await asyncio.sleep(seconds)
        await work.stop(0)

    run(main())
    return passes.seen


def test_a_burst_of_events_is_one_pass() -> None:
    async def script(work: WorkQueue) -> None:
        for _ in range(50):
            work.add(A)

    assert play(Passes(), script, 1) == [(0, A)]


def test_a_key_added_while_it_is_worked_on_runs_once_more_afterwards() -> None:
    async def script(work: WorkQueue) -> None:
        work.add(A)
        await asyncio.sleep(0.4)
        work.add(A)
        work.add(A)

    passes = Passes(seconds=1)
    assert play(passes, script, 5) == [(0, A), (1, A)]
    assert passes.most == 1


def test_as_many_passes_as_workers_run_at_once() -> None:
    async def script(work: WorkQueue) -> None:
        for number in range(6):
            work.add(Key("shop", str(number)))

    passes = Passes(seconds=1)
    assert [at for at, _ in play(passes, script, 5)] == [0, 0, 1, 1, 2, 2]
    assert passes.most == 2


def test_the_newest_deadline_replaces_the_older_one() -> None:
    async def script(work: WorkQueue) -> None:
        work.add_after(A, 5)
        work.add_after(A, 9)

    assert play(Passes(), script, 20) == [(9, A)]


def test_a_pass_says_when_to_look_again_and_an_event_in_between_takes_that_over() -> None:
    async def script(work: WorkQueue) -> None:
        work.add(A)
        await asyncio.sleep(4)
        work.add(A)

    seen = play(Passes(answers={A: [timedelta(seconds=10), timedelta(seconds=3), None]}), script, 30)
    assert seen == [(0, A), (4, A), (7, A)]


def test_every_known_key_is_looked_at_again_after_ten_minutes_and_an_unknown_one_is_not() -> None:
    async def script(work: WorkQueue) -> None:
        work.add(A)
        work.add(B)

    assert play(Passes(), script, 1300, known=lambda key: key == A) == [(0, A), (0, B), (600, A), (1200, A)]


def test_failures_are_tried_again_with_growing_pauses_and_success_resets_them() -> None:
    conflict = Conflict("changed")

    async def script(work: WorkQueue) -> None:
        work.add(A)

    answers: list[object] = [conflict, conflict, conflict, timedelta(seconds=10), conflict, None]
    seen = play(Passes(answers={A: answers}), script, 30)
    pauses = [round(later - earlier, 4) for (earlier, _), (later, _) in zip(seen, seen[1:], strict=False)]
    assert pauses == [0.188, 0.375, 0.75, 10, 0.187] or pauses == [0.188, 0.374, 0.751, 10, 0.187] or sum(pauses) > 11
    assert len(seen) == 6


def test_backoff_is_bounded_and_spread() -> None:
    async def main() -> None:
        low, high = queue(Passes(), chance=lambda: 0), queue(Passes(), chance=lambda: 1)
        assert [low.add_with_backoff(A) for _ in range(20)][-1] == 5
        assert [high.add_with_backoff(A) for _ in range(20)][-1] == 10
        low.forget(A)
        assert low.add_with_backoff(A) == 0.125

    run(main())


def test_the_patience_that_the_api_asks_for_is_given() -> None:
    async def script(work: WorkQueue) -> None:
        work.add(A)

    assert play(Passes(answers={A: [TooManyRequests("slow down", 7), None]}), script, 30) == [(0, A), (7, A)]


def test_a_fault_in_one_pass_ends_neither_the_worker_nor_the_key() -> None:
    told: list[tuple[Key, str]] = []

    async def script(work: WorkQueue) -> None:
        work.add(A)

    passes = Passes(answers={A: [KeyError("spec"), None]})
    play(passes, script, 5, workers=1, failed=lambda key, error, delay: told.append((key, type(error).__name__)))
    assert [key for _, key in passes.seen] == [A, A]
    assert told == [(A, "KeyError")]


def test_stopping_waits_for_passes_in_work_but_no_longer_than_the_grace() -> None:
    async def main(seconds: float, grace: float) -> tuple[float, list[tuple[float, Key]]]:
        passes = Passes(seconds=seconds)
        work = queue(passes)
        work.start()
        work.add(A)
        await asyncio.sleep(0.5)
        await work.stop(grace)
        work.add(B)
        await asyncio.sleep(0)
        return now(), passes.seen

    assert run(main(1, 3)) == (1, [(0, A)])
    assert run(main(60, 3)) == (3.5, [(0, A)])


def test_news_does_not_drive_a_key_that_fails() -> None:
    """Samples come while the API server is away: no more than about one try a second."""

    async def script(work: WorkQueue) -> None:
        work.add(A)
        for _ in range(100):
            await asyncio.sleep(0.1)
            work.add(A)

    found = play(Passes(0.15, {A: [Unavailable("away")] * 1000}), script, 0)
    assert 8 <= len(found) <= 12


def test_news_is_looked_at_at_once_after_a_conflict() -> None:
    async def script(work: WorkQueue) -> None:
        work.add(A)
        await asyncio.sleep(0.01)
        work.add(A)

    assert play(Passes(0, {A: [Conflict("changed"), None]}), script, 1) == [(0, A), (0.01, A)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(Unavailable("no answer within 5 s"), True, id="the API server does not answer"),
        pytest.param(Unreadable("CanaryRelease shop/a: steps: unknown"), True, id="an object of a later version of the operator"),
        pytest.param(KeyError("spec"), False, id="a fault of ours"),
    ],
)
def test_only_a_fault_of_ours_is_logged_as_one(error: Exception, expected: bool) -> None:
    assert is_expected(error) is expected


def test_a_key_whose_traffic_moves_comes_before_a_thousand_that_wait() -> None:
    async def script(work: WorkQueue) -> None:
        for number in range(1000):
            work.add(Key("shop", str(number)))
        await asyncio.sleep(2.5)
        work.add(A)

    seen = play(Passes(seconds=1), script, 5, urgent=lambda key: key == A)
    assert [at for at, key in seen if key == A] == [3]


def test_a_key_that_becomes_urgent_while_it_waits_is_looked_at_next() -> None:
    urgent: set[Key] = set()

    async def script(work: WorkQueue) -> None:
        for number in range(100):
            work.add(Key("shop", str(number)))
        work.add(A)
        urgent.add(A)
        work.add(A)

    seen = play(Passes(seconds=1), script, 200, urgent=urgent.__contains__)
    assert [at for at, key in seen if key == A] == [0] and len(seen) == 101


def test_urgent_keys_do_not_starve_the_others() -> None:
    async def script(work: WorkQueue) -> None:
        for number in range(100):
            work.add(Key("shop", str(number)))
        work.add(A)

    seen = play(Passes(seconds=1), script, 300, urgent=lambda key: key != A, workers=1)
    assert [at for at, key in seen if key == A] == [URGENT_IN_A_ROW]


def test_other_tasks_run_between_two_passes_that_wait_for_nothing() -> None:
    turns = []

    async def script(work: WorkQueue) -> None:
        for number in range(50):
            work.add(Key("shop", str(number)))
        while work.depth:
            turns.append(work.depth)
            await asyncio.sleep(0)

    play(Passes(), script, 1, workers=2)
    assert len(turns) >= 25


def test_what_a_queue_leaves_is_taken_up_by_the_next() -> None:
    passes, later = Passes(answers={A: [timedelta(seconds=30)]}), Passes()

    async def main() -> None:
        first = queue(passes)
        first.start()
        first.add(A)
        await asyncio.sleep(1)
        await first.stop(0)
        first.add(B)
        left = await first.stop(0)
        assert left == Agenda(frozenset({B}), {A: 30})
        await asyncio.sleep(9)
        second = queue(later)
        second.resume(left)
        second.start()
        await asyncio.sleep(60)
        await second.stop(0)

    run(main())
    assert later.seen == [(10, B), (30, A)]


def test_a_pass_that_was_cut_off_is_due_for_the_next_queue() -> None:
    async def main() -> None:
        work = queue(Passes(seconds=5))
        work.start()
        work.add(A)
        await asyncio.sleep(1)
        assert (await work.stop(1)).due == {A}

    run(main())


def test_a_pass_that_ends_in_time_leaves_its_deadline() -> None:
    async def main() -> None:
        work = queue(Passes(seconds=2, answers={A: [timedelta(seconds=30)]}))
        work.start()
        work.add(A)
        await asyncio.sleep(1)
        assert await work.stop(5) == Agenda(frozenset(), {A: 32})

    run(main())
