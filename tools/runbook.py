"""docs/runbook.md and docs/states.md from the data that the operator itself decides by: reasons, guards, transitions."""

import inspect

from canary_operator.preflight.meaning import MEANING as FINDINGS
from canary_operator.release.guards import GUARDS
from canary_operator.release.reasons import MEANING, OUTCOMES
from canary_operator.release.transitions import TRANSITIONS, diagram
from tools.custom_resource import GENERATED


def runbook_file() -> str:
    """`docs/runbook.md`: what each reason means, and what to do."""
    rows = [f"| `{reason}` | {meaning} | {OUTCOMES.get(reason, '')} | {action} |" for reason, (meaning, action) in sorted(MEANING.items())]
    found = [f"| `{reason}` | {does} | {meaning} | {action} |" for reason, (does, meaning, action) in sorted(FINDINGS.items())]
    parts = [
        f"<!-- {GENERATED} -->",
        "# Runbook: what a reason means, and what to do",
        "The column REASON of `kubectl get canaryreleases`, the reason of its conditions and the reason of its events are these words.",
        "\n".join(["| reason | meaning | ends a release as | what to do |", "|---|---|---|---|", *rows]),
        "## What is found before traffic moves",
        "What blocks is the reason of the CanaryRelease, whose phase is `Blocked`; what warns is in `status.warnings`. "
        "The message names the object and what to write instead.",
        "\n".join(["| reason | | meaning | what to do |", "|---|---|---|---|", *found]),
    ]
    return "\n\n".join(parts) + "\n"


def states_file() -> str:
    """`docs/states.md`: the machine and the guards before it."""
    guards = [f"{number}. **{guard.__name__.replace('_', ' ')}**: {inspect.getdoc(guard)}" for number, guard in enumerate(GUARDS, 1)]
    states = [
        f"| `{state}` | {state_text(state.name)} | {', '.join(f'`{each}`' for each in sorted(after))} |"
        for state, after in TRANSITIONS.items()
    ]
    parts = [
        f"<!-- {GENERATED} -->",
        "# States and guards",
        "Each pass asks the guards in this order; the first answer wins. If none answers, the state decides.",
        "\n".join(guards),
        f"```mermaid\n{diagram()}```",
        "\n".join(["| state | meaning | may be followed by |", "|---|---|---|", *states]),
    ]
    return "\n\n".join(parts) + "\n"


def state_text(name: str) -> str:
    """The words under a state in `api/status.py`: the one place where they are written."""
    from canary_operator.api import status

    lines = inspect.getsource(status.State).splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith(f"{name} ="))
    return lines[at + 1].strip().strip('"')
