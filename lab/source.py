"""The traffic source's process: `python -m lab.source`, told by one JSON line on standard input, more lines change the rate or end it.

Open loop: requests leave at a constant rate whether or not earlier ones were answered, as users do; a closed loop would send less the worse
it gets. Raw asyncio with a pool of kept connections, because 300 requests/s must not cost a core. Writes what was counted since the last
line, as one JSON line, four times a second.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections import deque
from typing import Any, Protocol

from lab.http_client import HttpPool
from lab.pending import Answer, Pending
from lab.tally import Tally

TICK_SECONDS = 0.004
WRITE_SECONDS = 0.25


class Sender(Protocol):
    """Sends one request of its kind."""

    def send(self, pending: Pending) -> None:
        """Returns at once; finishes it when the outcome is known."""


class Source:
    """Sends to its targets in turn, evenly spaced."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._rate = float(order["rate"])
        self._timeout = float(order["timeout"])
        self._tally = Tally()
        self._senders: list[tuple[tuple[str, str], Sender]] = []
        self._order = order
        self._sent = 0
        self._stopped = asyncio.Event()
        self._waiting: deque[tuple[float, Pending]] = deque()

    async def run(self) -> None:
        """Sends until told to stop, and waits for what is still to come."""
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
            self._give_up_on_old()
            await asyncio.sleep(max(TICK_SECONDS, min(due - loop.time(), 0.05)))

    def _send(self) -> None:
        key, sender = self._senders[self._sent % len(self._senders)]
        self._sent += 1
        self._tally.sent += 1
        begun = time.monotonic()
        pending = Pending(lambda answer: self._tally.count(key, answer, time.monotonic() - begun))
        self._waiting.append((begun + self._timeout, pending))
        sender.send(pending)

    def _give_up_on_old(self) -> None:
        """Drops what was answered and times out what waits too long; they wait in the order of their deadlines."""
        now = time.monotonic()
        while self._waiting and (self._waiting[0][1].done or self._waiting[0][0] <= now):
            _, pending = self._waiting.popleft()
            if not pending.done:
                pending.finish(Answer("-", "timeout", ""))
                pending.abandon()

    async def _wait_for_answers(self) -> None:
        while self._waiting:
            self._give_up_on_old()
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


async def _sender(target: dict[str, Any]) -> Sender:
    if target["protocol"] == "grpc":
        from lab.grpc_client import GrpcSender  # 0.1 s and 20 MB that HTTP need not pay

        return GrpcSender(target)
    return HttpPool(target)


def main() -> None:
    """Takes the first order and runs."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # when a proxy hangs, every request waits on a connection of its own
    asyncio.run(Source(json.loads(sys.stdin.readline())).run())


if __name__ == "__main__":
    main()
