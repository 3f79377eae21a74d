"""How one more scrape changes what is known of a release.

The scrapes are replayed one by one in order of time, so suspicion and blame are the same whether many looks saw them
one at a time or one look saw them all after a restart. Refuses to choose: `verdict` says what the evidence means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from canary_operator.analysis.counters import Interval, spacing, total
from canary_operator.analysis.nobody import attributed
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Blame, Evidence, Folded, Suspect
from canary_operator.analysis.witnesses import FULL, Rules, Why, hear, plainly_down, stable_of

__all__ = ["Blame", "Evidence", "Folded", "Suspect", "fold", "restart", "start_step"]

FIRST_SEGMENT = 300.0
"""Seconds of a step's first segment. They end 5, 10, 20, 40... minutes after the write: a fault that starts after a
night of waiting is not buried, and an old one is not forgotten."""
MAX_SEGMENTS = 12
"""Segments of one step: the last one starts after a week and does not end."""
LONGEST_COVER = 120.0
"""Seconds: a longer interval is a gap in the samples. Its counts count, but it covers no hold."""
CONFIRMING = 0.9
"""So much of an interval must lie after the suspicion for its failures to confirm it."""
LARGEST_STRETCH = 3.0
"""The first scrape after a write shows only a part of the time between two; at most a third is taken for the whole."""
SPACINGS_ALIVE = 3
"""A target whose newest sample is this many scrape spacings behind the newest of all no longer holds up the others."""


def start_step(evidence: Evidence, weight: int) -> Evidence:
    """A new step at `weight` percent begins: its own counts, cover, suspicion and blame start again."""
    return Evidence(weight, evidence.segments, reached=evidence.reached, observed=evidence.observed)


def restart(evidence: Evidence) -> Evidence:
    """Stable is another revision now: nothing seen so far may be compared with it, and nothing is counted twice."""
    return Evidence(evidence.weight, reached=evidence.reached)


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
    """Adds what is new in `intervals`; what `evidence` has reached is skipped, so folding twice is harmless.

    Args:
        evidence: As it was stored.
        intervals: All intervals of the answer, in any order, also those already counted.
        weight: The present weight, percent; another than the evidence's starts a step.
        since: When it was written, seconds since 1970. None: the canary has no weight, and nothing counts. Scrapes up
            to this time still belong to the previous weight.
        settled_at: When it was served everywhere, seconds since 1970. None: not yet.
        rules: How the canary is judged.
        stable: Counts of stable to judge a bake by. None: those of this release.
    """
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
            now = _suspected(now, scrape, rules, stable_of(now.segments) if stable is None else stable)
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


def _coming(newest: Sequence[Interval], since: float | None) -> float:
    """The canary's failures in these intervals, as if it had had its weight all the time: since its write, in seconds."""
    if since is None:
        return 0.0
    return sum(
        each.canary.failures * min(LARGEST_STRETCH, each.length / min(each.length, each.until - since))
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
    )
    return _with_counts(evidence, scrape, warm_at)


def _sum(segment: Segment, scrape: Sequence[Interval], warm_at: float) -> Segment:
    """The segment with these intervals; answers are timed only in those that begin when the canary is warm."""
    for each in scrape:
        warm = each.since >= warm_at
        timed = (each.canary_timed, each.stable_timed) if warm else ()
        segment += Segment(segment.weight, each.canary, each.stable, each.lost, *timed)
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


def _suspected(evidence: Evidence, scrape: Sequence[Interval], rules: Rules, stable: Counts) -> Evidence:
    """Raises, confirms or drops the suspicion."""
    failures = sum(segment.canary.failures for segment in evidence.segments)
    bad = failures + sum(segment.lost + segment.canary_timed.failures for segment in evidence.segments)
    if evidence.blame is not None or not bad:
        return evidence
    accusations = hear(evidence.segments, rules, weight=evidence.weight, stable=stable).accusations(rules)
    blame = _blame(evidence, scrape, accusations, rules, stable)
    if blame is not None:
        return replace(evidence, blame=Blame(scrape[0].until, blame))
    if not accusations:
        return replace(evidence, suspect=None)
    return replace(evidence, suspect=evidence.suspect or Suspect(scrape[0].until, failures))


def _blame(evidence: Evidence, scrape: Sequence[Interval], accusations: Sequence[Why], rules: Rules, stable: Counts) -> Why | None:
    """What settles it at this scrape, if anything does."""
    full = evidence.weight == FULL
    incomparable = full and not stable.requests
    if rules.same_scrape and plainly_down(evidence.last, evidence.coming) and (accusations or incomparable):
        return Why.PLAINLY_DOWN
    if full and Why.LIMIT in accusations:
        return Why.LIMIT
    if evidence.suspect is None:
        return None
    later = [interval for interval in scrape if interval.until - evidence.suspect.at >= CONFIRMING * interval.length]
    return next((why for why in accusations if _confirmed(why, later, evidence)), None)


def _confirmed(why: Why, later: Sequence[Interval], evidence: Evidence) -> bool:
    """The canary failed again, or was slow again, in an interval of which (nearly) all lies after the suspicion.

    True for the next scrape of the same target, and for one of another target that is at least 0.9 of its own spacing
    later; a proxy that was away and brings old failures confirms nothing.
    """
    if why is Why.SLOW:
        return any(interval.canary_timed.failures for interval in later)
    lost = bool(evidence.segments) and not attributed(evidence.segments[-1]).lost
    return any(interval.canary.failures or (lost and interval.lost) for interval in later)
