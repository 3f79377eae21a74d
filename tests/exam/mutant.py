"""One place of the operator that is broken on purpose."""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path("operator/canary_operator")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One place that is broken."""

    name: str
    what: str
    """What the operator does wrongly, in a clause."""
    file: str
    """Inside the package."""
    old: str
    """Stands exactly once in the file."""
    new: str
    killers: tuple[str, ...]
    """Tests that have to go red: pytest names, or plans such as `good:3:conflict` of the fault tests."""
