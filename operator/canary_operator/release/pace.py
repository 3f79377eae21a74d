"""Pace by budget: the next weight from a price (analysis.md section 10). Plain values in, a printable choice out; nothing here knows of a release.

`decide`, the simulation and the benchmarks call the same rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from canary_operator.analysis.bounds import at_most, most_by_chance
from canary_operator.analysis.counters import Interval, spacing, total
from canary_operator.analysis.nobody import attributed
from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.analysis.witnesses import FULL
from canary_operator.analysis.wording import seconds_text

LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 70)
"""The weights to choose from, in percent; the highest is `pace.maxWeight`."""
LARGEST_FIRST = 10
"""The largest first weight, in percent, however small the traffic."""
GROWTH = 3
"""A weight rises to so many times the present one at most."""
DEAR_GROWTH = 2.5
"""The same where a version that breaks under the new load would cost more than is left of the budget."""
BREAKING = 0.2
"""The share of its requests that a version is taken to fail if it breaks under a load that it never had: less load does not speak of it."""
LEAST_RISK = 1e-5
"""The smallest share of failures beyond stable that is reckoned with."""
NOTHING_LEFT = 1.0
"""Failures that are reckoned with once the budget is spent."""
LATELY = 3
"""Scrapes over which the rate is measured: few, so that a rush is noticed before the next rise."""
DIGITS = 3
"""Significant digits of a measured rate, as it is stored and printed."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """How much comes in, and how often it is looked at."""

    rate: float
    """Requests per second of both versions, as the callers count them."""
    spacing: float
    """Seconds between two scrapes."""
    settle: float
    """Seconds until a routing write counts as served everywhere."""

    @property
    def first_look(self) -> float:
        """Seconds of a weight until the first look at it has led to a drop that is served: a scrape, and the drop on its way."""
        return self.spacing + self.settle

    @property
    def exposure(self) -> float:
        """Seconds of a weight that a bad version gets: a scrape that shows it, another that confirms it, and the drop on its way."""
        return 2 * self.spacing + self.settle


def measured(found: Sequence[Interval], settle: float) -> Tempo | None:
    """The tempo by the last three scrapes; None: there are none, so nobody knows."""
    usual = spacing(found)
    if usual is None:
        return None
    newest = max(each.until for each in found)
    lately = [each for each in found if each.until > newest - LATELY * usual]
    rate = 0.0
    for target in {each.target for each in lately}:
        of = [each for each in lately if each.target == target]
        requests = sum(each.canary.requests + each.stable.requests + each.lost for each in of)
        rate += requests / sum(each.length for each in of)
    return Tempo(float(f"{rate:.{DIGITS}g}"), round(usual, 1), settle)


@dataclass(frozen=True, slots=True)
class Spent:
    """What both versions did so far in this release, over the same spans."""

    canary: Counts = NOTHING
    stable: Counts = NOTHING
    noise: float = 1.0
    """How clumpy stable's failures were before the release: so many requests count as one, 1 or more."""

    @property
    def usual(self) -> float:
        """Stable's failure share, 0 to 1."""
        return self.stable.failures / self.stable.requests if self.stable.requests else 0.0

    @property
    def excess(self) -> float:
        """Failures of the canary beyond the most that stable in its place would have had, 999 times of 1,000; 0 or more.

        All beyond the usual would not do: two good versions with much traffic differ by more than a small budget, either way.
        """
        # How often stable fails is known from its own requests only: the fewer they are beside the canary's, the less.
        beside = self.canary.requests / self.stable.requests if self.stable.requests else 0.0
        return max(0.0, self.canary.failures - most_by_chance(self.usual * self.canary.requests, self.noise * (1.0 + beside)))

    @property
    def risk(self) -> float:
        """The share (0 to 1) that the canary may fail beyond stable, at 95 % confidence; 1 while nothing is known."""
        # As many single requests and failures as tell as much as the clumps.
        requests, failures = (round(each / self.noise) for each in (self.canary.requests, self.canary.failures))
        return max(at_most(failures, requests) - self.usual, LEAST_RISK)


def spent(segments: Sequence[Segment], noise: float = 1.0) -> Spent:
    """The sums over all segments in which stable served beside the canary."""
    told = [attributed(each) for each in segments if each.weight < FULL]
    return Spent(total(each.canary for each in told), total(each.stable for each in told), noise)


