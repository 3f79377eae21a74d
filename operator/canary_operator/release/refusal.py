"""A write that was refused, as a decision: what is recorded all the same, and how it is worded. Decides nothing about traffic."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from canary_operator.api.record import ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.model import (
    Announce,
    Because,
    Decision,
    Disown,
    Effect,
    EnsureFinalizer,
    EnsureSubsets,
    EnsureUnsplit,
    EnsureWeights,
    Observation,
    ReadAgain,
    RecordState,
    ReleaseFinalizer,
    RemoveRoute,
    RemoveSubsets,
)
from canary_operator.release.scene import clocked


class Cause(StrEnum):
    """Why a write was not done, as far as the answer tells: what a person can do depends on it."""

    RIGHTS = "rights"
    """The operator lacks the right."""
    ADMISSION = "admission"
    """A policy, a webhook, a quota or the schema refuses it."""
    WEBHOOK = "webhook"
    """A webhook that must be asked does not answer."""
    CONFLICT = "conflict"
    """Somebody else changes the object again and again."""
    MISSING = "missing"
    """The object, its kind or its namespace is gone."""
    BUSY = "busy"
    """The API server asks for patience."""
    SILENT = "silent"
    """No usable answer: whether it was done is not known."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that was not done."""

    effect: Effect | None
    """The end that was not reached; None: what must be read before a rise could not be read."""
    cause: Cause
    said: str
    """Verb, kind and name, and the server's own words: one line of printable characters, bounded."""


LONGEST_SAID = 480
"""Characters of the server's words that are told: status keeps 1024 of all, and what to do stands at the end."""
LONGEST_WHY = 240
"""Characters of the decision's own words."""

REMEDIES: Mapping[Cause, str] = {
    Cause.RIGHTS: "give the operator's ServiceAccount the rights of deploy/install.yaml",
    Cause.ADMISSION: "lift the policy or quota that it names, or exempt the operator's ServiceAccount from it",
    Cause.WEBHOOK: "bring the webhook back that it names (Istio's is served by istiod)",
    Cause.CONFLICT: "find in `metadata.managedFields` who else writes the object, and let it leave weights and subsets alone (docs/gitops.md)",
    Cause.MISSING: "look whether the namespace is being deleted, and whether Istio's CustomResourceDefinitions are installed",
    Cause.BUSY: "nothing is to be done unless it lasts; then look at the API server's flow control",
    Cause.SILENT: "nothing is to be done unless it lasts; then look at the API server, and at the webhooks that it asks",
}
"""What a person can do, by cause."""


def refused(decision: Decision, refusal: Refusal, seen: Observation, recorded: ReleaseRecord | None = None) -> Decision:
    """What is told instead of the decision.

    Args:
        decision: What the pass decided.
        refusal: What came of it.
        seen: The observation, with the route as it stands after the effects that were reached.
        recorded: The record that this pass has written already; None: none.
    """
    return replace(
        decision,
        because=Because(reasons.WRITE_REFUSED, _words(decision, refusal, seen)),
        state=_waiting(recorded or decision.standing or decision.state, seen),
        effects=(),
        phase=decision.phase if decision.phase == reasons.DELETING else "Blocked",
        stable=seen.stable,
        last_release=seen.last_release,
    )


def _waiting(state: ReleaseRecord, seen: Observation) -> ReleaseRecord:
    """The record, in which the time of a refusal counts for no deadline: the canary can do nothing for it, and a withdrawal is a write too."""
    return clocked(state, seen.now, by_hand=True) if state.state is State.PROGRESSING else state


def one_line(text: str) -> str:
    """One line of what can be printed."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def printable(text: str) -> str:
    """One line of what can be printed, bounded: a server's words may hold anything."""
    line = one_line(text)
    return line if len(line) <= LONGEST_SAID else f"{line[: LONGEST_SAID - 3]}..."


def _words(decision: Decision, refusal: Refusal, seen: Observation) -> str:
    return f"{_wanted(refusal.effect, decision, seen)}; but {refusal.said}. It is tried again; {REMEDIES[refusal.cause]}"


def _wanted(effect: Effect | None, decision: Decision, seen: Observation) -> str:  # noqa: C901 (one arm per effect)
    """The end that was not reached."""
    match effect:
        case EnsureWeights():
            return _weights(effect, decision, seen)
        case EnsureSubsets(stable, canary):
            return f"the subsets are to select stable={stable} and canary={canary}"
        case EnsureFinalizer():
            return "the CanaryRelease is to get the operator's finalizer"
        case ReleaseFinalizer():
            return "the finalizer is to come off the CanaryRelease"
        case RemoveRoute():
            return "the VirtualService is to be deleted"
        case EnsureUnsplit():
            return "the VirtualService is to name the host without a subset"
        case RemoveSubsets():
            return "the subsets are to be taken away"
        case Disown():
            return "the mark is to be taken off VirtualService and DestinationRule"
        case RecordState() | ReadAgain() | Announce() | None:
            return f"{decision.because.message[:LONGEST_WHY]}"
        case _:
            assert_never(effect)


def _weights(effect: EnsureWeights, decision: Decision, seen: Observation) -> str:
    if seen.route is None:
        return f"the VirtualService is to be created with {effect.canary} % for the canary"
    if effect.canary > seen.route.weight:
        return f"the canary is to get {effect.canary} % and has {seen.route.weight} %"
    why = decision.because.message[:LONGEST_WHY]
    if effect.canary < seen.route.weight:
        return f"the canary is to go to {effect.canary} % and still has {seen.route.weight} %: {why}"
    return f"the routes are to be written at {effect.canary} %: {why}"
