"""What becomes of the traffic while stable has no ready pod."""

from tests.pure.release.tales.story import Story


def stable_gone_in_a_release() -> Story:
    story = Story()
    story.reach(25)
    story.tell("all pods of v1 are gone, for a second")
    story.world.scale("v1", 0)
    story.play(1)
    story.world.scale("v1", 4)
    story.play(20)
    story.tell("all pods of v1 are gone")
    story.world.scale("v1", 0)
    story.play(300)
    story.tell("one pod of v1 is back, and the others a minute later")
    story.world.scale("v1", 1)
    story.play(60)
    story.world.scale("v1", 4)
    story.play(900)
    return story


def stable_gone_at_rest() -> Story:
    story = Story()
    story.play(900)
    story.tell("v2 is stable and wanted; its pods are gone, and v1 has 1 pod left")
    story.world.scale("v1", 1)
    story.world.scale("v2", 0)
    story.play(60)
    story.tell("v1 has 4 pods")
    story.world.scale("v1", 4)
    story.play(60)
    story.tell("the pods of v2 are back")
    story.world.scale("v2", 4)
    story.play(120)
    return story


def stable_gone_and_promoted() -> Story:
    story = Story()
    story.play(900)
    story.tell("v2 is stable; v2 is deleted, v3 is deployed beside v1, and spec.version names v2 still")
    story.world.deploy("v3")
    story.world.undeploy("v2")
    story.play(60)
    story.tell("a person writes promote/1/1")
    story.world.act("promote/1/1")
    story.play(10)
    story.tell("a person writes v3 into spec.stableVersion")
    story.world.edit(stable_version="v3")
    story.play(120)
    return story


def aborted_while_stable_is_gone() -> Story:
    story = Story()
    story.reach(25)
    story.world.scale("v1", 0)
    story.play(2)
    story.tell("all pods of v1 are gone; a person writes abort/1/1")
    story.world.act("abort/1/1")
    story.play(60)
    story.tell("the pods of v1 are back")
    story.world.scale("v1", 4)
    story.play(120)
    return story


def replaced_in_place() -> Story:
    story = Story()
    story.world.undeploy("v2")
    story.world.edit(version="v1")
    story.play(120)
    story.tell(
        "the Deployment of v1 carries version v2 from now on, and spec.version too: Kubernetes replaces the pods one after the other"
    )
    story.world.deploy("v2")
    story.world.scale("v2", 0, 1)
    story.world.replaces("v1", "v2")
    story.world.edit(version="v2")
    story.play(6)
    for number in range(1, 5):
        story.world.scale("v2", number, 4)
        story.play(1)
        story.world.scale("v1", 4 - number, 4 - number)
        story.play(2)
    story.play(60)
    story.tell("a person writes promote for it")
    resource = story.world.cluster.now.resource
    assert resource
    story.world.act(f"promote/{resource.record.number}/9")
    story.play(120)
    return story