@dataclass(frozen=True, slots=True)
class Price:
    """What was asked for, and for what."""

    budget: int
    """`pace.failureBudget`."""
    ceiling: int
    """`pace.maxWeight`, percent."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """The weights up to the ceiling, which is one of them."""
        return (*(weight for weight in LADDER if weight < self.ceiling), self.ceiling)


@dataclass(frozen=True, slots=True)
class Choice:
    """The weight that the budget allows, and what it was reckoned with."""

    weight: int
    """Percent; the present weight when no higher one is allowed."""
    risk: float
    """The share (0 to 1) of its requests that the canary may fail beyond stable, by all that is known."""
    left: float
    """Failures that are left of the budget, 1 or more."""
    price: Price
    tempo: Tempo | None
    """None: nobody knows."""

    @property
    def following(self) -> int | None:
        """The lowest weight above the chosen one; None: it is the ceiling."""
        return next((weight for weight in self.price.ladder if weight > self.weight), None)


def choose(price: Price, weight: int, known: Spent, tempo: Tempo | None) -> Choice:
    """The largest weight whose failures, at the worst by all that is known, still fit the budget.

    Args:
        price: What was asked for.
        weight: The present weight in percent; 0: none yet, so nothing is known of the canary.
        known: What both versions did so far in this release.
        tempo: None: nobody knows how much comes in, so the first weight is the lowest, and no other follows.
    """
    risk = known.risk if weight else 1.0
    left = max(price.budget - known.excess, NOTHING_LEFT)
    limit = 0.0 if tempo is None or not tempo.rate else 100 * left / (tempo.rate * tempo.exposure * risk)
    limit = min(limit, _leap(weight, left, tempo) if weight else LARGEST_FIRST)
    allowed = [each for each in price.ladder if weight < each <= limit]
    chosen = allowed[-1] if allowed else weight or price.ladder[0]
    return Choice(chosen, risk, left, price, tempo)


def _leap(weight: int, left: float, tempo: Tempo | None) -> float:
    """How far a weight may rise at once, in percent, by what a version may cost that breaks under the new load before anybody sees it."""
    if tempo is None or not tempo.rate:
        return weight
    return min(GROWTH * weight, max(DEAR_GROWTH * weight, 100 * left / (tempo.rate * tempo.first_look * BREAKING)))


def cost(weight: int, risk: float, tempo: Tempo, seconds: float) -> int:
    """Failures beyond stable that so many seconds of a weight may bring, rounded up."""
    return ceil(round(tempo.rate * weight / 100 * seconds * risk, 6))


# --------------------------------------------------------------------------------------------------------------------------- words


def reasoning(weight: int, risk: float, budget: int, tempo: Tempo) -> str:
    """Why a weight was allowed.

    >>> reasoning(7, 0.13, 20, Tempo(100, 5, 5))
    'weight 7: at most 14 failures (of 20) at 100 requests/s if the canary fails up to 13 %'
    """
    failures = cost(weight, risk, tempo, tempo.exposure)
    return f"weight {weight}: at most {failures} failures (of {budget}) at {tempo.rate:g} requests/s if the canary fails up to {_percent(risk)}"


def too_dear(price: Price, tempo: Tempo) -> str | None:
    """By how much the lowest weight may exceed the budget before anybody can see it; None: it does not."""
    failures = cost(price.ladder[0], 1.0, tempo, tempo.first_look)
    if failures <= price.budget:
        return None
    return (
        f"a version that fails every request costs {failures} failures before the first look, even at weight {price.ladder[0]}: "
        f"{failures - price.budget} more than pace.failureBudget {price.budget} ({tempo.rate:g} requests/s, a scrape every "
        f"{seconds_text(tempo.spacing)} and {seconds_text(tempo.settle)} to settle). Raise failureBudget, or scrape the callers more often"
    )


def missing(choice: Choice, weight: int, known: Spent) -> str:
    """What keeps the next weight from being allowed.

    Args:
        choice: No higher weight than the present one.
        weight: The next.
        known: As for `choose`.
    """
    if choice.tempo is None or not choice.tempo.rate:
        return f"weight {weight} needs to know how many requests come in, and the samples show none"
    failures = cost(weight, choice.risk, choice.tempo, choice.tempo.exposure)
    seen = f"it failed {known.canary.failures} of {known.canary.requests}"
    spent = "" if choice.left >= choice.price.budget else f", of which {choice.left:.3g} are left"
    return (
        f"weight {weight} may cost {failures} failures of {choice.price.budget}{spent}: the canary may fail up to "
        f"{_percent(choice.risk)} ({seen}) at {choice.tempo.rate:g} requests/s"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"
