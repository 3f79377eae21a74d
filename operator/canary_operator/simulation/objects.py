"""What the API server of the world holds, and every revision of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus, EvidenceRecord, PastRelease, ReleaseRecord
from canary_operator.release.model import BARE, Because, Extras, Mark, Serving

UID = "0c9a5b1e-0000-4000-8000-000000000001"
MILLISECOND = 0.001
"""Sample times are whole milliseconds: the record keeps no more of them."""
PERSON, OPERATOR, CLUSTER = "person", "operator", "cluster"
"""Who made a revision."""


def tick(seconds: float) -> float:
    """Unix seconds in whole microseconds, so that two ways to one instant lead to the same number."""
    return round(seconds, 6)


def moment(seconds: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(tick(seconds), UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """The VirtualService."""

    weight: int
    """The canary's weight, percent."""
    intact: bool = True
    """Hosts, gateways and destinations are as the spec wants them."""
    split: bool = True
    """It names the two subsets; False: the host alone."""
    extras: Extras = BARE
    """What it carries beside the weights."""
    mark: Mark | None = None
    owned: bool = True
    """It carries our label; False: it was given away, or it is the user's."""
    touched_by: str | None = None
    """Field manager that wrote it last, when that was not us."""
    version: int = 0
    """The revision of the world that changed it last."""


@dataclass(frozen=True, slots=True)
class Subsets:
    """The DestinationRule."""

    stable: str | None
    """Version that subset `stable` selects; None: the subset is missing."""
    canary: str | None
    mark: Mark | None = None
    owned: bool = True
    touched_by: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """The CanaryRelease."""

    spec: CanaryReleaseSpec
    generation: int = 1
    status: CanaryReleaseStatus | None = None
    finalizer: bool = False
    deleting: bool = False
    action: str | None = None
    version: int = 0

    @property
    def record(self) -> ReleaseRecord:
        """The stored state of the machine."""
        return (self.status and self.status.release) or ReleaseRecord()


@dataclass(frozen=True, slots=True)
class Stored:
    """One revision of everything that can be seen from outside."""

    number: int
    time: float
    """Unix seconds."""
    by: str
    what: str
    """Which object was changed."""
    resource: Resource | None = None
    """None: not created yet, or gone."""
    route: Route | None = None
    subsets: Subsets | None = None
    versions: Mapping[str, Serving] | None = field(default_factory=dict)
    """Per version, what serves behind the Service; None: the Service is missing."""
    service_since: float | None = None
    """When the Service was made again, Unix seconds; None: it has been there all the time."""
    findings: tuple[Because, ...] = ()
    """What preflight has found."""
    reason: str = ""
    """Of the decision that made it; empty when it was not one of ours."""


class Cluster:
    """The API server: the present revision, and all that were."""

    def __init__(self, time: float, *, attached: bool = False, gateway: bool = False) -> None:
        self.attached = attached
        """The route is the user's."""
        self.gateway = gateway
        """Requests come through a gateway, which answers 404 when the operator's route is gone."""
        self.now = Stored(0, time, CLUSTER, "nothing")
        self.log = [self.now]
        self.time = time

    def put(self, by: str, what: str, value: Any, reason: str = "") -> None:
        """Makes the next revision: `what` (a field of `Stored`) has this value now; an object without a change makes none."""
        number = len(self.log)
        if isinstance(value, Route | Subsets | Resource):
            before = getattr(self.now, what)
            if before is not None and replace(value, version=before.version) == before:
                return
            value = replace(value, version=number)
        changes: dict[str, Any] = {what: value}
        self.now = replace(self.now, number=number, time=self.time, by=by, what=what, reason=reason, **changes)
        self.log.append(self.now)


# ------------------------------------------------------------------------------------------------------------ what storing does


def _second(time: datetime | None) -> datetime | None:
    return time.replace(microsecond=0) if time and time.microsecond else time


def _millisecond(time: datetime | None) -> datetime | None:
    return time.replace(microsecond=time.microsecond // 1000 * 1000) if time and time.microsecond else time


T = TypeVar("T")


def _with(value: T, **times: object) -> T:
    """The value with these times; the same one when it has them already."""
    changed = {name: time for name, time in times.items() if getattr(value, name) is not time}
    return replace(value, **changed) if changed else value  # type: ignore[type-var]


def _past(past: PastRelease) -> PastRelease:
    return _with(past, ended=_second(past.ended))


def _evidence(evidence: EvidenceRecord) -> EvidenceRecord:
    suspect, slow = (mark and _with(mark, at=_millisecond(mark.at)) for mark in (evidence.suspect, evidence.suspect_slow))
    times = {"reached": _millisecond(evidence.reached), "covered_to": _millisecond(evidence.covered_to)}
    return _with(evidence, **times, suspect=suspect, suspect_slow=slow)


def _record(record: ReleaseRecord) -> ReleaseRecord:
    times = ("incident_since", "waiting_since", "mirror_since")
    pace = record.pace and _with(record.pace, since=_second(record.pace.since))
    gone = record.stable_gone and _with(record.stable_gone, since=_second(record.stable_gone.since))
    returned = tuple(each.replace(microsecond=0) for each in record.returned) if record.returned else record.returned
    return _with(
        record,
        evidence=_evidence(record.evidence),
        weight_since=_millisecond(record.weight_since),
        pace=pace,
        stable_gone=gone,
        returned=returned,
        **{name: _second(getattr(record, name)) for name in times},
    )


def as_stored(status: CanaryReleaseStatus) -> CanaryReleaseStatus:
    """A status as the API server gives it back: times are cut to whole seconds, those of samples to milliseconds."""
    return replace(
        status,
        since=_second(status.since),
        release=status.release and _record(status.release),
        last_release=status.last_release and _past(status.last_release),
        history=tuple(_past(past) for past in status.history),
        conditions=tuple(_with(each, last_transition_time=_second(each.last_transition_time)) for each in status.conditions),
    )
