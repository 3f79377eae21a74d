"""What is left to chance comes in from outside: expected values, a seeded generator, or whatever a property test chooses."""

from collections.abc import Callable

Draw = Callable[[int, float], int]
"""Of n requests, each with probability p (0 to 1), how many it befalls: 0 to n."""


def expected() -> Draw:
    """Always the expected value: what was rounded off is carried over to the next draw with the same probability.

    >>> draw = expected()
    >>> [draw(25, 0.02) for _ in range(4)]
    [0, 1, 0, 1]
    """
    carried: dict[float, float] = {}

    def draw(n: int, p: float) -> int:
        exact = n * p + carried.get(p, 0.0)
        # Sums of floats fall a hair short of the integers they mean.
        drawn = min(n, int(exact + 1e-9))
        carried[p] = exact - drawn
        return drawn

    return draw
