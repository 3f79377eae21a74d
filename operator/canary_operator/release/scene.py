"""One look, prepared: spec, the believed state, what is seen and what the evidence says. Guards and flows read it and answer with a Decision."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from canary_operator.analysis.verdict import Word
from canary_operator.api.record import LONGEST_MESSAGE, Ending, EvidenceRecord, Outcome, ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.absence import Absence, absence, brief_left
from canary_operator.release.evidence import Look
from canary_operator.release.model import (
    BARE,
    Announce,
    Ask,
    Because,
    Decision,
    Effect,
    EnsureSubsets,
    EnsureWeights,
    Extras,
    Mark,
    Observation,
    RecordState,
    Serving,
)
from canary_operator.release.pace import Choice, Price, Spent, Tempo, choose, spent, too_dear
from canary_operator.release.plan import hold_of
from canary_operator.release.queries import asks
from canary_operator.release.reading import asked_since, unmeasured
from canary_operator.release.record import record_of
from canary_operator.release.ways_out import replaced, told


def version_of(revision: str | None) -> str:
    """The version label in a revision; empty when there is no revision."""
    return (revision or "").rpartition("@")[0]


def minus(later: datetime, earlier: datetime | None) -> timedelta:
    """The time between; nothing when the earlier one is unknown."""
    return later - earlier if earlier else timedelta(0)


def running(state: ReleaseRecord) -> bool:
    """A canary is under test, so that samples are wanted."""
    return state.state in (State.PROGRESSING, State.PROMOTING)


def promoted(state: ReleaseRecord, seen: Observation) -> bool:
    """The release at 100 percent is decided: the stable subset selects the new version already, and there is no way back."""
    if state.state is not State.PROMOTING or state.weight == 0 or seen.subsets is None:
        return state.state is State.PROMOTING and state.weight == 0  # on the way home, even if somebody takes the subsets away meanwhile
    mark = seen.subsets.mark  # labelled so by somebody else, under an older mark of ours, it is drift
    ours = mark is None or mark.uid != seen.uid or mark.decision in (reasons.PROMOTED, reasons.DELETING)
    return ours and seen.subsets.stable == version_of(state.to)


def step_age(state: ReleaseRecord, now: datetime) -> timedelta:
    """How long the present step has lasted, without the time in which a person was waited for."""
    waited = timedelta(seconds=state.waited_seconds) + minus(now, state.waiting_since)
    return minus(now, state.weight_since) - waited


def way_age(state: ReleaseRecord, now: datetime) -> timedelta:
    """How long a paced release has been on its way, without the time in which a person was waited for."""
    if state.pace is None:
        return timedelta(0)
    waited = timedelta(seconds=state.pace.waited_seconds + state.waited_seconds) + minus(now, state.waiting_since)
    return minus(now, state.pace.since) - waited


def anew(state: ReleaseRecord, now: datetime) -> ReleaseRecord:
    """The state with the clocks of a step that begins now; what was waited for a person in the one before is kept for the whole way."""
    state = clocked(state, now, by_hand=False)
    pace = state.pace and replace(state.pace, waited_seconds=round(state.pace.waited_seconds + state.waited_seconds, 3))
    return replace(state, weight_since=now, waiting_since=None, waited_seconds=0, observed_seconds=0, pace=pace)


def clocked(state: ReleaseRecord, now: datetime, *, by_hand: bool) -> ReleaseRecord:
    """The state with the time kept in which a person is waited for."""
    if by_hand:
        return state if state.waiting_since else replace(state, waiting_since=now)
    if state.waiting_since is None:
        return state
    waited = state.waited_seconds + (now - state.waiting_since).total_seconds()
    return replace(state, waiting_since=None, waited_seconds=round(waited, 3))


@dataclass(frozen=True, slots=True)
class Scene:
    """What guards and flows look at."""

    spec: CanaryReleaseSpec
    state: ReleaseRecord
    """The record, or what the marks of later writes say beyond it."""
    seen: Observation
    look: Look

    def serving(self, revision: str | None) -> Serving | None:
        """What serves the version of a revision now; None when nothing does."""
        return (self.seen.versions or {}).get(version_of(revision))

    def ready(self, revision: str | None) -> int:
        """Ready endpoints of the newest template of the version of a revision."""
        serving = self.serving(revision)
        return serving.ready if serving else 0

    def serves(self, revision: str | None) -> bool:
        """Some ready endpoint answers for the version of a revision, of whatever template; one whose version is not known yet may."""
        serving = self.serving(revision)
        return bool(self.seen.unknown or (serving and serving.endpoints))

    @property
    def weight(self) -> int:
        """The canary's weight as the route has it; 0 when there is no route of ours."""
        return self.seen.route.weight if self.seen.route else 0

    @property
    def exposed(self) -> bool:
        """Some requests, or copies of them, reach the canary subset."""
        return self.weight > 0 or (self.seen.route is not None and self.seen.route.extras != BARE)

    @property
    def is_stables(self) -> bool:
        """The canary subset selects stable: whatever weight it has, the requests go there."""
        return self.seen.subsets is not None and self.seen.subsets.canary == version_of(self.stable)

    @property
    def stable(self) -> str | None:
        """The stable revision: of the running release, else as recorded."""
        return self.state.from_ or self.seen.stable

    @property
    def absence(self) -> Absence:
        """How far stable is from serving."""
        return absence(self.seen, version_of(self.stable), self.look.found)

    @property
    def patience(self) -> timedelta | None:
        """When a stable version without a ready pod is called gone; None: it is already, or it serves."""
        return brief_left(self.seen, version_of(self.stable)) if self.absence is Absence.BRIEF else None

    @property
    def promoted(self) -> bool:
        """The release is decided, and there is no way back."""
        return promoted(self.state, self.seen)

    @property
    def by_hand(self) -> bool:
        """A person has ended the present step: neither time nor missing samples hold it any longer."""
        asked = self.state.asked
        return asked.skip or (asked.promote and self.state.state is State.PROGRESSING)

    @property
    def passed(self) -> bool:
        """The present step is over, by its evidence or by hand. No hand passes a step whose verdict speaks against the canary."""
        if self.by_hand:
            return self.look.verdict.word not in (Word.WORSE, Word.SUSPECT) and not self.look.hearing.outside
        return self.look.passed

    @property
    def known(self) -> Spent:
        """What both versions did so far in this release, as it is stored."""
        return spent(self.look.committed.segments, self.state.baseline.noise if self.state.baseline else 1.0)

    @property
    def choice(self) -> Choice | None:
        """The weight that the budget allows; None: the plan names the weights."""
        pace = self.state.pace
        if pace is None:
            return None
        weight = self.state.weight if self.state.step else 0
        return choose(Price(pace.failure_budget, pace.max_weight), weight, self.known, self.look.tempo)

    @property
    def recorded(self) -> EvidenceRecord:
        """The evidence of this look in the shape of status."""
        return record_of(self.look.committed)

    def _ask(self, state: ReleaseRecord) -> Ask | None:
        """The samples that the next look needs: none unless a release is running and both versions have workloads."""
        canary, stable = self.serving(state.to), self.serving(state.from_)
        if not running(state) or not canary or not stable:
            return None
        # From the record as it stands, not from the one that this pass may write: what is not stored must be read again.
        since = asked_since(self.state, self.seen.now)
        return Ask(canary.workloads, stable.workloads, since, lasting=unmeasured(self.state))

    # ------------------------------------------------------------------------------------------------------------------ writing

    def mark(self, reason: str, weight: int, state: ReleaseRecord | None = None) -> Mark:
        """The mark of a routing write that this pass makes."""
        state = state or self.state
        return Mark(self.seen.uid, state.number, state.seq, weight, reason)

    def shift(self, state: ReleaseRecord, reason: str, weight: int, extras: Extras = BARE) -> EnsureWeights:
        """The write that gives the canary a weight. A drop takes everything else away too."""
        return EnsureWeights(weight, self.mark(reason, weight, state), extras)

    def relabel(self, state: ReleaseRecord, reason: str, stable: str, canary: str) -> EnsureSubsets:
        """The write that points the subsets at versions."""
        return EnsureSubsets(stable, canary, self.mark(reason, self.weight, state))

    def counted(self) -> ReleaseRecord:
        """The state for one more routing write."""
        return replace(self.state, seq=self.state.seq + 1)

    def checked(self) -> ReleaseRecord:
        """The state with the evidence of this look."""
        look = self.look
        return replace(
            self.state,
            evidence=self.recorded,
            observed_seconds=look.committed.covered,
            baseline=look.baseline,
            incident_since=look.incident_since,
        )

    def answer(
        self,
        because: Because,
        *,
        state: ReleaseRecord | None = None,
        effects: tuple[Effect, ...] = (),
        again: timedelta | None = None,
        phase: str | None = None,
    ) -> Decision:
        """A decision that keeps everything else as it is."""
        state = state or self.state
        return Decision(
            because=because,
            state=state,
            effects=effects,
            look_again_in=self._sooner(again, state),
            ask=self._ask(state),
            queries=asks(self.spec, state, self.seen),
            phase=phase,
            stable=self.seen.stable,
            last_release=self.seen.last_release,
            last_action=self.seen.last_action,
            inspect=state.state in (State.INITIALIZING, State.PROGRESSING),
            verdict=self.look.odds if running(state) else None,
            ln_worse=self.look.verdict.testimony.loudest if running(self.state) else None,
            metrics=self.look.missing if running(state) else None,
            warnings=self._warnings(state),
        )

    def _warnings(self, state: ReleaseRecord) -> tuple[Because, ...]:
        """By the rate that the present weight was chosen by, so that the words stand still between two rises."""
        pace, found = state.pace, [replaced(self.seen, version_of(self.stable))]
        if pace is not None and state.state is State.PROGRESSING and pace.rate and pace.spacing:
            tempo = Tempo(pace.rate, pace.spacing, self.spec.settle.total_seconds())
            words = too_dear(Price(pace.failure_budget, pace.max_weight), tempo)
            found.append(Because(reasons.BUDGET_TOO_SMALL, words) if words else None)
        return tuple(each for each in found if each is not None)

    def _sooner(self, again: timedelta | None, state: ReleaseRecord) -> timedelta | None:
        """When to look again: as asked, or before that when the mere passing of time changes what is to be done."""
        spans = [self.look.valid_for if running(state) else None]
        if state.state is State.PROGRESSING and state.weight_since and not state.waiting_since:
            age = step_age(state, self.seen.now)
            end = state.pace.max_duration - way_age(state, self.seen.now) if state.pace else self.spec.analysis.deadline - age
            spans += [end, hold_of(state).max - age]
        coming = [span for span in spans if span is not None and span > timedelta(0)]
        return min((*coming, again) if again is not None else coming, default=None)

    def barred(self) -> Decision | None:
        """What stands in the way of traffic that has not moved yet: a finding, or that nobody has looked yet. No release starts blind."""
        because = next(iter(self.seen.findings), self.seen.unread)
        if because is None:
            return None
        return replace(self.answer(because, phase="Blocked" if self.seen.findings else "Waiting"), inspect=True)

    def end(self, reason: str, message: str) -> Decision:
        """Takes all traffic back and ends the release. The write comes before the record: its mark outranks the older record.

        One thing stands in the way: a stable version without a ready pod. Then traffic stays where it is.
        """
        if self.weight > 0 and not self.serves(self.state.from_):
            return self.stable_gone(f"{message}; but nothing can go back: ")
        outcome = reasons.OUTCOMES[reason]
        state = replace(
            self.counted(),
            state=State.ROLLING_BACK if outcome is Outcome.ROLLED_BACK else State.WITHDRAWING,
            weight=0,
            weight_since=self.seen.now,
            waiting_since=None,
            evidence=self.recorded,
            observed_seconds=self.look.committed.covered,
            ending=Ending(outcome=outcome, reason=reason, message=message[:LONGEST_MESSAGE]),
            stable_gone=None,
        )
        because = Because(reason, message)
        shift = (self.shift(state, reason, 0),) if self.exposed or self._is_rising else ()
        announce = Announce(because, warning=outcome is Outcome.ROLLED_BACK)
        return self.answer(because, state=state, effects=(*shift, RecordState(), announce), again=self.spec.drain)

    @property
    def _is_rising(self) -> bool:
        """A recorded rise may still be on its way to the API: it is refused only if the route has changed since it was derived."""
        route, decided = self.seen.route, (self.state.number, self.state.seq)
        unwritten = route is not None and (route.mark is None or route.mark.uid != self.seen.uid or route.mark.rank < decided)
        return unwritten and self.state.weight > 0

    def stable_gone(self, before: str = "", *, why: str = "") -> Decision:
        """Traffic stays where it is. A subset that is missing is put back all the same: a route that names it answers 503.

        Args:
            before: What cannot be done now, in words that end with `: `.
            why: Why no more traffic moves by itself; empty: nothing stands in the way.
        """
        words = before + told(self.spec, self.state, self.seen, self.stable or "", why=why)
        because, subsets = Because(reasons.STABLE_GONE, words), self.seen.subsets
        if self.seen.route is None or (subsets is not None and subsets.stable and subsets.canary):
            return self.answer(because, again=self.patience, phase="Blocked")
        state, stable = self.counted(), version_of(self.stable)
        canary = (subsets and subsets.canary) or version_of(self.state.to) or stable
        put_back = self.relabel(state, reasons.DRIFT, stable, canary)
        return self.answer(because, state=state, effects=(put_back,), again=self.patience, phase="Blocked")
