"""How large a failing share may still be, by so many requests. Plain mathematics; refuses to know what it is used for."""

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt

CONFIDENCE = 0.95
RARE = 3.0902
"""The 0.999 quantile of the normal distribution."""
NEWTON_STEPS = 60
"""More than enough: each step that Newton's method would take out of the bracket is a bisection."""
_TINY = 1e-300


@lru_cache(maxsize=4096)
def at_most(failures: int, requests: int, confidence: float = CONFIDENCE) -> float:
    """The share (0 to 1) that a failing share does not exceed, by the Clopper-Pearson bound: the quantile of Beta(x + 1, n - x).

    >>> round(at_most(0, 5), 4), round(at_most(1, 100), 4), at_most(0, 0)
    (0.4507, 0.0466, 1.0)
    """
    if requests <= 0 or failures >= requests:
        return 1.0
    a, b = failures + 1.0, float(requests - failures)
    low, high = 0.0, 1.0
    share = min(0.999, (a + 1.645 * sqrt(a)) / (a + b))
    for _ in range(NEWTON_STEPS):
        off = beta_below(share, a, b) - confidence
        low, high = (low, share) if off > 0.0 else (share, high)
        density = exp(_ln_density(share, a, b))
        step = share - off / density if density > 0.0 else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - share) <= 1e-10 * following:
            return following
        share = following
    return share


def most_by_chance(usual: float, noise: float = 1.0) -> float:
    """The failures that are not exceeded in 999 of 1,000 cases where so many are usual: the Poisson quantile by its Cornish-Fisher expansion.

    >>> round(most_by_chance(0.0), 1), round(most_by_chance(10.0), 1), round(most_by_chance(1000.0), 1)
    (1.4, 21.2, 1099.1)

    Args:
        usual: Expected failures, 0 or more.
        noise: So many failures come at once, 1 or more: the variance is so many times as large.
    """
    return usual + RARE * sqrt(noise * usual) + noise * (RARE * RARE - 1.0) / 6.0


def beta_below(share: float, a: float, b: float) -> float:
    """The probability (0 to 1) that a value of the distribution Beta(a, b) lies below `share` (0 to 1)."""
    if share <= 0.0 or share >= 1.0:
        return float(share >= 1.0)
    if share > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _lower_tail(1.0 - share, b, a)
    return _lower_tail(share, a, b)


def _ln_density(share: float, a: float, b: float) -> float:
    return (a - 1.0) * log(share) + (b - 1.0) * log1p(-share) + lgamma(a + b) - lgamma(a) - lgamma(b)


def _lower_tail(share: float, a: float, b: float) -> float:
    """By the continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated from the front by Lentz's method."""
    front = exp(_ln_density(share, a, b)) * share * (1.0 - share) / a
    fraction, upper, lower = 1.0, 1.0, 0.0
    for number in range(100_000):
        half = number // 2
        if number == 0:
            part = 1.0
        elif number % 2:
            part = -(a + half) * (a + b + half) * share / ((a + number - 1) * (a + number))
        else:
            part = half * (b - half) * share / ((a + number - 1) * (a + number))
        lower = 1.0 / ((1.0 + part * lower) or _TINY)
        upper = (1.0 + part / upper) or _TINY
        fraction *= upper * lower
        if number and abs(1.0 - upper * lower) < 1e-13:
            break
    return front * (fraction - 1.0)
