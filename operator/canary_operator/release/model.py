"""The values that a decision is made of: what is seen, what is wanted, and why. Values only; nothing here decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canary_operator.analysis.samples import Answer
from canary_operator.analysis.value import QueryAsk, ValueAnswer
from canary_operator.api.status import PastRelease, ReleaseRecord
from canary_operator.workloads.model import Serving as Serving  # seen by decisions, told by `workloads`


@dataclass(frozen=True, slots=True)
class Because:
    """Why a pass decided as it did; said once, worded by report, event, condition and log."""

    reason: str
    """One of the constants of `release/reasons.py`."""
    message: str
    """The same for a person, with object names and numbers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a routing write says of itself, as an annotation on the object it changes: who outranks whom can be read from the cluster."""

    uid: str
    """Of the CanaryRelease."""
    release: int
    """Its release number; 0 before the first."""
    seq: int
    """Counts routing writes of the CanaryRelease."""
    weight: int
    """The canary's weight after the write, in percent."""
    decision: str
    """The reason of the decision."""

    def __str__(self) -> str:
        return f"{self.uid}/{self.release}/{self.seq}/{self.weight}/{self.decision}"

    @property
    def rank(self) -> tuple[int, int]:
        """A mark of higher rank was written later."""
        return self.release, self.seq

    @classmethod
    def parse(cls, text: str | None) -> "Mark | None":
        """The mark in an annotation; None when there is none, or when it is not one of ours."""
        parts = (text or "").split("/")
        if len(parts) != 5 or not all(part.isdecimal() for part in parts[1:4]):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]), int(parts[3]), parts[4])


# ---------------------------------------------------------------------------------------------------------------- what is seen


@dataclass(frozen=True, slots=True)
class Presence:
    """For how long a version has had ready endpoints or none, and how many it had, as far as this process has seen it."""

    since: datetime
    """Since when any of its endpoints is ready, or none is. After a restart that is the restart at the earliest."""
    most: int
    """The most ready endpoints of the last 10 minutes."""
    whole: bool
    """This process has watched it for all of these 10 minutes."""
    told: bool = True
    """ReplicaSets told how many of its pods are asked for, when it was last seen."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a route carries beside its weights while a release runs."""

    preview: bool = False
    """Requests that match `spec.preview` see the canary, whatever the weight is."""
    mirror: int = 0
    """Percent of the requests that are copied to the canary; their answers reach nobody."""


BARE = Extras()
"""Weights alone, as at rest."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Routes to the Service's host that are not managed, such as others of the user's: their requests follow no weight."""

    stable: bool = False
    """One sends to the stable subset, so stable gets more than the weight leaves it."""
    canary: bool = False
    """One sends to the canary subset, or past the subsets to all versions."""


ALL_MANAGED = Beside()
"""There is none."""


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """The managed routes as they stand, all VirtualServices taken together."""

    weight: int
    """The canary's weight, in percent: the highest, should the routes differ."""
    intact: bool
    """Hosts, gateways and destinations are as the spec wants them, and all managed routes have the same weight."""
    mark: Mark | None
    """Of the last write of ours, the highest of all; None when it was taken off."""
    since: datetime
    """When this process first saw the routing as it stands. After a restart that is the restart, so every pending settle starts anew."""
    extras: Extras = BARE
    """What the routes carry beside their weights."""
    stays: bool = False
    """Somebody needs it: it is the user's, a root delegates to it, or it reaches callers, or says something, that no default of Istio's would. It
    is given back, never removed."""
    unsplit: bool = False
    """No managed route names a subset: every request goes to the host, as after a deletion. False: some do."""
    touched_by: str | None = None
    """Field manager that wrote it last, when that was somebody else; None: we did, or nobody knows."""
    unfinished: bool = False
    """Not intact, though as we left it: a write of ours reached some VirtualServices only, the spec asks for something else since, or an
    earlier version of the operator wrote it."""


