"""Evidence as it is stored in status and as it is judged: the same values in two shapes."""

from datetime import UTC, datetime

from canary_operator.analysis.odds import Counts, Segment
from canary_operator.analysis.record import Evidence, Suspect
from canary_operator.api.status import EvidenceRecord, EvidenceSegment, ReleaseRecord, SuspectMark, Tally


def _tally(counts: Counts) -> Tally:
    return Tally(requests=counts.requests, failures=counts.failures)


def _counts(tally: Tally) -> Counts:
    return Counts(tally.requests, tally.failures)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def evidence_of(state: ReleaseRecord) -> Evidence:
    """The stored evidence of a release."""
    stored = state.evidence
    return Evidence(
        weight=state.weight,
        segments=tuple(Segment(each.weight, _counts(each.canary), _counts(each.stable)) for each in stored.segments),
        opened=stored.opened,
        settled_canary=_counts(stored.canary),
        settled_stable=_counts(stored.stable),
        reached=_seconds(stored.reached),
        covered=state.observed_seconds,
        covered_to=_seconds(stored.covered_to),
        observed=stored.seconds,
        suspect=None if stored.suspect is None else Suspect(stored.suspect.at.timestamp(), stored.suspect.failures),
    )


def record_of(evidence: Evidence) -> EvidenceRecord:
    """Evidence in the shape of status. What a blame rests on is recomputed from the samples after `reached`, so it is not stored."""
    suspect = evidence.suspect
    return EvidenceRecord(
        segments=tuple(
            EvidenceSegment(weight=each.weight, canary=_tally(each.canary), stable=_tally(each.stable)) for each in evidence.segments
        ),
        opened=evidence.opened,
        canary=_tally(evidence.settled_canary),
        stable=_tally(evidence.settled_stable),
        reached=_time(evidence.reached),
        covered_to=_time(evidence.covered_to),
        seconds=evidence.observed,
        suspect=None if suspect is None else SuspectMark(at=datetime.fromtimestamp(suspect.at, UTC), failures=suspect.failures),
    )
