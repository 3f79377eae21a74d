"""What people do while a release runs: gates, pauses, actions, edits, and its deletion."""

from canary_operator.api.spec import Step
from canary_operator.simulation.prometheus import Mode
from tests.pure.release.tales.story import HOLD, Story


def abort() -> Story:
    story = Story()
    story.reach(50)
    story.tell("a person writes abort/1/1")
    story.world.act("abort/1/1")
    story.play(300)
    return story


def retry() -> Story:
    story = Story(fails=0.2)
    story.play(300)
    story.tell("v2 is healed without a new revision; a person writes retry/1/1")
    story.world.fail("v2@t1", 0.0)
    story.world.act("retry/1/1")
    story.play(900)
    return story


def approval() -> Story:
    story = Story(steps=(Step(weight=5, hold=HOLD), Step(weight=50, hold=HOLD, approval="Required"), Step(weight=100, approval="Required")))
    story.reach(5)
    story.play(7200)
    story.tell("after two hours a person writes approve/1/1")
    story.world.act("approve/1/1")
    story.play(300)
    story.tell("a person writes approve/1/1 once more, then approve/1/2")
    story.world.act("approve/1/1")
    story.play(1)
    story.world.act("approve/1/2")
    story.play(300)
    return story


def approval_is_awaited_and_the_canary_fails() -> Story:
    story = Story(steps=(Step(weight=25, hold=HOLD), Step(weight=100, approval="Required")))
    story.reach(25)
    story.play(600)
    story.tell("v2 begins to fail 20 % of its requests while a person is waited for")
    story.world.fail("v2@t1", 0.2)
    story.play(120)
    return story


def paused_and_resumed() -> Story:
    story = Story()
    story.reach(25)
    story.tell("a person writes pause/1/1")
    story.world.act("pause/1/1")
    story.play(3600)
    story.tell("a person writes resume/1/2")
    story.world.act("resume/1/2")
    story.play(300)
    return story


def promoted_by_hand() -> Story:
    story = Story()
    story.reach(5)
    story.play(10)
    story.tell("a person writes promote/1/1")
    story.world.act("promote/1/1")
    story.play(300)
    return story


def skipped_by_hand_without_prometheus() -> Story:
    story = Story()
    story.reach(5)
    story.world.prometheus_is(Mode.DOWN)
    story.tell("Prometheus goes down; ten minutes later a person writes skip/1/1")
    story.play(600)
    story.world.act("skip/1/1")
    story.play(60)
    return story


def suspended() -> Story:
    story = Story()
    story.reach(25)
    story.world.edit(suspend=True)
    story.tell("spec.suspend is set, and v3 is wanted a while later")
    story.play(600)
    story.world.deploy("v3")
    story.world.edit(version="v3")
    story.play(300)
    story.world.edit(suspend=False)
    story.tell("spec.suspend is taken away")
    story.play(60)
    return story


def held_after_a_failure() -> Story:
    story = Story(on_failure="Hold")
    story.reach(25)
    story.tell("v2 begins to fail 10 % of its requests; spec.onFailure is Hold")
    story.world.fail("v2@t1", 0.1)
    story.play(3600)
    story.tell("what v2 depends on is mended; a person writes retry/1/1")
    story.world.fail("v2@t1", 0.0)
    story.world.act("retry/1/1")
    story.play(600)
    return story


def held_and_aborted() -> Story:
    story = Story(on_failure="Hold")
    story.reach(25)
    story.world.fail("v2@t1", 0.1)
    story.tell("v2 begins to fail 10 % of its requests; spec.onFailure is Hold")
    story.play(600)
    story.tell("a person writes promote/1/1, and then abort/1/2")
    story.world.act("promote/1/1")
    story.play(1)
    story.world.act("abort/1/2")
    story.play(100)
    return story


def steps_edited() -> Story:
    story = Story()
    story.reach(25)
    story.play(10)
    story.tell("a person writes the steps 10, 30, 60 in place of 5, 25, 50")
    story.world.edit(steps=tuple(Step(weight=weight, hold=HOLD) for weight in (10, 30, 60)))
    story.play(600)
    return story


def deleted_mid_way() -> Story:
    story = Story()
    story.reach(50)
    story.tell("the CanaryRelease is deleted while both versions serve")
    story.world.delete()
    story.play(200)
    return story


def deleted_at_rest() -> Story:
    story = Story()
    story.play(900)
    story.world.undeploy("v1")
    story.play(10)
    story.tell("the CanaryRelease is deleted; only v2 serves")
    story.world.delete()
    story.play(60)
    return story
