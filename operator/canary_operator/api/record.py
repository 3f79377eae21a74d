"""What the operator remembers: the stored state of the machine. All of it stands in `status.release`."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

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


MAX_SEGMENTS = 256
"""Segments of the evidence that status holds."""
LONGEST_MESSAGE = 1024
"""Characters of a message that status keeps."""


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
    approval: bool = False
    """A person is asked before the weight rises to this step's."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class PaceRecord:
    """`spec.pace` as the release takes it, and what the present weight was chosen by."""

    failure_budget: int
    """Failed requests that a bad version may cost."""
    min_duration: Duration
    """No promotion before so much of the release is observed."""
    max_duration: Duration
    """The longest way to 100 percent."""
    max_weight: int
    """The highest weight before 100, in percent."""
    since: Time
    """Since when `maxDuration` counts: the start of the release, or of its pace."""
    waited_seconds: float = 0
    """Seconds that a person was waited for before the present step: `maxDuration` does not count them."""
    rate: float | None = None
    """Requests per second of both versions when the present weight was chosen; absent before the first, and when nobody knew."""
    spacing: float | None = None
    """Seconds between two scrapes at that time."""
    risk: float | None = None
    """The share of its requests that the canary could fail beyond stable, by the evidence at that time; 1: nothing was known."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Tally:
    """Requests of one version over a span."""

    requests: int = 0
    """Requests that were answered."""
    failures: int = 0
    """Those of them that failed."""
    timed: int | None = None
    """Successful answers whose time is known; absent when latency is not judged."""
    slow: int | None = None
    """Those of them that took longer than `analysis.latency.threshold`."""
    given_up: int | None = None
    """Requests beside these that their callers ended before the answer was complete; absent when there were none."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class EvidenceSegment:
    """A stretch of the release at one weight, both versions counted over the same span."""

    weight: int
    """The canary's weight, in percent."""
    canary: Tally
    """The canary's requests and failures."""
    stable: Tally
    """Stable's requests and failures."""
    lost: int | None = None
    """Failed requests that reached no version (no healthy endpoint, no cluster); absent when there were none."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SuspectMark:
    """The odds against the canary are 2:1 or more. Where they pass the bar at a later scrape, and it fails there again, it is rolled back."""

    at: ExactTime
    """Time of the sample that raised the suspicion."""
    failures: int
    """The canary's failures in the release until then, with those that reached no version; of slow answers, these."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class QueryRecord:
    """What one of `analysis.queries` has answered in the present step."""

    name: str
    """Its name."""
    of: str
    """Stands for its text and bounds; another one after an edit, and then it is judged anew."""
    at: ExactTime | None = None
    """When the last value that counts was computed; absent before the first."""
    value: float | None = None
    """That value."""
    outside: int = 0
    """Values outside the bounds in a row, up to that one."""
    inside: bool = False
    """A value of this step was within the bounds, and rests on nothing that was scraped before its weight had settled."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class EvidenceRecord:
    """All counts of the release so far. Every verdict can be recomputed from it by hand."""

    segments: Annotated[tuple[EvidenceSegment, ...], Field(max_length=MAX_SEGMENTS)] = ()
    """Oldest first; a new one at each weight, and after 5, 10, 20, 40... minutes of a step. Of more the oldest are merged."""
    opened: int = 0
    """How many of the last segments belong to the present step."""
    canary: Tally = Tally()
    """The canary in the present step, since the weight was served everywhere."""
    stable: Tally = Tally()
    """Stable in the present step, over the same span."""
    lost: int | None = None
    """Failed requests of that span that reached no version; absent when there were none."""
    reached: ExactTime | None = None
    """Time of the newest sample that is counted; absent before the first."""
    covered_to: ExactTime | None = None
    """Until when the present step is covered by samples of both versions; absent when no part of it is."""
    seconds: float = 0
    """Seconds of the whole release that accepted samples of both versions cover."""
    suspect: SuspectMark | None = None
    """Present while the odds that it fails too much are 2:1 or more."""
    suspect_slow: SuspectMark | None = None
    """Present while the odds that it answers too slowly are 2:1 or more."""
    suspect_given_up: SuspectMark | None = None
    """Present while the odds that callers give up too many requests to it are 2:1 or more."""
    queries: Annotated[tuple[QueryRecord, ...], Field(max_length=16)] | None = None
    """What `analysis.queries` have answered; absent when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class BaselineRecord:
    """Stable in the minutes before the canary had any traffic."""

    stable: Tally
    """Its requests and failures."""
    lost: int = 0
    """Failed requests that reached no version."""
    noise: float = 1
    """How clumpy its failures are: so many count as one in the odds. 1: they come singly."""
    slow_noise: float = 1
    """The same of its slow answers."""
    given_up_noise: float = 1
    """The same of the requests to it that callers gave up."""
    lasting: float | None = None
    """Seconds that its requests lasted on average; absent: unknown. A canary that ends none keeps its weight for four times as long at least."""


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
class Asked:
    """What people have asked for by action, and what is still to be done of it."""

    n: int = 0
    """The n of the last action that was carried out for this release."""
    paused: bool = False
    """Nothing rises until `resume`."""
    approved: int = 0
    """The weight, in percent, that a person has let the canary rise to; 0: none is waiting to be taken."""
    skip: bool = False
    """The hold of the present step is ended by hand."""
    promote: bool = False
    """The steps that are left are left out: the next weight is 100."""
    abort: bool = False
    """All traffic goes back as soon as something can take it."""
    retry: bool = False
    """The version that failed is released once more."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class StableGone:
    """Stable has no ready pod, or is about to have none, and what came of it."""

    since: Time
    """Since when."""
    moved: bool = False
    """The canary was given weight for it, which is no step of the plan."""
    asked: bool = False
    """A person has asked meanwhile that the version that serves becomes stable."""
    by_hand: bool = False
    """That is being done: the canary is promoted without a bake."""


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
    plan: Annotated[tuple[PlannedStep, ...], Field(max_length=100)] = ()
    """The steps that were taken, then those that will be, defaults filled in. Under a pace: the weights so far, and the gate before 100."""
    pace: PaceRecord | None = None
    """Present while the weights are chosen by a budget; absent: the plan names them."""
    step: int = 0
    """The step whose weight is served, from 1; 0 before the first."""
    weight: int = 0
    """The canary's weight that was decided, in percent."""
    weight_since: ExactTime | None = None
    """When that weight was decided; to the millisecond, since a scrape just before it belongs to the weight before."""
    waiting_since: Time | None = None
    """Since when the present step waits for a person; absent while it does not."""
    waited_seconds: float = 0
    """Seconds that the present step has waited for a person before: no deadline counts them."""
    mirror_since: Time | None = None
    """Since when requests are copied to the canary; absent while they are not."""
    observed_seconds: float = 0
    """Seconds of the present step that accepted samples of both versions cover."""
    seq: int = 0
    """Counts routing writes; the mark on the routing objects carries it."""
    lost: bool = False
    """The canary has lost all its ready pods once in this release."""
    drifts: int = 0
    """How often the routing was set right in this release, after somebody else had changed it."""
    evidence: EvidenceRecord = EvidenceRecord()
    """Counts of both versions so far."""
    incident_since: Time | None = None
    """Since when stable itself fails far more often than before the release."""
    baseline: BaselineRecord | None = None
    """Stable just before the release; unknown when absent."""
    held: Ending | None = None
    """Present while `onFailure: Hold` keeps a canary that failed where it is: what it would have been taken back for."""
    asked: Asked = Asked()
    """What people have asked for by action."""
    ending: Ending | None = None
    """Present once the release is going to end."""
    stable_gone: StableGone | None = None
    """Present while stable has no ready pod, and until traffic is back on it."""
    returned: Annotated[tuple[Time, ...], Field(max_length=2)] = ()
    """When traffic last went back to a stable version that had been gone, oldest first."""
    stable_pods: int = 0
    """The most ready pods that stable had in this release, or lately at rest; 0: not known yet. `spec.capacity` is a share of it."""
    stable_version: str | None = None
    """`spec.stableVersion` as it was when stable last served, empty where it is left out; absent: not known yet."""
