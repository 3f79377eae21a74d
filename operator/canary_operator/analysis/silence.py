"""Whether the canary ends the requests that it is sent: it is silent when next to none end while stable's do, at the same proxies.

A request is counted when it ends. Of a version that hangs nothing is counted until its callers give up, which may take minutes or never happen.
What speaks for it is what is missing. Let stable have ended s requests in a time T since the canary's weight w had settled; then the canary was
sent at least w * s. Requests may last long by nature (streams, long polls): with m, the mean time that stable's requests lasted before the
release, at most a part m/t of them lasts longer than t (Markov's inequality), whatever their distribution is. So of requests that have been sent
evenly for T seconds, the canary should have ended at least the part

    g(x) = 1 - x (1 + ln(1/x)),   x = SLOWER m / T,   0 where x is 1 or more

if it takes at most `SLOWER` times as long as stable, or e = w s g(x) requests. Envoy draws the version of each request by itself, so of e
expected requests a healthy canary ends no more than c with a probability of at most exp(-(e - c - c ln(e/c))) (Chernoff's bound for Poisson
counts). Counts are divided by `NOISE`, as if so many requests went together.

Refuses to decide what follows, and says nothing of a service whose requests last for an unknown time.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from canary_operator.analysis.counters import Interval, spacing
from canary_operator.analysis.odds import Segment
from canary_operator.analysis.wording import seconds_text

LN_BAR = log(1000.0)
"""Log of the odds from which the canary counts as silent. As for requests that callers gave up: no other witness is needed."""
NOISE = 4.0
"""So many requests count as one, should they go together."""
SLOWER = 4.0
"""The canary's requests may last so many times as long as stable's."""
LEAST = 10.0
"""Seconds: nobody is silent in less. The first answers of a version that has just started may take a few."""
ROUNDS = 2
"""Scrapes of a proxy that must show it."""
FEW = 20.0
"""Of so many requests that should have ended at most one has. More than that, but less than half, is a matter of the weight (served.py)."""
LONGEST = 60.0
"""Seconds that are looked back on for a silence that began in the middle of a step, or so many as `ROUNDS` scrapes take."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The canary ends next to none of its requests."""

    answered: int
    """Requests that it did end."""
    given_up: int
    """Requests to it that callers gave up, or that reached no pod."""
    expected: float
    """Requests that it should have ended at least."""
    stable: int
    """Requests that stable ended meanwhile."""
    seconds: float
    """In so many."""
    lasting: float
    """Seconds that stable's requests lasted on average before the release."""
    spoke: bool
    """It has ended requests earlier in this release: the proxies do send it some. False: nobody knows whether they do."""

    @property
    def explained(self) -> bool:
        """What callers gave up, or what reached no pod, accounts for what is missing: half of it or more."""
        return self.given_up >= 0.5 * self.expected

    @property
    def told(self) -> str:
        """The counts in words."""
        left = f", and {self.given_up} were given up or reached no pod" if self.given_up else ""
        return (
            f"the canary ended {self.answered} of at least {self.expected:.0f} requests that it should have in {seconds_text(self.seconds)}{left}, "
            f"while stable ended {self.stable}; before the release its requests lasted {self.lasting:.3g} s on average"
        )


def ended_share(seconds: float, lasting: float) -> float:
    """The least share (0 to 1) that must have ended of requests that are sent evenly for so many seconds, by the formula above.

    >>> ended_share(60, 0.02) > 0.98, round(ended_share(60, 3), 2), ended_share(60, 20)
    (True, 0.48, 0.0)

    Args:
        seconds: Above 0.
        lasting: Mean of the time that such a request lasts, seconds, 0 or more.
    """
    part = SLOWER * lasting / seconds
    if part >= 1.0:
        return 0.0
    return 1.0 - part * (1.0 + log(1.0 / part)) if part > 0.0 else 1.0


def silent(
    found: Sequence[Interval], weight: float, settled_at: float | None, lasting: float | None, step: Segment, segments: Sequence[Segment]
) -> Silent | None:
    """What speaks for a canary that ends none of its requests; None: nothing does, or nobody can tell.

    Args:
        found: What proxies counted that count both versions, of requests that the managed routes can take.
        weight: The canary's share (0 to 1) that was written.
        settled_at: When it was served everywhere, seconds since 1970. None: not yet. Only scrapes that began later count.
        lasting: Seconds that stable's requests lasted on average before the release; None: unknown, and then nobody is silent.
        step: All requests since this weight had settled, also of scrapes that are in `found`.
        segments: All requests of the release.
    """
    settled = [each for each in found if settled_at is not None and each.since >= settled_at]
    if lasting is None or settled_at is None or not settled or not 0.0 < weight < 1.0 or not _often_enough(settled):
        return None
    last, length = max(each.until for each in settled), spacing(settled) or 0.0
    first = last - max(LONGEST, (ROUNDS + 0.5) * length)
    lately = [each for each in settled if each.since >= first]
    counted = sum(each.canary.requests for each in segments)
    of_lately = _Window(
        sum(each.canary.requests for each in lately),
        sum(each.canary_given_up + each.lost for each in lately),
        sum(each.stable.requests for each in lately),
        last - min(each.since for each in lately),
    )
    of_step = _Window(step.canary.requests, step.canary_given_up + step.lost, step.stable.requests, last - settled_at)
    said = (each.judged(weight, lasting, counted) for each in (of_lately, of_step))
    return next((each for each in said if each), None)


@dataclass(frozen=True, slots=True)
class _Window:
    """Requests that ended within some time."""

    answered: int
    given_up: int
    stable: int
    seconds: float

    def judged(self, weight: float, lasting: float, counted: int) -> Silent | None:
        """None: the canary is not silent in this time. `counted`: the canary's requests of the whole release."""
        if self.seconds < LEAST:
            return None
        expected = weight * self.stable * ended_share(self.seconds, lasting)
        if self.answered * FEW > expected or _ln_odds(self.answered / NOISE, expected / NOISE) < LN_BAR:
            return None
        spoke = counted - self.answered > self.answered
        return Silent(self.answered, self.given_up, expected, self.stable, self.seconds, lasting, spoke)


def _often_enough(settled: Sequence[Interval]) -> bool:
    return max(Counter(each.target for each in settled).values()) >= ROUNDS


def _ln_odds(ended: float, expected: float) -> float:
    """Log of the odds against so few, where so many are expected; `ended` is the smaller."""
    return expected - ended - (ended * log(expected / ended) if ended else 0.0)
