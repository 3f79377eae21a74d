"""The odds agree with their reference, and cannot be fooled."""

from math import exp, inf, isfinite, log

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from canary_operator.analysis.odds import (
    NOTHING,
    RHO_NOT_WORSE,
    RHO_WORSE,
    Counts,
    Segment,
    excess_at_least,
    excess_at_most,
    log_odds_above,
    log_odds_above_since,
    log_odds_not_worse,
    log_odds_worse,
    log_odds_worse_at_most,
    noise_factor,
)
from tests.pure.analysis.worlds import few


def segments(*rows):
    return tuple(Segment(weight, Counts(n_c, x_c), Counts(n_s, x_s)) for weight, n_c, x_c, n_s, x_s in rows)


ONE = (5, 50, 3, 950, 0)
RISING = ((5, 300, 0, 5700, 6), (10, 600, 1, 5400, 5))
SPARSE = ((5, 12, 0, 240, 0), (10, 30, 1, 270, 0), (25, 70, 4, 215, 0), (50, 12, 3, 13, 0))
# segments | tolerance | noise | ln worse | ln not worse | least | most, in points: computed with scipy and mpmath.
VECTORS = [
    pytest.param([(5, 0, 0, 0, 0)], 0.001, 1, 0.0, 0.0, 0.0, 100.0, id="1: nothing at all"),
    pytest.param([(5, 50, 0, 950, 0)], 0.001, 1, -0.120374257, 0.313565314, 0.0, 7.913308, id="2: no failure"),
    pytest.param([(5, 50, 1, 950, 0)], 0.001, 1, 0.950314409, -0.734064377, 0.0, 14.638852, id="3: one"),
    pytest.param([(5, 50, 2, 950, 0)], 0.001, 1, 3.093797587, -1.244824001, 0.0, 18.096308, id="4: two"),
    pytest.param([ONE], 0.001, 1, 5.713631971, -1.636999838, 0.256949, 21.515735, id="5: three pass the bar"),
    pytest.param([ONE], 0.0, 1, 6.458095849, -1.636999838, 0.256949, 21.515735, id="6: no tolerance"),
    pytest.param([ONE], 0.001, 2.5, 1.592935500, -0.961485392, 0.0, 38.332755, id="7: noisy stable"),
    pytest.param([(5, 80, 3, 920, 0)], 0.001, 1, 4.577738169, -1.553457616, 0.096205, 13.475582, id="8: share above"),
    pytest.param([(5, 30, 3, 970, 0)], 0.001, 1, 6.008762603, -1.707469317, 0.428248, 35.871193, id="9: share below"),
    pytest.param([(5, 50, 3, 950, 6)], 0.001, 1, 1.692711544, -1.549848497, 0.0, 20.895018, id="10: stable too"),
    pytest.param([(10, 200, 4, 1800, 18)], 0.001, 1, -0.180541128, -0.971520118, 0.0, 5.265745, id="11: 2 % to 1 %"),
    pytest.param([(10, 200, 14, 1800, 18)], 0.001, 1, 8.950015969, -3.489787816, 0.979367, 12.895386, id="12: 7 %"),
    pytest.param([(50, 600, 11, 600, 0)], 0.001, 1, 5.255865189, -1.864147714, 0.220358, 3.881722, id="13: half"),
    pytest.param([(50, 600, 14, 600, 0)], 0.001, 1, 7.206780196, -2.302935662, 0.575797, 4.600950, id="14: half, more"),
    pytest.param([(5, 5000, 45, 95000, 95)], 0.001, 1, 25.383092622, -0.410579912, 0.359427, 1.285794, id="15: large counts"),
    pytest.param([(5, 5000, 1600, 95000, 30100)], 0.001, 1, -0.693147181, -30.224370312, 0.0, 4.461884, id="16: both fail"),
    pytest.param(RISING, 0.001, 1, -0.722594904, 2.446628210, 0.0, 1.142368, id="17: two good steps"),
    pytest.param([*RISING, (25, 1500, 60, 4500, 4)], 0.001, 1, 60.225618659, -9.123715540, 2.107293, 5.739787, id="18: third bad"),
    pytest.param(SPARSE, 0.001, 1, 7.536954517, -1.324731266, 0.739756, 95.887613, id="19: little traffic"),
    pytest.param([(25, 1500, 3, 0, 0)], 0.001, 1, 0.0, 0.0, 0.0, 100.0, id="20: no stable arm"),
    pytest.param([(1, 150000, 900, 14850000, 14900)], 0.001, 3.0, 126.151584436, 65.812657001, 0.360144, 0.612724, id="21: huge"),
]


