"""What a person sees: a live table on a terminal; elsewhere plain lines, one for each change."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lab.demo.operator_process import Statement
from lab.demo.results import Outcome
from lab.demo.table import summary, table
from lab.demo.watching import View

QUIET_SECONDS = 10.0
"""Without a change, plain lines say how far it is this often."""


class Screen(Protocol):
    """Either of the two."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def note(self, text: str) -> None:
        """One thing that was done."""

    def command(self, line: str, output: str) -> None:
        """What a command on the keyboard would answer now."""

    def wait(self, text: str, progress: Callable[[], str]) -> None:
        """Something takes a while; until the next note. `progress` says how far it is, and may be called by another thread."""

    def show(self, view: View, news: Sequence[Statement]) -> None:
        """The present moment."""

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """The summary; nothing moves any more."""


class _Common:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()

    def _clock(self) -> str:
        return f"{time.monotonic() - self._begun:6.1f} s"

    def note(self, text: str) -> None:
        """One thing that was done."""
        self._console.print(Text.assemble((self._clock(), "dim"), "  ", text))

    def command(self, line: str, output: str) -> None:
        """A command and what it answers."""
        self._console.print(Text(f"  $ {line}", style="bold"))
        self._console.print(Text("\n".join(f"  {row}" for row in output.rstrip().splitlines())))

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """The summary."""
        self._console.print()
        self._console.print(summary(outcomes))


class Terminal(_Common):
    """The last lines move, what was noted scrolls above them."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._waiting: Callable[[], RenderableType] | None = None
        self._view: View | None = None
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._view = self._waiting = None
        self._live.stop()

    def note(self, text: str) -> None:
        """Above the table."""
        self._waiting = None
        super().note(text)

    def wait(self, text: str, progress: Callable[[], str]) -> None:
        """Below everything, until the next note."""
        self._waiting = lambda: Text.assemble((self._clock(), "dim"), f"  {text} … ", (progress(), "dim"))

    def show(self, view: View, news: Sequence[Statement]) -> None:
        """Only the last moment counts."""
        self._view = view

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """The table goes, the summary stays."""
        self._view = None
        self._live.stop()
        super().end(outcomes)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self._view:
            parts.append(table(self._view, self._clock().strip(), self._console.width))
        if self._waiting:
            parts.append(self._waiting())
        return Group(*parts)


class Lines(_Common):
    """For logs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last: tuple[str, int, str] | None = None
        self._words = ""
        self._quiet_since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put back."""

    def wait(self, text: str, progress: Callable[[], str]) -> None:
        """Says that it begins."""
        self.note(f"{text} …")

    def show(self, view: View, news: Sequence[Statement]) -> None:
        """One line for each statement of another kind than the one before; the counts when there has been none for a while."""
        for statement in news:
            if statement.kind != self._last and statement.message != self._words:
                self._last, self._words = statement.kind, statement.message
                self._say(view, f"{statement.reason}: {statement.message}")
        if time.monotonic() - self._quiet_since >= QUIET_SECONDS and view.statement and view.statement.odds:
            odds = f"odds {view.statement.odds} ({view.age:.0f} s ago)"
            counts = ", ".join(f"{row.version} {row.requests} requests {row.failures} failed" for row in view.rows if row.requests)
            self._say(view, f"{counts}; {odds}")

    def _say(self, view: View, text: str) -> None:
        self._quiet_since = time.monotonic()
        weight = view.weights[-1] if view.weights else 0
        self.note(f"{view.title}  {weight:3d} %  {text}")


def choose(console: Console) -> Screen:
    """By what standard output is."""
    return Terminal(console) if console.is_terminal else Lines(console)
