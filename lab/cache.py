"""Where the lab keeps what is dear to make: built programs and rendered charts, per user, never in the project's tree."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """The lab's directory in the user's cache (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "istio-canary-operator" / "lab"
