"""What the operator says: the status of a CanaryRelease. `release` is what it remembers, in `record.py`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.record import (
    Asked,
    Ending,
    EvidenceRecord,
    EvidenceSegment,
    ExactTime,
    Outcome,
    PaceRecord,
    PlannedHold,
    PlannedStep,
    ReleaseRecord,
    StableGone,
    State,
    SuspectMark,
    Tally,
    Time,
    format_exact_time,
    format_time,
)
from canary_operator.api.schema import CONFIG

__all__ = [
    "Asked",
    "CanaryReleaseStatus",
    "Condition",
    "Ending",
    "EvidenceRecord",
    "EvidenceSegment",
    "ExactTime",
    "Outcome",
    "PaceRecord",
    "PastRelease",
    "PlannedHold",
    "PlannedStep",
    "ReleaseRecord",
    "StableGone",
    "State",
    "SuspectMark",
    "Tally",
    "Time",
    "format_exact_time",
    "format_time",
]


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
class Advice:
    """Something that should be mended, while the release goes on."""

    reason: str
    """One of the documented reasons."""
    message: str
    """The object, what is wrong with it, and what to write instead."""


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
    """The present step of the plan, such as `2/4`; under a pace the number of rises so far."""
    reason: str | None = None
    """Why the release stands where it stands, as one of the documented reasons."""
    message: str | None = None
    """The same in words."""
    since: Time | None = None
    """Since when phase and reason are as printed."""
    warnings: Annotated[tuple[Advice, ...], Field(max_length=16)] = ()
    """What should be mended around the release; it goes on all the same."""
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
