"""What a rise under a pace must keep to, reckoned from what was stored; the rule itself is not asked."""

from itertools import pairwise

from canary_operator.analysis.folding import LONGEST_COVER
from canary_operator.api.record import ReleaseRecord
from canary_operator.simulation.objects import Stored
from canary_operator.simulation.world import World


def keeps_to_its_price(old: ReleaseRecord, new: ReleaseRecord, after: Stored, hand: set[str]) -> None:
    """A weight below 100: three times the one before at most, seen to be served, and what it risks fits the budget."""
    pace, at = new.pace, f"at {after.time:.1f} from {old.weight} to {new.weight}"
    assert pace and after.resource
    assert new.weight <= (3 * old.weight if old.weight else 10), f"pace: the rise {at} is too large a leap"
    if new.weight == 1 or hand & {"skip"}:
        return
    assert pace.rate and pace.spacing and pace.risk, f"pace: the rise {at} was reckoned with nothing"
    seconds = 2 * pace.spacing + after.resource.spec.settle.total_seconds()
    risked = pace.rate * new.weight / 100 * seconds * pace.risk
    assert risked <= pace.failure_budget + 0.1, f"pace: the rise {at} risks {risked:.1f} failures of {pace.failure_budget}"
    if not old.step:
        return
    told = [each for each in new.evidence.segments if each.weight < 100]
    canary, stable = (sum(getattr(each, arm).requests for each in told) for arm in ("canary", "stable"))
    bad, usual = (sum(getattr(each, arm).failures for each in told) for arm in ("canary", "stable"))
    assert canary >= after.resource.spec.analysis.min_requests, f"pace: the rise {at} by {canary} requests"
    assert pace.risk >= bad / canary - usual / stable - 1e-3, f"pace: the rise {at} takes {bad} of {canary} for less than they are"


def has_taken_its_time(world: World, old: ReleaseRecord, new: ReleaseRecord, after: Stored) -> None:
    """Everything: from the highest weight only, and after `minDuration` of samples since the release began."""
    pace = new.pace
    assert pace
    assert old.weight >= pace.max_weight, f"pace: from {old.weight} % to everything, not from {pace.max_weight} % (at {after.time:.1f})"
    times = [time for time in world.prometheus.scraped if time <= after.time]
    began = min(each.time for each in world.cluster.log if each.resource and each.resource.record.number == new.number)
    pairs = [pair for pair in pairwise(times) if pair[1] > began and pair[1] - pair[0] <= LONGEST_COVER]
    observed = sum(other - max(one, began - 1) for one, other in pairs)
    least = pace.min_duration.total_seconds()
    assert observed >= least - 1e-6, f"pace: everything after {observed:g} s of samples of {least:g} s (at {after.time:.1f})"
