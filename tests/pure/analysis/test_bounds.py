"""How large a failing share may still be: the Clopper-Pearson bound, and the most that chance brings, against the sums that define them."""

from math import comb, exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.analysis.bounds import at_most, most_by_chance


def below(failures: int, requests: int, share: float) -> float:
    """The probability of at most so many failures."""
    return sum(comb(requests, each) * share**each * (1 - share) ** (requests - each) for each in range(failures + 1))


@pytest.mark.parametrize(
    ("failures", "requests", "share"),
    [
        pytest.param(0, 0, 1.0, id="nothing is known"),
        pytest.param(7, 7, 1.0, id="everything failed"),
        pytest.param(0, 1, 0.95, id="one request succeeded"),
        pytest.param(0, 1000, 1 - 0.05**0.001, id="none failed: the n-th root of 0.05"),
        pytest.param(10_000, 1_000_000, 0.0101652, id="a million requests"),
    ],
)
def test_known_bounds(failures: int, requests: int, share: float) -> None:
    assert at_most(failures, requests) == pytest.approx(share, rel=1e-5)


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda requests: st.tuples(st.integers(0, requests - 1), st.just(requests))))
def test_as_few_failures_as_were_seen_have_a_chance_of_one_in_twenty_there(counts: tuple[int, int]) -> None:
    assert below(*counts, at_most(*counts)) == pytest.approx(0.05, rel=1e-6)


@settings(deadline=None)
@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_the_bound_lies_above_what_was_seen_and_falls_with_requests(failures: int, more: int) -> None:
    share = at_most(failures, failures + more)
    assert failures / (failures + more) < share <= 1
    assert at_most(failures, failures + 2 * more) <= share


@pytest.mark.parametrize("usual", [0.05, 0.5, 2.0, 10.0, 100.0, 500.0])
def test_what_chance_brings_at_most_is_the_quantile_of_a_poisson_distribution(usual: float) -> None:
    below, failures = exp(-usual), 0
    probability = below
    while below < 0.999:
        failures += 1
        probability *= usual / failures
        below += probability
    assert failures - 1 <= most_by_chance(usual) <= failures + 2


def test_failures_that_come_in_clumps_are_by_chance_the_more() -> None:
    assert most_by_chance(100.0, noise=10.0) > most_by_chance(100.0, noise=1.0) + 60
