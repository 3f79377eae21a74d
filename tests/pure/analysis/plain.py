"""The counting and the odds as they read: a new value for every scrape, every sum made anew. Slow, and what the product must agree with.

`analysis/folding.py` and `analysis/odds.py` keep running sums and remember what they have computed; `test_shortcuts` compares the two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from math import exp, fsum, inf, log

from canary_operator.analysis.counters import Interval, spacing, total
from canary_operator.analysis.evidence import SPACINGS_ALIVE, start_step
from canary_operator.analysis.folding import CONFIRMING, FIRST_SEGMENT, LARGEST_STRETCH, LONGEST_COVER, MAX_SEGMENTS
from canary_operator.analysis.nobody import attributed
from canary_operator.analysis.odds import NOTHING, RHO_WORSE, Counts, Segment
from canary_operator.analysis.record import Blame, Evidence, Folded, Suspect
from canary_operator.analysis.witnesses import DRIFT, FULL, LN_SUSPECT, Rules, Why, allowed_share, plainly_down, stable_of


def against(segments: Sequence[Segment], rules: Rules, weight: int, stable: Counts) -> dict[Why, float]:
    """What each witness says against the canary."""
    told = tuple(attributed(segment) for segment in segments)
    forgiven = rules.tolerance + (rules.lost_before if weight == FULL else 0.0)
    said = {Why.ODDS: beside(told, stable, forgiven, rules.noise, weight)}
    if rules.before is not None and weight != FULL:
        alone = [each.canary for each in told if not each.stable.requests]
        said[Why.ODDS] = max(said[Why.ODDS], odds_above_since(allowed_share(rules.before, DRIFT), alone, rules.noise))
    if rules.limit is not None:
        said[Why.LIMIT] = odds_above_since(rules.limit, [each.canary for each in told], rules.noise)
    if rules.slowness is not None:
        timed = tuple(segment.timed for segment in segments)
        said[Why.SLOW] = beside(timed, stable_of(timed), rules.slowness.tolerance, rules.slowness.noise, weight)
    if any(segment.canary_given_up for segment in segments):
        left = tuple(segment.given_up for segment in segments)
        said[Why.GIVEN_UP] = beside(left, stable_of(left), rules.tolerance, rules.given_up_noise, weight)
    return said


def accused(said: dict[Why, float], rules: Rules) -> tuple[Why, ...]:
    """The witnesses whose odds are at or over the bar."""
    return tuple(why for why, ln in said.items() if ln >= (rules.ln_given_up_bar if why is Why.GIVEN_UP else rules.ln_bar))


def beside(segments: Sequence[Segment], stable: Counts, tolerance: float, noise: float, weight: int) -> float:
    if weight != FULL:
        return odds_worse(segments, tolerance, noise)
    baked = [segment.canary for segment in segments if segment.weight == FULL]
    return odds_above_since(allowed_share(stable, tolerance), baked, noise)


def _log_evidence_at(share: float, segment: Segment, rho: float, allowance: float) -> float:
    """Log of the evidence of one segment when the canary's true share of the traffic is `share` (0 to 1)."""
    spread = 1.0 + (rho - 1.0) * share
    if spread <= 0.0:  # All traffic at the canary and a canary that never fails: no bet is possible.
        return -inf
    stable_factor = 1.0 / spread  # what one failed stable request does to the odds
    canary_factor = rho * stable_factor  # what one failed canary request does to the odds
    total = -allowance * segment.canary.requests * (canary_factor - 1.0)
    if segment.stable.failures:
        total += segment.stable.failures * log(stable_factor)
    if segment.canary.failures:
        total += segment.canary.failures * log(canary_factor) if canary_factor > 0.0 else -inf
    return total


