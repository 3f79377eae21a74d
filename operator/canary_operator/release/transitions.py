"""The states and the ways between them, as data: the tests walk it, the docs print it."""

from collections.abc import Mapping

from canary_operator.api.status import State

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.INITIALIZING: frozenset({State.STABLE}),
    State.STABLE: frozenset({State.PROGRESSING}),
    State.PROGRESSING: frozenset({State.PROMOTING, State.ROLLING_BACK, State.WITHDRAWING}),
    State.PROMOTING: frozenset({State.STABLE, State.ROLLING_BACK, State.WITHDRAWING, State.PROGRESSING}),
    State.ROLLING_BACK: frozenset({State.STABLE}),
    State.WITHDRAWING: frozenset({State.STABLE}),
}
"""From each state the states that may follow. Promoting falls back to Progressing when the canary lost weight: it rises again from step 1."""


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> Initializing"]
    for state, followers in TRANSITIONS.items():
        lines += [f"    {state} --> {follower}" for follower in sorted(followers)]
    return "\n".join(lines) + "\n"
