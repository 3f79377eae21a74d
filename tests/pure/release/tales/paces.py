"""Releases whose price is named, not their weights."""

from dataclasses import replace
from datetime import timedelta

from canary_operator.api.pace import Pace
from canary_operator.api.spec import Step
from tests.pure.release.tales.story import HOLD, Story

PACE = Pace(failure_budget=20, min_duration=timedelta(minutes=2))


def paced() -> Story:
    story = Story(steps=None, pace=PACE)
    story.play(600)
    return story


def paced_and_twenty_percent_fail() -> Story:
    story = Story(steps=None, pace=PACE, fails=0.2)
    story.play(300)
    return story


def paced_and_every_request_fails() -> Story:
    story = Story(steps=None, pace=PACE, fails=1.0)
    story.play(300)
    return story


def paced_with_much_traffic() -> Story:
    story = Story(steps=None, pace=PACE)
    story.world.traffic.rate = 1000.0
    story.tell("1,000 requests come in each second")
    story.play(600)
    return story


def paced_with_approval() -> Story:
    story = Story(steps=None, pace=replace(PACE, approval="BeforePromotion", max_duration=timedelta(minutes=10)))
    story.reach(50)
    story.play(3600)
    story.tell("after an hour a person writes approve/1/1")
    story.world.act("approve/1/1")
    story.play(300)
    return story


def paced_without_traffic() -> Story:
    story = Story(steps=None, pace=replace(PACE, max_duration=timedelta(minutes=10)))
    story.tell("the users go to bed")
    story.world.traffic.rate = 0.0
    story.play(1000)
    return story


def pace_edited_to_steps_and_back() -> Story:
    story = Story(steps=None, pace=PACE)
    story.reach(7)
    story.tell("a person writes the steps 10 and 30 in place of the pace")
    story.world.edit(pace=None, steps=tuple(Step(weight=weight, hold=HOLD) for weight in (10, 30)))
    story.reach(10)
    story.tell("a person writes a pace in place of the steps")
    story.world.edit(pace=PACE, steps=None)
    story.play(600)
    return story
