"""Side-by-side odds: does the canary fail more often than stable, which serves at the same time?

Formulas, proof and test vectors: docs/adr and analysis notes of the project; the ancestors are Wald 1945, Ville 1939,
Lindon & Malek (arXiv 2011.03567) and Shin, Ramdas & Rinaldo (arXiv 2203.03532). All values are natural logarithms of
betting odds (e-values), never probabilities. Refuses to decide: what the odds lead to stands in `verdict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, fsum, inf, log, log1p

RHO_WORSE = (1.5, 3.0, 10.0, 100.0)
"""How many times as often as stable a worse canary may fail: averaged over, not a setting."""
RHO_NOT_WORSE = (0.0, 0.25, 0.5, 0.8)
"""The same for a canary that is not worse."""
_LN_RHO = tuple((rho, log(rho)) for rho in RHO_WORSE)
BISECTIONS = 34
"""Steps of each search for a bound: it is then known to 0.00000001 points."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests and failed requests of one arm over one span of time."""

    requests: int = 0
    """0 or more; one that its caller gave up is not counted here."""
    failures: int = 0
    """0 up to `requests`."""

    def __add__(self, other: "Counts") -> "Counts":
        """Both spans together."""
        return Counts(self.requests + other.requests, self.failures + other.failures)


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a release at one weight, both arms counted over the same span from the same scrapes."""

    weight: int
    """The canary's configured share of the traffic, 0 to 100 percent."""
    canary: Counts = NOTHING
    stable: Counts = NOTHING
    lost: int = 0
    """Failed requests that reached no workload: nobody can tell whose they were."""
    canary_timed: Counts = NOTHING
    """Answers of the canary whose time is known, and those of them that were slow."""
    stable_timed: Counts = NOTHING
    """The same of stable."""
    canary_given_up: int = 0
    """Requests to the canary that their callers ended before the answer was complete; not among `canary`."""
    stable_given_up: int = 0
    """The same of stable."""

    @property
    def given_up(self) -> "Segment":
        """The same stretch, with the requests that were given up in the place of failures."""
        canary, stable = self.canary_given_up, self.stable_given_up
        return Segment(self.weight, Counts(self.canary.requests + canary, canary), Counts(self.stable.requests + stable, stable))

    @property
    def timed(self) -> "Segment":
        """The same stretch, with slow answers in the place of failures. A request that was given up waited too long: it counts as slow."""
        canary, stable = self.canary_given_up, self.stable_given_up
        return Segment(self.weight, self.canary_timed + Counts(canary, canary), self.stable_timed + Counts(stable, stable))

    def __add__(self, other: "Segment") -> "Segment":
        """Both stretches together, at the weight of this one."""
        return Segment(
            self.weight,
            self.canary + other.canary,
            self.stable + other.stable,
            self.lost + other.lost,
            self.canary_timed + other.canary_timed,
            self.stable_timed + other.stable_timed,
            self.canary_given_up + other.canary_given_up,
            self.stable_given_up + other.stable_given_up,
        )


def _log_evidence_at(share: float, counts: tuple[int, int, int], rho: float, allowance: float) -> float:
    """Log of the evidence of one segment when the canary's true share of the traffic is `share` (0 to 1).

    Args:
        share: 0 to 1.
        counts: The canary's requests and failures, and stable's failures.
        rho: How many times as often as stable the canary fails.
        allowance: A share (0 to 1) that is forgiven.
    """
    spread = 1.0 + (rho - 1.0) * share
    if spread <= 0.0:  # All traffic at the canary and a canary that never fails: no bet is possible.
        return -inf
    requests, failures, stable_failures = counts
    stable_factor = 1.0 / spread  # what one failed stable request does to the odds
    canary_factor = rho * stable_factor  # what one failed canary request does to the odds
    total = -allowance * requests * (canary_factor - 1.0)
    if stable_failures:
        total += stable_failures * log(stable_factor)
    if failures:
        total += failures * log(canary_factor) if canary_factor > 0.0 else -inf
    return total


