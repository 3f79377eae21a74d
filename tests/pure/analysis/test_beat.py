"""The first weight is served only shortly before a scrape."""

import pytest

from canary_operator.analysis.beat import Beat, beat
from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import Counts


def interval(target: str, until: float, requests: int = 500, spacing: float = 5.0) -> Interval:
    return Interval(target, until - spacing, until, Counts(requests // 10, 0), Counts(requests - requests // 10, 0), True, True)


@pytest.mark.parametrize(
    ("known", "weight", "now", "wait"),
    [
        pytest.param(Beat(5, (100.0,), 100), 5, 100.0, 2.0, id="15 requests of the canary take 3 s"),
        pytest.param(Beat(5, (100.0,), 100), 5, 103.5, 0.0, id="late, but before the scrape: now"),
        pytest.param(Beat(5, (100.0,), 100), 5, 104.0, 0.0, id="later, but it may be served just in time: now"),
        pytest.param(Beat(5, (100.0,), 100), 5, 104.1, 2.9, id="too late to be served before this scrape: the next one"),
        pytest.param(Beat(5, (100.0,), 100), 5, 105.2, 1.8, id="a scrape that is not seen yet: the next one"),
        pytest.param(Beat(5, (100.0,), 100), 5, 112.0, 0.0, id="late by a whole scrape: now"),
        pytest.param(Beat(5, (100.0,), 1000), 5, 100.0, 3.5, id="many requests: no nearer than a new weight needs to be served"),
        pytest.param(Beat(5, (100.0,), 100), 1, 100.0, 3.0, id="15 do not fit between two scrapes: two requests, which take 2 s"),
        pytest.param(Beat(5, (100.0,), 10), 1, 100.0, 0.0, id="not even two do: every second counts"),
        pytest.param(Beat(5, (100.0,), 0), 5, 100.0, 0.0, id="no requests"),
        pytest.param(Beat(30, (100.0,), 100), 5, 101.0, 26.0, id="a long interval"),
        pytest.param(Beat(5, (100.0, 102.0), 200), 5, 102.5, 1.0, id="two proxies: the one that is scraped next"),
        pytest.param(Beat(5, tuple(100 + 0.05 * number for number in range(100)), 100), 5, 102.0, 0.0, id="many proxies: now"),
    ],
)
def test_the_wait(known: Beat, weight: int, now: float, wait: float) -> None:
    assert known.wait(weight, now) == pytest.approx(wait)


@pytest.mark.parametrize("late", [0.001, 0.1, 0.49])
@pytest.mark.parametrize("rate", [20.0, 100.0, 300.0, 1000.0, 50_000.0])
@pytest.mark.parametrize("spacing", [1.0, 5.0, 15.0, 30.0])
def test_a_look_that_comes_a_little_late_finds_that_the_time_has_come(spacing: float, rate: float, late: float) -> None:
    """Timers never fire early. Who had to be exact would wait for the next scrape, and again, for ever."""
    known = Beat(spacing, (100.0,), rate)
    for weight in (1, 5, 50):
        moment = 100.5 + known.wait(weight, 100.5)
        assert known.wait(weight, moment + late) == 0.0


def test_the_rhythm_is_read_off_the_intervals() -> None:
    found = [interval("a", until) for until in (90.0, 95.0, 100.0)] + [interval("b", until) for until in (92.0, 97.0)]
    assert beat(found) == Beat(5.0, (97.0, 100.0), 200.0)


def test_a_proxy_that_is_gone_sets_no_rhythm() -> None:
    assert beat([interval("a", 100.0), interval("gone", 60.0)]) == Beat(5.0, (100.0,), 100.0)


def test_without_intervals_there_is_no_rhythm() -> None:
    assert beat([]) is None
