"""What speaks against the canary, and the bars it has to pass.

Refuses to decide: `evidence` adds time (is it confirmed by a later scrape?), `verdict` makes the word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, log

from canary_operator.analysis.nobody import attributed, left_over
from canary_operator.analysis.odds import NOTHING, Counts, Segment, log_odds_above_since, log_odds_worse, log_odds_worse_at_most

FULL = 100
"""The weight, in percent, at which stable serves no traffic to compare with."""
DRIFT = 0.05
"""Share by which a service may fail more than before a release without anybody's fault: what is judged by the past alone is forgiven so much. As
much as is called an incident of stable itself (`analysis/incident.py`)."""
LN_SUSPECT = log(2.0)
"""Log of the odds from which the canary is more likely worse than not: it gets no more traffic for now."""
GIVEN_UP_BAR = 10.0
"""So many times as high as for failures is the bar for requests that callers gave up. Callers also leave for reasons of their own, and together the
two witnesses still convict at most 11 of 1,000 good canaries at a confidence of 99 (docs/adr/0070)."""
DOWN_FAILURES = 15.0
"""Plainly down: half of the requests of the newest scrape failed, and waiting for the next one would cost so many more."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """How the time of answers is judged: `spec.analysis.latency` in plain numbers."""

    tolerance: float = 0.01
    """Share (0 to 1) of answers that the canary may always give more slowly than stable."""
    rule_out: float = 0.05
    """Share (0 to 1): a step may end early once a worsening this large is ruled out."""
    warmup: float = 30.0
    """Seconds after each rise whose answers are not timed."""
    noise: float = 1.0
    """`odds.noise_factor` of stable's slow answers before the release, 1 or more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the canary is judged: `spec.analysis` and the hold of the present step, in plain numbers."""

    tolerance: float = 0.001
    """Share (0 to 1) that the canary may always fail more often than stable."""
    rule_out: float = 0.01
    """Share (0 to 1): a step may end early once a worsening this large is ruled out."""
    confidence: float = 99.0
    """Percent, 0 to below 100: at most 100 minus this of 100 good canaries are rolled back."""
    min_requests: int = 5
    """Requests of the canary in a step before it may rise, 0 or more."""
    limit: float | None = None
    """Share (0 to 1) of requests that the canary may fail, whatever stable does. None: no limit."""
    hold_min: float = 60.0
    """Observed seconds below which no step ends; while baking, the bake."""
    hold_max: float = 300.0
    """Observed seconds after which a step ends though the evidence is not in."""
    insufficient_data_advances: bool = True
    """False: no step ends without evidence, whatever the clock says."""
    noise: float = 1.0
    """`odds.noise_factor` of stable before the release, 1 or more."""
    same_scrape: bool = True
    """Both arms are counted by the same proxy. False (reporter `destination`): no shortcut for plainly down."""
    slowness: Slowness | None = None
    """None: the time of answers is not judged."""
    budget: float | None = None
    """Failures beyond stable's that the release may cost: where waiting for a confirmation may cost more, none is waited for. None: no such price."""
    lost_before: float = 0.0
    """Share (0 to 1) of requests that reached no workload before the release. At 100 percent so many are nobody's fault."""
    before: Counts | None = None
    """Stable's requests and failures before the release, to judge by while nobody counts stable: its series are missing altogether. None: it is
    counted beside the canary. `NOTHING`: neither, so only a canary that is plainly down is blamed."""
    given_up_noise: float = 1.0
    """`odds.noise_factor` of the requests to stable that callers gave up before the release, 1 or more."""

    @property
    def ln_bar(self) -> float:
        """Log of the odds at which a witness convicts: k/(1 - confidence) to 1 with k witnesses."""
        doubt = 1.0 - self.confidence / 100
        return -log(doubt / self.witnesses) if doubt > 0.0 else inf

    @property
    def ln_given_up_bar(self) -> float:
        """The same for requests that callers gave up, whatever other witnesses are heard."""
        doubt = 1.0 - self.confidence / 100
        return log(GIVEN_UP_BAR) - log(doubt) if doubt > 0.0 else inf

    @property
    def witnesses(self) -> int:
        """How many witnesses share the doubt, 1 or more: failures beside stable; the limit and slow answers, if they are judged."""
        return 1 + (self.limit is not None) + (self.slowness is not None)


