"""What was worked out of a large value is remembered while it is the same one, and for the last few only."""

import gc
import weakref

from canary_operator.analysis.remembering import remembered


class Large:
    """Equal to every other, as two answers with the same samples are."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Large)

    def __hash__(self) -> int:
        return 1


def counting(most: int):
    asked: list[tuple[Large, str]] = []

    @remembered(most)
    def work(large: Large, small: str) -> int:
        asked.append((large, small))
        return len(asked)

    return work, asked


def test_the_same_value_is_worked_on_once_for_each_small_one() -> None:
    work, asked = counting(8)
    large = Large()
    assert [work(large, "a"), work(large, "a"), work(large, "b")] == [1, 1, 2]
    assert len(asked) == 2


def test_an_equal_value_is_another_one() -> None:
    work, _ = counting(8)
    one, other = Large(), Large()
    assert [work(one, "a"), work(other, "a")] == [1, 2]


def test_what_has_been_pushed_out_is_let_go() -> None:
    @remembered(2)
    def work(large: Large, small: str) -> str:
        return small

    first = Large()
    seen = weakref.ref(first)
    work(first, "a")
    del first
    assert seen() is not None
    for _ in range(2):
        work(Large(), "a")
    gc.collect()
    assert seen() is None
