"""What to believe when the routing was written by a later decision than the record says: the mark on the routing outranks the record.

A drop is written before it is recorded, so that nothing can stand in its way. Whoever comes after a crash between the two reads the mark, and can
never raise the canary again. Two processes that decide at the same instant, from one record, give the same rank: of a drop that was written and a
rise that was recorded, the drop counts.
"""

from dataclasses import replace

from canary_operator.api.status import Ending, Outcome, ReleaseRecord, State
from canary_operator.release import reasons
from canary_operator.release.model import Mark, Observation


def _marks(seen: Observation) -> tuple[Mark, ...]:
    """The marks of this CanaryRelease on its routing, lowest rank first."""
    found = (part.mark for part in (seen.route, seen.subsets) if part is not None)
    return tuple(sorted((mark for mark in found if mark is not None and mark.uid == seen.uid), key=lambda mark: mark.rank))


_LOST = (reasons.CANARY_LOST, reasons.CANARY_NOT_ANSWERING)
"""Decisions after which the canary rises once more, and only once."""
_BEGIN_AGAIN = (*_LOST, reasons.DRIFT, reasons.STABLE_BACK)
_DROPS = frozenset((*reasons.OUTCOMES, *_BEGIN_AGAIN))
"""Decisions that take weight away: they are written before they are recorded."""


def _is_news(state: ReleaseRecord, mark: Mark) -> bool:
    """The mark says more than the record knows."""
    if mark.rank == (state.number, state.seq):
        return mark.decision in _DROPS and mark.weight == 0 < state.weight
    return mark.rank > (state.number, state.seq)


def outranked(state: ReleaseRecord, seen: Observation) -> bool:
    """The routing was written by a later decision than the record knows of."""
    return any(mark.rank > (state.number, state.seq) for mark in _marks(seen))


def believe(state: ReleaseRecord, seen: Observation) -> ReleaseRecord:
    """The record with what later marks say, in the order in which they were written."""
    for mark in _marks(seen):
        if _is_news(state, mark):
            state = _after(state, mark, seen)
    return state


def _after(state: ReleaseRecord, mark: Mark, seen: Observation) -> ReleaseRecord:
    later = replace(state, number=mark.release, seq=mark.seq)
    if state.state not in (State.PROGRESSING, State.PROMOTING):
        return later
    if mark.release > state.number:
        return _ended(later, reasons.RECORD_LOST)
    if mark.decision in reasons.OUTCOMES:
        return _ended(later, mark.decision)
    if mark.decision in _BEGIN_AGAIN and mark.weight == 0 and state.weight > 0:
        lost, back = state.lost or mark.decision in _LOST, mark.decision == reasons.STABLE_BACK
        returned = (*state.returned, seen.now)[-2:] if back else state.returned
        return replace(later, state=State.PROGRESSING, step=0, weight=0, observed_seconds=0, lost=lost, stable_gone=None, returned=returned)
    if mark.decision in (reasons.STEP_PASSED, reasons.DRIFT, reasons.STABLE_GONE) and mark.weight == state.weight:
        # Written again, or long after it was recorded: the step begins now, as far as anybody can tell.
        return replace(later, weight_since=seen.now, observed_seconds=0)
    if mark.decision == reasons.PROMOTED and mark.weight == 0:
        return replace(later, weight=0)
    return later


def _ended(state: ReleaseRecord, reason: str) -> ReleaseRecord:
    outcome = reasons.OUTCOMES[reason]
    message = f"{reasons.MEANING[reason][0]} (found on the route after a restart)"
    return replace(
        state,
        state=State.ROLLING_BACK if outcome is Outcome.ROLLED_BACK else State.WITHDRAWING,
        weight=0,
        stable_gone=None,
        ending=Ending(outcome=outcome, reason=reason, message=message),
    )
