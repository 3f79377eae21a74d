"""When the next scrape comes. A canary that fails everything costs its users all the time from its first weight to that scrape.

Refuses to say whether the weight may rise: only when, once it may.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.analysis.counters import Interval, spacing, total

SERVED = 1.5
"""Seconds in which a weight that was written is served by the proxies, with room to spare."""
LATE = 0.5
"""Seconds by which a look may come after the moment that it was to come at, and still take it: timers are never early."""
REQUESTS = 15
"""So many requests shall the canary have had at the scrape: if all of them fail, that is plain, and if a fifth does, it is suspicious."""
FEW = 2
"""The same where so many need a whole interval: if one of them fails, the canary is suspicious, and the next scrape decides."""
ALIVE = 1.5
"""A target whose newest sample is so many spacings behind the newest of all is not waited for."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The rhythm of the scrapes."""

    spacing: float
    """Seconds between two scrapes of a target."""
    newest: tuple[float, ...]
    """The newest scrape of each target that is still scraped, seconds since 1970."""
    rate: float
    """Requests per second of both versions, over all targets."""

    def wait(self, weight: int, now: float) -> float:
        """Seconds for which a weight better waits, so that it is served only shortly before a scrape; 0.0: now is the time.

        Never longer than from one scrape to the next: a target that is late by a whole scrape is not waited for.

        Args:
            weight: The canary's, in percent, above 0.
            now: Seconds since 1970.
        """
        expected = self.rate * weight / 100
        needed = REQUESTS if expected * self.spacing > REQUESTS else FEW
        lead = max(SERVED, needed / expected) if expected else self.spacing
        scrapes = (at + ahead * self.spacing for at in self.newest for ahead in (1, 2))
        due = min((at for at in scrapes if at >= now + SERVED - LATE), default=now)
        return max(0.0, due - lead - now)


def beat(found: Sequence[Interval]) -> Beat | None:
    """The rhythm that these intervals show; None: there are none."""
    length = spacing(found)
    if length is None:
        return None
    newest: dict[str, float] = {}
    for each in found:
        newest[each.target] = max(each.until, newest.get(each.target, 0.0))
    oldest = max(newest.values()) - ALIVE * length
    alive = {target: at for target, at in newest.items() if at > oldest}
    last = [each for each in found if each.until == alive.get(each.target)]
    requests = total(each.canary for each in last).requests + total(each.stable for each in last).requests
    return Beat(length, tuple(sorted(alive.values())), requests / length)
