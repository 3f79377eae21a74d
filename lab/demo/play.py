"""The demo from top to bottom: a lab, an operator, traffic, a good release, a bad one, and what came of them."""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from rich.console import Console

from lab import Lab, PartFailed
from lab.addresses import GATEWAY_PORT
from lab.api import MERGE_PATCH
from lab.cluster import NotIsolated
from lab.demo import picture, results, setting
from lab.demo.operator_process import SpeakingOperator
from lab.demo.results import Span, Timeline
from lab.demo.screen import Screen, choose
from lab.demo.watching import View, Watcher
from lab.operator import ACCOUNT
from lab.waiting import until
from lab.workloads import Service

LOOK_SECONDS = 0.25
RELEASE_SECONDS = 300.0
AFTERWARDS_SECONDS = 1.0
"""The last events of a release are posted after its record."""
LINE_COLUMNS = 240
"""Of a log; lines are not wrapped there."""
INTERRUPTED = 130
FAILURES = (NotIsolated, PartFailed, TimeoutError)


@dataclass(frozen=True, slots=True)
class Act:
    """A release to play."""

    source: str
    to: str
    error_share: float
    expected: str


ACTS = (Act("v1", "v2", 0.0, "Promoted"), Act("v2", "v3", 0.2, "RolledBack"))


