"""A played release as an SVG picture: weight, odds and failed requests over the same time. Plain shapes, readable on light and on dark."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from xml.sax.saxutils import escape

from canary_operator.analysis.wording import seconds_text
from canary_operator.simulation.play import Moment, Story
from canary_operator.simulation.scales import assumptions, headline, weights

WIDTH, HEIGHT = 800, 480
LEFT, RIGHT = 70, 776
TICKS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
MOST_TICKS = 9
SCALES = (2, 5, 10, 25, 50, 100)
"""Where the scale of weights may end, percent: the first that holds the highest."""
LEAST_ODDS, MOST_ODDS = log(0.1), log(1e6)
"""Odds beyond these are drawn at the edge."""
ODDS = ((log(0.1), "1:10"), (0.0, "1:1"), (log(100.0), "100:1"), (log(1e4), "10,000:1"), (log(1e6), "10^6:1"))
LINE = 118
"""Characters of the smaller text in one line."""
STYLE = """
  text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2933}
  .title{font-size:16px;font-weight:600}.small{font-size:11.5px;fill:#52606d}.head{font-size:12.5px;font-weight:600}
  .back{fill:#fff}.grid{stroke:#d9e2ec;stroke-width:1}.bar{stroke:#c81e1e;stroke-width:1.2;stroke-dasharray:5 4}.barred{fill:#c81e1e}
  .weight{fill:#2563eb;fill-opacity:.18;stroke:#2563eb;stroke-width:2;stroke-linejoin:round}
  .line{fill:none;stroke-width:2;stroke-linejoin:round}.odds{stroke:#7c3aed}.failed{stroke:#d9480f}
  .away{fill:#52606d;fill-opacity:.14}.fault{stroke:#d9480f;stroke-width:1.2;stroke-dasharray:2 3}
  @media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9fb0c0}.back{fill:#0d1117}.grid{stroke:#2b3440}
  .bar{stroke:#ff7b72}.barred{fill:#ff7b72}.weight{fill:#58a6ff;stroke:#58a6ff}.odds{stroke:#bc8cff}.failed,.fault{stroke:#ffa657}
  .away{fill:#9fb0c0;fill-opacity:.2}}
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the drawings above each other."""

    top: float
    bottom: float
    least: float
    most: float
    """The values at the bottom and at the top; `most` is larger."""

    def y(self, value: float) -> float:
        """Where a value lies; one beyond the edge lies on it."""
        part = (min(max(value, self.least), self.most) - self.least) / (self.most - self.least)
        return self.bottom - part * (self.bottom - self.top)


def svg(name: str, story: Story) -> str:
    """The picture.

    Args:
        name: Of the CanaryRelease.
        story: As it was played.
    """
    moments, end = story.moments, story.moments[-1].seconds or 1.0
    title, small = headline(name, story.played), _wrapped(list(assumptions(story.assumed)))
    most = max(each.canary.failures for each in moments)
    highest = max((each.ln_worse for each in moments if each.ln_worse is not None), default=0.0)
    weight = Panel(112, 216, 0, next(each for each in SCALES if each >= max(weights(moments), default=0)))
    odds = Panel(256, 344, LEAST_ODDS, MOST_ODDS if highest > log(1e4) else log(1e4))
    failed = Panel(384, 448, 0, _nice(most))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        _text(24, 32, title, "title"),
        *(_text(24, 52 + 16 * number, line, "small") for number, line in enumerate(small)),
        *_away(story, end, weight.top, failed.bottom),
        *_time(end, weight.top, failed.bottom),
        *_scale(weight, "weight of the canary, %", [(each, str(each)) for each in _apart((0, *reversed(weights(moments))), weight)]),
        f'<path class="weight" d="{_steps([(each.seconds, each.weight) for each in moments], weight, end, closed=True)}"/>',
        *_scale(odds, "odds that the canary is worse", [(ln, label) for ln, label in ODDS if ln <= odds.most]),
        f'<line class="bar" x1="{LEFT}" x2="{RIGHT}" y1="{odds.y(log(100)):.1f}" y2="{odds.y(log(100)):.1f}"/>',
        _text(RIGHT, odds.top - 8, "above the dashed line, confirmed by another scrape: all traffic back", "small barred", "end"),
        *(f'<path class="line odds" d="{path}"/>' for path in _odds(moments, odds, end)),
        *_scale(failed, "failed requests of the canary", [(0, "0"), (failed.most, f"{failed.most:,.0f}")]),
        f'<path class="line failed" d="{_steps([(each.seconds, each.canary.failures) for each in moments], failed, end)}"/>',
        *_fault(story, end, weight.top, failed.bottom),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(seconds: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(seconds / end, 0.0), 1.0)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _wrapped(parts: Sequence[str]) -> list[str]:
    """In lines, two at most; no part is broken."""
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) > LINE and len(lines) == 1:
            lines.append("")
        lines[-1] += f"; {part}" if lines[-1] else part
    return lines


def _nice(most: int) -> float:
    """The next round number: 1, 2 or 5 and zeros; 5 at least."""
    size = 5.0
    for factor in (2, 2.5, 2) * 12:
        if size >= most:
            break
        size *= factor
    return size


def _apart(values: Sequence[int], panel: Panel) -> list[int]:
    """Those that have room for a label of their own, the highest first."""
    found: list[int] = []
    for value in reversed(values):
        if not found or panel.y(value) - panel.y(found[-1]) >= 13 or value == 0:
            found.append(value)
    return [each for each in found if each == 0 or panel.bottom - panel.y(each) >= 13]


def _scale(panel: Panel, label: str, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    yield _text(LEFT, panel.top - 8, label, "head")
    for value, text in ticks:
        y = panel.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 8, y + 4, text, "small", "end")


def _time(end: float, top: float, bottom: float) -> Iterator[str]:
    step = next((each for each in TICKS if end / each <= MOST_TICKS), TICKS[-1] * (1 + int(end / TICKS[-1] / MOST_TICKS)))
    for number in range(int(end / step) + 1):
        x = _x(number * step, end)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
        yield _text(x, bottom + 18, seconds_text(number * step), "small", "middle")


def _steps(values: Sequence[tuple[float, float]], panel: Panel, end: float, *, closed: bool = False) -> str:
    """A line that stays at each value until the next; closed: the area under it."""
    path, last = [f"M{LEFT} {panel.y(0):.1f}" if closed else f"M{LEFT} {panel.y(values[0][1]):.1f}"], values[0][1]
    if closed:
        path.append(f"V{panel.y(last):.1f}")
    for seconds, value in values:
        if value != last:
            path.append(f"H{_x(seconds, end):.1f}V{panel.y(value):.1f}")
            last = value
    path.append(f"H{RIGHT}")
    return "".join([*path, f"V{panel.y(0):.1f}Z"] if closed else path)


def _odds(moments: Sequence[Moment], panel: Panel, end: float) -> Iterator[str]:
    """One line for each stretch in which something was judged."""
    points: list[str] = []
    for each in (*moments, None):
        if each is None or each.ln_worse is None:
            if len(points) > 1:
                yield "M" + "L".join(points)
            points = []
            continue
        point = f"{_x(each.seconds, end):.1f} {panel.y(each.ln_worse):.1f}"
        if point not in points[-1:]:
            points.append(point)


def _away(story: Story, end: float, top: float, bottom: float) -> Iterator[str]:
    for since, until in story.assumed.outages:
        if since < end:
            x, width = _x(since, end), _x(until, end) - _x(since, end)
            yield f'<rect class="away" x="{x:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}"/>'
            yield _text(x + 5, top + 14, "Prometheus away", "small")


def _fault(story: Story, end: float, top: float, bottom: float) -> Iterator[str]:
    """Where the canary's fault begins, unless it is there from the first request on."""
    assumed = story.assumed
    if assumed.canary_fails is None or not (assumed.fails_from or assumed.fails_from_weight):
        return
    begins = (
        max(each.seconds, assumed.fails_from)
        for each, following in zip(story.moments, (*story.moments[1:], None), strict=True)
        if each.weight >= max(1, assumed.fails_from_weight) and (following is None or following.seconds > assumed.fails_from)
    )
    seconds = next(begins, None)
    if seconds is not None and seconds <= end:
        x = _x(seconds, end)
        yield f'<line class="fault" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
        side = ("end", x - 5) if x > (LEFT + RIGHT) / 2 else ("start", x + 5)
        yield _text(side[1], top + 12, "the fault begins", "small", side[0])