def _log_evidence(segment: Segment, rhos: tuple[float, ...], allowance: float, *, boldly: bool = False) -> tuple[float, ...]:
    """Log of the evidence for "the canary fails rho times as often as stable plus the allowance", for each rho.

    The smaller of the values for the configured and the observed share, so neither routing lag nor preview traffic
    can make it bolder. 0.0 (no evidence either way) while one arm has no requests. `boldly`: for the configured share,
    and as if stable had had a request.
    """
    canary, stable = segment.canary, segment.stable
    counts = canary.requests, canary.failures, stable.failures
    return _of_counts(segment.weight, counts, stable.requests, rhos, allowance, boldly)


# A segment that is over is heard at every look until the release ends: its evidence is the same each time.
@lru_cache(maxsize=4096)
def _of_counts(  # noqa: PLR0913 (a segment in plain numbers)
    weight: int, counts: tuple[int, int, int], stable: int, rhos: tuple[float, ...], allowance: float, boldly: bool
) -> tuple[float, ...]:
    canary = counts[0]
    if canary <= 0 or (stable <= 0 and not boldly):
        return (0.0,) * len(rhos)
    configured = [_log_evidence_at(weight / 100, counts, rho, allowance) for rho in rhos]
    if boldly:  # With stable's first request what the canary has failed becomes evidence.
        return tuple(configured if stable > 0 else [max(0.0, each) for each in configured])
    observed = canary / (canary + stable)
    return tuple([min(each, _log_evidence_at(observed, counts, rho, allowance)) for each, rho in zip(configured, rhos, strict=True)])


def _log_sum_exp(values: Sequence[float]) -> float:
    """Log of the sum of the exponentials, without overflow."""
    top = max(values)
    return top if top == -inf else top + log(fsum([exp(value - top) for value in values]))


def _log_add(one: float, other: float) -> float:
    """Log of the sum of two exponentials, without overflow."""
    larger, smaller = (one, other) if one >= other else (other, one)
    return larger if smaller == -inf else larger + log1p(exp(smaller - larger))


Told = tuple[float, ...]
"""Per factor of RHO_WORSE, the log of the evidence of one span for it."""
NEVER_STARTED: Told = (-inf,) * len(RHO_WORSE)


# All spans but the last are over: what they say is the same at every look.
@lru_cache(maxsize=1024)
def _log_started(spans: tuple[Told, ...], noise: float) -> Told:
    """Log of the odds that it has started in one of the spans, per factor.

    "It started in span k" has weight 1/(k(k+1)), shared by the factors; from then on each span adds its evidence.
    """
    if not spans:
        return NEVER_STARTED
    k, before = len(spans), _log_started(spans[:-1], noise)
    start = -log(k * (k + 1.0) * len(RHO_WORSE))
    return tuple([_log_add(started, start) + each / noise for started, each in zip(before, spans[-1], strict=True)])


def _log_since_some_start(spans: tuple[Told, ...], noise: float) -> float:
    """Log of the average over RHO_WORSE and over the span in which it started.

    The weight 1/(spans+1) that is left belongs to starts that have not happened yet and counts with odds 1, so the
    result is never below -ln(spans + 1).

    Args:
        spans: Their evidence, oldest first.
        noise: What all of it is divided by.
    """
    return _log_sum_exp((-log(len(spans) + 1.0), *_log_started(spans, noise)))


def log_odds_worse(segments: Sequence[Segment], tolerance: float, noise: float = 1.0) -> float:
    """Log of the odds that the canary fails more than `tolerance` more often than stable, since some segment's start.

    A canary that never does reaches ln 100 in at most 1 of 100 releases, however often one looks (Ville's inequality).

    Args:
        segments: Oldest first; none gives 0.0.
        tolerance: A share, 0 to 1 (0.001 is 0.1 points).
        noise: `noise_factor` of stable before the release, 1 or more.
    """
    return _log_since_some_start(tuple([_log_evidence(segment, RHO_WORSE, tolerance) for segment in segments]), noise)


