"""Whether the weight that was written is served: how the requests at the callers' proxies are really shared between the two versions.

A share is served as written while it lies between half of the weight and twice the weight; at 0 and at 100 percent, within one point. Envoy
chooses the destination of each request anew (a retry of its own stays there and is no request more), so of n requests the canary gets a
binomial number, whatever connections, HTTP/2 streams or the load balancing inside a subset do. For c of n requests the odds are

    odds = B(c + 1, n - c + 1) / max(q^c (1 - q)^(n - c)),   the maximum over all shares q that are served as written

B is Euler's beta function: the probability of these very requests if every share were equally likely. For any true share q that is served as
written the denominator is at least their probability under q, so on average the odds are at most 1, and by Markov's inequality a scrape finds
100:1 in at most one of 100 cases. That is for a share at the very bound; healthy ones lie a factor of two inside, where it is far rarer
(docs/served.md). Callers that send batches which all reach one version at once would break the binomial number: the counts are divided by
`NOISE`, as if so many requests went together.

Refuses to decide what follows, and to say which requests the weight holds for.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import lgamma, log

from canary_operator.analysis.counters import Interval, spacing
from canary_operator.analysis.wording import odds_text, seconds_text

LN_BAR = log(100.0)
"""Log of the odds from which a share counts as not served as written."""
NOISE = 4.0
"""So many requests count as one, should they go together."""
EDGE = 0.01
"""What a share may be off at 0 and 100 percent, where half and twice the weight say nothing."""
FACTOR = 2.0
"""What it may be off otherwise, either way."""
LONGEST = 60.0
"""Seconds that are looked back on at most, or so many as two scrapes take."""
SCRAPES = 2.5
"""Spacings that two scrapes take, with room to spare."""
ENOUGH = 50.0
"""No older scrape is looked at once so many requests would be had at the nearer bound: what was mended counts soon."""
_LABEL = re.compile(r"(\w+)='([^']+)'")


@dataclass(frozen=True, slots=True)
class Judged:
    """Which deviations can be told from what was written."""

    more: bool = True
    """A canary with too many requests. Not where others reach it beside the weight, such as a preview."""
    less: bool = True
    """A canary with too few. Not where other routes send to stable by themselves."""


@dataclass(frozen=True, slots=True)
class NotServed:
    """The canary's share of the requests is not what the weight says."""

    weight: float
    """The share (0 to 1) that was written."""
    canary: int
    """Requests that the canary was asked in the scrapes looked at."""
    requests: int
    """All requests in them, also those that reached neither version."""
    seconds: float
    """The time that these scrapes cover."""
    ln_odds: float
    """Log of the odds that the true share lies outside of what counts as served."""
    twice: bool
    """The scrapes before the newest said the same already. False: the newest says it first."""
    proxy: str | None
    """Where it deviates most, as the scrape target is called; None: there is one proxy only, or it has no name."""

    @property
    def share(self) -> float:
        """The canary's share (0 to 1) as it was counted."""
        return self.canary / self.requests

    @property
    def more(self) -> bool:
        """The canary gets too many requests. False: too few."""
        return self.share > self.weight

    @property
    def told(self) -> str:
        """The counts and the odds, in words."""
        low, high = allowed(self.weight)
        bounds = f"{percent_text(low)} to {percent_text(high)} %" if low > 0.0 and high < 1.0 else _one_sided(low, high)
        most = f", most plainly at {self.proxy}" if self.proxy else ""
        return (
            f"the canary got {self.canary} of {self.requests} requests ({percent_text(self.share)} %) in {seconds_text(self.seconds)} at weight "
            f"{percent_text(self.weight)} %{most}; odds {odds_text(self.ln_odds)} (needed 100:1) that its share is not {bounds}"
        )


def _one_sided(low: float, high: float) -> str:
    return f"at most {percent_text(high)} %" if low <= 0.0 else f"at least {percent_text(low)} %"


def percent_text(share: float) -> str:
    """A share (0 to 1) in percent, three figures.

    >>> percent_text(0.5), percent_text(0.0333), percent_text(0.9987), percent_text(1.0)
    ('50', '3.33', '99.9', '100')
    """
    return f"{100 * share:.3g}"


def allowed(weight: float) -> tuple[float, float]:
    """The lowest and the highest share (0 to 1) that count as this weight (0 to 1).

    >>> allowed(0.05), allowed(0.5), allowed(0.0), allowed(1.0)
    ((0.025, 0.1), (0.25, 1.0), (0.0, 0.01), (0.99, 1.0))
    """
    low, high = weight / FACTOR, min(1.0, FACTOR * weight)
    return (0.0 if weight <= 0.0 else 1.0 - EDGE if weight >= 1.0 else low), (EDGE if weight <= 0.0 else high)


def log_odds_outside(canary: float, requests: float, low: float, high: float) -> float:
    """Log of the odds that the canary's true share lies outside of `low` to `high` (0 to 1), by the formula above.

    Args:
        canary: Requests of the canary, 0 or more; a fraction where several count as one.
        requests: All requests, `canary` or more.
        low: Below `high`.
        high: Up to 1.
    """
    if requests <= 0.0:
        return 0.0
    others, within = requests - canary, min(max(canary / requests, low), high)
    likely = (canary * log(within) if canary else 0.0) + (others * log(1.0 - within) if others else 0.0)
    return lgamma(canary + 1.0) + lgamma(others + 1.0) - lgamma(requests + 2.0) - likely


