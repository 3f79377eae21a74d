"""Prints the part of `requirements.lock` that the operator needs to run, hashes included: what the image installs.

Reads the `# via` comments, by which each package in the lock names those that want it. Uses nothing but the standard library.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
PROJECT = "istio-canary-operator (pyproject.toml)"
"""How the lock names the project's own dependencies; those of the dependency group `dev` carry its name after a colon."""


def packages(lock: str) -> dict[str, str]:
    """The lock's lines by package."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {re.split(r"[^a-z0-9-]", block, maxsplit=1)[0]: block for block in blocks if not block.startswith("#")}


def wanted_by(block: str) -> set[str]:
    """The packages, or the project, that want this one."""
    comments = re.findall(r"^ +# +(?:via\b *)?(.*)$", block, flags=re.MULTILINE)
    return {line for line in comments if line}


def runtime(lock: str) -> Mapping[str, str]:
    """The lines of the packages that the project needs, directly or through one another."""
    every = packages(lock)
    needed, found = {PROJECT}, 0
    while found != len(needed):
        found = len(needed)
        needed |= {name for name, block in every.items() if wanted_by(block) & needed}
    return {name: block for name, block in every.items() if name in needed}


if __name__ == "__main__":
    sys.stdout.write("".join(runtime(LOCK.read_text(encoding="utf-8")).values()))
