"""Tables: the moving one of the present moment, and the summary."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lab.demo.results import Outcome
from lab.demo.watching import View

BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 60
BESIDE = 4
"""Columns left free: a terminal writes ^C behind the last line, and in a line of its own it would shift everything."""
COLOURS = {"Promoted": "green", "RolledBack": "red"}


def table(view: View, clock: str, columns: int) -> RenderableType:
    """The present moment, for a terminal with so many columns."""
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    rows.add_column("VERSION")
    rows.add_column("", style="dim")
    for name in ("WEIGHT", "READY", "REQUESTS/S", "REQUESTS", "FAILED"):
        rows.add_column(name, justify="right")
    for row in view.rows:
        rows.add_row(
            row.version,
            row.role,
            f"{row.weight} %",
            f"{row.ready}/{row.wanted}",
            f"{row.rate:.0f}",
            f"{row.requests:,}",
            Text(f"{row.failures:,}", style="bold red" if row.failures else ""),
        )
    facts = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("weight", Text.assemble(sparkline(view.weights), f" {view.weights[-1]} %" if view.weights else ""))
    said = view.statement
    if said:
        facts.add_row("operator", Text.assemble((said.reason, "bold"), f"  {said.message}", (f"  ({view.age:.0f} s ago)", "dim")))
        facts.add_row("odds", Text(f"{said.odds}" if said.odds else "-"))
    facts.add_row("routing", f"{view.lost} requests lost, {view.timeouts} timed out")
    head = f" {view.title}  {view.phase}  {f'step {view.step}' if view.step else ''}".rstrip() + " "
    return Panel(
        Group(rows, Text(), facts),
        title=head,
        title_align="left",
        subtitle=clock,
        subtitle_align="right",
        box=box.ROUNDED,
        width=columns - BESIDE,
    )


def sparkline(weights: Sequence[int]) -> str:
    """One character for each second; of a long release, evenly chosen ones.

    >>> sparkline([0, 5, 25, 50, 100])
    '·▁▂▄█'
    """
    count = min(len(weights), SPARKS)
    chosen = [weights[(place + 1) * len(weights) // count - 1] for place in range(count)]
    return "".join(BLOCKS[max(-(-weight * len(BLOCKS) // 100) - 1, 0)] if weight else "·" for weight in chosen)


def summary(outcomes: Sequence[Outcome]) -> RenderableType:
    """One row for each release."""
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    found.add_column("Release")
    found.add_column("Outcome")
    names = ("Seconds", "Requests", "Failed by\nthe canary", "Lost to\nrouting", "Timed\nout", "Highest\nweight", "API\nrequests")
    for name in names:
        found.add_column(name, justify="right")
    for outcome in outcomes:
        found.add_row(
            f"{outcome.source} → {outcome.to}",
            Text(outcome.outcome, style=COLOURS.get(outcome.outcome, "yellow")),
            f"{outcome.seconds:.1f}",
            f"{outcome.requests:,}",
            f"{outcome.canary_failures:,}",
            Text(f"{outcome.lost_to_routing:,}", style="bold red" if outcome.lost_to_routing else ""),
            f"{outcome.timeouts:,}",
            f"{outcome.max_weight} %",
            f"{outcome.api_requests:,}",
        )
    return found
