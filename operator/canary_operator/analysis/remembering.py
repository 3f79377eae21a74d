"""What was worked out of a large value is not worked out again while the value is the same one.

An answer of Prometheus is looked at several times before the next one comes, and comparing its samples would cost as much as reading them:
so it is recognised by identity. Nothing here changes what is answered.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)
R = TypeVar("R")


class _Same(Generic[T]):
    """A value that equals only itself. Whoever remembers it keeps it alive, so no other value can take its identity."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def remembered(most: int) -> Callable[[Callable[[T, H], R]], Callable[[T, H], R]]:
    """Remembers the last `most` results of a pure function of one large value, which never changes, and of one small one."""

    def decorate(function: Callable[[T, H], R]) -> Callable[[T, H], R]:
        @lru_cache(maxsize=most)
        def of(same: _Same[T], rest: H) -> R:
            return function(same.value, rest)

        return lambda value, rest: of(_Same(value), rest)

    return decorate