@dataclass(frozen=True, slots=True)
class Pool:
    """Requests of some scrapes together."""

    canary: int = 0
    stable: int = 0
    lost: int = 0
    """Nobody knows which version they were meant for: they never speak against the weight."""

    def __add__(self, other: "Pool") -> "Pool":
        """Both together."""
        return Pool(self.canary + other.canary, self.stable + other.stable, self.lost + other.lost)

    def without(self, other: "Pool") -> "Pool":
        """What is left of it; never below 0."""
        return Pool(max(0, self.canary - other.canary), max(0, self.stable - other.stable), max(0, self.lost - other.lost))

    @property
    def requests(self) -> int:
        """All of them."""
        return self.canary + self.stable + self.lost

    def deviates(self, weight: float, judged: Judged) -> int:
        """1: the canary got more than the weight (a share, 0 to 1) allows; -1: less; 0: neither, or it cannot be judged."""
        (low, high), requests = allowed(weight), self.requests
        if judged.more and self.canary > high * requests:
            return 1
        return -1 if judged.less and self.canary + self.lost < low * requests else 0

    def odds(self, weight: float, way: int, noise: float) -> float:
        """Log of the odds that the share deviates this way."""
        canary = self.canary if way > 0 else self.canary + self.lost
        return log_odds_outside(canary / noise, self.requests / noise, *allowed(weight))


NONE = Pool()


def not_served(
    found: Sequence[Interval], weight: float, settled_at: float | None, judged: Judged, step: Pool = NONE, noise: float = NOISE
) -> NotServed | None:
    """What speaks against the weight in the newest scrapes; None: nothing does, or nobody knows.

    Args:
        found: What the callers' proxies counted, of requests that the managed routes can take.
        weight: The canary's share (0 to 1) that was written.
        settled_at: When it was served everywhere, seconds since 1970. None: not yet. Only scrapes that began later count.
        judged: Which deviations can be told.
        step: All requests since this weight had settled, also of scrapes that are in `found`. With few requests in the newest scrapes
            the older ones help to be sure, as long as the newest deviate too.
        noise: So many requests count as one.
    """
    if settled_at is None or not (rounds := _rounds(found, settled_at)):
        return None
    newest, before = _newest(rounds, weight, noise), _newest(rounds[1:], weight, noise)
    older = step.without(_pool(itertools.chain.from_iterable(rounds)))
    pool, way, odds = _said(newest, older, weight, judged, noise)
    if not way or odds < LN_BAR:
        return None
    _, same_way, same = _said(before, older, weight, judged, noise)
    twice = same_way == way and same >= LN_BAR
    seconds = max(each.until for each in newest) - min(each.since for each in newest)
    return NotServed(weight, pool.canary, pool.requests, seconds, odds, twice, _most_plainly(newest, weight, way, noise))


def _said(newest: Sequence[Interval], older: Pool, weight: float, judged: Judged, noise: float) -> tuple[Pool, int, float]:
    """The requests of the newest scrapes, which way their share deviates, and the log of the odds for that, with the older ones if they are few."""
    pool = _pool(newest)
    way = pool.deviates(weight, judged)
    if not way:
        return pool, 0, 0.0
    odds = pool.odds(weight, way, noise)
    if older.requests and not _enough(pool, weight, noise) and (pool + older).deviates(weight, judged) == way:
        odds = max(odds, (pool + older).odds(weight, way, noise))
    return pool, way, odds


def _rounds(found: Sequence[Interval], settled_at: float) -> list[list[Interval]]:
    """The newest interval of each proxy, then the one before of each, and so on: those that began after the weight had settled."""
    settled = [each for each in found if each.since >= settled_at]
    if not settled:
        return []
    oldest = max(each.until for each in settled) - max(LONGEST, SCRAPES * (spacing(settled) or 0.0))
    rounds: list[list[Interval]] = []
    seen: dict[str, int] = {}
    for each in sorted((each for each in settled if each.since >= oldest), key=lambda each: -each.until):
        number = seen[each.target] = seen.get(each.target, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(each)
    return rounds


def _newest(rounds: Sequence[Sequence[Interval]], weight: float, noise: float) -> list[Interval]:
    """As few of the newest rounds as hold enough requests; all when they do not."""
    taken: list[Interval] = []
    for each in rounds:
        taken += each
        if _enough(_pool(taken), weight, noise):
            break
    return taken


def _enough(pool: Pool, weight: float, noise: float) -> bool:
    low, high = allowed(weight)
    edge = high if weight <= 0.0 else min(low, 1.0 - low)
    return pool.requests * edge >= ENOUGH * noise


def _pool(of: Iterable[Interval]) -> Pool:
    canary = stable = lost = 0
    for each in of:
        canary += each.canary.requests + each.canary_given_up
        stable += each.stable.requests + each.stable_given_up
        lost += each.lost
    return Pool(canary, stable, lost)


def _most_plainly(of: Sequence[Interval], weight: float, way: int, noise: float) -> str | None:
    """The proxy that deviates most, of several."""
    targets = sorted({each.target for each in of})
    if len(targets) < 2:
        return None
    pools = {target: _pool(each for each in of if each.target == target) for target in targets}
    deviating = [target for target in targets if pools[target].deviates(weight, Judged()) == way]
    if not deviating:
        return None
    labels = dict(_LABEL.findall(max(deviating, key=lambda target: pools[target].odds(weight, way, noise))))
    return labels.get("pod") or labels.get("instance")