@dataclass(frozen=True, slots=True)
class SubsetsSeen:
    """The DestinationRule of ours as it stands."""

    stable: str | None
    """Version that the subset `stable` selects; None when the subset is missing."""
    canary: str | None
    """Version that the subset `canary` selects; None when the subset is missing."""
    mark: Mark | None
    """Of the last write of ours; None when it was taken off."""
    since: datetime
    """When this process first saw the subsets as they stand."""
    stays: bool = False
    """The DestinationRule is the user's: our subsets are taken out of it, the rest stays."""
    named_by: str | None = None
    """A route that is not ours and sends to one of our subsets, as a message names it. Looked for in a deletion only; None: none."""
    policies: bool = False
    """Somebody gave one of the two subsets a policy of its own: requests that do not go through the subset would be treated differently."""
    touched_by: str | None = None
    """Field manager that wrote it last, when that was somebody else; None: we did, or nobody knows."""
    exported: bool = True
    """It reaches the callers that it should. Of a user's own that is for the checks to say."""
    former: bool = False
    """It does not yet, as an earlier version of the operator wrote it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one decision may look at."""

    now: datetime
    uid: str
    generation: int
    name: str = "NAME"
    """Of the CanaryRelease, for words only."""
    namespace: str = "NAMESPACE"
    """Of the CanaryRelease; a value of the user's own queries."""
    deleting: bool = False
    """The user has asked for deletion."""
    finalizer: bool = False
    """Our finalizer is on the CanaryRelease."""
    action: str | None = None
    """The action annotation, as it was written."""
    last_action: str | None = None
    """The last action that was acknowledged."""
    last_release: PastRelease | None = None
    """The release that ended last."""
    history: tuple[PastRelease, ...] = ()
    """The last releases, newest first."""
    stable: str | None = None
    """The stable revision as recorded; None before the adoption."""
    versions: Mapping[str, Serving] | None = None
    """Per version, what serves behind the Service; None when the Service is missing."""
    unknown: int = 0
    """Ready endpoints whose version is not known yet: they may be of any."""
    strangers: int = 0
    """Ready endpoints of no version: no subset has them, and without subsets they are sent requests like any other."""
    presence: Mapping[str, Presence] = field(default_factory=dict)
    """Per version, for how long it has served or not; a version that is missing is seen for the first time."""
    service_since: datetime | None = None
    """When the Service, or its endpoints, were made. Proxies knew of no endpoint before. None: nobody knows, or long ago."""
    route: RouteSeen | None = None
    """None: no VirtualService of ours."""
    route_gone_since: datetime | None = None
    """When this process first saw that there is no VirtualService of ours; None while there is one."""
    subsets: SubsetsSeen | None = None
    """None: no DestinationRule of ours."""
    fresh: bool = True
    """The record is known to be newer than the routing that is seen. False: read it again before acting on it."""
    beside: Beside = ALL_MANAGED
    """What else sends to the Service's host."""
    attached: bool = False
    """The routes are the user's: none is created or removed, and at rest any weight is right, since both subsets select stable."""
    findings: tuple[Because, ...] = ()
    """What must be mended before traffic moves."""
    warnings: tuple[Because, ...] = ()
    """What should be mended; the release goes on."""
    remembered: tuple[Because, ...] = ()
    """Warnings in status that rest on what is not read now: as they were when it was read last."""
    rises_off: str | None = None
    """Where the operator's configuration says `rises: false`, such as the path of its file; None: it does not."""
    unread: Because | None = None
    """Why what surrounds the release (namespace, pods, gateways, policies) is not known yet; None: it is, and findings tell of it."""
    left_out: frozenset[str] = frozenset()
    """Namespaces that keep weights or subsets from their own callers: the requests of these are no evidence."""
    samples: Answer | None = None
    """What Prometheus answered to the last question; None: not asked yet."""
    queries: Mapping[QueryAsk, ValueAnswer] = field(default_factory=dict)
    """What Prometheus answered last to each of the user's own queries; one that is missing was not asked yet."""


