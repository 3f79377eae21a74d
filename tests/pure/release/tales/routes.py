"""What happens to the routes: drift, routes of the user's own, previews and mirrors."""

from dataclasses import replace
from datetime import timedelta

from canary_operator.api.traffic import Mirror, Preview, PreviewMatch
from canary_operator.simulation.world import World
from tests.pure.release.tales.story import Story


def drift() -> Story:
    story = Story()
    story.reach(25)
    story.play(10)
    route = story.world.cluster.now.route
    assert route
    story.tell("a person gives the canary 90 %")
    story.world.drift(route=replace(route, weight=90))
    story.play(10)
    story.tell("a person takes the canary's weight away")
    story.world.drift(route=replace(route, weight=0))
    story.play(60)
    story.tell("a person deletes the DestinationRule")
    story.world.drift(subsets=None)
    story.play(60)
    story.tell("a person deletes the VirtualService")
    story.world.drift(route=None)
    story.play(900)
    return story


def attached() -> Story:
    story = Story(attached=30)
    story.tell("the route is the user's, and Git gives the canary 30 % of it")
    story.reach(5)
    story.play(900)
    route = story.world.cluster.now.route
    assert route
    story.tell("Git is applied again: 30 %; both subsets select v2, so nobody minds")
    story.world.drift(route=replace(route, weight=30))
    story.play(600)
    story.tell("the CanaryRelease is deleted")
    story.world.delete()
    story.play(120)
    return story


def attached_route_goes_missing() -> Story:
    story = Story(attached=0)
    story.reach(25)
    route = story.world.cluster.now.route
    assert route
    story.tell("the user's VirtualService is deleted")
    story.world.drift(route=None)
    story.play(60)
    story.tell("it is applied again, as it is in Git")
    story.world.drift(route=replace(route, weight=0, mark=None))
    story.play(60)
    return story


def drift_fight() -> Story:
    story = Story()
    story.reach(25)
    story.tell("somebody applies the Git copy of the routes every 5 s")

    def apply(world: World) -> None:
        if (route := world.cluster.now.route) is not None:
            world.drift(route=replace(route, weight=0))
        world.at(world.now + 5, apply)

    story.world.at(story.world.now, apply)
    story.play(300)
    return story


def preview_and_mirror() -> Story:
    story = Story(preview=Preview(match=(PreviewMatch(header="x-preview", exact="yes"),)), mirror=Mirror(hold=timedelta(seconds=30)))
    story.reach(5)
    story.play(10)
    story.tell("all pods of v2 are gone, and back a minute later")
    story.world.scale("v2", 0)
    story.play(60)
    story.world.scale("v2", 4)
    story.reach(5)
    story.tell("a person writes abort/1/1")
    story.world.act("abort/1/1")
    story.play(100)
    return story
