"""A canary that ends none of its requests, told from a quiet service, from slow starters and from requests that last long by nature."""

import pytest

from bench.silences import taken_back
from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.analysis.silence import Silent, ended_share, silent
from canary_operator.cli.chance import chance

SCRAPE = 5.0


def scrapes(canary: list[float], stable: list[float], *, given_up: list[float] | None = None, scrape: float = SCRAPE) -> list[Interval]:
    """One proxy; what ended between each two scrapes since the weight had settled."""
    left = given_up or [0] * len(canary)
    return [
        Interval(
            "proxy", n * scrape, (n + 1) * scrape, Counts(round(ours)), Counts(round(theirs)), True, True, canary_given_up=round(left[n])
        )
        for n, (ours, theirs) in enumerate(zip(canary, stable, strict=True))
    ]


def judged(
    found: list[Interval], weight: float = 0.1, lasting: float | None = 0.02, before: int = 0, settled_at: float | None = 0.0
) -> Silent | None:
    step = Segment(
        round(100 * weight),
        sum((each.canary for each in found), start=NOTHING),
        sum((each.stable for each in found), start=NOTHING),
        canary_given_up=sum(each.canary_given_up for each in found),
    )
    earlier = Segment(5, Counts(before), Counts(20 * before))
    return silent(found, weight, settled_at, lasting, step, (earlier, step))


@pytest.mark.parametrize(("rate", "weight", "count"), [(100, 0.1, 2), (100, 0.05, 2), (10, 0.1, 7), (1000, 0.01, 2)], ids=str)
def test_a_canary_that_ends_nothing_is_silent_within_a_few_scrapes(rate: float, weight: float, count: int) -> None:
    theirs = [rate * (1 - weight) * SCRAPE] * count
    assert judged(scrapes([0] * count, theirs), weight) is not None
    assert judged(scrapes([0] * (count - 1), theirs[1:]), weight) is None


@pytest.mark.parametrize(
    "quiet",
    [
        pytest.param(judged(scrapes([0] * 60, [0] * 60)), id="a service without requests"),
        pytest.param(judged(scrapes([0] * 12, [5] * 12)), id="too few of stable to miss any"),
        pytest.param(judged(scrapes([50] * 12, [450] * 12)), id="as the weight says"),
        pytest.param(judged(scrapes([20] * 12, [450] * 12)), id="fewer than half, which is a matter of the weight"),
        pytest.param(judged(scrapes([0] * 12, [450] * 12), lasting=None), id="nobody knows how long requests last"),
        pytest.param(judged(scrapes([0] * 12, [450] * 12), lasting=20.0), id="requests last as long as was waited"),
        pytest.param(judged(scrapes([0] * 12, [450] * 12), settled_at=None), id="the weight has not settled"),
        pytest.param(judged(scrapes([0] * 12, [450] * 12), weight=0.0), id="no weight"),
        pytest.param(judged(scrapes([0] * 12, [0] * 12), weight=1.0), id="100 percent, where nobody is beside it"),
    ],
)
def test_what_is_no_silence(quiet: Silent | None) -> None:
    assert quiet is None


def test_long_requests_get_the_time_that_they_take_and_no_more() -> None:
    """A mean of 30 s: after 2 minutes nobody knows, after 10 a canary that has ended nothing is silent."""
    assert judged(scrapes([0] * 24, [450] * 24), lasting=30.0) is None
    assert judged(scrapes([0] * 120, [450] * 120), lasting=30.0) is not None


def test_a_silence_that_begins_in_the_middle_of_a_step_is_found() -> None:
    found = judged(scrapes([50] * 40 + [0] * 12, [450] * 52))
    assert found is not None
    assert found.spoke


def test_whether_it_ever_spoke() -> None:
    first = judged(scrapes([0] * 4, [450] * 4))
    later = judged(scrapes([0] * 4, [450] * 4), before=300)
    assert first is not None and later is not None
    assert (first.spoke, later.spoke) == (False, True)


def test_what_callers_gave_up_explains_it() -> None:
    left = judged(scrapes([0] * 4, [450] * 4, given_up=[40] * 4))
    assert left is not None and left.explained
    assert "160 were given up" in left.told


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seconds", [1.0, 60.0, 600.0])
@pytest.mark.parametrize("long", [1.0, 30.0, 300.0])
def test_the_bound_holds_for_a_mixture_of_short_and_long_requests(part: float, seconds: float, long: float) -> None:
    """Of requests sent evenly for a time, at least that share has ended: here a part of them lasts exactly so long, the others no time."""
    ended = (1 - part) + part * max(0.0, 1 - long / seconds)
    assert ended_share(seconds, part * long) <= ended + 1e-9


@pytest.mark.parametrize("lasting", [0.02, 2.0, 60.0, 600.0])
@pytest.mark.parametrize("polls", [0.0, 0.1])
@pytest.mark.parametrize("rate", [1, 100])
def test_healthy_releases_are_not_taken_back(rate: float, polls: float, lasting: float) -> None:
    """What `python -m bench.silences` plays 6,000 times, a few times."""
    left_to = chance(f"{rate}/{polls}/{lasting}", 1)
    assert not any(taken_back(rate, polls, lasting, left_to) for _ in range(5))
