"""Stable before the release: how often it fails, and in how large clumps. Refuses to compare it with the canary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from canary_operator.analysis.counters import Interval, spacing, total
from canary_operator.analysis.odds import NOTHING, Counts, noise_factor
from canary_operator.analysis.witnesses import Rules


@dataclass(frozen=True, slots=True)
class Baseline:
    """What stable did in the minutes before the canary had any traffic."""

    stable: Counts
    """Its requests, above 0, and its failures."""
    timed: Counts = NOTHING
    """Its answers whose time is known, and those of them that were slow."""
    lost: int = 0
    """Failed requests that reached no workload."""
    noise: float = 1.0
    """How clumpy its failures are, 1 or more: so many count as one."""
    slow_noise: float = 1.0
    """The same of its slow answers."""
    given_up: int = 0
    """Requests to it that callers gave up, beside those in `stable`."""
    given_up_noise: float = 1.0
    """How clumpy these are, 1 or more."""
    lasting: float | None = None
    """Seconds that its requests lasted on average, 0 or more; None: unknown."""

    @property
    def share(self) -> float:
        """The share (0 to 1) of its requests that failed."""
        return self.stable.failures / self.stable.requests

    @property
    def lost_share(self) -> float:
        """The share (0 to 1) of all requests that reached no workload."""
        return self.lost / (self.lost + self.stable.requests)


def baseline(found: Sequence[Interval]) -> Baseline | None:
    """From intervals in which the canary had no weight; None: stable had no requests."""
    stable = total(each.stable for each in found)
    if not stable.requests:
        return None
    return Baseline(
        stable,
        total(each.stable_timed for each in found),
        sum(each.lost for each in found),
        noise(found, lambda each: each.stable),
        noise(found, lambda each: each.stable_timed),
        sum(each.stable_given_up for each in found),
        noise(found, lambda each: Counts(each.stable.requests + each.stable_given_up, each.stable_given_up)),
    )


def noise(found: Sequence[Interval], of: Callable[[Interval], Counts]) -> float:
    """How clumpy some counts are, over all proxies together: a backend that stumbles fails at all of them at once."""
    length = spacing(found)
    if length is None:
        return 1.0
    buckets: dict[int, Counts] = {}
    for each in sorted(found, key=lambda each: each.until):
        scrape = int(each.until // length)
        buckets[scrape] = buckets.get(scrape, NOTHING) + of(each)
    return noise_factor(list(buckets.values()))


def as_counted(rules: Rules, found: Sequence[Interval]) -> Rules:
    """The rules for the way in which these intervals were counted.

    Where each version is counted by proxies of its own (reporter `destination`), at times of their own, an incident shows in one arm before
    the other: nothing is plainly down at once, and what stable's failures look like now counts too.
    """
    if any(each.both for each in found) or not (any(each.canary_seen for each in found) and any(each.stable_seen for each in found)):
        return rules
    return replace(rules, same_scrape=False, noise=max(rules.noise, noise(found, lambda each: each.stable)))