def _log_evidence(segment: Segment, rho: float, allowance: float) -> float:
    """Log of the evidence for "the canary fails rho times as often as stable plus the allowance".

    The smaller of the values for the configured and the observed share, so neither routing lag nor preview traffic
    can make it bolder. 0.0 (no evidence either way) while one arm has no requests.
    """
    canary, stable = segment.canary.requests, segment.stable.requests
    if canary <= 0 or stable <= 0:
        return 0.0
    return min(
        _log_evidence_at(segment.weight / 100, segment, rho, allowance),
        _log_evidence_at(canary / (canary + stable), segment, rho, allowance),
    )


def _log_sum_exp(values: Sequence[float]) -> float:
    """Log of the sum of the exponentials, without overflow."""
    top = max(values)
    return top if top == -inf else top + log(fsum(exp(value - top) for value in values))


def _log_since_some_start(spans: int, evidence: Callable[[int, float], float]) -> float:
    """Log of the average over RHO_WORSE and over the span in which it started.

    "It started in span k" has weight 1/(k(k+1)); the weight 1/(spans+1) that is left belongs to starts that have not
    happened yet and counts with odds 1, so the result is never below -ln(spans + 1).
    """
    terms = [-log(spans + 1.0)]
    tails = [0.0] * len(RHO_WORSE)
    for k in range(spans, 0, -1):
        for place, rho in enumerate(RHO_WORSE):
            tails[place] += evidence(k - 1, rho)
        terms += [tail - log(k * (k + 1.0) * len(RHO_WORSE)) for tail in tails]
    return _log_sum_exp(terms)


def odds_worse(segments: Sequence[Segment], tolerance: float, noise: float = 1.0) -> float:
    """Log of the odds that the canary fails more than `tolerance` more often than stable, since some segment's start.

    A canary that never does reaches ln 100 in at most 1 of 100 releases, however often one looks (Ville's inequality).

    """
    return _log_since_some_start(len(segments), lambda place, rho: _log_evidence(segments[place], rho, tolerance) / noise)


def odds_above_since(share: float, spans: Sequence[Counts], noise: float = 1.0) -> float:
    """Log of the odds that the failing share has lain above `share` (0 to 1) since the start of one of the spans."""
    return _log_since_some_start(len(spans), lambda place, rho: _log_above(share, spans[place], rho) / noise)


def _log_above(share: float, counts: Counts, rho: float) -> float:
    """Log of the evidence for "fails rho times `share`"; on average at most 1 while the true share is not above."""
    return counts.failures * log(rho) - counts.requests * share * (rho - 1.0)


def fold(  # noqa: PLR0913 - the facts of one look, each by its name
    evidence: Evidence,
    intervals: Sequence[Interval],
    *,
    weight: int,
    since: float | None,
    settled_at: float | None,
    rules: Rules,
    stable: Counts | None = None,
) -> Folded:
    """Adds what is new in `intervals`; what `evidence` has reached is skipped, so folding twice is harmless."""
    committed = now = evidence if weight == evidence.weight else start_step(evidence, weight)
    cut = _cut(intervals)
    for scrape, newest in _scrapes(intervals):
        until = scrape[0].until
        if evidence.reached is not None and until <= evidence.reached:
            continue
        now = replace(now, reached=until, last=total(each.canary for each in newest), coming=_coming(newest, since))
        if since is not None:
            warm_at = since + (rules.slowness.warmup if rules.slowness else 0.0)
            if until <= since:
                now = _with_counts(now, scrape, warm_at)
            else:
                now = _covered(_counted(now, scrape, since, settled_at, warm_at), _covering(scrape, newest, weight, rules), since)
            now = _suspected(now, scrape, newest, since, rules, stable_of(now.segments) if stable is None else stable)
        committed = now if until <= cut else committed
    return Folded(committed, now)


def _cut(intervals: Sequence[Interval]) -> float:
    """The time up to which every living target has reported, seconds since 1970; 0 without intervals."""
    newest: dict[str, float] = {}
    for interval in intervals:
        newest[interval.target] = max(interval.until, newest.get(interval.target, 0.0))
    alive_since = max(newest.values(), default=0.0) - SPACINGS_ALIVE * (spacing(intervals) or 0.0)
    return min((until for until in newest.values() if until >= alive_since), default=0.0)


