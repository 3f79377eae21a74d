"""Every shape of surroundings in every moment, under load, side by side in one lab: no request is lost."""

from collections.abc import Iterator

import pytest

from lab import Lab
from lab.operator import Operator
from lab.report import Report
from tests.mesh.shapes.moments import ADOPTION, MOMENTS, OF_BLOCKED, REST, Run, play
from tests.mesh.shapes.table import SHAPES, Shape

Played = tuple[dict[str, Run], Report]
CELLS = [(shape, moment) for shape in SHAPES for moment in (MOMENTS if shape.blocked is None else OF_BLOCKED)]


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, lab: Lab, operator: Operator) -> Iterator[Played]:
    """The shapes of all cells that are asked for: `-k "one port"` plays one."""
    asked = {item.callspec.params.get("shape") for item in request.session.items if hasattr(item, "callspec")}
    yield play(lab, operator, [shape for shape in SHAPES if shape in asked])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("shape", "moment"), CELLS, ids=[f"{shape.name}: {moment}" for shape, moment in CELLS])
def test_no_request_is_lost(shape: Shape, moment: str, played: Played) -> None:
    runs, report = played
    run = runs[shape.name]
    if moment not in run.ground.spans and run.failed is not None:
        raise run.failed
    ways = shape.ways if moment == ADOPTION else shape.ways + shape.later
    assert run.ground.lost(moment, ways, report, shape.also) == {}
    if run.failed is not None and moment == run.ground.now:
        raise run.failed


def test_requests_were_sent_in_every_moment(played: Played) -> None:
    runs, report = played
    silent = []
    for run in runs.values():
        for moment, (since, until) in run.ground.spans.items():
            for way in run.shape.ways if moment in (ADOPTION, REST) else run.shape.ways + run.shape.later:
                if not report.count(service=run.ground.namespace, path=way, since=since, until=until):
                    silent.append(f"{run.shape.name}: {moment} through {way}")
    assert silent == []
