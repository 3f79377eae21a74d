"""A decision in words: status, conditions, printed columns. Derived from the decision once; nothing here decides."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from operator import attrgetter

from canary_operator.analysis.samples import Samples
from canary_operator.api.record import LONGEST_MESSAGE
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import Advice, CanaryReleaseStatus, Condition, Outcome, PastRelease, ReleaseRecord, State
from canary_operator.preflight.finding import TELEMETRY_MISSING
from canary_operator.release import reasons
from canary_operator.release.model import Announce, Because, Decision, EnsureWeights, Observation
from canary_operator.release.queries import with_findings
from canary_operator.release.scene import version_of

CHECKPOINT = timedelta(minutes=1)
"""While a release runs, evidence is written down at least this often, so that a restart has little to read again."""
HISTORY = 10
MOST_WARNINGS = 16


def status_of(spec: CanaryReleaseSpec, before: CanaryReleaseStatus, decision: Decision, seen: Observation) -> CanaryReleaseStatus:
    """The status after a pass."""
    decision, seen = _when_over(decision), with_findings(spec, decision.state, seen)
    phase, state = _phase(spec, decision), decision.state
    because = decision.because
    same = before.phase == phase and before.reason == because.reason
    past = decision.last_release
    news = past is not None and past != before.last_release
    warnings = (*_switch(seen), *decision.warnings, *_found(before, decision, seen))
    return CanaryReleaseStatus(
        observed_generation=seen.generation,
        phase=phase,
        service=spec.service.name,
        stable=decision.stable,
        canary=state.to,
        weight=_weight(decision, seen),
        step=_step(state),
        reason=because.reason,
        message=because.message[:LONGEST_MESSAGE],
        since=before.since if same and before.since else seen.now,
        warnings=tuple(Advice(reason=each.reason, message=each.message[:LONGEST_MESSAGE]) for each in warnings[:MOST_WARNINGS]),
        verdict=decision.verdict,
        release=state,
        last_release=past,
        last_action=decision.last_action,
        history=((past, *before.history)[:HISTORY] if news and past else before.history),
        conditions=_conditions(spec, before, decision, seen, phase),
    )


REMEMBERED = timedelta(hours=1)
"""What was warned of at the adoption stands for so long at rest: nothing is read there that could show that it is mended."""


def _found(before: CanaryReleaseStatus, decision: Decision, seen: Observation) -> tuple[Because, ...]:
    """What preflight warns of, and has warned of while a release still needs the look.

    When a release is over nothing is read any more that would take such a warning back, so it goes with the release. That telemetry is missing is
    refuted by samples that are accepted, whatever was read a minute ago.
    """
    resting = decision.state.state is State.STABLE and not decision.inspect
    new = decision.state.number == 0 and (before.since is None or seen.now - before.since < REMEMBERED)
    found = (*seen.warnings, *(seen.remembered if not resting or new else ()))
    counted = isinstance(seen.samples, Samples) and decision.ask is not None and decision.metrics is None
    return tuple(each for each in found if not (counted and each.reason == TELEMETRY_MISSING))


def _switch(seen: Observation) -> tuple[Because, ...]:
    """That the whole operator is held, in every status, whatever else it says."""
    return () if seen.rises_off is None else (Because(reasons.RISES_OFF, reasons.rises_off(seen.rises_off)),)


def _step(state: ReleaseRecord) -> str | None:
    """The present step of how many; under a pace nobody knows how many."""
    if state.pace is not None:
        return str(state.step)
    return f"{state.step}/{len(state.plan)}" if state.plan else None


def _when_over(decision: Decision) -> Decision:
    """A step that was passed is over when its record is read: what it stands for then is waiting at the new weight."""
    if decision.because.reason != reasons.STEP_PASSED:
        return decision
    reason = reasons.BAKING if decision.state.state is State.PROMOTING else reasons.GATHERING
    return replace(decision, because=Because(reason, decision.because.message))


def worth_writing(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> bool:
    """Something changed that somebody waits for, or a minute of evidence would be lost: numbers alone are no news."""
    if after.reason == reasons.INSPECTING:
        return False  # a moment later there is something to say
    return _news(before) != _news(after) or _behind(before, after) >= CHECKPOINT or _grown(before, after)


def _grown(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> bool:
    """The pods that carry stable's load have doubled or halved since they were written down."""
    old, new = (status.release.stable_pods if status.release else 0 for status in (before, after))
    return old > 0 and old.bit_length() != new.bit_length()


