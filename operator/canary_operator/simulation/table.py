"""Many releases as a table: how they ended, what they cost, how long they took."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from canary_operator.analysis.bounds import at_most
from canary_operator.api.record import Outcome
from canary_operator.simulation.play import UNFINISHED, Played

EACH_WAY = 0.975
"""Of 100 bounds 97.5 hold, so of 100 pairs of them 95 do."""


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of many releases of one kind."""

    releases: int
    """1 or more."""
    rolled_back: float
    """Percent, 0 to 100; so are the next three."""
    withdrawn: float
    promoted: float
    unfinished: float
    failed_median: float
    """Failed requests of the canary."""
    failed_mean: float
    failed_most: int
    """95 of 100 releases cost at most so many."""
    minutes_median: float
    """Until the end of the release was decided."""
    within: dict[str, tuple[float, float]]
    """For each of the four shares the percentages between which it lies, were all releases of this kind played: in 95 of 100 tables."""


def table(played: Sequence[Played]) -> Table:
    """The figures of these releases, at least one."""
    failed = sorted(each.failed for each in played)

    ends = {
        "rolled_back": (Outcome.ROLLED_BACK,),
        "withdrawn": (Outcome.WITHDRAWN, Outcome.SUPERSEDED),
        "promoted": (Outcome.PROMOTED,),
        "unfinished": (UNFINISHED,),
    }
    numbers = {name: sum(each.outcome in outcomes for each in played) for name, outcomes in ends.items()}
    return Table(
        releases=len(played),
        **{name: round(100 * number / len(played), 3) for name, number in numbers.items()},
        failed_median=median(failed),
        failed_mean=round(fmean(failed), 1),
        failed_most=failed[int(0.95 * (len(failed) - 1))],
        minutes_median=round(median(each.seconds for each in played) / 60, 1),
        within={name: _within(number, len(played)) for name, number in numbers.items()},
    )


def _within(number: int, releases: int) -> tuple[float, float]:
    """The percentages between which the share of such releases lies (Clopper & Pearson 1934): wider the fewer were played."""
    least, most = 1.0 - at_most(releases - number, releases, EACH_WAY), at_most(number, releases, EACH_WAY)
    return round(100 * least, 3), round(100 * most, 3)
