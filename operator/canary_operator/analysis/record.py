"""What is known of one release: plain values, small enough to be stored in status.

Refuses to change: `evidence` says how a scrape changes it, `verdict` what it means.
"""

from dataclasses import dataclass

from canary_operator.analysis.odds import NOTHING, Counts, Segment
from canary_operator.analysis.queries import Row
from canary_operator.analysis.witnesses import Why


@dataclass(frozen=True, slots=True)
class Suspect:
    """The odds against the canary are 2:1 or more; over the bar, a failure at a later scrape than this one takes it back."""

    at: float
    """The scrape since which they are, seconds since 1970."""
    failures: int
    """The canary's failures in the release at that time, with those that reached no workload; of slow answers, or of requests that were given
    up, these."""


@dataclass(frozen=True, slots=True)
class Blame:
    """The canary is found worse. Stays until the next step or release starts."""

    at: float
    """The scrape that settled it, seconds since 1970."""
    why: Why


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one release; kept in status, so that every verdict can be recomputed from it."""

    weight: int = 0
    """The present step's weight, percent."""
    segments: tuple[Segment, ...] = ()
    """Of the whole release, oldest first."""
    opened: int = 0
    """How many of the last segments belong to the present step, 0 to 12."""
    settled_canary: Counts = NOTHING
    """The canary's counts of the present step since its weight has settled: for *not worse*."""
    settled_stable: Counts = NOTHING
    """Stable's counts over the same span."""
    reached: float | None = None
    """The newest sample that is counted, seconds since 1970. None: none yet."""
    covered: float = 0.0
    """Seconds of the present step that accepted samples of both arms cover (at weight 100: of the canary)."""
    covered_to: float | None = None
    """Where the covered time ends, seconds since 1970. None: nothing of this step is covered."""
    observed: float = 0.0
    """Covered seconds of all steps of the release."""
    last: Counts = NOTHING
    """The canary's counts at the newest scrape; of several targets, the newest interval of each in that time."""
    coming: float = 0.0
    """Failures of the canary that the next scrape would bring if it went on as in `last`: what waiting for it costs."""
    suspect: Suspect | None = None
    """By its failures: beside stable's, or above the limit."""
    suspect_slow: Suspect | None = None
    """By its slow answers."""
    suspect_given_up: Suspect | None = None
    """By the requests to it that callers gave up."""
    blame: Blame | None = None
    settled_lost: int = 0
    """Failed requests of the present step since its weight has settled that reached no workload."""
    settled_canary_timed: Counts = NOTHING
    """Answers of the canary in that span whose time is known, and those of them that were slow."""
    settled_stable_timed: Counts = NOTHING
    """The same of stable."""
    settled_canary_given_up: int = 0
    """Requests of that span that callers gave up."""
    settled_stable_given_up: int = 0
    """The same of stable."""
    rows: tuple[Row, ...] = ()
    """What the user's own queries have answered."""

    @property
    def step(self) -> Segment:
        """The present step's settled counts as one segment."""
        return Segment(
            self.weight,
            self.settled_canary,
            self.settled_stable,
            self.settled_lost,
            self.settled_canary_timed,
            self.settled_stable_timed,
            self.settled_canary_given_up,
            self.settled_stable_given_up,
        )


@dataclass(frozen=True, slots=True)
class Folded:
    """Evidence with the newest samples in it."""

    committed: Evidence
    """Up to where all living targets have reported: to be stored."""
    now: Evidence
    """With the samples of the targets that are ahead: to be judged."""
