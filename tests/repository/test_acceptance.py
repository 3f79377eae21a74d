"""docs/acceptance.md speaks of tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = sorted(set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8"))))
EXISTING = {name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)}


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_list_names_exists(name: str) -> None:
    assert name in EXISTING
