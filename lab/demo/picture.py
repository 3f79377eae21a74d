"""Draws a run as SVG from its own figures: the new version's weight, its requests, and those that failed. 800 px wide, no fonts of its own."""

from collections.abc import Sequence
from html import escape

from lab.demo.results import Second, Span, Timeline
from lab.demo.shares import Shift

WIDTH, LEFT, RIGHT = 800, 64, 20
AFTER = 4.0
"""Seconds that are drawn after the last release."""
INK, DIM, GRID, PAPER = "#1f2933", "#52606d", "#e4e7eb", "#ffffff"
NEW, NEW_AREA, FAILED, PROMOTED = "#1f6feb", "#dbe9ff", "#d1242f", "#1a7f37"
MARK_TOP = 50
WEIGHT_TOP, WEIGHT_HEIGHT = 124, 150
REQUESTS_TOP, REQUESTS_HEIGHT = 316, 80
FAILURES_TOP, FAILURES_HEIGHT = 438, 60
HEIGHT = 552
LETTER = 7.2
"""Pixels of a bold letter, at most on average."""
INDENT = 6.0
"""Pixels between the mark of a release and what is written beside it."""
LABEL_GAP = 20.0
"""Pixels that a label of a weight needs."""


def picture(timeline: Timeline) -> str:
    """The releases of a run, one after the other on one clock.

    Args:
        timeline: With at least one release.
    """
    return _Drawing(timeline).svg()


class _Drawing:
    def __init__(self, timeline: Timeline) -> None:
        self._spans = timeline.spans
        self._first = self._spans[0].begun
        self._last = max(self._spans[-1].ended + AFTER, self._room(self._spans[-1]))
        self._shifts = [shift for shift in timeline.shifts if shift.at < self._last]
        self._seconds = [second for second in timeline.seconds if self._first <= second.second + 1 and second.second + 1 <= self._last]

    def svg(self) -> str:
        failures = [second for second in self._of_new_versions() if second.failures]
        parts = [
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PAPER}" stroke="{GRID}"/>',
            _text(LEFT, 30, _heading(self._spans), INK, size=16, weight=600),
            *self._clock(),
            *(part for span in self._spans for part in self._marks(span)),
            *_axis("share of the new version", WEIGHT_TOP, WEIGHT_HEIGHT, {0: "0", 25: "25", 50: "50", 100: "100 %"}, 100),
            *(part for span in self._spans for part in self._weight(span)),
            *_axis("requests/s of the new version", REQUESTS_TOP, REQUESTS_HEIGHT, *_scale(self._of_new_versions(), "requests")),
            *self._bars("requests", REQUESTS_TOP, REQUESTS_HEIGHT, NEW),
            *_axis("failed requests/s of the new version", FAILURES_TOP, FAILURES_HEIGHT, *_scale(failures, "failures")),
            *self._bars("failures", FAILURES_TOP, FAILURES_HEIGHT, FAILED),
            *(self._failed(span) for span in self._spans if span.outcome.canary_failures),
        ]
        lines = "\n".join(parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
            f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
            f"<title>{escape(_heading(self._spans))}</title>\n{lines}\n</svg>\n"
        )

    def _x(self, moment: float) -> float:
        inside = min(max(moment, self._first), self._last)
        return LEFT + (inside - self._first) / (self._last - self._first) * (WIDTH - LEFT - RIGHT)

    def _room(self, span: Span) -> float:
        """The clock must reach to here, so that what is written at the release's beginning has its place."""
        width = WIDTH - LEFT - RIGHT
        return self._first + (span.begun - self._first) * width / (width - INDENT - len(_ending(span)) * LETTER)

    def _of_new_versions(self) -> list[Second]:
        """Only while their release runs."""
        return [
            second
            for span in self._spans
            for second in self._seconds
            if second.version == span.outcome.to and int(span.begun) <= second.second < span.ended
        ]

    def _weight(self, span: Span) -> list[str]:
        """Steps, with the weight written at each rise and at the fall."""
        steps = _steps(self._shifts, span)
        bottom = WEIGHT_TOP + WEIGHT_HEIGHT
        points, labels, labelled = [(self._x(span.begun), float(bottom))], [], -LABEL_GAP
        before = 0
        for moment, weight in steps:
            x, y = self._x(moment), bottom - weight / 100 * WEIGHT_HEIGHT
            points += [(x, points[-1][1]), (x, y)]
            if weight > before and x - labelled >= LABEL_GAP:
                labels.append(_text(x + 4, y - 6, f"{weight} %", NEW, size=12, weight=600))
                labelled = x
            before = weight
        points.append((self._x(span.ended), points[-1][1]))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        area = f"{line} {points[-1][0]:.1f},{bottom}"
        return [
            f'<polygon points="{area}" fill="{NEW_AREA}"/>',
            f'<polyline points="{line}" fill="none" stroke="{NEW}" stroke-width="2" stroke-linejoin="round"/>',
            *labels,
        ]

    def _bars(self, what: str, top: int, height: int, colour: str) -> list[str]:
        seconds = self._of_new_versions()
        highest = _highest(seconds, what)
        width = max(self._x(self._first + 1) - LEFT - 0.8, 0.8)
        found = []
        for second in seconds:
            count = getattr(second, what)
            if count:
                tall = count / highest * height
                x = self._x(second.second) + 0.4
                found.append(f'<rect x="{x:.1f}" y="{top + height - tall:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="{colour}"/>')
        return found

    def _failed(self, span: Span) -> str:
        """How many failed, beside the last of them."""
        of_it = [second for second in self._of_new_versions() if second.version == span.outcome.to]
        last = max((second.second for second in of_it if second.failures), default=int(span.begun))
        label = f"{span.outcome.canary_failures:,} of {sum(second.requests for second in of_it):,} failed"
        x = min(self._x(last + 1) + INDENT, WIDTH - RIGHT - len(label) * LETTER)
        return _text(x, FAILURES_TOP + FAILURES_HEIGHT - 8, label, FAILED, weight=600)

    def _marks(self, span: Span) -> list[str]:
        """Where the release begins and how it ends."""
        outcome = span.outcome
        begun, ended, bottom = self._x(span.begun), self._x(span.ended), FAILURES_TOP + FAILURES_HEIGHT
        colour = PROMOTED if outcome.outcome == "Promoted" else FAILED
        return [
            f'<path d="M{begun:.1f} {MARK_TOP}V{bottom}" stroke="{DIM}" stroke-dasharray="2 3"/>',
            f'<path d="M{ended:.1f} {WEIGHT_TOP}V{bottom}" stroke="{colour}" stroke-dasharray="2 3"/>',
            _text(begun + INDENT, MARK_TOP + 11, f"{outcome.source} → {outcome.to}", INK, size=13, weight=600),
            _text(begun + INDENT, MARK_TOP + 28, _ending(span), colour, weight=600),
        ]

    def _clock(self) -> list[str]:
        """Seconds since the first release began."""
        begun, bottom = self._spans[0].begun, FAILURES_TOP + FAILURES_HEIGHT
        length = self._last - begun
        every = next((step for step in (5, 10, 20, 60, 120, 300) if length / step <= 9), 600)
        ticks = [(begun + passed, passed) for passed in range(0, int(length) + 1, every)]
        return [
            *(_text(self._x(moment), bottom + 18, f"{passed} s", DIM, anchor="middle") for moment, passed in ticks),
            _text(LEFT, bottom + 38, _footing(self._spans), DIM, size=11),
        ]


