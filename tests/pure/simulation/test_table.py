"""Many releases as figures, and how far the figures are to be trusted."""

import pytest

from canary_operator.api.record import Outcome
from canary_operator.simulation.play import UNFINISHED, Played
from canary_operator.simulation.table import Table, table


def played(outcome: str, *, failed: int = 0, minutes: float = 7.0) -> Played:
    return Played(outcome, "", "", failed, 60 * minutes)


def test_every_release_is_in_one_share() -> None:
    ends = [Outcome.PROMOTED, Outcome.PROMOTED, Outcome.ROLLED_BACK, Outcome.SUPERSEDED]
    found = table([*map(played, ends), *map(played, [Outcome.WITHDRAWN, UNFINISHED, Outcome.PROMOTED, UNFINISHED])])
    assert (found.promoted, found.rolled_back, found.withdrawn, found.unfinished) == (37.5, 12.5, 25.0, 25.0)


def test_the_figures_are_those_of_the_releases() -> None:
    found = table([played(Outcome.PROMOTED, failed=each, minutes=each / 10) for each in range(1, 102)])
    assert found == Table(
        releases=101,
        rolled_back=0.0,
        withdrawn=0.0,
        promoted=100.0,
        unfinished=0.0,
        failed_median=51,
        failed_mean=51.0,
        failed_most=96,
        minutes_median=5.1,
        within={"rolled_back": (0.0, 3.586), "withdrawn": (0.0, 3.586), "promoted": (96.414, 100.0), "unfinished": (0.0, 3.586)},
    )


@pytest.mark.parametrize(
    ("number", "releases", "within"),
    [
        pytest.param(0, 20, (0.0, 16.843), id="none of 20 may be one of six"),
        pytest.param(10, 20, (27.196, 72.804), id="half of 20"),
        pytest.param(20, 20, (83.157, 100.0), id="all of 20"),
        pytest.param(0, 1000, (0.0, 0.368), id="none of 1,000 may be one of 300"),
        pytest.param(1, 1, (2.5, 100.0), id="one says next to nothing"),
    ],
)
def test_few_releases_say_little_of_all(number: int, releases: int, within: tuple[float, float]) -> None:
    """The exact limits of Clopper and Pearson: for none of n the upper one is 1 - 0.025^(1/n), and for half of 20 any table has them."""
    found = table([*[played(Outcome.ROLLED_BACK)] * number, *[played(Outcome.PROMOTED)] * (releases - number)])
    assert found.within["rolled_back"] == pytest.approx(within, abs=0.001)
