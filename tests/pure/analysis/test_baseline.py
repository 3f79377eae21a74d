"""Stable before the release."""

import pytest

from canary_operator.analysis.baseline import Baseline, as_counted, baseline
from canary_operator.analysis.odds import Counts
from canary_operator.analysis.verdict import Rules
from tests.pure.analysis.worlds import interval


def before(*failures: int, target: str = "gateway", phase: float = 0.0):
    return [interval(15 * n + phase, 15 * n + 15 + phase, stable=(100, bad), target=target) for n, bad in enumerate(failures)]


def test_failures_that_come_singly_have_no_noise():
    assert baseline(before(1, 1, 1, 1)) == Baseline(Counts(400, 4))


def test_failures_that_come_in_clumps_do():
    found = baseline(before(0, 3, 0, 0, 3, 0))
    assert found is not None and (found.stable, found.noise) == (Counts(600, 6), pytest.approx(3.6))


def test_a_clump_that_is_spread_over_two_proxies_is_one():
    found = baseline([*before(0, 3, 0, 0, 3, 0), *before(0, 3, 0, 0, 3, 0, target="b", phase=2.0)])
    assert found is not None and found.noise == pytest.approx(7.2)


@pytest.mark.parametrize("found", [[], [interval(0, 15, canary=(9, 0))]])
def test_without_requests_of_stable_nothing_is_known(found):
    assert baseline(found) is None


def apart(*failures: int):
    own = [interval(15 * n + 7, 15 * n + 22, canary=(5, 0), target="own", stable_seen=False) for n in range(len(failures))]
    others = [interval(15 * n, 15 * n + 15, stable=(100, bad), canary_seen=False) for n, bad in enumerate(failures)]
    return own + others


def test_arms_that_are_counted_apart_have_no_shortcut_and_the_noise_of_now():
    rules = as_counted(Rules(noise=2.0), apart(0, 3, 0, 0, 3, 0))
    assert (rules.same_scrape, rules.noise) == (False, pytest.approx(3.6))


def test_noise_never_falls_below_the_one_before_the_release():
    assert as_counted(Rules(noise=2.0), apart(1, 1, 1)).noise == 2.0


def test_arms_at_one_proxy_are_judged_as_before():
    assert as_counted(Rules(), before(0, 3, 0)) == Rules()
