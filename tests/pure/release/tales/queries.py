"""What queries of the user's own say."""

from dataclasses import replace
from datetime import timedelta

from canary_operator.api.analysis import Analysis, Query
from canary_operator.simulation.world import World
from tests.pure.release.tales.story import Story

DEPTH = Query(name="depth", query='max(depth{version="{{canary.version}}"})', max="100", interval=timedelta(seconds=20))


def _looks_outside(world: World) -> int:
    resource = world.cluster.now.resource
    return sum(each.outside for each in (resource.record.evidence.queries or ())) if resource else 0


def a_query_leaves_its_bounds() -> Story:
    story = Story(analysis=Analysis(queries=(DEPTH,)))
    story.reach(25)
    story.world.measures("depth", 120)
    story.tell("query depth answers 120 from now on; the operator is killed after the second look, and starts again at once")
    story.play(900, lambda world: _looks_outside(world) == 2)
    story.world.crash()
    story.play(900)
    return story


def a_query_answers_nothing_for_a_while() -> Story:
    story = Story(analysis=Analysis(queries=(DEPTH,)))
    story.world.measures("depth", None)
    story.tell("query depth matches no series")
    story.play(300)
    story.world.measures("depth", 42)
    story.tell("query depth answers 42")
    story.play(900)
    return story


def a_query_is_wrong() -> Story:
    wrong = replace(DEPTH, query="max(depth_{{canary.version}})")
    story = Story()
    story.reach(5)
    story.world.edit(analysis=Analysis(queries=(wrong,)))
    story.tell("a person adds a query that is none")
    story.play(120)
    story.world.edit(analysis=Analysis(queries=(DEPTH,)))
    story.tell("a person mends the query")
    story.play(900)
    return story
