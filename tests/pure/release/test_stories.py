"""Whole releases, one line per pass that wrote something. Written anew by `make golden`, and read as a difference."""

from collections.abc import Callable

import pytest

from tests.pure.release.golden import STORIES
from tests.pure.release.tales import TALES, Story


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_the_story_is_told_as_it_was(tale: Callable[[], Story]) -> None:
    assert "\n".join(tale().lines) + "\n" == (STORIES / f"{tale.__name__}.txt").read_text()


def test_no_story_is_left_behind() -> None:
    assert {path.stem for path in STORIES.glob("*.txt")} == {tale.__name__ for tale in TALES}