def main() -> int:
    """Plays, and answers the exit code."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=LINE_COLUMNS, soft_wrap=True)
    begun = time.monotonic()
    try:
        with choose(console) as screen, ExitStack() as stage:
            timeline = Demo(screen, stage).play()
            folder = setting.results()
            results.write(folder, timeline)
            (folder / "release.svg").write_text(picture.picture(timeline), encoding="utf-8")
            screen.end([span.outcome for span in timeline.spans])
    except KeyboardInterrupt:
        console.print("\ninterrupted; nothing is left running")
        return INTERRUPTED
    except FAILURES as error:
        console.print(f"demo: {error}", markup=False)
        return 1
    console.print(
        f"{time.monotonic() - begun:.0f} s in all. The same as {folder}/report.json, drawn in {folder}/release.svg;", markup=False
    )
    console.print(f"what the operator said is in {folder}/operator.log. A cluster and mesh to play with: make lab", markup=False)
    return judge(console, timeline)


def judge(console: Console, timeline: Timeline) -> int:
    """Says what went wrong; the exit code is not 0 when a release ended otherwise than expected."""
    wrong = [
        f"{span.outcome.source} → {span.outcome.to} was expected to end as {act.expected}, not {span.outcome.outcome}"
        for act, span in zip(ACTS, timeline.spans, strict=True)
        if span.outcome.outcome != act.expected
    ]
    for cause, count in timeline.unanswered.items():
        console.print(f"no backend answered: {count} × {cause}", style="yellow", markup=False)
    for line in wrong:
        console.print(line, style="bold red")
    return 1 if wrong else 0


class Demo:
    """One performance."""

    def __init__(self, screen: Screen, stage: ExitStack) -> None:
        self._screen, self._stage = screen, stage
        self._shown: tuple[str, bool] | None = None

    def play(self) -> Timeline:
        """Everything, in order."""
        self._lab = self._bring_up()
        self._watcher, service = self._set_the_scene()
        spans = [self._release(service, act) for act in ACTS]
        report = self._watcher.report
        return Timeline(spans=spans, shifts=self._watcher.shifts, seconds=results.by_second(report), unanswered=report.details)

    def _bring_up(self) -> Lab:
        lab = Lab(scrape=setting.SCRAPE)
        parts = lab.parts
        self._screen.wait("a cluster and a mesh come up", lambda: ", ".join(name for name, part in parts.items() if part.alive))
        self._stage.enter_context(lab)
        self._screen.note(f"up after {lab.started_in:.1f} s: a Kubernetes control plane, istiod, two Envoys, Prometheus")
        return lab

    def _end(self, operator: SpeakingOperator) -> None:
        """Ends the operator as a cluster would, and keeps what it said."""
        operator.terminate()
        shutil.copy(operator.log, setting.results() / "operator.log")

    def _set_the_scene(self) -> tuple[Watcher, Service]:
        lab, screen = self._lab, self._screen
        screen.wait("v1 of the service reviews is deployed, and the operator", lambda: "")
        operator = SpeakingOperator(lab)
        lab.namespace(setting.NAMESPACE)
        service = lab.service(setting.SERVICE, setting.NAMESPACE, port=setting.PORT)
        lab.wait_ready(lab.workload(service, ACTS[0].source, replicas=2))
        operator.start()
        self._stage.callback(self._end, operator)
        operator.wait_ready()
        screen.note(f"reviews v1 serves in 2 pods; the operator runs, as ServiceAccount {ACCOUNT}")
        watcher = Watcher(lab, operator)
        lab.api.apply(setting.canary_release(ACTS[0].source))
        until(lambda: watcher.status.get("phase") == "Stable", "the operator takes the route over", 60)
        until(lambda: _answers(lab, service), "the gateway serves the route", 30)
        watcher.watch(self._stage.enter_context(lab.load(service, rate=setting.RATE, through=setting.WAYS)))
        screen.note(f"the operator has the route; {setting.RATE} requests/s go through the gateway and the mesh")
        self._watcher = watcher
        self._look()
        return watcher, service

    def _release(self, service: Service, act: Act) -> Span:
        lab, watcher, screen = self._lab, self._watcher, self._screen
        lab.workload(service, act.to, replicas=2, error_share=act.error_share)
        self._look_until(lambda: watcher.ready(act.to), 60)
        number = watcher.status["release"]["number"]
        fails = f"; it fails {act.error_share:.0%} of its requests" if act.error_share else ""
        screen.note(f"{act.to} is deployed{fails}; spec.version: {act.to}")
        begun = time.time()
        watcher.begin(act.source, act.to, begun)
        lab.api.patch(setting.RELEASE, {"spec": {"version": act.to}}, MERGE_PATCH)
        self._look_until(lambda: watcher.ended(act.to, number) is not None, RELEASE_SECONDS)
        outcome, ended = watcher.ended(act.to, number) or ("Unfinished", time.time())
        counts = watcher.counted
        self._look_until(lambda: time.time() > ended + AFTERWARDS_SECONDS, 2 * AFTERWARDS_SECONDS)
        requests = watcher.api_requests(begun, ended + AFTERWARDS_SECONDS)
        measured = results.measure((act.source, act.to), outcome, (begun, ended), counts, watcher.shifts, requests)
        screen.note(f"{act.source} → {act.to}: {outcome} after {measured.seconds:.1f} s")
        return Span(begun, ended, measured)

    def _look_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Shows what happens until the condition holds or the time is over."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self._look()
            time.sleep(LOOK_SECONDS)
        self._look()

    def _look(self) -> None:
        view = self._watcher.look()
        self._screen.show(view, self._watcher.news)
        self._show_kubectl(view)

    def _show_kubectl(self, view: View) -> None:
        """At the key moments: at rest, first traffic, everything at the canary, the outcome."""
        weight = self._watcher.status.get("weight", 0)
        moment = (view.phase, bool(weight))
        if moment == self._shown or moment in (("Progressing", False), ("Promoting", False)):
            return
        self._shown = moment
        words = ("get", "canaryreleases", "-n", setting.NAMESPACE)
        self._screen.command(f"kubectl {' '.join(words)}", self._lab.kubectl(*words).stdout)


def _answers(lab: Lab, service: Service) -> bool:
    """Whether a request through the gateway comes to a backend."""
    connection = HTTPConnection(lab.gateway.address, GATEWAY_PORT, timeout=2)
    try:
        connection.request("GET", "/", headers={"Host": service.host})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
