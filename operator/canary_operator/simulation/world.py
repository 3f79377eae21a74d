"""The virtual world: users, pods, mesh, Prometheus, an operator, people who interfere, and time."""

import heapq
from collections.abc import Callable
from dataclasses import replace

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import State
from canary_operator.release.model import Ask, Because, Serving
from canary_operator.simulation.api import Api, Crashed
from canary_operator.simulation.draws import Draw, expected
from canary_operator.simulation.objects import CLUSTER, PERSON, Cluster, Resource, Route, Subsets
from canary_operator.simulation.process import Pass, Process
from canary_operator.simulation.prometheus import Mode, Prometheus
from canary_operator.simulation.traffic import Failing, Traffic, steadily

EPOCH = 1_763_847_000.0
"""When every world begins, Unix seconds."""
MOST_PASSES = 40
"""More passes than this at one instant are a loop that never ends."""


class Livelock(Exception):
    """The operator goes on deciding though nothing happens any more."""


class World:
    """One CanaryRelease and everything around it.

    Args:
        spec: The wish it begins with.
        rate: Requests per second.
        spacing: Seconds between two scrapes.
        draw: What is left to chance.
        restart: Seconds until a dead process is replaced.
        targets: Number of proxies that count.
    """

    def __init__(
        self, spec: CanaryReleaseSpec, *, rate: float = 100.0, spacing: float = 5.0, draw: Draw | None = None, restart: float = 2.0, targets: int = 1
    ) -> None:
        self.cluster = Cluster(EPOCH)
        self.api = Api(self.cluster)
        self.traffic = Traffic(draw or expected(), rate, tuple(f"gateway-{number}" for number in range(targets)))
        self.prometheus = Prometheus(spacing, EPOCH + spacing / 2)
        self.process: Process | None = Process(EPOCH)
        self.passes: list[Pass] = []
        self.restart = restart
        self._dirty = True
        self._instant = (0.0, 0)
        self._coming: list[tuple[float, int, Callable[[World], None]]] = []
        self._numbers = 0
        self._ask: Ask | None = None
        self.cluster.put(PERSON, "resource", Resource(spec))

    # --------------------------------------------------------------------------------------------------------------------- time

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.cluster.time - EPOCH

    def at(self, seconds: float, change: "Callable[[World], None]") -> None:
        """Something will happen, so many seconds after the beginning."""
        self._numbers += 1
        heapq.heappush(self._coming, (EPOCH + seconds, self._numbers, change))

    def run(self, seconds: float, until: "Callable[[World], bool] | None" = None) -> bool:
        """Lets time pass, or less if `until` comes true, which is the answer."""
        end, self._instant = self.cluster.time + seconds, (0.0, 0)
        while True:
            self._settle()
            if until is not None and until(self):
                return True
            if (due := min(self._next(), end)) >= end and self._next() > end:
                self._advance(end)
                return False
            self._advance(due)
            self._happen()

    def _next(self) -> float:
        due = min(self.prometheus.due, self._coming[0][0] if self._coming else float("inf"))
        return min(due, self.process.due) if self.process and self.process.due is not None else due

    def _advance(self, time: float) -> None:
        if time > self.cluster.time:
            self.traffic.flow(self.cluster.now, self.cluster.time, time)
            self.cluster.time = time

    def _happen(self) -> None:
        now = self.cluster.time
        while self._coming and self._coming[0][0] <= now:
            heapq.heappop(self._coming)[2](self)
        if self.prometheus.due <= now:
            self.prometheus.scrape(self.traffic.counters)
            self._query()
        if self.process and self.process.due is not None and self.process.due <= now:
            self._dirty = True

    # ------------------------------------------------------------------------------------------------------------- the operator

    def _settle(self) -> None:
        """Passes until nothing asks for one now."""
        while self._dirty and self.process is not None:
            time, count = self._instant
            count = count + 1 if time == self.cluster.time else 1
            self._instant = (self.cluster.time, count)
            if count > MOST_PASSES:
                raise Livelock(f"{count} passes at {self.now:g} s, the last because {self.passes[-1].decision.because}")
            self._pass(self.process)

    def _pass(self, process: Process) -> None:
        self._dirty, before = False, self.cluster.now.number
        try:
            done = process.look(self.api, self.cluster.time)
        except Crashed:
            self.crash()
            return
        if done is None:
            return
        self.passes.append(done)
        self._want(done.decision.ask)
        # What was written comes back by the watch; a timer may be due at once.
        self._dirty |= self.cluster.now.number != before or (process.due is not None and process.due <= self.cluster.time)

    def _want(self, ask: Ask | None) -> None:
        known, self._ask = self._ask, ask
        if self.process is None or (known and ask and replace(known, since=None) == replace(ask, since=None)):
            return
        if ask is None:
            self.process.answer = None
        else:
            self._query()

    def _query(self) -> None:
        if self._ask is None or self.process is None:
            return
        answer = self.prometheus.answer(self._ask, self.cluster.time)
        # A frozen Prometheus has no news, so it wakes nobody.
        self._dirty |= answer != self.process.answer
        self.process.answer = answer

    def crash(self) -> None:
        """The process dies with all it remembers; another one starts a little later."""
        self.process, self._ask = None, None
        self.at(self.now + self.restart, World.start)

    def start(self) -> None:
        """An operator starts, unless one is running."""
        if self.process is None:
            self.process, self._dirty, self._ask = Process(self.cluster.time), True, None

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
        self._dirty = True

    # ----------------------------------------------------------------------------------------------------- what people and pods do

    def _put(self, by: str, what: str, value: object) -> None:
        self.cluster.put(by, what, value)
        self._dirty = True

    def deploy(self, version: str, *, pods: int = 4, template: int = 1, fails: float | Failing = 0.0) -> None:
        """Pods of a version, all ready; another template is another revision of it."""
        revision = f"{version}@t{template}"
        self.fail(revision, fails)
        serving = Serving(version, revision, (f"app-{version}",), pods, pods)
        self._put(CLUSTER, "versions", {**(self.cluster.now.versions or {}), version: serving})

    def fail(self, revision: str, fails: float | Failing) -> None:
        """From now on this share of the requests of a revision fails."""
        self.traffic.failing[revision] = fails if callable(fails) else steadily(fails)

    def scale(self, version: str, ready: int, desired: int | None = None) -> None:
        """So many pods of a version are ready; `desired` (as many when left out) are asked for."""
        versions = dict(self.cluster.now.versions or {})
        wanted = max(ready, versions[version].desired) if desired is None else desired
        self._put(CLUSTER, "versions", {**versions, version: replace(versions[version], ready=ready, desired=wanted)})

    def undeploy(self, version: str) -> None:
        """The version is gone, workload and all."""
        self._put(CLUSTER, "versions", {name: each for name, each in (self.cluster.now.versions or {}).items() if name != version})

    def edit(self, **changes: object) -> None:
        """A person changes fields of the spec."""
        if (resource := self.cluster.now.resource) is not None and not resource.deleting:
            spec = replace(resource.spec, **changes)  # type: ignore[arg-type]
            self._put(PERSON, "resource", replace(resource, spec=spec, generation=resource.generation + 1))

    def act(self, action: str) -> None:
        """A person writes the action annotation."""
        if (resource := self.cluster.now.resource) is not None:
            self._put(PERSON, "resource", replace(resource, action=action))

    def delete(self) -> None:
        """A person deletes the CanaryRelease."""
        if (resource := self.cluster.now.resource) is not None:
            self._put(PERSON, "resource", replace(resource, deleting=True) if resource.finalizer else None)

    def drift(self, *, route: Route | None | str = "", subsets: Subsets | None | str = "") -> None:
        """A person writes the route or the subsets; None deletes."""
        for what, value in (("route", route), ("subsets", subsets)):
            if not isinstance(value, str):
                self._put(PERSON, what, value)

    def find(self, *findings: Because) -> None:
        """Preflight finds this, and nothing else."""
        self._put(CLUSTER, "findings", findings)

    def observe_mode(self, mode: Mode) -> None:
        """Prometheus does like this from now on."""
        self.prometheus.mode = mode

    # ---------------------------------------------------------------------------------------------------------------- questions

    @property
    def weight(self) -> int:
        """The canary's weight in the route, percent."""
        return self.cluster.now.route.weight if self.cluster.now.route else 0

    @property
    def state(self) -> State | None:
        """Where the recorded machine stands; None: no resource."""
        resource = self.cluster.now.resource
        return resource.record.state if resource else None
