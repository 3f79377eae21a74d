"""docs/runbook.md and docs/states.md from the data that the operator itself decides by: reasons, guards, transitions."""

import inspect
from collections.abc import Callable, Sequence

from canary_operator.preflight.meaning import MEANING as FINDINGS
from canary_operator.release.actions import VERBS
from canary_operator.release.guards import GUARDS
from canary_operator.release.reasons import MEANING, OUTCOMES
from canary_operator.release.transitions import TRANSITIONS, diagram
from canary_operator.release.wants import BRAKES
from tools.custom_resource import GENERATED

_PHASES = (
    ("Initializing", "The route is being taken over; no request moves."),
    ("Stable", "At rest: the wanted version serves everything."),
    ("Progressing", "A release is on its way through the steps."),
    ("Promoting", "The new version serves everything; the old one is the way back until the bake is over."),
    ("RollingBack", "The new version is to blame; traffic goes back."),
    ("Withdrawing", "Nobody is to blame; traffic goes back."),
    ("RolledBack", "At rest on the old version after a rollback, and another one is wanted. It is not tried again by itself."),
    ("Withdrawn", "The same after a withdrawal."),
    ("Waiting", "Something is awaited: an approval, pods, or a first look at what surrounds the release."),
    ("Suspended", "`spec.suspend`, a pause, or `rises: false`: nothing goes forward, and a bad version is still rolled back."),
    (
        "Blocked",
        "Something must be mended before anything goes forward. A bad version is still rolled back; where stable is gone, traffic goes "
        "to what serves.",
    ),
    ("Deleting", "The CanaryRelease goes; its traffic is taken to where it ends."),
    ("Released", "`kubectl canary uninstall` has let it go; the operator is not at work."),
)


def runbook_file() -> str:
    """`docs/runbook.md`: what each reason means, and what to do."""
    rows = [f"| `{reason}` | {meaning} | {OUTCOMES.get(reason, '')} | {action} |" for reason, (meaning, action) in sorted(MEANING.items())]
    found = [f"| `{reason}` | {does} | {meaning} | {action} |" for reason, (does, meaning, action) in sorted(FINDINGS.items())]
    parts = [
        f"<!-- {GENERATED} -->",
        "# Runbook: what a reason means, and what to do",
        "The column REASON of `kubectl get canaryreleases`, the reason of its conditions and the reason of its events are these words. "
        "Without the plugin an action is an annotation: `kubectl annotate --overwrite canaryrelease NAME "
        "canary.rollouts.dev/action=retry/<number>/<n>`, the number from `.status.release.number`, n higher than the last.",
        "## Phases",
        "\n".join(["| PHASE | meaning |", "|---|---|", *(f"| `{phase}` | {meaning} |" for phase, meaning in _PHASES)]),
        "## Reasons",
        "\n".join(["| reason | meaning | ends a release as | what to do |", "|---|---|---|---|", *rows]),
        "## What is found before traffic moves",
        "What blocks is the reason of the CanaryRelease, whose phase is `Blocked`; what warns is in `status.warnings`. "
        "The message names the object and what to write instead; [blocked.md](blocked.md) shows the usual ones as a user sees them.",
        "\n".join(["| reason | | meaning | what to do |", "|---|---|---|---|", *found]),
    ]
    return "\n\n".join(parts) + "\n"


def states_file() -> str:
    """`docs/states.md`: the machine and the guards before it."""
    verbs = [f"| `{verb}` | {_in_a_line(obey)} |" for verb, obey in VERBS.items()]
    states = [
        f"| `{state}` | {state_text(state.name)} | {', '.join(f'`{each}`' for each in sorted(after))} |"
        for state, after in TRANSITIONS.items()
    ]
    parts = [
        f"<!-- {GENERATED} -->",
        "# States and guards",
        "Each pass asks the guards in this order; the first answer wins. If none answers, the state decides.",
        _numbered(GUARDS),
        "A release that is on its way takes the next weight unless one of these stands in the way; the first that does is told.",
        _numbered(BRAKES),
        "A person may write the annotation `canary.rollouts.dev/action` as `<verb>/<number of the release>/<n>`, n higher than the last; "
        "`status.lastAction` acknowledges it. An abort wins over everything. An action that has no effect is answered by an event.",
        "\n".join(["| verb | what it does |", "|---|---|", *verbs]),
        f"```mermaid\n{diagram()}```",
        "\n".join(["| state | meaning | may be followed by |", "|---|---|---|", *states]),
    ]
    return "\n\n".join(parts) + "\n"


def _in_a_line(function: Callable[..., object]) -> str:
    """What a function says of itself, its paragraphs in one line: a blank line would end a table or a list."""
    return " ".join((inspect.getdoc(function) or "").split())


def _numbered(functions: Sequence[Callable[..., object]]) -> str:
    """A list of functions as a person reads it: their names, and what they say of themselves."""
    return "\n".join(f"{number}. **{each.__name__.replace('_', ' ')}**: {_in_a_line(each)}" for number, each in enumerate(functions, 1))


def state_text(name: str) -> str:
    """The words under a state in `api/status.py`: the one place where they are written."""
    from canary_operator.api import status

    lines = inspect.getsource(status.State).splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith(f"{name} ="))
    return lines[at + 1].strip().strip('"')
