"""The traffic source's process: `python -m lab.source`, told by one JSON line on standard input, more lines change the rate or end it.

Open loop: requests leave at a constant rate whether or not earlier ones were answered, as users do; a closed loop would send less the worse it gets.
Raw asyncio with a pool of kept connections, because 300 requests/s must not cost a core. Writes what was counted since the last line, as one JSON line, four
times a second.
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from lab.http_client import Answer, HttpPool
from lab.tally import Tally

TICK_SECONDS = 0.004
WRITE_SECONDS = 0.25
Send = Callable[[Callable[[Answer], None]], None]


class Source:
    """Sends to its targets in turn, evenly spaced."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._rate = float(order["rate"])
        self._timeout = float(order["timeout"])
        self._tally = Tally()
        self._senders: list[tuple[tuple[str, str], Send]] = []
        self._order = order
        self._sent = 0
        self._stopped = asyncio.Event()
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    async def run(self) -> None:
        for target in self._order["targets"]:
            self._senders.append(((target["path"], target["service"]), await _sender(target)))
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self._listen)
        writer = loop.create_task(self._write_regularly())
        await self._send_until_stopped()
        await self._wait_for_answers()
        writer.cancel()
        self._write(final=True)

    async def _send_until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stopped.is_set():
            now = loop.time()
            while due <= now and self._rate > 0:
                self._tally.late(now - due)
                self._send()
                due += 1 / self._rate
            if self._rate <= 0:
                due = now
            self._give_up_on_old(now)
            await asyncio.sleep(max(TICK_SECONDS, min(due - loop.time(), 0.05)))

    def _send(self) -> None:
        key, send = self._senders[self._sent % len(self._senders)]
        self._sent += 1
        begun = time.monotonic()
        done = False

        def answered(answer: Answer) -> None:
            nonlocal done
            if not done:
                done = True
                self._tally.count(key, answer, time.monotonic() - begun)

        self._tally.sent += 1
        self._waiting.append((begun + self._timeout, lambda: answered(Answer("-", "timeout", ""))))
        send(answered)

    def _give_up_on_old(self, _now: float) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.popleft()[1]()

    async def _wait_for_answers(self) -> None:
        while self._waiting and self._tally.answered < self._tally.sent:
            self._give_up_on_old(0)
            await asyncio.sleep(TICK_SECONDS)

    def _listen(self) -> None:
        """New orders; the end of standard input is the end of whoever ordered."""
        content = os.read(0, 65536)
        if not content:
            os._exit(0)
        for line in content.splitlines():
            order = json.loads(line)
            self._rate = float(order.get("rate", self._rate))
            if order.get("stop"):
                self._stopped.set()

    async def _write_regularly(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            self._write(final=False)

    def _write(self, *, final: bool) -> None:
        sys.stdout.write(json.dumps(self._tally.take() | {"final": final}) + "\n")
        sys.stdout.flush()


async def _sender(target: dict[str, Any]) -> Send:
    if target["protocol"] == "grpc":
        from lab.grpc_client import GrpcSender  # 0.1 s and 20 MB that HTTP need not pay

        return GrpcSender(target).send
    return HttpPool(target).send


def main() -> None:
    asyncio.run(Source(json.loads(sys.stdin.readline())).run())


if __name__ == "__main__":
    main()
