"""One cluster for all tests of this folder; a story at a time on each of its benches."""

from collections.abc import Iterator

import pytest

from lab.isolation import isolated
from tests.faults.rig import Rig

BENCHES = 8
"""Stories wait more than they work: two cores carry this many."""


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    if not isolated():
        pytest.skip("needs a namespace of its own: python -m lab isolated -- pytest tests/faults")
    with Rig(BENCHES) as rig:
        yield rig