@pytest.mark.parametrize(("rows", "tolerance", "noise", "worse", "not_worse", "least", "most"), VECTORS)
class TestVectors:
    def test_odds_worse_agree(self, rows, tolerance, noise, worse, not_worse, least, most):
        assert log_odds_worse(segments(*rows), tolerance, noise) == pytest.approx(worse, abs=1e-9)

    def test_odds_not_worse_agree(self, rows, tolerance, noise, worse, not_worse, least, most):
        assert log_odds_not_worse(segments(*rows)[-1], 0.01, noise) == pytest.approx(not_worse, abs=1e-9)

    def test_the_lower_bound_agrees(self, rows, tolerance, noise, worse, not_worse, least, most):
        assert 100 * excess_at_least(segments(*rows), noise=noise) == pytest.approx(least, abs=6e-7)

    def test_the_upper_bound_agrees(self, rows, tolerance, noise, worse, not_worse, least, most):
        assert 100 * excess_at_most(segments(*rows)[-1], noise=noise) == pytest.approx(most, abs=6e-7)


@pytest.mark.parametrize(
    ("buckets", "factor"),
    [
        pytest.param([], 1.0, id="a silent hour"),
        pytest.param([(100, 0), (100, 0)], 1.0, id="no failure"),
        pytest.param([(100, 5)], 1.0, id="one bucket has no neighbour"),
        pytest.param([(100, 1)] * 4, 1.0, id="even failures"),
        pytest.param([(100, 0), (100, 3), (100, 0), (100, 0), (100, 3), (100, 0)], 3.6, id="clumps of three"),
        pytest.param([(100, 0), (0, 0), (200, 10), (100, 0), (50, 0), (100, 1)], 4.208333333, id="an empty bucket"),
        pytest.param([(1000, 10), (1000, 12), (1000, 9), (1000, 11), (1000, 8)], 1.0, id="independent failures"),
    ],
)
def test_noise_factor_measures_clumps(buckets, factor):
    assert noise_factor([Counts(*bucket) for bucket in buckets]) == pytest.approx(factor, abs=1e-9)


def test_an_unopened_segment_leaves_the_odds_as_they_are():
    assert log_odds_worse([*segments(ONE), Segment(10)], 0.001) == pytest.approx(log_odds_worse(segments(ONE), 0.001))


def test_no_segments_are_even_odds():
    assert log_odds_worse([], 0.001) == 0.0


def test_three_early_failures_are_buried_by_143_healthy_segments():
    healthy = segments((5, 50, 0, 950, 0)) * 143
    assert log_odds_worse([*segments(ONE), *healthy], 0.001) < 0.0


def test_all_traffic_at_the_canary_is_no_division_by_zero():
    assert isfinite(log_odds_not_worse(Segment(100, Counts(10, 0), Counts(1, 1)), 0.01))


def test_a_confidence_without_doubt_is_never_reached():
    assert (excess_at_least(segments(ONE), 1.0), excess_at_most(segments(ONE)[0], 1.0)) == (0.0, 1.0)


def test_failures_above_a_limit_raise_the_odds():
    evidence = [rho**20 * exp(-100 * 0.05 * (rho - 1)) for rho in (1.5, 3, 10, 100)]
    assert log_odds_above(0.05, 100, 20) == pytest.approx(log(sum(evidence) / 4), abs=1e-9)


def test_failures_at_the_limit_do_not():
    assert log_odds_above(0.05, 1000, 50) < 0.0


def test_a_late_start_above_the_limit_is_found():
    spans = [Counts(10_000, 0), Counts(200, 40)]
    assert log_odds_above_since(0.05, spans) > log(100) > log_odds_above(0.05, 10_200, 40)


def test_noise_weakens_the_odds_above_a_limit():
    span = [Counts(200, 40)]
    assert log_odds_above_since(0.05, span, 2.0) < log_odds_above_since(0.05, span)


# ---------------------------------------------------------------------------------------------------- properties
counts = st.integers(0, 3000).flatmap(lambda n: st.builds(Counts, st.just(n), st.integers(0, min(n, 200))))
anything = st.builds(Segment, st.integers(0, 100), counts, counts)
shares = st.floats(0.0, 1.0)
SLACK = 1e-9


def more(arm: Counts) -> Counts:
    return Counts(arm.requests, arm.failures + 1)


@few
@given(st.lists(anything, max_size=5), shares, st.floats(1.0, 10.0))
def test_odds_worse_never_fall_below_one_over_the_number_of_segments(found, tolerance, noise):
    assert log_odds_worse(found, tolerance, noise) >= -log(len(found) + 1) - SLACK