class Why(StrEnum):
    """What the canary is blamed for."""

    ODDS = "Odds"
    """It fails more often than stable."""
    LIMIT = "Limit"
    """It fails more often than the absolute limit."""
    SLOW = "Slow"
    """It answers slowly more often than stable."""
    GIVEN_UP = "GivenUp"
    """Callers give up requests to it more often than to stable."""
    PLAINLY_DOWN = "PlainlyDown"
    """It failed at least half of its requests at one scrape, and the next would bring 15 failures or more."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the witnesses say at one time."""

    ln_worse: float = 0.0
    """Log of the odds that the canary is worse than stable by more than the tolerance."""
    ln_limit: float | None = None
    """Log of the odds that it fails more than the limit; None: no limit."""
    ln_slow: float | None = None
    """Log of the odds that it answers slowly more often than stable, by more than the tolerance; None: not judged."""
    ln_lost: float = 0.0
    """Log of the odds that more requests reach no workload than before the release. Blames nobody, but no weight rises on it."""

    ln_given_up: float | None = None
    """Log of the odds that callers give up more requests to the canary than to stable, by more than the tolerance; None: they gave none up."""

    @property
    def ln_failing(self) -> float:
        """The larger ln of the witnesses that speak of failures."""
        return self.ln_worse if self.ln_limit is None else max(self.ln_worse, self.ln_limit)

    @property
    def loudest(self) -> float:
        """The largest ln of all witnesses against the canary."""
        return max(ln for ln in (self.ln_failing, self.ln_slow, self.ln_given_up) if ln is not None)

    def accusing(self, rules: Rules) -> tuple[Why, ...]:
        """The witnesses whose odds are at or over their bar."""
        said = ((Why.ODDS, self.ln_worse), (Why.LIMIT, self.ln_limit), (Why.SLOW, self.ln_slow))
        convinced = tuple(why for why, ln in said if ln is not None and ln >= rules.ln_bar)
        given_up = self.ln_given_up is not None and self.ln_given_up >= rules.ln_given_up_bar
        return (*convinced, Why.GIVEN_UP) if given_up else convinced


def hear(segments: Sequence[Segment], rules: Rules, *, weight: int, stable: Counts) -> Testimony:
    """Hears all witnesses.

    Args:
        segments: All segments of the release, oldest first.
        rules: How the canary is judged.
        weight: The present weight in percent. At 100 there is no stable arm: the failures since then are judged
            against `stable`'s share.
        stable: Counts of stable to judge a bake by; not used below 100 percent.
    """
    told = tuple(attributed(segment) for segment in segments)
    lost = log_odds_above_since(min(1.0, rules.lost_before + rules.tolerance), left_over(told), rules.noise)
    return replace(against(segments, rules, weight=weight, stable=stable), ln_lost=lost)


def against(segments: Sequence[Segment], rules: Rules, *, weight: int, stable: Counts) -> Testimony:
    """What the witnesses say against the canary: all but `ln_lost`. Arguments as for `hear`."""
    told = tuple(attributed(segment) for segment in segments)
    return Testimony(
        ln_worse=_failing(told, stable, rules, weight),
        ln_limit=_over_limit(told, rules),
        ln_slow=_slow(segments, rules.slowness, weight),
        ln_given_up=_given_up(segments, rules, weight),
    )


def harmless(segments: Sequence[Segment], rules: Rules, *, weight: int, stable: Counts, more: int = 0) -> bool:
    """No witness suspects the canary of failing, and none will until it has failed more than `more` times again. False: they have to be heard.

    True as long as no other segment begins. Whatever both arms do without failures of the canary only speaks for it, so it fails those that may
    come at once. Slow answers are not heard here. Arguments as for `hear`.
    """
    if not segments or rules.before is not None or any([segment.lost or segment.canary_given_up for segment in segments]):
        return False
    last = segments[-1]
    if weight == FULL and (last.weight != FULL or not stable.requests):
        return False
    told = (*segments[:-1], last + Segment(last.weight, Counts(more, more)))
    bar = min(LN_SUSPECT, rules.ln_bar)
    if rules.limit is not None and log_odds_above_since(rules.limit, [each.canary for each in told], rules.noise) >= bar:
        return False
    if weight == FULL:
        return _failing(told, stable, rules, weight) < bar
    return log_odds_worse_at_most(told, rules.tolerance, rules.noise) < bar


