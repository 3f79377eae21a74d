"""A request on its way."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one request."""

    version: str
    """The header x-version, which only backends set; "-" if a proxy answered, or nobody."""
    status: str
    """The status code; "timeout", "refused" or "reset" if there was none. For gRPC the code's name."""
    detail: str
    """The beginning of what a proxy said."""


class Pending:
    """Counted once, by whoever finishes it first: the answer or the clock."""

    def __init__(self, count: Callable[[Answer], None]) -> None:
        self._count = count
        self.done = False
        self.abandon: Callable[[], None] = lambda: None
        """Lets go of what the request holds; its sender sets it."""

    def finish(self, answer: Answer) -> None:
        """Counts the outcome, the first time."""
        if not self.done:
            self.done = True
            self._count(answer)
