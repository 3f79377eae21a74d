"""Chance for a simulation, from a seed: the same seed gives the same release."""

from math import exp, log, log1p, sqrt
from random import Random

from canary_operator.simulation.play import Chance

LARGE = 60.0
"""From this mean on a number is drawn from the normal distribution."""


def chance(seed: str, proxies: int) -> Chance:
    """All that is left to chance in one release: Poisson requests, binomial failures, proxies scraped at times of their own."""
    random = Random(seed)  # noqa: S311 (a simulation, not a secret)
    phases = tuple(random.random() for _ in range(proxies))
    return Chance(lambda n, p: _binomial(random, n, p), lambda mean: _poisson(random, mean), phases)


def _poisson(random: Random, mean: float) -> int:
    if mean > LARGE:
        return max(0, round(random.gauss(mean, sqrt(mean))))
    limit, product, drawn = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        drawn += 1
    return drawn


def _binomial(random: Random, n: int, p: float) -> int:
    if p <= 0.0 or n <= 0:
        return 0
    if p > 0.5:
        return n - _binomial(random, n, 1.0 - p)
    mean = n * p
    if mean > LARGE:
        return min(n, max(0, round(random.gauss(mean, sqrt(mean * (1.0 - p))))))
    # From one success to the next lie geometrically many failures.
    place, drawn, log_q = 0, 0, log1p(-p)
    while True:
        place += int(log(1.0 - random.random() or 1e-300) / log_q) + 1
        if place > n:
            return drawn
        drawn += 1