def _failing(told: Sequence[Segment], stable: Counts, rules: Rules, weight: int) -> float:
    """Log of the odds that it fails more often than stable: beside it, or, where stable has no requests, than it did before."""
    if weight == FULL:
        return _beside(told, stable, rules.tolerance + rules.lost_before, rules.noise, weight)
    beside = _beside(told, stable, rules.tolerance, rules.noise, weight)
    if rules.before is None:
        return beside
    alone = [each.canary for each in told if not each.stable.requests]
    return max(beside, log_odds_above_since(allowed_share(rules.before, DRIFT), alone, rules.noise))


def _over_limit(told: Sequence[Segment], rules: Rules) -> float | None:
    return None if rules.limit is None else log_odds_above_since(rules.limit, [each.canary for each in told], rules.noise)


def _slow(segments: Sequence[Segment], slowness: Slowness | None, weight: int) -> float | None:
    if slowness is None:
        return None
    timed = tuple(segment.timed for segment in segments)
    return _beside(timed, stable_of(timed), slowness.tolerance, slowness.noise, weight)


def _given_up(segments: Sequence[Segment], rules: Rules, weight: int) -> float | None:
    if not any([segment.canary_given_up for segment in segments]):
        return None
    left = tuple(segment.given_up for segment in segments)
    return _beside(left, stable_of(left), rules.tolerance, rules.given_up_noise, weight)


def _beside(segments: Sequence[Segment], stable: Counts, tolerance: float, noise: float, weight: int) -> float:
    """Log of the odds that the canary is worse than stable beside it, or at full weight than `stable` was."""
    if weight != FULL:
        return log_odds_worse(segments, tolerance, noise)
    baked = [segment.canary for segment in segments if segment.weight == FULL]
    return log_odds_above_since(allowed_share(stable, tolerance), baked, noise)


def allowed_share(stable: Counts, tolerance: float) -> float:
    """The share (0 to 1) a baking canary may fail: stable's, counted as one failure worse, plus the tolerance.

    Nothing known of stable gives 1.0: no share can speak against the canary.
    """
    return min(1.0, (stable.failures + 1) / (stable.requests + 1) + tolerance)


def stable_of(segments: Sequence[Segment]) -> Counts:
    """Stable's counts of the release, as long as it served beside the canary."""
    beside = [segment.stable for segment in segments if segment.weight < FULL]
    return Counts(sum([each.requests for each in beside]), sum([each.failures for each in beside]))


def excess(segments: Sequence[Segment]) -> float:
    """What the canary cost beyond what stable, as it did beside it, would have: failures, and requests that were given up. Below 0: less."""
    told = [attributed(each) for each in segments if each.weight < FULL]
    failing = _excess(told)
    return failing + max(0.0, _excess([each.given_up for each in told])) if any([each.canary_given_up for each in told]) else failing


def _excess(segments: Sequence[Segment]) -> float:
    canary = sum((each.canary for each in segments), start=NOTHING)
    stable = sum((each.stable for each in segments), start=NOTHING)
    return canary.failures - (stable.failures / stable.requests * canary.requests if stable.requests else 0.0)


def incomparable(stable: Counts, rules: Rules, weight: int) -> bool:
    """Nothing is known of stable, now or before: only a canary that is plainly down can be blamed."""
    known = stable if weight == FULL else rules.before
    return known is not None and not known.requests


def plainly_down(last: Counts, coming: float) -> bool:
    """The canary fails so much that waiting for a confirmation is not worth it.

    Args:
        last: The canary's counts at the newest scrape.
        coming: Failures that the next scrape would bring if it went on like that.
    """
    return coming >= DOWN_FAILURES and 2 * last.failures >= last.requests
