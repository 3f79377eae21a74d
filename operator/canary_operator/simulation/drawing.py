"""A played release drawn with characters, for a terminal of any width. Writes nothing anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from textwrap import wrap

from canary_operator.analysis.wording import seconds_text
from canary_operator.simulation.play import Story
from canary_operator.simulation.scales import Column, assumptions, columns, headline, loudest, weights

NARROWEST = 40
MARGIN = 8
"""Characters before the drawing."""
BARS = ((log(100.0), "100:1"), (log(10.0), "10:1"), (log(2.0), "2:1"))
"""The odds that have a row of their own. At 100:1, confirmed by another scrape, all traffic goes back."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of a drawing."""

    full: str
    """A filled place."""
    away: str
    """Prometheus is away."""
    side: str
    levels: str
    """From nothing to the most."""


UNICODE = Signs("█", "░", "│", " ▁▂▃▄▅▆▇█")
ASCII = Signs("#", "x", "|", " .:-=+*%#")


def drawing(name: str, story: Story, width: int, signs: Signs = UNICODE) -> str:
    """The whole release: how it went, weight, odds and failures over time, and what was said.

    Args:
        name: Of the CanaryRelease.
        story: As it was played.
        width: Characters of a line; 40 at least are taken.
        signs: Which characters may be used.
    """
    width = max(NARROWEST, width)
    return "\n".join(line.rstrip() for line in (*_head(name, story, width), "", *_chart(story, width, signs), "", *_lines(story, width)))


def _head(name: str, story: Story, width: int) -> Iterator[str]:
    yield from wrap(headline(name, story.played), width)
    yield from wrap(f"assumed: {'; '.join(assumptions(story.assumed))}", width, subsequent_indent="  ")


def _chart(story: Story, width: int, signs: Signs) -> Iterator[str]:
    found = columns(story, width - MARGIN - 2)
    for number, weight in enumerate(weights(story.moments)):
        label = "weight" if number == 0 and weight != 100 else ""
        yield _row(f"{label} {weight} %".strip(), (signs.full if each.weight >= weight else " " for each in found), signs)
    yield from _odds(story, found, signs)
    most = max(each.failed for each in found) or 1
    steps = len(signs.levels) - 1
    yield _row("failed", (signs.levels[-(-each.failed * steps // most)] for each in found), signs)
    if any(each.blind for each in found):
        yield _row("no data", (signs.away if each.blind else " " for each in found), signs)
    end = seconds_text(story.moments[-1].seconds)
    yield f"{'':{MARGIN}} 0s{end:>{len(found) - 2}}"


def _odds(story: Story, found: list[Column], signs: Signs) -> Iterator[str]:
    rows = [(ln, label) for ln, label in BARS if any(each.ln_worse >= ln for each in found)]
    if not rows:
        yield f"{'odds':>{MARGIN}}{signs.side}never above {loudest(story)} that the canary is worse"
    for ln, label in rows:
        yield _row(label, (signs.full if each.ln_worse >= ln else " " for each in found), signs)


def _row(label: str, signs_of_columns: Iterator[str], signs: Signs) -> str:
    return f"{label:>{MARGIN}}{signs.side}{''.join(signs_of_columns)}"


def _lines(story: Story, width: int) -> Iterator[str]:
    for before, line in zip((None, *story.lines), story.lines, strict=False):
        if before is not None and (before.weight, before.reason, before.message) == (line.weight, line.reason, line.message):
            continue  # the way home, one write after the other
        weight = "" if line.weight is None else f"{line.weight} %"
        start = f"{seconds_text(line.time):>{MARGIN}}  {weight:>5}  "
        yield from wrap(f"{line.reason}: {line.message}", width, initial_indent=start, subsequent_indent=" " * len(start))
