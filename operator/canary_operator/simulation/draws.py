"""What is left to chance comes in from outside: expected values, a seeded generator, or whatever a property test chooses."""

from collections.abc import Callable

Draw = Callable[[int, float], int]
"""Of n requests, each with probability p (0 to 1), how many it befalls: 0 to n."""

Arrive = Callable[[float], int]
"""Of what happens so often on average (0 or more), how often it happens."""


def steady() -> Arrive:
    """Always the average: what was rounded off is carried over.

    >>> arrive = steady()
    >>> [arrive(1.5) for _ in range(4)]
    [1, 2, 1, 2]
    """
    owed = 0.0

    def arrive(mean: float) -> int:
        nonlocal owed
        exact = mean + owed
        arrived = int(exact)
        owed = exact - arrived
        return arrived

    return arrive


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
