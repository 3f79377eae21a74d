"""Many releases as a table: how they ended, what they cost, how long they took."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from canary_operator.api.record import Outcome
from canary_operator.simulation.play import UNFINISHED, Played


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


def table(played: Sequence[Played]) -> Table:
    """The figures of these releases, at least one."""
    failed = sorted(each.failed for each in played)

    def percent(*outcomes: str) -> float:
        return round(100 * sum(each.outcome in outcomes for each in played) / len(played), 3)

    return Table(
        releases=len(played),
        rolled_back=percent(Outcome.ROLLED_BACK),
        withdrawn=percent(Outcome.WITHDRAWN, Outcome.SUPERSEDED),
        promoted=percent(Outcome.PROMOTED),
        unfinished=percent(UNFINISHED),
        failed_median=median(failed),
        failed_mean=round(fmean(failed), 1),
        failed_most=failed[int(0.95 * (len(failed) - 1))],
        minutes_median=round(median(each.seconds for each in played) / 60, 1),
    )