def _scrapes(intervals: Sequence[Interval]) -> Iterator[tuple[tuple[Interval, ...], tuple[Interval, ...]]]:
    """Scrapes of one instant together, oldest first, each with the newest interval of every target at that time."""
    latest: dict[str, Interval] = {}
    for until, group in groupby(sorted(intervals, key=lambda each: (each.until, each.target)), lambda each: each.until):
        scrape = tuple(group)
        latest.update((interval.target, interval) for interval in scrape)
        oldest = until - max(interval.length for interval in scrape)
        yield scrape, tuple(each for each in latest.values() if each.until > oldest)


def _coming(newest: Sequence[Interval], since: float | None, *, given_up: bool = False) -> float:
    """The canary's failures in these intervals, as if it had had its weight all the time: since its write, in seconds."""
    if since is None:
        return 0.0
    return sum(
        (each.canary_given_up if given_up else each.canary.failures)
        * min(LARGEST_STRETCH, each.length / min(each.length, each.until - since))
        for each in newest
        if each.until > since
    )


def _with_counts(evidence: Evidence, scrape: Sequence[Interval], warm_at: float) -> Evidence:
    """Adds a scrape to the newest segment, if there is one."""
    if not evidence.segments:
        return evidence
    *closed, open_ = evidence.segments
    return replace(evidence, segments=(*closed, _sum(open_, scrape, warm_at)))


def _counted(evidence: Evidence, scrape: Sequence[Interval], since: float, settled_at: float | None, warm_at: float) -> Evidence:
    until = scrape[0].until
    opened = max(evidence.opened, _segments_at(until - since))
    segments = evidence.segments + (Segment(evidence.weight),) * (opened - evidence.opened)
    settled = [interval for interval in scrape if settled_at is not None and interval.since >= settled_at]
    step = _sum(evidence.step, settled, warm_at)
    evidence = replace(
        evidence,
        segments=segments,
        opened=opened,
        settled_canary=step.canary,
        settled_stable=step.stable,
        settled_lost=step.lost,
        settled_canary_timed=step.canary_timed,
        settled_stable_timed=step.stable_timed,
        settled_canary_given_up=step.canary_given_up,
        settled_stable_given_up=step.stable_given_up,
    )
    return _with_counts(evidence, scrape, warm_at)


def _sum(segment: Segment, scrape: Sequence[Interval], warm_at: float) -> Segment:
    """The segment with these intervals; answers are timed only in those that begin when the canary is warm."""
    for each in scrape:
        warm = each.since >= warm_at
        timed = (each.canary_timed, each.stable_timed) if warm else (NOTHING, NOTHING)
        segment += Segment(segment.weight, each.canary, each.stable, each.lost, *timed, each.canary_given_up, each.stable_given_up)
    return segment


def _segments_at(age: float) -> int:
    """How many segments a step of this age in seconds has, 1 to `MAX_SEGMENTS`."""
    opened, end = 1, FIRST_SEGMENT
    while age > end and opened < MAX_SEGMENTS:
        opened, end = opened + 1, 2 * end
    return opened


def _covering(scrape: Sequence[Interval], newest: Sequence[Interval], weight: int, rules: Rules) -> list[Interval]:
    """The intervals of a scrape that show both arms, or the only one there is; counted apart, each shows one while another shows the other."""
    apart = not rules.same_scrape and any(each.canary_seen for each in newest) and any(each.stable_seen for each in newest)
    return [each for each in scrape if each.length <= LONGEST_COVER and (each.both or apart or (weight == FULL and each.canary_seen))]


