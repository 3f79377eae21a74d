"""A played release as columns of time: what the drawings, in text and in SVG, are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, inf

from canary_operator.analysis.wording import odds_text, seconds_text
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import UNFINISHED, Moment, Played, Story


@dataclass(frozen=True, slots=True)
class Column:
    """A stretch of time."""

    weight: int
    """The highest in it, percent."""
    ln_worse: float
    """The loudest odds against the canary in it; -inf: nothing was judged."""
    failed: int
    """Requests of the canary that failed in it."""
    blind: bool
    """Prometheus was away, all the time."""


def columns(story: Story, number: int) -> list[Column]:
    """The release in so many stretches of equal length."""
    moments, end = story.moments, story.moments[-1].seconds or 1.0
    found, before = [], moments[0]
    place = 0
    for each in range(number):
        since, until = end * each / number, end * (each + 1) / number
        inside = [before]
        while place < len(moments) and (moments[place].seconds < until or each == number - 1):
            inside.append(moments[place])
            place += 1
        odds = [moment.ln_worse for moment in inside[1:] or inside if moment.ln_worse is not None]
        failed = inside[-1].canary.failures - before.canary.failures
        blind = any(start <= since and until <= stop for start, stop in story.assumed.outages)
        found.append(Column(max(moment.weight for moment in inside[1:] or inside), max(odds, default=-inf), failed, blind))
        before = inside[-1]
    return found


def weights(moments: Sequence[Moment]) -> list[int]:
    """Every weight that was served, from high to low, without 0."""
    return sorted({moment.weight for moment in moments} - {0}, reverse=True)


def share_text(share: float) -> str:
    """A share as a percentage.

    >>> share_text(0.001), share_text(1.0)
    ('0.1 %', '100 %')
    """
    return f"{100 * share:.4g} %"


def headline(name: str, played: Played) -> str:
    """How it went, in one line."""
    words = {
        "Promoted": "promoted",
        "RolledBack": "rolled back",
        "Withdrawn": "withdrawn",
        "Superseded": "superseded",
        UNFINISHED: "not over",
    }
    return f"{name}: {words[played.outcome]} after {seconds_text(played.seconds)}; {played.failed:,} requests of the canary failed"


def assumptions(assumed: Assumed) -> Iterator[str]:
    """What was assumed, part by part."""
    if assumed.recorded is None:
        yield f"{assumed.rate:g} requests/s, stable fails {share_text(assumed.stable_fails)}"
    else:
        yield f"recorded traffic of {seconds_text(assumed.recorded.seconds)}, over and over"
    if assumed.canary_fails is None:
        yield "the canary fails like stable"
    else:
        since = f" from {seconds_text(assumed.fails_from)} on" if assumed.fails_from else ""
        weight = f" from {assumed.fails_from_weight} % of the traffic on" if assumed.fails_from_weight else ""
        yield f"the canary fails {share_text(assumed.canary_fails)}{since}{weight}"
    if assumed.canary_slow is not None or assumed.stable_slow:
        canary = assumed.stable_slow if assumed.canary_slow is None else assumed.canary_slow
        yield f"slow answers: stable {share_text(assumed.stable_slow)}, canary {share_text(canary)}"
    for begins, ends in assumed.outages:
        yield f"Prometheus is away from {seconds_text(begins)} to {seconds_text(ends)}"
    if assumed.incident is not None:
        each = assumed.incident
        yield f"both fail {share_text(each.share)} more from {seconds_text(each.since)} to {seconds_text(each.until)}"
    if assumed.clump > 1:
        yield f"failures come in clumps of {assumed.clump}"
    yield f"a scrape every {assumed.scrape:g} s of {assumed.proxies} {'proxy' if assumed.proxies == 1 else 'proxies'}"


def loudest(story: Story) -> str:
    """The highest odds against the canary in all the release."""
    ln = max((moment.ln_worse for moment in story.moments if moment.ln_worse is not None), default=0.0)
    return odds_text(ln) if exp(min(ln, 700.0)) >= 1.0 else "1:1"
