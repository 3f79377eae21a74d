"""How a user's own query is judged: looks outside its bounds in a row, none of which rests on the samples of another.

A look at time t with interval i rests on what was scraped in (t - i, t]: Prometheus is asked with that lookback. So a look counts only when this span
begins after the last look that counted, and only when Prometheus is known to have scraped since. Refuses to say what follows from it.
"""

from dataclasses import dataclass, replace

from canary_operator.analysis.value import Value


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of `spec.analysis.queries`, filled in, in plain numbers."""

    name: str
    text: str
    """PromQL, placeholders filled in."""
    minimum: float | None
    """The least value that is good; None: no such bound."""
    maximum: float | None
    """The greatest value that is good; None: no such bound."""
    interval: float
    """Seconds between two looks."""
    failures: int
    """Looks outside the bounds in a row that blame the canary, 1 or more."""
    identity: str
    """Of text and bounds: counts of another one do not concern it."""

    def breach(self, value: float) -> str | None:
        """On which side of its bounds a value lies; None: within."""
        if self.maximum is not None and value > self.maximum:
            return f"above its max of {self.maximum:g}"
        if self.minimum is not None and value < self.minimum:
            return f"below its min of {self.minimum:g}"
        return None

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        said = (("min", self.minimum), ("max", self.maximum))
        return ", ".join(f"{word} {bound:g}" for word, bound in said if bound is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one query in the present step; stored in status."""

    name: str
    identity: str
    at: float | None = None
    """When the last look that counted was computed, seconds since 1970. None: none did."""
    value: float | None = None
    """Its value."""
    outside: int = 0
    """Looks outside the bounds in a row, up to that one."""
    inside: bool = False
    """A look of this step was within the bounds, and rested on nothing that was scraped before its weight had settled."""


def begin_again(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """A new step, or new evidence: rows start again, and nothing that was counted counts once more."""
    return tuple(replace(row, outside=0, inside=False) for row in rows)


def row_of(rows: tuple[Row, ...], query: Query) -> Row:
    """What is known of a query: nothing when its text or its bounds were edited."""
    return next((row for row in rows if (row.name, row.identity) == (query.name, query.identity)), Row(query.name, query.identity))


def counted(  # noqa: PLR0913 - the facts of one look, each by its name
    row: Row, query: Query, answer: object, *, since: float | None, settled_at: float | None, scraped: float | None
) -> Row:
    """The row after one more look; unchanged unless it brings a value that rests on new samples.

    Args:
        row: As it was stored.
        query: What was asked.
        answer: What was answered; anything but a `Value` counts for nothing.
        since: When the present weight was written, seconds since 1970. None: the canary has no weight, and nothing counts.
        settled_at: When it was served everywhere. None: not yet.
        scraped: Time of the newest sample that this Prometheus is known to have. None: nobody knows, and nothing counts.
    """
    if not isinstance(answer, Value) or since is None or scraped is None:
        return row
    begins, last = answer.at - query.interval, since if row.at is None else max(row.at, since)
    if begins < last or scraped <= last:
        return row
    outside = query.breach(answer.value) is not None
    settled = settled_at is not None and begins >= settled_at
    return replace(
        row, at=answer.at, value=answer.value, outside=row.outside + 1 if outside else 0, inside=row.inside or (settled and not outside)
    )
