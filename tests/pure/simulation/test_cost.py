"""What a look and a played release cost, in calls of functions: the same on every machine. `bench/speed.py` says what that is in time."""

from collections.abc import Callable
from cProfile import Profile
from dataclasses import replace
from datetime import timedelta
from pstats import Stats

import pytest

from bench.speed import SPEC, proxies
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.witnesses import Rules
from canary_operator.api.spec import CanaryReleaseSpec, Hold, Step
from canary_operator.cli.chance import chance
from canary_operator.simulation.assumed import Assumed
from canary_operator.simulation.play import play


def calls(work: Callable[[], object]) -> int:
    profile = Profile()
    work()  # what is remembered of it is remembered before
    profile.runcall(work)
    return int(Stats(profile).total_calls)  # type: ignore[attr-defined]


def look(number: int, *, failing: float) -> int:
    found = proxies(number, 12, failing=failing)
    return calls(lambda: fold(Evidence(), found, weight=10, since=100.0, settled_at=105.0, rules=Rules()))


def test_a_proxy_more_costs_a_look_as_much_as_each_before() -> None:
    assert look(100, failing=0.0) < 11 * look(10, failing=0.0)


def test_a_look_at_an_interval_without_a_failure_costs_a_few_calls() -> None:
    assert look(100, failing=0.0) / 1200 < 45


HELD = Hold(min=timedelta(minutes=13), max=timedelta(minutes=20))
HOURS = replace(SPEC, steps=tuple(Step(weight=weight, hold=HELD) for weight in (5, 10, 25, 50)))


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        pytest.param(SPEC, 37_000, id="seven minutes: 30 scrapes, and 60 before it"),
        pytest.param(HOURS, 63_000, id="an hour: 220 scrapes, and 60 before it"),
    ],
)
def test_a_played_release_costs_at_most_so_many_calls(spec: CanaryReleaseSpec, most: int) -> None:
    """35,800 and less than 63,000 when this was written; with a look at every scrape at least three and ten times as many."""
    assert calls(lambda: play(spec, Assumed(), chance("1/0", 1), most=7200.0)) < most