def _covered(evidence: Evidence, covering: Sequence[Interval], since: float) -> Evidence:
    """Adds the time that these intervals of one scrape cover after all covered before: at most the union over the targets."""
    if not covering:
        return evidence
    until = covering[0].until
    # Sample times are whole milliseconds, but differences of floats are not: 60 s must not come out as 59.9999999.
    added = max(0.0, until - max(min(each.since for each in covering), since, evidence.covered_to or since))
    covered, observed = round(evidence.covered + added, 3), round(evidence.observed + added, 3)
    return replace(evidence, covered=covered, covered_to=until, observed=observed)


def _suspected(  # noqa: PLR0913 (the facts of one scrape)
    evidence: Evidence, scrape: Sequence[Interval], newest: Sequence[Interval], since: float, rules: Rules, stable: Counts
) -> Evidence:
    """Raises, confirms or drops the suspicion."""
    failures = sum(segment.canary.failures + segment.lost for segment in evidence.segments)
    slow = sum(segment.canary_timed.failures for segment in evidence.segments)
    given_up = sum(segment.canary_given_up for segment in evidence.segments)
    if evidence.blame is not None or not failures + slow + given_up:
        return evidence
    said = against(evidence.segments, rules, evidence.weight, stable)
    accusations, last, coming = accused(said, rules), evidence.last, evidence.coming
    if Why.GIVEN_UP in accusations:
        left = sum(each.canary_given_up for each in newest)
        last, coming = last + Counts(left, left), coming + _coming(newest, since, given_up=True)
    down = rules.same_scrape and plainly_down(last, coming)
    blame = _blame(evidence, scrape, accusations, down, stable if evidence.weight == FULL else rules.before)
    if blame is not None:
        return replace(evidence, blame=Blame(scrape[0].until, blame))
    at = scrape[0].until
    return replace(
        evidence,
        suspect=_since(evidence.suspect, at, failures, [said[Why.ODDS], said.get(Why.LIMIT, -inf)]),
        suspect_slow=_since(evidence.suspect_slow, at, slow, [said.get(Why.SLOW, -inf)]),
        suspect_given_up=_since(evidence.suspect_given_up, at, given_up, [said.get(Why.GIVEN_UP, -inf)]),
    )


def _since(known: Suspect | None, at: float, count: int, odds: Sequence[float]) -> Suspect | None:
    if max(odds) < LN_SUSPECT:
        return None
    return Suspect(at, count) if known is None else known


def _blame(evidence: Evidence, scrape: Sequence[Interval], accusations: Sequence[Why], down: bool, known: Counts | None) -> Why | None:
    """What settles it at this scrape, if anything does."""
    full = evidence.weight == FULL
    incomparable = known is not None and not known.requests
    if down and (accusations or incomparable):
        return Why.GIVEN_UP if tuple(accusations) == (Why.GIVEN_UP,) else Why.PLAINLY_DOWN
    if full and Why.LIMIT in accusations:
        return Why.LIMIT
    for why in accusations:
        suspect = {Why.SLOW: evidence.suspect_slow, Why.GIVEN_UP: evidence.suspect_given_up}.get(why, evidence.suspect)
        if suspect is not None:
            later = [interval for interval in scrape if interval.until - suspect.at >= CONFIRMING * interval.length]
            if _confirmed(why, later, evidence):
                return why
    return None


def _confirmed(why: Why, later: Sequence[Interval], evidence: Evidence) -> bool:
    """The canary failed again, or was slow again, in an interval of which (nearly) all lies after the suspicion.

    True for the next scrape of the same target, and for one of another target that is at least 0.9 of its own spacing
    later; a proxy that was away and brings old failures confirms nothing.
    """
    if why is Why.SLOW:
        return any(interval.canary_timed.failures for interval in later)
    if why is Why.GIVEN_UP:
        return any(interval.canary_given_up for interval in later)
    lost = bool(evidence.segments) and not attributed(evidence.segments[-1]).lost
    return any(interval.canary.failures or (lost and interval.lost) for interval in later)
