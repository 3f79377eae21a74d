"""Evidence as it is stored in status and as it is judged: the same values in two shapes."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from canary_operator.analysis.baseline import Baseline
from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.queries import Row
from canary_operator.analysis.record import Evidence, Suspect
from canary_operator.api.record import (
    MAX_SEGMENTS,
    BaselineRecord,
    EvidenceRecord,
    EvidenceSegment,
    QueryRecord,
    ReleaseRecord,
    SuspectMark,
    Tally,
)


def _tally(counts: Counts, timed: Counts, given_up: int) -> Tally:
    known = {"timed": timed.requests, "slow": timed.failures} if timed.requests else {}
    return Tally(requests=counts.requests, failures=counts.failures, given_up=given_up or None, **known)


def _counts(tally: Tally) -> Counts:
    return Counts(tally.requests, tally.failures)


def _times(tally: Tally) -> Counts:
    return Counts(tally.timed or 0, tally.slow or 0)


def _segment(each: EvidenceSegment) -> Segment:
    arms = _counts(each.canary), _counts(each.stable)
    given_up = each.canary.given_up or 0, each.stable.given_up or 0
    return Segment(each.weight, *arms, each.lost or 0, _times(each.canary), _times(each.stable), *given_up)


def baseline_of(stored: BaselineRecord | None) -> Baseline | None:
    """The stored baseline of a release."""
    if stored is None:
        return None
    given_up = stored.stable.given_up or 0, stored.given_up_noise
    return Baseline(_counts(stored.stable), _times(stored.stable), stored.lost, stored.noise, stored.slow_noise, *given_up, stored.lasting)


def baseline_record(known: Baseline | None) -> BaselineRecord | None:
    """A baseline in the shape of status."""
    if known is None:
        return None
    return BaselineRecord(
        stable=_tally(known.stable, known.timed, known.given_up),
        lost=known.lost,
        noise=round(known.noise, 3),
        slow_noise=round(known.slow_noise, 3),
        given_up_noise=round(known.given_up_noise, 3),
        lasting=known.lasting,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def _suspect(mark: SuspectMark | None) -> Suspect | None:
    return None if mark is None else Suspect(mark.at.timestamp(), mark.failures)


def _mark(suspect: Suspect | None) -> SuspectMark | None:
    return None if suspect is None else SuspectMark(at=datetime.fromtimestamp(suspect.at, UTC), failures=suspect.failures)


def evidence_of(state: ReleaseRecord) -> Evidence:
    """The stored evidence of a release."""
    stored = state.evidence
    return Evidence(
        weight=state.weight,
        segments=tuple(_segment(each) for each in stored.segments),
        opened=stored.opened,
        settled_canary=_counts(stored.canary),
        settled_stable=_counts(stored.stable),
        reached=_seconds(stored.reached),
        covered=state.observed_seconds,
        covered_to=_seconds(stored.covered_to),
        observed=stored.seconds,
        suspect=_suspect(stored.suspect),
        suspect_slow=_suspect(stored.suspect_slow),
        suspect_given_up=_suspect(stored.suspect_given_up),
        settled_lost=stored.lost or 0,
        settled_canary_timed=_times(stored.canary),
        settled_stable_timed=_times(stored.stable),
        settled_canary_given_up=stored.canary.given_up or 0,
        settled_stable_given_up=stored.stable.given_up or 0,
        rows=tuple(Row(each.name, each.of, _seconds(each.at), each.value, each.outside, each.inside) for each in stored.queries or ()),
    )


@lru_cache(maxsize=1024)  # a segment that is over is recorded again at every look
def _recorded(segment: Segment) -> EvidenceSegment:
    return EvidenceSegment(
        weight=segment.weight,
        canary=_tally(segment.canary, segment.canary_timed, segment.canary_given_up),
        stable=_tally(segment.stable, segment.stable_timed, segment.stable_given_up),
        lost=segment.lost or None,
    )


def _bounded(segments: tuple[Segment, ...], opened: int) -> tuple[Segment, ...]:
    """As many segments as status may hold: of those of earlier steps, the oldest neighbours of one weight are merged, else the two oldest.

    Merged, a start of the failures between the two is no longer told apart; what was counted stays. Two of different weights keep the larger,
    at which the same failures prove less.
    """
    while len(segments) > MAX_SEGMENTS:
        earlier = range(max(1, len(segments) - opened - 1))
        at = next((each for each in earlier if segments[each].weight == segments[each + 1].weight), 0)
        heavier = max(segments[at], segments[at + 1], key=lambda each: each.weight)
        merged = replace(segments[at] + segments[at + 1], weight=heavier.weight)
        segments = (*segments[:at], merged, *segments[at + 2 :])
    return segments


def record_of(evidence: Evidence) -> EvidenceRecord:
    """Evidence in the shape of status. What a blame rests on is recomputed from the samples after `reached`, so it is not stored."""
    return EvidenceRecord(
        segments=tuple(_recorded(each) for each in _bounded(evidence.segments, evidence.opened)),
        opened=evidence.opened,
        canary=_tally(evidence.settled_canary, evidence.settled_canary_timed, evidence.settled_canary_given_up),
        stable=_tally(evidence.settled_stable, evidence.settled_stable_timed, evidence.settled_stable_given_up),
        lost=evidence.settled_lost or None,
        reached=_time(evidence.reached),
        covered_to=_time(evidence.covered_to),
        seconds=evidence.observed,
        suspect=_mark(evidence.suspect),
        suspect_slow=_mark(evidence.suspect_slow),
        suspect_given_up=_mark(evidence.suspect_given_up),
        queries=tuple(_row(each) for each in evidence.rows) or None,
    )


def _row(row: Row) -> QueryRecord:
    return QueryRecord(name=row.name, of=row.identity, at=_time(row.at), value=row.value, outside=row.outside, inside=row.inside)