def told(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> tuple[Announce, ...]:
    """The events that go with a written status: each warning once, when it appears, and a write that is refused in other words than before."""
    found = [Because(each.reason, each.message) for each in _own(after) if each not in before.warnings]
    if after.reason == reasons.WRITE_REFUSED and _refusal(after) != _refusal(before):
        found.append(Because(after.reason, after.message or ""))
    return tuple(Announce(each, warning=True) for each in found)


def _own(status: CanaryReleaseStatus) -> tuple[Advice, ...]:
    """Warnings of this CanaryRelease: of a switch that holds all of them at once not each one posts an event."""
    return tuple(each for each in status.warnings if each.reason != reasons.RISES_OFF)


def _refusal(status: CanaryReleaseStatus) -> str | None:
    """The words of a refusal without numbers: ports and times differ from try to try, and say nothing new. None: nothing is refused."""
    return re.sub(r"[0-9]+", "", status.message or "") if status.reason == reasons.WRITE_REFUSED else None


_CALM = {
    **dict.fromkeys((reasons.STEP_PASSED, reasons.SETTLING, reasons.GATHERING, reasons.BAKING, reasons.FINISHING), reasons.STEP_PASSED),
    reasons.PROMOTED: reasons.AT_REST,
}
"""Words that follow each other while all goes well: nobody waits for the next of them, it is written with the next news."""


_COUNTS = re.compile(r"\b(?:no|\d+) ready pods?\b")


def _without(kind: type, *numbers: str) -> Callable[[object], tuple[object, ...]]:
    """Reads the values of all fields but these."""
    return attrgetter(*(each.name for each in fields(kind) if each.name not in numbers))


_OF_STATUS = _without(CanaryReleaseStatus, "reason", "message", "since", "verdict", "release", "conditions")
_OF_RECORD = _without(ReleaseRecord, "evidence", "observed_seconds", "seq", "baseline", "stable_pods", "stable_version")
_OF_CONDITION = _without(Condition, "reason", "message")


def _news(status: CanaryReleaseStatus) -> tuple[object, ...]:
    """The status without numbers, and without the difference between calm words."""
    return (
        _OF_STATUS(status),
        _CALM.get(status.reason or "", status.reason),
        _refusal(status),
        _COUNTS.sub("ready pods", status.message or "") if status.reason == reasons.STABLE_GONE else None,  # it names the ways out
        status.release and _OF_RECORD(status.release),
        status.release and _rows_outside(status.release),
        [(_OF_CONDITION(condition), _CALM.get(condition.reason, condition.reason)) for condition in status.conditions],
    )


def _rows_outside(record: ReleaseRecord) -> list[tuple[str, int]]:
    """Of the evidence what no later look can make up for: how many values in a row were outside the bounds."""
    return [(row.name, row.outside) for row in record.evidence.queries or () if row.outside]


def _weight(decision: Decision, seen: Observation) -> int | None:
    """The canary's weight when the pass is over; None without a route."""
    written = [effect.canary for effect in decision.effects if isinstance(effect, EnsureWeights)]
    if written:
        return written[-1]
    return seen.route.weight if seen.route else None


def _behind(before: CanaryReleaseStatus, after: CanaryReleaseStatus) -> timedelta:
    """How much evidence the written status lacks."""
    old, new = (status.release.evidence.reached if status.release else None for status in (before, after))
    if new is None or old is None:
        return timedelta(0)
    return new - old


def _phase(spec: CanaryReleaseSpec, decision: Decision) -> str:
    """The printed word: an overlay, a state, or at rest the outcome that still matters."""
    if decision.phase:
        return decision.phase
    past = decision.last_release
    if (
        decision.state.state is State.STABLE
        and _unfulfilled(spec, decision)
        and past
        and past.outcome in (Outcome.ROLLED_BACK, Outcome.WITHDRAWN)
    ):
        return str(past.outcome)
    return str(decision.state.state)


def _unfulfilled(spec: CanaryReleaseSpec, decision: Decision) -> bool:
    return version_of(decision.stable) != spec.version


def _conditions(
    spec: CanaryReleaseSpec, before: CanaryReleaseStatus, decision: Decision, seen: Observation, phase: str
) -> tuple[Condition, ...]:
    because, wanted = decision.because, not _unfulfilled(spec, decision)
    at_rest = decision.state.state is State.STABLE and decision.phase is None
    ended = phase in (Outcome.ROLLED_BACK, Outcome.WITHDRAWN)
    blocked = phase == "Blocked" or because.reason == reasons.WRITE_REFUSED
    weight = _weight(decision, seen) or 0
    metrics = decision.metrics
    known = _metrics_known(before, decision)
    past: PastRelease | None = decision.last_release
    why = (past.reason, past.message) if ended and past else (because.reason, because.message)
    shifted = f"the canary has {weight} % of the traffic"
    told = {
        "Ready": ("True" if at_rest and wanted else "False", *why),
        "Reconciling": ("False" if (at_rest and (wanted or ended)) or blocked else "True", because.reason, because.message),
        "Stalled": ("True" if ended or blocked else "False", *why),
        "TrafficShifted": ("True" if weight else "False", because.reason, shifted),
        "MetricsAvailable": (known, metrics.reason if metrics else because.reason, metrics.message if metrics else _METRICS[known]),
        "Promoted": ("True" if at_rest and wanted else "False", *why),
    }
    earlier = {condition.type: condition for condition in before.conditions}
    return tuple(_condition(earlier.get(kind), seen, kind, *values) for kind, values in told.items())


def _metrics_known(before: CanaryReleaseStatus, decision: Decision) -> str:
    """Whether samples are accepted; as before while the first answer of this process is awaited, so that a restart is no news."""
    if decision.ask is None:
        return "Unknown"
    if decision.metrics is None:
        return "True"
    if decision.metrics.reason == reasons.METRICS_UNAVAILABLE:
        return "False"
    return next((condition.status for condition in before.conditions if condition.type == "MetricsAvailable"), "Unknown")


_METRICS = {"True": "samples of the present are accepted", "Unknown": "nothing is asked of Prometheus while no release runs", "False": ""}


def _condition(old: Condition | None, seen: Observation, kind: str, status: str, reason: str, message: str) -> Condition:
    message = message[:LONGEST_MESSAGE]
    if old is not None and (old.status, old.reason, old.message, old.observed_generation) == (status, reason, message, seen.generation):
        return old
    return Condition(
        type=kind,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        message=message,
        observed_generation=seen.generation,
        last_transition_time=seen.now if old is None or old.status != status else old.last_transition_time,
    )
