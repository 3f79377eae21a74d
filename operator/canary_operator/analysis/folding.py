"""The evidence while scrapes are added to it, one by one in order of time.

So suspicion and blame are the same whether many looks saw the scrapes one at a time, or one look saw them all after a restart. Refuses to
choose what is new: `evidence` does.
"""

from collections.abc import Callable, Sequence
from math import inf

from canary_operator.analysis.counters import Interval, total
from canary_operator.analysis.nobody import attributed
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Blame, Evidence, Suspect
from canary_operator.analysis.sums import Sums
from canary_operator.analysis.witnesses import (
    FULL,
    LN_SUSPECT,
    Rules,
    Why,
    against,
    excess,
    harmless,
    incomparable,
    plainly_down,
    stable_of,
)

FIRST_SEGMENT = 300.0
"""Seconds of a step's first segment. They end 5, 10, 20, 40... minutes after the write: a fault that starts after a
night of waiting is not buried, and an old one is not forgotten."""
MAX_SEGMENTS = 12
"""Segments of one step: the last one starts after a week and does not end."""
LONGEST_COVER = 120.0
"""Seconds: a longer interval is a gap in the samples. Its counts count, but it covers no hold."""
CONFIRMING = 0.9
"""So much of an interval must lie after the suspicion for its failures to confirm it."""
SPARE = (8, 0)
"""So many failures more are tried, one number after the other, to know whether they could make the canary suspect."""
HEARD = -1
"""Nothing of the kind is known: the next scrape is heard."""
LARGEST_STRETCH = 3.0
"""The first scrape after a write shows only a part of the time between two; at most a third is taken for the whole."""


