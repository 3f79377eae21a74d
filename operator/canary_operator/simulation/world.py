"""The virtual world: a stage, an operator, and time that jumps from one event to the next."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release.model import Ask
from canary_operator.release.reading import asked_since
from canary_operator.simulation.api import Api, Crashed
from canary_operator.simulation.draws import Draw
from canary_operator.simulation.objects import as_stored, moment, tick
from canary_operator.simulation.process import Pass, Process
from canary_operator.simulation.proxies import Proxies
from canary_operator.simulation.questions import answer
from canary_operator.simulation.quiet import Quiet
from canary_operator.simulation.stage import EPOCH, Stage

MOST_PASSES = 40
"""More passes than this at one instant are a loop that never ends."""


class Livelock(Exception):
    """The operator goes on deciding though nothing happens any more."""


class World(Stage):
    """A stage on which time passes and an operator works.

    Args:
        spec: The wish it begins with.
        rate: Requests per second.
        spacing: Seconds between two scrapes.
        draw: What is left to chance; expected values when left out.
        targets: Number of proxies that count.
        restart: Seconds until a dead process is replaced.
        attached: The canary's weight in the user's own route, percent; None: the operator owns the route.
        gateway: Requests come through a gateway, so that the operator's route is never to go.
    """

    def __init__(
        self,
        spec: CanaryReleaseSpec,
        *,
        rate: float = 100.0,
        spacing: float = 5.0,
        draw: Draw | None = None,
        targets: int = 1,
        restart: float = 2.0,
        attached: int | None = None,
        gateway: bool = False,
    ) -> None:
        super().__init__(spec, rate=rate, spacing=spacing, draw=draw, targets=targets, attached=attached, gateway=gateway)
        self.api = Api(self.cluster)
        self.process: Process | None = Process(EPOCH)
        self.passes: list[Pass] = []
        self.restart = restart
        self.proxies = Proxies()
        self._instant = (0.0, 0)
        self._coming: list[tuple[float, int, Callable[[World], None]]] = []
        self._numbers = 0
        self._ask: Ask | None = None
        self.quiet: Quiet | None = None
        """Looks are left out at which nothing can be decided; None: none is."""
        self._unread = False
        """Something was scraped since the operator was last answered."""
        self._answers: deque[float] = deque()
        """When it is answered anew, Unix seconds."""
        self._flowed = EPOCH
        """Until when requests came in."""

    # --------------------------------------------------------------------------------------------------------------------- time

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.cluster.time - EPOCH

    def at(self, seconds: float, change: "Callable[[World], None]") -> None:
        """Something will happen, so many seconds after the beginning."""
        self._numbers += 1
        heapq.heappush(self._coming, (tick(EPOCH + seconds), self._numbers, change))

    def run(self, seconds: float, until: "Callable[[World], bool] | None" = None) -> bool:
        """Lets time pass, or less if `until` comes true, which is the answer."""
        end, self._instant = tick(self.cluster.time + seconds), (0.0, 0)
        while True:
            self._settle()
            self.proxies.hear(self.cluster.now, self.cluster.time)
            if until is not None and until(self):
                return True
            self._sleep(end)
            if self.dirty and self.process is not None:
                continue
            if (due := min(self._next(), end)) >= end and self._next() > end:
                self._advance(end)
                return False
            self._advance(due)
            self._happen()

    def _sleep(self, end: float) -> None:
        """As long as scrapes need no look and nothing else happens, there is nothing but traffic."""
        others = min(self._others, self._answer_due, end)
        while self._asleep and (due := self.prometheus.due) < others and due < self._awake:
            self._flow(due)
            self._scrape()

    @property
    def _asleep(self) -> bool:
        """Nobody has to look at what is scraped."""
        return self.quiet is not None and not self.dirty and (self._unread or self._ask is None)

    def _next(self) -> float:
        return min(self.prometheus.due, self._others, self._awake, self._answer_due)

    @property
    def _others(self) -> float:
        """When something else happens than scrapes, answers and timers, Unix seconds."""
        due = min(self.proxies.due, self._coming[0][0] if self._coming else float("inf"))
        return due if self.process is None else min(due, self.process.questions.due)

    @property
    def _answer_due(self) -> float:
        return self._answers[0] if self._answers else float("inf")

    @property
    def _awake(self) -> float:
        """When the operator looks by itself, Unix seconds."""
        return float("inf") if self.process is None or self.process.due is None else self.process.due

    def _advance(self, time: float) -> None:
        """It is later. An answer alone changes nothing of the traffic: who leaves looks out needs not even know when it came."""
        if time < min(self.prometheus.due, self._others, self._awake) and time == self._answer_due:
            self.cluster.time = max(time, self.cluster.time)
        else:
            self._flow(time)

    def _flow(self, time: float) -> None:
        """It is later, and requests came in until then."""
        self.cluster.time = max(time, self.cluster.time)
        if time > self._flowed:
            self.traffic.flow(self.proxies.obeyed(self.cluster.now), self._flowed, time)
            self._flowed = time

    def _happen(self) -> None:
        now = self.cluster.time
        while self._coming and self._coming[0][0] <= now:
            heapq.heappop(self._coming)[2](self)
        if self.prometheus.due <= now:
            self._scrape()
        if self._answer_due <= now:
            self._answers.popleft()
            self._catch_up()
        if self.process and self.process.due is not None and self.process.due <= now:
            self.dirty = True
        self._inquire()

    def _scrape(self) -> None:
        targets = self.prometheus.scrape(self.traffic.counters)
        self._unread = self.quiet is not None and self.quiet.scraped(self.cluster.time, self.traffic.counters, targets)
        if self._unread and self.quiet and self.process:
            self.process.due = self.quiet.postponed(self.process.due)
        elif self.prometheus.lag and self._ask is not None:
            self._answers.append(tick(self.cluster.time + self.prometheus.lag))
        else:
            self._catch_up()

    # ------------------------------------------------------------------------------------------------------------- the operator

    def look(self) -> None:
        """The operator looks now, also at what it has left out."""
        self.dirty = True
        self._settle()

    def _settle(self) -> None:
        """Passes until nothing asks for one now."""
        while self.dirty and self.process is not None:
            time, count = self._instant
            count = count + 1 if time == self.cluster.time else 1
            self._instant = (self.cluster.time, count)
            if count > MOST_PASSES:
                raise Livelock(f"{count} passes at {self.now:g} s, the last because {self.passes[-1].decision.because}")
            self._pass(self.process)

    def _pass(self, process: Process) -> None:
        if self._unread:
            self._catch_up()
        self.dirty, before = False, self.cluster.now.number
        try:
            done = process.look(self.api, self.cluster.time)
        except Crashed:
            self.crash()
            return
        if done is None:
            return
        self.passes.append(done)
        self._want(done.decision.ask)
        process.questions.want(done.decision.queries, self.cluster.time)
        self._inquire()
        # What was written comes back by the watch; a timer may be due at once.
        calm = self._calm(process, done)
        self.dirty |= (self.cluster.now.number != before and not calm and not done.told) or (
            process.due is not None and process.due <= self.cluster.time
        )

    def _calm(self, process: Process, done: Pass) -> bool:
        """It need not look at what it has just written itself."""
        if self.quiet is None:
            return False
        route, since = self.cluster.now.route, process.see(self.api, self.cluster.time)
        served = route is not None and done.after.release is not None and route.weight == done.after.release.weight
        calm = self.quiet.after(done, since if served else None)
        if calm and done.done:
            process.due = self.quiet.stale_at
        return calm

    def _catch_up(self) -> None:
        """What the operator has left out stands in its record, as far as nothing came of it; the rest is asked for."""
        resource = self.cluster.now.resource
        if self.quiet and self._ask and resource and resource.status:
            record = self.quiet.unwritten(hidden=self.prometheus.hides(self.cluster.time))
            if record:
                resource = replace(resource, status=as_stored(replace(resource.status, release=record)))
                self.cluster.now = replace(self.cluster.now, resource=resource)
            # It would have asked again since its last look, and no further back than what is stored.
            self._ask = replace(self._ask, since=asked_since(resource.record, moment(self.cluster.time)))
        self._query()

    def _want(self, ask: Ask | None) -> None:
        known, self._ask = self._ask, ask
        if self.process is None or (known and ask and (known.canary, known.stable) == (ask.canary, ask.stable)):
            return
        if ask is None:
            self.process.answer = None
        else:
            self._query()

    def _query(self) -> None:
        hidden = self.prometheus.hides(self.cluster.time)
        self._unread = self.quiet is not None and hidden
        if self._ask is None or self.process is None:
            return
        if hidden and (due := tick(self.prometheus.scraped[-1] + self.prometheus.lag)) not in self._answers:
            self._answers.append(due)
        answer = self.prometheus.answer(self._ask, self.cluster.time)
        # A frozen Prometheus has no news, so it wakes nobody.
        self.dirty |= answer != self.process.answer
        self.process.answer = answer

    def _inquire(self) -> None:
        """The users' own queries, as far as they are due."""
        resource, now = self.cluster.now.resource, self.cluster.time
        if self.process is None or resource is None or self.process.questions.due > now:
            return
        wishes = resource.spec.analysis.queries or ()
        self.dirty |= self.process.questions.ask(now, lambda ask: answer(ask, self.prometheus, now, wishes=wishes, told=self.values))

    def crash(self) -> None:
        """The process dies with all it remembers; another one starts a little later."""
        self.process, self._ask = None, None
        self.at(self.now + self.restart, World.start)

    def start(self) -> None:
        """An operator starts, unless one is running."""
        if self.process is None:
            self.process, self.dirty, self._ask = Process(self.cluster.time), True, None

    def pause(self) -> Process:
        """The process hangs; another one takes over at once. The one that hangs is returned: `wake` it later."""
        hanging, self.process = self.process or Process(self.cluster.time), None
        self.start()
        return hanging

    def wake(self, hanging: Process) -> None:
        """A process that hung makes one pass with what it knew, and ends."""
        try:
            done = hanging.look(self.api, self.cluster.time, watching=False)
        except Crashed:
            done = None
        if done is not None:
            self.passes.append(done)
        self.dirty = True
