"""What happens to every shape, one moment after the other, while callers call."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from lab import Lab
from lab.load import Load
from lab.operator import Operator
from lab.report import Report
from lab.waiting import until
from tests.api.place import plugin
from tests.mesh.shapes.ground import RATE, Ground
from tests.mesh.shapes.table import Shape

ADOPTION, REST, STEP, FULL, ROLLBACK, DELETION, UNINSTALL = "adoption", "rest", "25 %", "100 %", "rollback", "deletion", "uninstall"
MOMENTS = (ADOPTION, REST, STEP, FULL, ROLLBACK, DELETION, UNINSTALL)
OF_BLOCKED = (ADOPTION, DELETION)
"""What there is of a shape that is not taken over."""


@dataclass
class Run:
    """One shape's way through its moments."""

    shape: Shape
    ground: Ground
    failed: BaseException | None = field(default=None)


def play(lab: Lab, operator: Operator, shapes: Sequence[Shape]) -> tuple[dict[str, Run], Report]:
    """All shapes side by side; at the end the operator is taken away, and comes back."""
    with ThreadPoolExecutor(len(shapes)) as threads:

        def everywhere(step: Callable[[Run], None], runs: Sequence[Run]) -> None:
            for run, result in [(run, threads.submit(step, run)) for run in runs if run.failed is None]:
                run.failed = run.failed or result.exception()

        runs = [Run(shape, Ground(lab, f"shape-{number}", shape.others)) for number, shape in enumerate(shapes, 1)]
        everywhere(_prepare, runs)
        targets = [target for run in runs for target in run.ground.targets(run.shape.ways + run.shape.later)]
        load = Load(targets, RATE * len(runs))
        try:
            for run in runs:
                run.ground.load, run.ground.rate = load, RATE * len(runs)
            everywhere(_until_deletion, runs)
            operator.terminate()
            try:
                left = [run for run in runs if run.shape.blocked is None and run.failed is None]
                error = threads.submit(_uninstall, lab, left).exception()
                for run in left:
                    run.failed = run.failed or error
            finally:
                operator.start()
                operator.wait_ready()
        finally:
            report = load.stop()
    return {run.shape.name: run for run in runs}, report


def _prepare(run: Run) -> None:
    run.shape.deploy(run.ground, "v1")
    run.shape.before(run.ground)


def _until_deletion(run: Run) -> None:
    shape, ground = run.shape, run.ground
    for way in shape.ways:
        _served(ground, way)
    if shape.blocked is not None:
        _blocked(run)
        return
    with ground.moment(ADOPTION, "v1"):
        _adopt(run, "v1")
    for way in shape.later:
        _served(ground, way)
    with ground.moment(REST, "v1"):
        ground.dwell()
    shape.deploy(ground, "v2")
    with ground.moment(STEP, "v1", "v2"):
        ground.want("v2")
        ground.wait("25 %", weight=25)
        ground.wait_beyond(25, 1)
    with ground.moment(FULL, "v1", "v2"):  # an answer that was under way may still be v1's
        ground.wait_ended(1, "Promoted")
        ground.wait("at rest", phase="Stable")
        ground.dwell()
    shape.deploy(ground, "v3", error_share=1.0)
    with ground.moment(ROLLBACK, "v2", "v3"):
        ground.want("v3")
        ground.wait_ended(2, "RolledBack")
        ground.dwell()
    for version in ("v1", "v3"):
        ground.remove(version)
    with ground.moment(DELETION, "v2"):
        ground.gone()
        ground.dwell()
    _adopt(run, "v2")
    for way in shape.later:
        _served(ground, way)


def _adopt(run: Run, version: str) -> None:
    run.ground.release(version, run.shape.traffic(run.ground), run.shape.port)
    if version == "v1":
        run.shape.asked(run.ground)
    run.ground.wait("adopted", phase="Stable", reason="AtRest")
    run.ground.dwell()


def _served(ground: Ground, way: str) -> None:
    until(lambda: ground.answered(way), f"{ground.namespace} is answered through {way}; {ground.status.get('message')}", 60, 0.5)


def _blocked(run: Run) -> None:
    ground = run.ground
    before = ground.routing()
    with ground.moment(ADOPTION, "v1"):
        ground.release("v1", run.shape.traffic(ground), run.shape.port)
        ground.wait("it is told", phase="Blocked", reason=run.shape.blocked)
        ground.dwell()
        assert ground.routing() == before, "nothing is written"
    with ground.moment(DELETION, "v1"):
        ground.gone()
        ground.dwell()
        assert ground.routing() == before, "nothing is written"


def _uninstall(lab: Lab, runs: Sequence[Run]) -> None:
    """One call for the whole cluster, as people do it; each shape has its own span and its own verdict.

    The exit code also speaks of shapes that failed before, so each one is asked whether it is free.
    """
    if not runs:
        return
    with ExitStack() as moments:
        for run in runs:
            moments.enter_context(run.ground.moment(UNINSTALL, "v2"))
        done = plugin(lab, "uninstall", "--force", seconds=400)  # the operator has written within the last 30 s
        runs[0].ground.dwell()
    for run in runs:
        if not run.ground.free:
            run.failed = AssertionError(f"{run.ground.namespace} is held; {run.ground.status}\n{done.stdout}\n{done.stderr}")
