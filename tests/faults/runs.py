"""Carries plans out and compares what comes of them."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from lab.waiting import until
from tests import rules
from tests.faults.outcome import differences, final_state
from tests.faults.plans import Plan, Write
from tests.faults.rig import Rig
from tests.faults.scenarios import SCENARIOS

OVER_SECONDS = 60
QUIET_SECONDS = 0.6
"""So long nothing may be written before a story counts as over."""
TRIES = 3
"""How often a plan is carried out until its faults strike: how many writes there are is not the same each time."""
LOG_CHARACTERS = 6000


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one plan."""

    plan: Plan
    writes: tuple[Write, ...]
    """The numbered ones."""
    fired: tuple[Write, ...]
    """Those at which the operator was killed."""
    state: dict[str, Any]
    """The final state, masked."""
    violations: tuple[str, ...]
    """Rules of DESIGN.md section 5 that a revision broke."""
    revisions: int
    """How many revisions the rules were checked on."""
    seconds: float
    late: str
    """Why the story did not end in time; empty when it did."""
    log: str
    """The end of the operator's log."""

    @property
    def counts(self) -> bool:
        """Every fault of the plan has struck."""
        return len(self.fired) == len(self.plan.faults)

    def against(self, model: "Run") -> tuple[str, ...]:
        """What went another way than in the run without faults."""
        late = (self.late,) if self.late else ()
        return (*late, *differences(self.state, model.state), *self.violations)


def run(rig: Rig, plan: Plan, patience: float = OVER_SECONDS) -> Run:
    """Carries one plan out on a free bench; again, if it went well but a fault did not strike."""
    for _ in range(TRIES):
        found = _once(rig, plan, patience)
        if found.counts or found.late or found.violations:
            break
    return found


def _once(rig: Rig, plan: Plan, patience: float) -> Run:
    scenario, late = SCENARIOS[plan.scenario], ""
    with rig.bench(scenario.service, scenario.failing, forgetful=scenario.forgetful) as bench:
        began = time.monotonic()
        scenario.prepare(bench)
        with rig.operator(bench) as life:
            try:
                until(lambda: life.ended or scenario.begun(bench), f"{plan} begun")
                life.arm(*plan.faults)
                scenario.story(bench)
                until(lambda: life.ended or (scenario.over(bench) and life.proxy.settled(QUIET_SECONDS)), f"{plan} over", patience)
            except TimeoutError as error:
                late = f"{error}: {bench.status.get('phase')}, {bench.status.get('reason')}: {bench.status.get('message')}"
            late = late or ("the operator ended by itself" if life.ended else "")
        revisions = rig.revisions(bench)
        return Run(
            plan=plan,
            writes=tuple(life.proxy.counted),
            fired=tuple(life.proxy.fired),
            state=final_state(bench.objects),
            violations=tuple(rules.check(revisions)),
            revisions=len(revisions),
            seconds=round(time.monotonic() - began, 2),
            late=late,
            log=life.log.read_text()[-LOG_CHARACTERS:],
        )


def run_all(rig: Rig, plans: Iterable[Plan]) -> Iterator[Run]:
    """Carries plans out, as many at a time as there are benches; in the order given. The next is taken when a bench is free for it."""
    with ThreadPoolExecutor(rig.size) as threads:
        begun: deque[Future[Run]] = deque()
        for plan in plans:
            begun.append(threads.submit(run, rig, plan))
            while sum(not each.done() for each in begun) >= rig.size:
                wait([each for each in begun if not each.done()], return_when=FIRST_COMPLETED)
            while begun and begun[0].done():
                yield begun.popleft().result()
        yield from (each.result() for each in begun)


@dataclass(frozen=True, slots=True)
class Model:
    """How a scenario goes when nothing fails."""

    runs: tuple[Run, ...]
    """At least one; the first is what all others are compared with."""

    @property
    def first(self) -> Run:
        """The run to compare with."""
        return self.runs[0]

    @property
    def writes(self) -> int:
        """How many there are to strike at."""
        return min(len(one.writes) for one in self.runs)

    @property
    def faulty(self) -> tuple[str, ...]:
        """Why it is no model: runs differ, or break a rule."""
        return tuple(line for one in self.runs for line in one.against(self.first))


def models(rig: Rig, scenarios: Iterable[str], times: int = 2) -> Mapping[str, Model]:
    """Each scenario without faults, so many times."""
    names = tuple(scenarios)
    runs = tuple(run_all(rig, [Plan(name) for name in names for _ in range(times)]))
    return {name: Model(tuple(one for one in runs if one.plan.scenario == name)) for name in names}