class Folding:
    """What is known of one release, scrape after scrape.

    Args:
        start: As it was stored, of the present weight.
        since: When the weight was written, seconds since 1970. None: the canary has no weight, and nothing counts.
        settled_at: When it was served everywhere, seconds since 1970. None: not yet.
        rules: How the canary is judged.
        stable: Counts of stable to judge a bake by. None: those of this release.
    """

    def __init__(self, start: Evidence, since: float | None, settled_at: float | None, rules: Rules, stable: Counts | None) -> None:
        self._start, self._weight, self._rules, self._stable = start, start.weight, rules, stable
        self._since, self._settled_at = since, settled_at
        self._warm_at = (since or 0.0) + (rules.slowness.warmup if rules.slowness else 0.0)
        self._latest: dict[str, Interval] = {}
        """The newest interval of every target."""
        self._oldest = 0.0
        """Older ones of them are not part of the newest scrape."""
        self._closed, self._opened = start.segments[:-1], start.opened
        self._open = Sums(start.segments[-1]) if start.segments else None
        self._open_weight = start.segments[-1].weight if start.segments else start.weight
        self._step = Sums(start.step)
        self._covered, self._covered_to, self._observed = start.covered, start.covered_to, start.observed
        self._suspect, self._suspect_slow, self._blame = start.suspect, start.suspect_slow, start.blame
        self._suspect_given_up = start.suspect_given_up
        self._reached: float | None = None
        self._spare = HEARD
        """So many more failures cannot make the canary suspect; below 0: whoever speaks against it has to be heard."""

    def known(self) -> Evidence:
        """What is known so far; as at the start when nothing was added."""
        if self._reached is None:
            return self._start
        step, newest = self.step, self._newest()
        return Evidence(
            weight=self._weight,
            segments=self._segments(),
            opened=self._opened,
            settled_canary=step.canary,
            settled_stable=step.stable,
            reached=self._reached,
            covered=self._covered,
            covered_to=self._covered_to,
            observed=self._observed,
            last=total(each.canary for each in newest),
            coming=self._coming(newest),
            suspect=self._suspect,
            suspect_slow=self._suspect_slow,
            suspect_given_up=self._suspect_given_up,
            blame=self._blame,
            settled_lost=step.lost,
            settled_canary_timed=step.canary_timed,
            settled_stable_timed=step.stable_timed,
            settled_canary_given_up=step.canary_given_up,
            settled_stable_given_up=step.stable_given_up,
        )

    @property
    def step(self) -> Segment:
        """The settled counts of the present step."""
        return self._step.segment(self._weight)

    @property
    def suspicious(self) -> bool:
        """Something speaks against the canary: it is suspected, or to blame."""
        return bool(self._suspect or self._suspect_slow or self._suspect_given_up or self._blame)

    def look_at(self, intervals: Sequence[Interval]) -> None:
        """Remembers which targets live, also of what is counted already: one scrape or several, none before those of an earlier call."""
        for interval in intervals:
            known = self._latest.get(interval.target)
            if known is None or interval.until > known.until:
                self._latest[interval.target] = interval
        newest = max([interval.until for interval in intervals])
        self._oldest = newest - max([interval.length for interval in intervals if interval.until == newest])

    def add(self, scrape: Sequence[Interval]) -> None:
        """Counts a scrape that is new."""
        until = self._reached = scrape[0].until
        if self._since is None:
            return
        if until <= self._since:
            if self._open is not None:
                self._open.add(scrape, self._warm_at)
        else:
            self._count(scrape, until - self._since)
            self._cover(scrape, self._since)
        self._suspicion(scrape)

    def spare(self, until: float) -> int:
        """How many failures of the canary before this time (seconds since 1970) can make nobody suspect it; below 0: all scrapes are to be added."""
        begins = self._since is not None and _segments_at(until - self._since) > self._opened
        return min(self._spare, 0) if begins else self._spare

    def counted_as(self, interval: Interval) -> tuple[int, bool]:
        """Its segment, and whether it is settled: neighbours that are counted as the same may be added as one, as long as they are no gap."""
        if self._since is None or interval.until <= self._since:
            return 0, False
        return _segments_at(interval.until - self._since), self._settled_at is not None and interval.since >= self._settled_at

    def _newest(self) -> list[Interval]:
        """The newest interval of every target that the newest scrape stands for."""
        return [each for each in self._latest.values() if each.until > self._oldest]

    def _segments(self) -> tuple[Segment, ...]:
        return self._closed if self._open is None else (*self._closed, self._open.segment(self._open_weight))

    def _count(self, scrape: Sequence[Interval], age: float) -> None:
        opened = _segments_at(age)
        for _ in range(opened - self._opened):
            self._closed = self._segments()
            self._open, self._open_weight = Sums(Segment(self._weight)), self._weight
            self._spare = min(self._spare, 0)
        self._opened = max(self._opened, opened)
        settled_at = self._settled_at
        if settled_at is not None:
            self._step.add([each for each in scrape if each.since >= settled_at], self._warm_at)
        if self._open is not None:
            self._open.add(scrape, self._warm_at)

    def _cover(self, scrape: Sequence[Interval], since: float) -> None:
        """Adds the time that this scrape covers after all covered before: at most the union over the targets."""
        if not (covering := self._covering(scrape)):
            return
        until = scrape[0].until
        # Sample times are whole milliseconds, but differences of floats are not: 60 s must not come out as 59.9999999.
        added = max(0.0, until - max(min(each.since for each in covering), since, self._covered_to or since))
        self._covered, self._observed = round(self._covered + added, 3), round(self._observed + added, 3)
        self._covered_to = until

    def _covering(self, scrape: Sequence[Interval]) -> list[Interval]:
        """The intervals that show both arms, or the only one there is; counted apart, each shows one while another shows the other."""
        apart, full = not self._rules.same_scrape, self._weight == FULL
        if apart:
            newest = self._newest()
            apart = any([each.canary_seen for each in newest]) and any([each.stable_seen for each in newest])
        return [each for each in scrape if each.length <= LONGEST_COVER and (each.both or apart or (full and each.canary_seen))]

    def _suspicion(self, scrape: Sequence[Interval]) -> None:
        """Raises, confirms or drops the suspicion."""
        self._spare -= sum([each.canary.failures for each in scrape])
        if self._blame is not None or (self._spare >= 0 and not any([each.lost or each.canary_given_up for each in scrape])):
            return
        segments = self._segments()
        failures = sum([segment.canary.failures + segment.lost for segment in segments])
        slow = sum([segment.canary_timed.failures for segment in segments])
        given_up = sum([segment.canary_given_up for segment in segments])
        stable = stable_of(segments) if self._stable is None else self._stable
        self._spare = self._spared(segments, stable)
        if self._spare >= 0:
            self._suspect = self._suspect_slow = self._suspect_given_up = None
        if self._spare >= 0 or not (failures or slow or given_up):
            return
        said = against(segments, self._rules, weight=self._weight, stable=stable)
        why = self._why(scrape, said.accusing(self._rules), segments, stable)
        if why is not None:
            self._blame = Blame(scrape[0].until, why)
            return
        at = scrape[0].until
        self._suspect = (self._suspect or Suspect(at, failures)) if said.ln_failing >= LN_SUSPECT else None
        slower = said.ln_slow is not None and said.ln_slow >= LN_SUSPECT
        self._suspect_slow = (self._suspect_slow or Suspect(at, slow)) if slower else None
        left = 0.0 if said.ln_given_up is None else said.ln_given_up
        self._suspect_given_up = (self._suspect_given_up or Suspect(at, given_up)) if left >= LN_SUSPECT else None

    def _spared(self, segments: Sequence[Segment], stable: Counts) -> int:
        """How many more failures cannot make the canary suspect; `HEARD`: nobody knows."""
        if self._rules.slowness is not None:
            return HEARD
        known = (more for more in SPARE if harmless(segments, self._rules, weight=self._weight, stable=stable, more=more))
        return next(known, HEARD)

    def _why(self, scrape: Sequence[Interval], accused: tuple[Why, ...], segments: Sequence[Segment], stable: Counts) -> Why | None:
        """What settles it at this scrape, if anything does."""
        full = self._weight == FULL
        if (
            self._rules.same_scrape
            and (accused or incomparable(stable, self._rules, self._weight))
            and self._plainly_down(given_up=Why.GIVEN_UP in accused)
        ):
            return Why.GIVEN_UP if accused == (Why.GIVEN_UP,) else Why.PLAINLY_DOWN
        if full and Why.LIMIT in accused:
            return Why.LIMIT
        failing = next((why for why in accused if why is not Why.SLOW), None)
        if failing is not None and not full and self._too_dear(segments):
            return failing
        return next((why for why in accused if self._confirmed(why, scrape, segments)), None)

    def _confirmed(self, why: Why, scrape: Sequence[Interval], segments: Sequence[Segment]) -> bool:
        """The canary failed again, or was slow again, in an interval of which (nearly) all lies after the suspicion.

        True for the next scrape of the same target, and for one of another target that is at least 0.9 of its own spacing
        later; a proxy that was away and brings old failures confirms nothing. Failures confirm failures, slow answers slow ones.
        """
        suspect = {Why.SLOW: self._suspect_slow, Why.GIVEN_UP: self._suspect_given_up}.get(why, self._suspect)
        if suspect is None:
            return False
        later = [interval for interval in scrape if interval.until - suspect.at >= CONFIRMING * interval.length]
        if why is Why.SLOW:
            return any(interval.canary_timed.failures for interval in later)
        if why is Why.GIVEN_UP:
            return any(interval.canary_given_up for interval in later)
        lost = bool(segments) and not attributed(segments[-1]).lost
        return any(interval.canary.failures or (lost and interval.lost) for interval in later)

    def _plainly_down(self, *, given_up: bool) -> bool:
        newest = self._newest()
        last, coming = total(each.canary for each in newest), self._coming(newest)
        if given_up:
            left = sum(each.canary_given_up for each in newest)
            last, coming = last + Counts(left, left), coming + _coming(newest, self._since, LARGEST_STRETCH, _given_up)
        return plainly_down(last, coming)

    def _too_dear(self, segments: Sequence[Segment]) -> bool:
        """Waiting for another scrape may cost more than is left of the budget."""
        budget = self._rules.budget
        if budget is None:
            return False
        newest = self._newest()
        return excess(segments) + self._coming(newest) + _coming(newest, self._since, inf, _given_up) > budget

    def _coming(self, newest: Sequence[Interval]) -> float:
        return _coming(newest, self._since, LARGEST_STRETCH if self._rules.budget is None else inf)


def _failures(interval: Interval) -> int:
    return interval.canary.failures


def _given_up(interval: Interval) -> int:
    return interval.canary_given_up


def _coming(newest: Sequence[Interval], since: float | None, most: float, of: Callable[[Interval], int] = _failures) -> float:
    """The canary's failures in these intervals, as if it had had its weight all the time: since its write, in seconds.

    At most `most` times as many as were counted: under a pace a small part of the time between two scrapes stands for the whole.
    """
    if since is None:
        return 0.0
    return sum(of(each) * min(most, each.length / min(each.length, each.until - since)) for each in newest if each.until > since)


def _segments_at(age: float) -> int:
    """How many segments a step of this age in seconds has, 1 to `MAX_SEGMENTS`."""
    opened, end = 1, FIRST_SEGMENT
    while age > end and opened < MAX_SEGMENTS:
        opened, end = opened + 1, 2 * end
    return opened