@few
@given(anything, shares)
def test_one_more_failure_of_the_canary_never_lowers_the_odds_worse(segment, tolerance):
    worse = Segment(segment.weight, more(segment.canary), segment.stable)
    assert log_odds_worse([worse], tolerance) >= log_odds_worse([segment], tolerance) - SLACK


@few
@given(anything, shares)
def test_one_more_failure_of_stable_never_raises_the_odds_worse(segment, tolerance):
    other = Segment(segment.weight, segment.canary, more(segment.stable))
    assert log_odds_worse([other], tolerance) <= log_odds_worse([segment], tolerance) + SLACK


@few
@given(st.lists(anything, max_size=4), shares, shares)
def test_a_larger_tolerance_never_raises_the_odds_worse(found, one, other):
    assert log_odds_worse(found, max(one, other)) <= log_odds_worse(found, min(one, other)) + SLACK


@few
@given(st.lists(anything, max_size=3), anything, shares, st.floats(1.0, 10.0))
def test_the_odds_worse_stay_below_their_ceiling(found, last, tolerance, noise):
    assert log_odds_worse([*found, last], tolerance, noise) <= log_odds_worse_at_most([*found, last], tolerance, noise) + SLACK


successes, of_stable = st.builds(Counts, st.integers(0, 3000)), counts
ALONE = Segment(5, Counts(50, 3))


@example([], ALONE, [(NOTHING, Counts(950))], 0.001, 1.0).via("stable's first requests come after the canary's failures")
@few
@given(
    st.lists(anything, max_size=2),
    anything,
    st.lists(st.tuples(successes, of_stable), min_size=1, max_size=3),
    shares,
    st.floats(1.0, 10.0),
)
def test_the_ceiling_holds_until_the_canary_fails_again(found, last, coming, tolerance, noise):
    """What comes goes on with the last segment, or opens others."""
    ceiling = log_odds_worse_at_most([*found, last], tolerance, noise)
    canary, stable = coming[0]
    longer = [*found, last + Segment(last.weight, canary, stable), *(Segment(last.weight, *each) for each in coming[1:])]
    assert log_odds_worse(longer, tolerance, noise) <= ceiling + SLACK


@few
@given(anything, shares)
def test_one_more_failure_of_the_canary_never_raises_the_odds_not_worse(segment, rule_out):
    worse = Segment(segment.weight, more(segment.canary), segment.stable)
    assert log_odds_not_worse(worse, rule_out) <= log_odds_not_worse(segment, rule_out) + SLACK


@few
@given(anything, shares)
def test_one_more_failure_of_stable_never_lowers_the_odds_not_worse(segment, rule_out):
    other = Segment(segment.weight, segment.canary, more(segment.stable))
    assert log_odds_not_worse(other, rule_out) >= log_odds_not_worse(segment, rule_out) - SLACK


@few
@given(anything, shares, shares)
def test_a_larger_increase_is_ruled_out_sooner(segment, one, other):
    assert log_odds_not_worse(segment, max(one, other)) >= log_odds_not_worse(segment, min(one, other)) - SLACK


@few
@given(st.integers(0, 100), shares, shares, shares, st.sampled_from(RHO_WORSE + RHO_NOT_WORSE))
def test_one_request_never_moves_the_odds_of_a_good_canary_up_on_average(weight, p_stable, p_canary, allowance, rho):
    """F <= 1, analysis notes §4.3: what makes 100:1 a promise."""
    assume(p_canary <= p_stable + allowance if rho > 1 else p_canary >= p_stable + allowance)
    share = weight / 100
    spread = 1 + (rho - 1) * share
    assume(spread > 0)
    canary, stable = rho / spread - 1, 1 / spread - 1
    factor = share * exp(-allowance * canary) * (1 + p_canary * canary) + (1 - share) * (1 + p_stable * stable)
    assert factor <= 1 + SLACK


@few
@given(st.integers(1, 60), shares, st.floats(0.0, 1.0))
def test_the_odds_above_a_share_average_at_most_one_at_that_share(requests, share, below):
    true_share = share * below
    mean, chance = 0.0, (1 - true_share) ** requests
    for failures in range(requests + 1):
        mean += chance * exp(log_odds_above(share, requests, failures))
        odds = true_share / (1 - true_share) if true_share < 1 else inf
        chance *= (requests - failures) / (failures + 1) * odds if odds < inf else 0.0
    assert mean <= 1 + 1e-6


def test_counts_add_up():
    assert NOTHING + Counts(3, 1) + Counts(2, 2) == Counts(5, 3)