def _steps(shifts: Sequence[Shift], span: Span) -> list[tuple[float, int]]:
    """Time and share of the new version, from the release's beginning to its end."""
    version = span.outcome.to
    return [(shift.at, shift.versions.get(version, 0)) for shift in shifts if span.begun <= shift.at <= span.ended]


def _heading(spans: Sequence[Span]) -> str:
    words = {"Promoted": "promoted", "RolledBack": "rolled back"}
    return ", ".join(f"{span.outcome.to} is {words.get(span.outcome.outcome, span.outcome.outcome.lower())}" for span in spans)


def _ending(span: Span) -> str:
    return f"{span.outcome.outcome} after {span.outcome.seconds:.0f} s"


def _footing(spans: Sequence[Span]) -> str:
    requests = sum(span.outcome.requests for span in spans)
    failures = ", ".join(f"{span.outcome.to} failed {span.outcome.canary_failures:,}" for span in spans)
    lost = sum(span.outcome.lost_to_routing for span in spans)
    return f"{requests:,} requests in these releases; {failures}; {lost:,} lost to routing. Drawn from the figures of a run of `make demo`."


def _highest(seconds: Sequence[Second], what: str) -> int:
    """The top of a scale; a bar may stand out a little."""
    top = max((int(getattr(second, what)) for second in seconds), default=0)
    return next(limit for limit in (5, 10, 20, 50, 100, 200, 250, 500, 1000, max(top, 1)) if limit * 1.05 >= top)


def _scale(seconds: Sequence[Second], what: str) -> tuple[dict[int, str], int]:
    highest = _highest(seconds, what)
    return {0: "0", highest: str(highest)}, highest


def _axis(name: str, top: int, height: int, ticks: dict[int, str], highest: int) -> list[str]:
    found = [_text(LEFT + INDENT, top - 8, name, DIM)]
    for value, label in ticks.items():
        y = top + height - value / highest * height
        found.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        found.append(_text(LEFT - 8, y + 4, label, DIM, anchor="end"))
    return found


def _text(x: float, y: float, text: str, colour: str, *, size: int = 12, weight: int = 400, anchor: str = "start") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" paint-order="stroke" stroke="{PAPER}" stroke-width="3"'
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {style}>{escape(text)}</text>'
