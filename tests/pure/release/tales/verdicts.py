"""What becomes of versions by what they do: good ones, bad ones, and those that nobody can judge."""

from dataclasses import replace
from datetime import timedelta

from canary_operator.simulation.prometheus import Mode
from tests.pure.release.tales.story import SPEC, Story


def good_release() -> Story:
    story = Story()
    story.play(900)
    return story


def twenty_percent_fail() -> Story:
    story = Story(fails=0.2)
    story.play(600)
    return story


def every_request_fails() -> Story:
    story = Story(fails=1.0)
    story.play(600)
    return story


def failures_begin_late() -> Story:
    story = Story()
    story.reach(50)
    story.play(10)
    story.tell("v2 begins to fail 5 % of its requests")
    story.world.fail("v2@t1", 0.05)
    story.play(600)
    return story


def no_traffic() -> Story:
    story = Story(analysis=replace(SPEC.analysis, deadline=timedelta(minutes=10)))
    story.tell("the users go to bed")
    story.world.traffic.rate = 0.0
    story.play(1500)
    return story


def prometheus_outage() -> Story:
    story = Story()
    story.reach(25)
    story.tell("Prometheus goes down")
    story.world.prometheus_is(Mode.DOWN)
    story.play(300)
    story.tell("Prometheus is back")
    story.world.prometheus_is(Mode.WORKING)
    story.play(600)
    return story


def canary_loses_its_pods_once() -> Story:
    story = Story()
    story.reach(25)
    story.tell("all pods of v2 are gone")
    story.world.scale("v2", 0)
    story.play(60)
    story.tell("the pods of v2 are back")
    story.world.scale("v2", 4)
    story.play(900)
    return story


def canary_loses_its_pods_twice() -> Story:
    story = Story()
    for _ in range(2):
        story.reach(5)
        story.tell("all pods of v2 are gone")
        story.world.scale("v2", 0)
        story.play(20)
        story.tell("the pods of v2 are back")
        story.world.scale("v2", 4)
    story.play(300)
    return story


def stable_gone() -> Story:
    story = Story()
    story.reach(25)
    story.tell("all pods of v1 are gone, and v2 fails half of its requests")
    story.world.scale("v1", 0)
    story.world.fail("v2@t1", 0.5)
    story.play(60)
    story.tell("the pods of v1 are back")
    story.world.scale("v1", 4)
    story.play(300)
    return story


def operator_restarts_mid_step() -> Story:
    story = Story()
    story.reach(25)
    story.play(17)
    story.tell("the operator is killed, and starts again 20 s later")
    story.world.restart = 20
    story.world.crash()
    story.play(900)
    return story


def superseded() -> Story:
    story = Story()
    story.reach(25)
    story.world.deploy("v3")
    story.world.edit(version="v3")
    story.tell("v3 is deployed and wanted")
    story.play(900)
    return story
