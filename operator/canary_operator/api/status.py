"""What the operator says and remembers: the status of a CanaryRelease. All of `release` is the stored state of the machine."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer
from pydantic.dataclasses import dataclass

from canary_operator.api.quantities import Duration
from canary_operator.api.schema import CONFIG


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_exact_time(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, for the times of samples."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


Time = Annotated[datetime, PlainSerializer(format_time, return_type=str)]
ExactTime = Annotated[datetime, PlainSerializer(format_exact_time, return_type=str)]


class State(StrEnum):
    """Where the machine stands. Only these are stored; what is printed as phase is derived."""

    INITIALIZING = "Initializing"
    """The route is being taken over."""
    STABLE = "Stable"
    """At rest: every request is served by the stable revision."""
    PROGRESSING = "Progressing"
    """A release is on its way through the steps."""
    PROMOTING = "Promoting"
    """The canary serves everything; the old version is the way back until the bake is over."""
    ROLLING_BACK = "RollingBack"
    """The canary is to blame; traffic goes or has gone back."""
    WITHDRAWING = "Withdrawing"
    """Nobody is to blame; traffic goes or has gone back."""


class Outcome(StrEnum):
    """How a release ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    WITHDRAWN = "Withdrawn"
    SUPERSEDED = "Superseded"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PlannedHold:
    """The hold of a planned step, defaults filled in."""

    min: Duration
    """Never faster than this."""
    max: Duration
    """After this the clock ends the step."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PlannedStep:
    """A step as the release takes it, defaults filled in."""

    weight: int
    """The canary's share of the traffic, in percent."""
    hold: PlannedHold
    """How long the step is held."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Tally:
    """Requests of one version over a span."""

    requests: int = 0
    """Requests that were answered."""
    failures: int = 0
    """Those of them that failed."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class EvidenceSegment:
    """A stretch of the release at one weight, both versions counted over the same span."""

    weight: int
    """The canary's weight, in percent."""
    canary: Tally
    """The canary's requests and failures."""
    stable: Tally
    """Stable's requests and failures."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SuspectMark:
    """The odds passed the bar once; the next scrape decides."""

    at: ExactTime
    """Time of the sample that raised the suspicion."""
    failures: int
    """The canary's failures in the release until then."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class EvidenceRecord:
    """All counts of the release so far. Every verdict can be recomputed from it by hand."""

    segments: Annotated[tuple[EvidenceSegment, ...], Field(max_length=256)] = ()
    """Oldest first; a new one at each weight, and after 5, 10, 20, 40... minutes of a step."""
    opened: int = 0
    """How many of the last segments belong to the present step."""
    canary: Tally = Tally()
    """The canary in the present step, since the weight was served everywhere."""
    stable: Tally = Tally()
    """Stable in the present step, over the same span."""
    reached: ExactTime | None = None
    """Time of the newest sample that is counted; absent before the first."""
    covered_to: ExactTime | None = None
    """Until when the present step is covered by samples of both versions; absent when no part of it is."""
    seconds: float = 0
    """Seconds of the whole release that accepted samples of both versions cover."""
    suspect: SuspectMark | None = None
    """Present while the odds for worse stand above the bar, unconfirmed."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Ending:
    """Why a release is ending, stored until it has ended."""

    outcome: Outcome
    """What it will be recorded as."""
    reason: str
    """One of the documented reasons."""
    message: str
    """The same in words, with the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ReleaseRecord:
    """The stored state of the machine."""

    number: int = 0
    """Counts the releases of this resource; 0 before the first."""
    state: State = State.INITIALIZING
    """Where the machine stands."""
    from_: Annotated[str | None, Field(alias="from")] = None
    """The stable revision of the running release; absent at rest."""
    to: str | None = None
    """The revision under test; absent at rest."""
    plan: Annotated[tuple[PlannedStep, ...], Field(max_length=20)] = ()
    """The steps as they will be taken, defaults filled in."""
    step: int = 0
    """The step whose weight is served, from 1; 0 before the first."""
    weight: int = 0
    """The canary's weight that was decided, in percent."""
    weight_since: Time | None = None
    """When that weight was decided."""
    observed_seconds: float = 0
    """Seconds of the present step that accepted samples of both versions cover."""
    seq: int = 0
    """Counts routing writes; the mark on the routing objects carries it."""
    lost: bool = False
    """The canary has lost all its ready pods once in this release."""
    evidence: EvidenceRecord = EvidenceRecord()
    """Counts of both versions so far."""
    incident_since: Time | None = None
    """Since when stable itself fails far more often than before the release."""
    base_share: float | None = None
    """Stable's share of failed requests just before the release; unknown when absent."""
    ending: Ending | None = None
    """Present once the release is going to end."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PastRelease:
    """A release that has ended."""

    number: int
    """Its number."""
    revision: str
    """The revision that was under test."""
    outcome: Outcome
    """How it ended."""
    reason: str
    """Why, as one of the documented reasons."""
    message: str = ""
    """Why, in words."""
    ended: Time | None = None
    """When."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Condition:
    """A `metav1.Condition`."""

    type: str
    """Ready, Reconciling, Stalled, TrafficShifted, MetricsAvailable or Promoted."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """One of the documented reasons."""
    message: str
    """The same in words, with the numbers."""
    observed_generation: int
    """The generation of the spec that this speaks of."""
    last_transition_time: Time
    """When the status last changed."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class CanaryReleaseStatus:
    """What was seen and decided, for people, GitOps tools and the operator itself."""

    observed_generation: int = -1
    """The generation of the spec that this status speaks of; -1 before the first look."""
    phase: str | None = None
    """The printed word. Wait on conditions instead."""
    service: str | None = None
    """The Service whose traffic is moved."""
    stable: str | None = None
    """The revision that serves at rest: version @ pod-template hash."""
    canary: str | None = None
    """The revision under test while a release runs."""
    weight: int | None = None
    """The canary's weight as the route says it, in percent; absent when there is no route."""
    step: str | None = None
    """The present step of the plan, such as `2/4`."""
    reason: str | None = None
    """Why the release stands where it stands, as one of the documented reasons."""
    message: str | None = None
    """The same in words."""
    since: Time | None = None
    """Since when phase and reason are as printed."""
    verdict: str | None = None
    """The odds, in words."""
    release: ReleaseRecord | None = None
    """The stored state of the machine."""
    last_release: PastRelease | None = None
    """The release that ended last."""
    last_action: str | None = None
    """The last action that was acknowledged, as `verb/release/n`."""
    history: Annotated[tuple[PastRelease, ...], Field(max_length=10)] = ()
    """The last releases, newest first."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Ready, Reconciling, Stalled, TrafficShifted, MetricsAvailable, Promoted."""
