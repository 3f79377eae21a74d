"""What a look and a played release cost, in calls of functions: the same on every machine. `bench/speed.py` says what that is in time."""

from collections.abc import Callable
from cProfile import Profile
from pstats import Stats

from bench.speed import SPEC, proxies
from canary_operator.analysis.evidence import fold
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.witnesses import Rules
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


def test_a_played_release_costs_at_most_so_many_calls() -> None:
    """55,000 when this was written, and 78,000 with a look at every scrape: a release of 7 minutes with 30 scrapes, and 60 before it."""
    assert calls(lambda: play(SPEC, Assumed(), chance("1/0", 1), most=3600.0)) < 65_000