# --------------------------------------------------------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Read the CanaryRelease afresh: the routing was written by a later decision than the record at hand."""


@dataclass(frozen=True, slots=True)
class EnsureFinalizer:
    """Put our finalizer on the CanaryRelease."""


@dataclass(frozen=True, slots=True)
class ReleaseFinalizer:
    """Take our finalizer off: nothing of ours is left."""


@dataclass(frozen=True, slots=True)
class EnsureSubsets:
    """The subsets of the DestinationRule select these versions."""

    stable: str
    canary: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class EnsureWeights:
    """The managed routes give the canary this weight, in percent, and stable the rest."""

    canary: int
    mark: Mark
    extras: Extras = BARE
    """What the routes carry beside it."""


@dataclass(frozen=True, slots=True)
class RecordState:
    """Status says what was decided."""


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """The VirtualService of ours is gone."""


@dataclass(frozen=True, slots=True)
class EnsureUnsplit:
    """The managed routes of our VirtualService name the host without a subset; everything else in them stays as it is."""

    mark: Mark


@dataclass(frozen=True, slots=True)
class RemoveSubsets:
    """Our subsets are gone, with the DestinationRule if nothing else stands in it. Only when no route has named them for a settle time."""


@dataclass(frozen=True, slots=True)
class Disown:
    """VirtualServices and DestinationRule stay as they are, and carry nothing of ours any more."""


@dataclass(frozen=True, slots=True)
class Announce:
    """An Event on the CanaryRelease."""

    because: Because
    warning: bool = False


Effect = (
    ReadAgain
    | EnsureFinalizer
    | ReleaseFinalizer
    | EnsureSubsets
    | EnsureWeights
    | RecordState
    | RemoveRoute
    | EnsureUnsplit
    | RemoveSubsets
    | Disown
    | Announce
)


@dataclass(frozen=True, slots=True)
class Ask:
    """The samples that the next look needs."""

    canary: tuple[str, ...]
    """Workloads of the canary."""
    stable: tuple[str, ...]
    """Workloads of stable."""
    since: float | None
    """Unix seconds of the newest sample that is already recorded; None: none yet."""
    lasting: bool = False
    """How long stable's requests last is asked too."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one pass decided: printable, comparable, and all that the shell needs."""

    because: Because
    """The reason, once."""
    state: ReleaseRecord
    """The next state of the machine."""
    effects: tuple[Effect, ...] = ()
    """Ends in the order in which they are to be reached. The first that fails ends the pass."""
    look_again_in: timedelta | None = None
    """None: wait for a change."""
    ask: Ask | None = None
    """None: no counters are asked of Prometheus."""
    queries: tuple[QueryAsk, ...] = ()
    """The user's own queries that are to be asked from now on."""
    phase: str | None = None
    """An overlay on the state: Waiting, Blocked, Deleting; None: the state itself is printed."""
    stable: str | None = None
    """The stable revision to record; None before the adoption."""
    last_release: PastRelease | None = None
    """The release that ended last, after this pass."""
    last_action: str | None = None
    """The last action that was acknowledged, after this pass."""
    verdict: str | None = None
    """The odds in words; None while nothing is judged."""
    ln_worse: float | None = None
    """Log of the loudest odds against the canary of the release that ran until now; None: none did."""
    inspect: bool = False
    """The next look needs what surrounds the release."""
    warnings: tuple[Because, ...] = ()
    """What should be mended in the spec; the release goes on."""
    metrics: Because | None = None
    """Why no samples were accepted; None: they were, or none are needed."""
    standing: ReleaseRecord | None = None
    """The record that holds though every effect is refused: what marks, spec and people say, and an end that is decided. None: that in status."""
    told: tuple[Announce, ...] = ()
    """What is to be said of it; the last of the effects, too."""