def log_odds_worse_at_most(segments: Sequence[Segment], tolerance: float, noise: float = 1.0) -> float:
    """What `log_odds_worse` does not exceed, now and after any further requests of which the canary fails none.

    By the configured shares alone, such requests only speak for the canary. Arguments as there.
    """
    return _log_since_some_start(tuple([_log_evidence(segment, RHO_WORSE, tolerance, boldly=True) for segment in segments]), noise)


def log_odds_not_worse(step: Segment, rule_out: float, noise: float = 1.0) -> float:
    """Log of the odds that in this step the canary does *not* fail `rule_out` (share, 0 to 1) or more above stable."""
    terms = [each / noise for each in _log_evidence(step, RHO_NOT_WORSE, rule_out)]
    return _log_sum_exp(terms) - log(len(RHO_NOT_WORSE))


def log_odds_above(share: float, requests: int, failures: int) -> float:
    """Log of the odds that the failing share lies above a fixed `share` (0 to 1): for limits, and without stable."""
    return _log_sum_exp(_log_above(share, Counts(requests, failures))) - log(len(RHO_WORSE))


def log_odds_above_since(share: float, spans: Sequence[Counts], noise: float = 1.0) -> float:
    """Log of the odds that the failing share has lain above `share` (0 to 1) since the start of one of the spans.

    Args:
        share: The fixed share, 0 to 1.
        spans: Counts of one arm, oldest first; none gives 0.0.
        noise: As for `log_odds_worse`.
    """
    return _log_since_some_start(tuple([_log_above(share, counts) for counts in spans]), noise)


def _log_above(share: float, counts: Counts) -> Told:
    """Log of the evidence for "fails rho times `share`", for each of RHO_WORSE; on average at most 1 while the true share is not above."""
    failures, requests = counts.failures, counts.requests
    return tuple([failures * ln_rho - requests * share * (rho - 1.0) for rho, ln_rho in _LN_RHO])


def noise_factor(buckets: Sequence[Counts]) -> float:
    """How clumpy stable's failures are: 1.0 (independent) or more.

    Args:
        buckets: One per scrape interval of the time before the release, oldest first. Successive differences are
            used, so slow drift is not taken for clumps; a bucket without requests is skipped.
    """
    requests = sum(bucket.requests for bucket in buckets)
    failures = sum(bucket.failures for bucket in buckets)
    served = [bucket for bucket in buckets if bucket.requests > 0]
    if requests <= 0 or failures <= 0 or len(served) == 1:
        return 1.0
    jumps = [
        (now.failures / now.requests - before.failures / before.requests) ** 2 / (1.0 / now.requests + 1.0 / before.requests)
        for before, now in zip(served, served[1:], strict=False)
    ]
    return max(1.0, fsum(jumps) / (failures / requests * len(jumps)))


def _bar(confidence: float) -> float:
    """Log of the odds that a confidence (a share) asks for."""
    return -log(1.0 - confidence) if confidence < 1.0 else inf


def excess_at_least(segments: Sequence[Segment], confidence: float = 0.99, noise: float = 1.0) -> float:
    """By how large a share (0 to 1) the canary fails at least more often than stable; 0.0: no evidence."""
    goal = _bar(confidence)
    if log_odds_worse(segments, 0.0, noise) < goal:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_odds_worse(segments, middle, noise) >= goal else (low, middle)
    return low


def excess_at_most(step: Segment, confidence: float = 0.95, noise: float = 1.0) -> float:
    """By how large a share (0 to 1) the canary fails at most more often than stable; 1.0: no evidence."""
    goal = _bar(confidence)
    if log_odds_not_worse(step, 1.0, noise) < goal:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if log_odds_not_worse(step, middle, noise) >= goal else (middle, high)
    return high
