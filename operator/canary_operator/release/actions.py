"""What a person asks for by annotation: `<verb>/<release number>/<n>`, done once, acknowledged in status."""

from dataclasses import dataclass, replace

from canary_operator.release import reasons
from canary_operator.release.model import Announce, Because, Decision, RecordState
from canary_operator.release.scene import Scene

VERBS = ("abort", "retry")
LONGEST = 120
"""Characters of an annotation that are looked at: a longer one is no action."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action that is meant for the present release and was not done yet."""

    verb: str
    text: str
    """As it was written."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An action that has no effect."""

    text: str
    why: str


def parse(text: str) -> tuple[str, int, int] | None:
    """Verb, release number and n; None when the text is no action."""
    verb, _, rest = text.partition("/")
    number, _, n = rest.partition("/")
    if verb not in VERBS or not number.isdecimal() or not n.isdecimal() or len(rest) > 24:
        return None
    return verb, int(number), int(n)


def action_of(scene: Scene) -> Action | Ignored | None:
    """The action that waits to be done; None when there is none, or it was acknowledged."""
    text, last = (scene.seen.action or "")[:LONGEST], scene.seen.last_action
    if not text or text == last:
        return None
    asked, done = parse(text), parse(last or "")
    if asked is None:
        return Ignored(text, f"write one of {', '.join(VERBS)}, as <verb>/{scene.state.number}/<n>")
    verb, number, n = asked
    if number != scene.state.number:
        return Ignored(text, f"the present release is {scene.state.number}")
    if done and done[1] == number and n <= done[2]:
        return Ignored(text, f"n must be higher than {done[2]}")
    return Action(verb, text)


def acknowledge(decision: Decision, action: Action | Ignored) -> Decision:
    """The decision, with the action recorded as done."""
    return replace(decision, last_action=action.text)


def ignore(decision: Decision, scene: Scene) -> Decision:
    """The decision, and an event for an action that it has no use for: it has no effect, and is not looked at again."""
    action = action_of(scene)
    if action is None or decision.last_action == action.text or decision.phase == "Blocked":
        return decision
    why = action.why if isinstance(action, Ignored) else f"{action.verb} has no meaning while the release is {decision.state.state}"
    announce = Announce(Because(reasons.ACTION_IGNORED, f"action {action.text!r} was ignored: {why}"), warning=True)
    return replace(decision, effects=(*decision.effects, RecordState(), announce), last_action=action.text)
