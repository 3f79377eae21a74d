"""A candidate in its own thread: the Lease is renewed while the other loop is busy, and not when that hangs for good."""

import asyncio
import time
from collections.abc import Callable, Coroutine

import pytest

from canary_operator import candidate as module
from canary_operator.candidate import Candidate, Opened, Told, Turns
from canary_operator.clients.errors import Forbidden


class Campaign:
    """Leads at once; counts renewals, one in 10 ms, while the other loop turns."""

    def __init__(self, told: Told, turns: Turns, error: Exception | None = None) -> None:
        self.told, self.turns, self.error = told, turns, error
        self.renewals: list[float] = []
        self.log: list[str] = []

    def seconds_left(self) -> float:
        return 15.0

    async def run(self) -> None:
        if self.error:
            raise self.error
        self.told(True)
        while True:
            if self.turns():
                self.renewals.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def give_back(self) -> None:
        self.log.append("given back")

    async def close(self) -> None:
        self.log.append("closed")


def stand(script: Callable[[Candidate, list[Campaign]], Coroutine[None, None, None]], error: Exception | None = None) -> Campaign:
    made: list[Campaign] = []

    async def main() -> None:
        async def open_campaign(told: Told, turns: Turns) -> Opened:
            made.append(Campaign(told, turns, error))
            return made[0], made[0].close

        candidate = Candidate(open_campaign)
        running = asyncio.create_task(candidate.run())
        scripted = asyncio.create_task(script(candidate, made))
        try:
            await asyncio.wait([running, scripted], return_when=asyncio.FIRST_COMPLETED)
            (running if running.done() else scripted).result()
        finally:
            for task in (running, scripted):
                task.cancel()
            await asyncio.gather(running, scripted, return_exceptions=True)
            await candidate.end()

    asyncio.run(main())
    return made[0]


def block(seconds: float) -> None:
    """A pass that lets nothing else run in its loop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def test_a_loop_that_is_busy_holds_up_no_renewal() -> None:
    during: list[float] = []

    async def script(candidate: Candidate, made: list[Campaign]) -> None:
        await candidate.won()
        assert candidate.seconds_left() == 15
        began = time.monotonic()
        block(1.0)
        during.extend(at for at in list(made[0].renewals) if at > began)

    campaign = stand(script)
    assert len(during) > 5 and during[-1] - during[0] > 0.5
    assert campaign.log == ["given back", "closed"]


def test_a_loop_that_hangs_for_good_loses_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HUNG", 0.3)
    monkeypatch.setattr(module, "BEAT", 0.05)

    async def script(candidate: Candidate, made: list[Campaign]) -> None:
        await candidate.won()
        began = time.monotonic()
        block(1.5)
        assert max(made[0].renewals) < began + 1.0
        await asyncio.sleep(0.3)
        assert max(made[0].renewals) > began + 1.5

    stand(script)


def test_what_the_campaign_cannot_mend_is_raised_here() -> None:
    async def script(candidate: Candidate, made: list[Campaign]) -> None:
        await candidate.won()

    with pytest.raises(Forbidden):
        stand(script, Forbidden("no right"))


def test_a_lead_that_is_lost_and_won_again_is_told_in_order() -> None:
    async def script(candidate: Candidate, made: list[Campaign]) -> None:
        await candidate.won()
        lost = asyncio.create_task(candidate.lost())
        await asyncio.sleep(0)
        made[0].told(False)
        made[0].told(True)
        await lost
        await candidate.won()

    stand(script)
