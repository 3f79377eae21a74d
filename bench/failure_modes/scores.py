"""What became of releases with known labels: recall, precision, the confusion table, and what the bad ones cost. Knows no controller."""

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BLAMED, BACK, HELD, PROMOTED = "rolled back", "taken back", "held", "promoted"
ENDS = (BLAMED, BACK, HELD, PROMOTED)
"""Taken back for its faults; taken back without blame; neither within the time; through."""
STRONG = 0.05
"""Faults that hurt at least this share must all be found."""
LONG = 120.0
"""Seconds from the first request that was hurt to the last; cells with a longer median are listed."""


@dataclass(frozen=True, slots=True)
class Result:
    """One release."""

    mode: str
    bad: bool
    hurts: float
    rate: float
    """Requests per second."""
    scrape: float
    """Seconds between two scrapes."""
    end: str
    """One of `ENDS`."""
    reason: str
    """In the controller's own words."""
    hurt: int
    """The new version's requests that were hurt until none of its traffic was left."""
    seconds: float | None
    """From the first request that was hurt until then; None: none was, or traffic was never taken away."""
    seed: str = ""

    @property
    def wrong(self) -> bool:
        """A bad one that was not taken home, or a good one that was blamed."""
        return self.end in (HELD, PROMOTED) if self.bad else self.end == BLAMED


def recall(results: Iterable[Result]) -> float | None:
    """Of the bad releases, the share that was taken home; None: there are none."""
    bad = [result for result in results if result.bad]
    return 1 - sum(result.wrong for result in bad) / len(bad) if bad else None


def precision(results: Iterable[Result]) -> float | None:
    """Of the releases that were blamed, the share that is bad; None: none was."""
    blamed = [result.bad for result in results if result.end == BLAMED]
    return sum(blamed) / len(blamed) if blamed else None


def confusion(results: Iterable[Result]) -> Iterator[str]:
    """A table in Markdown."""
    found = Counter((result.bad, result.end) for result in results)
    yield f"| | {' | '.join(ENDS)} |\n|---|{'---|' * len(ENDS)}"
    for bad, words in ((True, "bad"), (False, "good")):
        yield f"| {words} | {' | '.join(str(found[bad, end]) for end in ENDS)} |"


def cost(results: Sequence[Result]) -> str:
    """Hurt requests and seconds, medians; how it ended where that is wrong."""
    ends = Counter(result.end for result in results if result.wrong)
    wrong = ", ".join(f"**{count} of {len(results)} {end}**" for end, count in ends.items())
    seconds = [result.seconds for result in results if result.seconds is not None]
    time = f"{statistics.median(seconds):.0f} s" if seconds else "-"
    spent = f"{statistics.median(result.hurt for result in results):,.0f}, {time}"
    return f"{spent}; {wrong}" if wrong else spent


def cells(results: Iterable[Result]) -> dict[tuple[str, float, float], list[Result]]:
    """By mode, rate and scrape, in the order in which they came."""
    found: dict[tuple[str, float, float], list[Result]] = {}
    for result in results:
        found.setdefault((result.mode, result.rate, result.scrape), []).append(result)
    return found


def long(results: Iterable[Result]) -> Iterator[str]:
    """The cells of bad releases whose median time is long."""
    for (mode, rate, scrape), members in cells(results).items():
        seconds = [result.seconds for result in members if result.seconds is not None]
        if members[0].bad and seconds and statistics.median(seconds) > LONG:
            yield f"{mode}, {rate:g}/s, scrape {scrape:g} s: {cost(members)}"


def report(results: Sequence[Result]) -> Iterator[str]:
    """All of it, in Markdown."""
    strong = [result for result in results if result.bad and result.hurts >= STRONG]
    weak = [result for result in results if result.bad and result.hurts < STRONG]
    yield f"recall {_percent(recall(strong))} of {len(strong)} releases with faults that hurt 5 % or more"
    yield f"recall {_percent(recall(weak))} of {len(weak)} releases with weaker faults"
    blamed = sum(result.end == BLAMED for result in results)
    yield f"precision {_percent(precision(results))} of {blamed} releases that were blamed"
    yield ""
    yield from confusion(results)
    yield ""
    yield from _table(results)
    yield "\nwrong:"
    yield from (
        f"- {each.mode}, {each.rate:g}/s, scrape {each.scrape:g} s: {each.end} ({each.reason}), {each.hurt:,} hurt; seed {each.seed}"
        for each in results
        if each.wrong
    )
    yield "\nlonger than two minutes:"
    yield from (f"- {line}" for line in long(results))


def _table(results: Sequence[Result]) -> Iterator[str]:
    """Cost by mode (rows) and by rate and scrape (columns)."""
    found = cells(results)
    columns = list(dict.fromkeys((rate, scrape) for _, rate, scrape in found))
    yield f"| | {' | '.join(f'{rate:g}/s, {scrape:g} s' for rate, scrape in columns)} |\n|---|{'---|' * len(columns)}"
    for mode in dict.fromkeys(name for name, _, _ in found):
        row = (found.get((mode, *column)) for column in columns)
        yield f"| {mode} | {' | '.join('' if members is None else _cell(members) for members in row)} |"


def _cell(members: Sequence[Result]) -> str:
    if members[0].bad:
        return cost(members)
    ends = Counter(result.end for result in members)
    return ", ".join(f"{count} {end}" for end, count in ends.items())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
