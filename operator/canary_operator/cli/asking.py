"""What the plugin writes for an action: the annotation with the number of the present release and the next n. Pure."""

from collections.abc import Mapping
from typing import Any

from canary_operator.api.names import ACTION
from canary_operator.release.actions import parse


class Refused(Exception):
    """The action is not written; the message says why, and what to do instead."""


def action_text(release: Mapping[str, Any], verb: str) -> str:
    """The annotation that asks for the verb.

    Args:
        release: The CanaryRelease, as stored.
        verb: One of the documented verbs.

    Raises:
        Refused: There is nothing to act on yet, or an abort waits to be carried out, which nothing may overwrite.
    """
    metadata, status = release["metadata"], release.get("status") or {}
    title = f"CanaryRelease {metadata['namespace']}/{metadata['name']}"
    if not status.get("release"):
        raise Refused(f"{title} has no status yet; is the operator running?")
    number = status["release"].get("number", 0)
    if number == 0:
        raise Refused(f"{title} has had no release yet; change spec.version to start one")
    waiting, last = waiting_action(release), parse(status.get("lastAction") or "")
    if waiting and waiting[:2] == ("abort", number):
        raise Refused(
            f"{title} still has to carry out abort/{number}/{waiting[2]}; nothing is put in its place: {status.get('message', '')}"
        )
    done = (status["release"].get("asked") or {}).get("n", 0)
    used = [found[2] for found in (waiting, last) if found and found[1] == number]
    return f"{verb}/{number}/{max((done, *used)) + 1}"


def waiting_action(release: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """The action that is written but not acknowledged: verb, release number, n; None when there is none."""
    text = (release["metadata"].get("annotations") or {}).get(ACTION)
    return parse(text) if text and text != (release.get("status") or {}).get("lastAction") else None


def change(release: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The merge patch that writes the annotation, bound to the version that was read: no action of somebody else is lost unseen."""
    return {"metadata": {"resourceVersion": release["metadata"]["resourceVersion"], "annotations": {ACTION: text}}}
