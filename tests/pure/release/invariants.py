"""The rules that must never break, checked at every revision of everything the world stores."""

from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil

from canary_operator.analysis.folding import LONGEST_COVER
from canary_operator.api.status import Outcome, State
from canary_operator.release import reasons
from canary_operator.release.model import BARE, Announce, EnsureWeights
from canary_operator.release.transitions import TRANSITIONS
from canary_operator.simulation.objects import OPERATOR, PERSON, Stored
from canary_operator.simulation.process import Pass
from canary_operator.simulation.world import World
from tests.pure.release.pacing import has_taken_its_time, keeps_to_its_price

RUNNING = (State.PROGRESSING, State.PROMOTING)
ENDING = (State.ROLLING_BACK, State.WITHDRAWING)


def version(revision: str | None) -> str:
    return (revision or "").rpartition("@")[0]


def share(stored: Stored, subset: str) -> int:
    """Percent that a subset gets; what is shown or copied to the canary counts as one."""
    if stored.route and not stored.route.split:
        return 0
    weight = stored.route.weight if stored.route else 0
    if subset == "canary" and not weight and stored.route and stored.route.extras != BARE:
        return 1
    return weight if subset == "canary" else (100 - weight if stored.route else 0)


def label(stored: Stored, subset: str) -> str | None:
    return getattr(stored.subsets, subset) if stored.subsets else None


def ready(stored: Stored, revision: str | None) -> int:
    """Pods of the newest template of a version."""
    serving = (stored.versions or {}).get(version(revision))
    return serving.ready if serving else 0


def serves(stored: Stored, revision: str | None) -> int:
    """Pods that answer for a version, of whatever template."""
    serving = (stored.versions or {}).get(version(revision))
    return serving.endpoints if serving else 0


def broken(stored: Stored) -> bool:
    """The route names a subset that is missing."""
    return stored.route is not None and stored.route.split and any(label(stored, subset) is None for subset in ("stable", "canary"))


def by_hand(before: Stored, after: Stored) -> set[str]:
    """The verbs that a person has asked for and that are done with this write, or were not done before it."""
    assert before.resource and after.resource and after.resource.status
    asked, now = before.resource.record.asked, after.resource.status.last_action
    asked_for = {"skip": asked.skip, "promote": asked.promote, "approve": asked.approved == after.resource.record.weight}
    verbs = {verb for verb, wanted in asked_for.items() if wanted}
    was = before.resource.status.last_action if before.resource.status else None
    return verbs | ({(now or "").partition("/")[0]} if now != was else set())


@dataclass
class Watcher:
    """Looks at every new revision and pass of a world, and raises AssertionError with the rule's number."""

    world: World
    position: int = 0
    passes: int = 0
    idle_since: dict[str, float] = field(default_factory=dict)
    """Per subset, since when it has had no traffic."""
    relabelled: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Per subset, when and by whom its label was changed last."""
    ended: dict[int, int] = field(default_factory=dict)
    """Releases whose end was decided, and the revision that says so."""
    ranks: dict[str, tuple[int, int]] = field(default_factory=dict)
    returned: list[float] = field(default_factory=list)
    """When traffic went back to a stable version that had been gone."""
    stood: dict[int, int] = field(default_factory=dict)
    """Per release, the highest weight that was given because stable did not serve: somebody else may have taken it away."""
    woken: float = 0.0
    """When a process that hung was woken: it sees pods that are gone."""
    served_since: float = 0.0
    """Since when the route has its present weight."""

    def check(self) -> None:
        log = self.world.cluster.log
        while self.position + 1 < len(log):
            self.position += 1
            self._revision(log[self.position - 1], log[self.position])
        for one in self.world.passes[self.passes :]:
            self._pass(one)
        self.passes = len(self.world.passes)

    # ----------------------------------------------------------------------------------------------------------------- revisions

    def _revision(self, before: Stored, after: Stored) -> None:
        if after.by == OPERATOR:
            if after.what == "route":
                self._ends(before, after)
                if after.route is not None and after.route.split:
                    self._weights(before, after)
            if after.what in ("route", "subsets"):
                self._names(before, after)
                self._marks(after)
            if after.what == "subsets" and after.subsets is not None:
                self._labels(before, after)
            if after.what == "resource" and before.resource and after.resource:
                self._record(before, after)
        self._remember(before, after)

    def _weights(self, before: Stored, after: Stored) -> None:
        assert after.route
        old, new = (before.route.weight if before.route else 0), after.route.weight
        assert isinstance(new, int) and 0 <= new <= 100, f"rule 1: weight {new}"
        if after.route.mark and after.route.mark.decision == reasons.STABLE_BACK and old > new:
            self.returned = [*(each for each in self.returned if after.time - each < 600), after.time]
            assert len(self.returned) <= 2, f"rule 8: traffic went back for the third time at {after.time:.1f}: {self.returned}"
        if new < old:
            home = after.resource.record.from_ if after.resource else None
            at_home = home is not None and label(after, "stable") == version(home)
            nobody = at_home and serves(after, home) == 0 < serves(after, f"{label(after, 'canary')}@")
            assert not nobody or self.woken == after.time, f"rule 8: at {after.time:.1f} traffic was taken from {old} % to nobody"
        if new <= old:
            return
        assert after.resource, "rule 1: a rise without a resource"
        if after.resource.deleting:
            self._to_what_serves(after)
            return
        record, mark, at = after.resource.record, after.route.mark, f"at {after.time:.1f} from {old} to {new}"
        assert record.state in RUNNING and record.weight == new, f"rule 7: rise {at} was not recorded: {record.state} {record.weight}"
        assert mark and mark.release == record.number, f"rule 1: rise {at} for another release"
        gone = record.stable_gone
        exempt = mark.decision == reasons.STABLE_GONE and gone is not None and gone.moved
        plan = (0, *(step.weight for step in record.plan if step.weight < 100), 100)
        promoting = record.state is State.PROMOTING
        assert exempt or new == (100 if promoting else plan[record.step]), f"rule 1: rise {at} is no step of {plan}"
        last = plan[record.step if promoting else record.step - 1]
        assert exempt or (old == last if before.route else last == 0), f"rule 1: rise {at} does not follow {last}"
        assert record.number not in self.ended, f"rule 2: rise {at} after the end of release {record.number}"
        assert label(after, "canary") == version(record.to), f"rule 3: rise {at} on subset {label(after, 'canary')}"
        settle = after.resource.spec.settle.total_seconds()
        changed = max((self.relabelled.get(subset, (0.0, ""))[0] for subset in ("stable", "canary")), default=0.0)
        assert after.time >= changed + settle - 1e-6, f"rule 3: rise {at} {after.time - changed:.1f} s after a relabelling"
        pods, stable = ready(after, record.to), serves(after, record.from_)
        older = [each for each in (record.to, record.from_) if serves(after, each) > ready(after, each)]
        assert exempt or not older, f"rule 4: rise {at} while older pods of {older} serve"
        if exempt:  # whatever template they are of, they answer
            assert gone
            self._stands_in(before, after, by_hand=gone.by_hand, at=at)
            pods, stable = serves(after, record.to), 0 if gone.by_hand else max(stable, record.stable_pods)
        needed = max(1, ceil(round(after.resource.spec.capacity * new / 100 * stable, 9)))
        assert pods >= needed, f"rule 4: rise {at} with {pods} ready pods of {needed}"

    def _ends(self, before: Stored, after: Stored) -> None:
        """Rule 12: what a deletion does to the route as such, its weights aside."""
        if after.route is None:
            assert not self.world.cluster.gateway, f"rule 12: at {after.time:.1f} the route went, though a gateway needs it"
        elif before.route and before.route.split and not after.route.split:
            assert after.resource and after.resource.deleting, f"rule 12: at {after.time:.1f} the route lost its subsets"
            serving = [name for name, each in (after.versions or {}).items() if each.endpoints]
            assert len(serving) <= 1 or self.woken == after.time, f"rule 12: at {after.time:.1f} {serving} share the traffic by their pods"

    def _to_what_serves(self, after: Stored) -> None:
        """Rule 12: a deletion gives a version weight only when stable has no ready pod, once that is recorded, and all of it."""
        assert after.resource and after.route and after.route.mark
        record, mark, target = after.resource.record, after.route.mark, label(after, "canary")
        text = f"rule 12: at {after.time:.1f} a deletion gives {target} {after.route.weight} %"
        assert mark.decision == reasons.DELETING and after.route.weight == 100, text
        assert (record.number, record.seq) == mark.rank, f"{text}, which is not recorded"
        assert ready(after, f"{target}@") or self.woken == after.time, f"{text}, which has no ready pod"
        stable = ready(after, f"{label(after, 'stable')}@")
        assert not stable or self.woken == after.time, f"{text}, though {label(after, 'stable')} has ready pods"

    def _stands_in(self, before: Stored, after: Stored, *, by_hand: bool, at: str) -> None:
        """The exception of rule 8: a weight that no step has earned, because stable does not serve."""
        assert after.resource
        record = after.resource.record
        serving = (after.versions or {}).get(version(record.from_))
        down = serves(after, record.from_) == 0
        leaving = serving is not None and (serving.leaving or serving.replaced_by is not None)
        stands = (before.route.weight if before.route else 0) == 0 and self.stood.get(record.number, 0) > 0
        assert down or leaving or by_hand or stands or self.woken == after.time, f"rule 8: rise {at} while stable serves"
        assert not record.asked.abort, f"rule 8: rise {at} after an abort"
        if by_hand:
            return
        assert not record.asked.paused and not after.resource.spec.suspend, f"rule 8: rise {at} while nothing may go forward"
        assert record.held is None and record.evidence.suspect is None, f"rule 8: rise {at} of a suspect"
        past = [each for each in (after.resource.status.history if after.resource.status else ()) if each.revision == record.to]
        failed = past and (past[0].outcome is Outcome.ROLLED_BACK or past[0].reason == reasons.ABORTED)
        assert not failed, f"rule 8: rise {at} of a revision that ended with {past[0].reason}"

    def _names(self, before: Stored, after: Stored) -> None:
        assert not broken(after) or broken(before), f"rule 3: at {after.time:.1f} the route names a missing subset: {after.subsets}"

    def _labels(self, before: Stored, after: Stored) -> None:
        assert after.resource
        settle = after.resource.spec.settle.total_seconds()
        for subset in ("stable", "canary"):
            old, new = label(before, subset), label(after, subset)
            if old in (None, new) or before.route is None:
                continue
            # A stable subset that somebody else relabelled serves nearly everything wrongly: mended at once.
            mended = subset == "stable" and self.relabelled.get(subset, (0.0, ""))[1] == PERSON
            text = f"rule 3: at {after.time:.1f} subset {subset} was changed from {old} to {new}"
            assert share(before, subset) == 0 or mended, f"{text} at {share(before, subset)} %"
            idle = after.time - self.idle_since.get(subset, after.time)
            assert idle >= settle - 1e-6 or mended, f"{text} {idle:.1f} s after its last traffic"

    def _marks(self, after: Stored) -> None:
        part = getattr(after, after.what)
        if part is None or not part.owned:
            return
        assert part.mark is not None, f"rule 6: {after.what} was written without a mark"
        rank = self.ranks.get(after.what, (0, 0))
        assert part.mark.rank >= rank, f"rule 6: the mark of {after.what} fell from {rank} to {part.mark}"
        self.ranks[after.what] = part.mark.rank

    def _record(self, before: Stored, after: Stored) -> None:
        assert before.resource and after.resource
        old, new = before.resource.record, after.resource.record
        assert new.number in (old.number, old.number + 1), f"release {old.number} was followed by {new.number}"
        if old.state is not new.state and before.resource.status is not None:
            # While status cannot be written, the marks carry the end of a release: its record is skipped.
            ways = {*TRANSITIONS[old.state], *(State.STABLE for _ in (1,) if new.number in self.ended)}
            assert new.state in ways, f"no way leads from {old.state} to {new.state} (at {after.time:.1f})"
        assert (new.number, new.seq) >= (old.number, old.seq), f"rule 6: the record fell back from {old.seq} to {new.seq}"
        if new.state not in RUNNING or new.weight <= old.weight:
            return
        if new.stable_gone is not None and new.stable_gone.moved:
            assert not new.asked.abort, "rule 8: a rise was recorded after an abort"
            assert new.number not in self.ended, "rule 2: a rise was recorded after the end"
            return
        last = len([step for step in new.plan if step.weight < 100])
        hand = by_hand(before, after)
        to_full = new.state is State.PROMOTING and new.step == old.step and (old.step == last or "promote" in hand)
        assert new.step == old.step + 1 or to_full, "a step was skipped"
        mark = after.route.mark if after.route else None
        raced = mark is not None and mark.rank == (new.number, new.seq)
        assert new.number not in self.ended or raced, "rule 2: a rise was recorded after the end"
        gate = next((step.approval for step in new.plan if step.weight == new.weight), None)
        assert not gate or hand & {"approve", "promote"}, f"{new.weight} % needed approval (at {after.time:.1f})"
        assert not (old.asked.paused and not hand) and not after.resource.spec.suspend, "a rise while nothing may go forward"
        if new.pace and not to_full:
            keeps_to_its_price(old, new, after, hand)
        if old.step == 0 or old.state is not State.PROGRESSING or hand & {"skip", "promote"}:
            return
        if new.pace and to_full:
            has_taken_its_time(self.world, old, new, after)
        assert after.route and after.route.weight == old.weight, "rule 1: a step was passed that was not served"
        hold = 0.0 if new.pace else old.plan[old.step - 1].hold.min.total_seconds()
        times = [time for time in self.world.prometheus.scraped if time <= after.time]
        pairs = [pair for pair in pairwise(times) if pair[1] > self.served_since and pair[1] - pair[0] <= LONGEST_COVER]
        # A second of grace: status keeps whole seconds.
        observed = sum(other - max(one, self.served_since - 1) for one, other in pairs)
        assert observed >= hold - 1e-6, (
            f"rule 9: {old.weight} % was passed with {observed:g} s of samples of {hold:g} s (at {after.time:.1f})"
        )

    def _remember(self, before: Stored, after: Stored) -> None:
        for subset in ("stable", "canary"):
            if share(after, subset) == 0 and (share(before, subset) > 0 or subset not in self.idle_since):
                self.idle_since[subset] = after.time
            if share(after, subset) > 0:
                self.idle_since.pop(subset, None)
            if label(after, subset) != label(before, subset):
                self.relabelled[subset] = (after.time, after.by)
        if (before.route and before.route.weight) != (after.route and after.route.weight):
            self.served_since = after.time
        if after.route and after.route.mark and after.route.mark.decision == reasons.STABLE_GONE:
            self.stood[after.route.mark.release] = max(self.stood.get(after.route.mark.release, 0), after.route.weight)
        self._remember_ends(before, after)

    def _remember_ends(self, before: Stored, after: Stored) -> None:
        record = after.resource.record if after.resource else None
        mark = after.route.mark if after.route else None
        if mark and mark.decision in reasons.OUTCOMES and after.by == OPERATOR and after.what == "route":
            self.ended[mark.release] = after.number
        if record and record.state in ENDING:
            self.ended[record.number] = after.number
        if after.by != OPERATOR and after.what in ("route", "subsets"):
            # Who deletes the mark destroys the memory of what was not recorded yet.
            part = getattr(after, after.what)
            if part is None or part.mark is None:
                self.ranks.pop(after.what, None)
                marks = [each.mark for each in (after.route, after.subsets) if each is not None and each.mark is not None]
                if record and record.state in RUNNING and not any(each.decision in reasons.OUTCOMES for each in marks):
                    self.ended.pop(record.number, None)

    # -------------------------------------------------------------------------------------------------------------------- passes

    def _pass(self, one: Pass) -> None:
        decision, before = one.decision, one.before.release
        if before and before.state in RUNNING and decision.state.state in ENDING and decision.phase != "Blocked":
            self._goes_back(one)
        if decision.because.reason == reasons.MORE_FAILURES and decision.state.state is State.ROLLING_BACK and not one.failed:
            assert self.world.traffic.failed.get(decision.state.to or "", 0) > 0, "rule 9: rolled back a canary that never failed"

    def _goes_back(self, one: Pass) -> None:
        """Rule 8: the drop is the first thing that is written; a broken status cannot stand in its way."""
        route, subsets, home = one.seen.route, one.seen.subsets, version(one.decision.state.from_)
        if route is None or route.weight == 0 or subsets is None or subsets.stable != home or subsets.canary in (None, home):
            return
        first = next(iter(one.decision.effects), None)
        assert isinstance(first, EnsureWeights) and first.canary == 0, f"rule 8: begins with {first}, not with weight 0"

    def quiet(self) -> None:
        """What must hold whenever the operator has done all that it can do now."""
        world, stored = self.world, self.world.cluster.now
        resource = stored.resource
        if resource is None or world.process is None or (world.passes and world.passes[-1].failed):
            return  # the API refused a write; the next pass tries again
        assert not broken(stored) or not (stored.route and stored.route.owned), "rule 3: the route names a missing subset"
        record, weight = resource.record, world.weight
        stable = ready(stored, record.from_)
        promoted = record.state is State.PROMOTING and label(stored, "stable") == version(record.to)
        exposed = weight or (stored.route is not None and stored.route.extras != BARE)
        if record.state in RUNNING and exposed and stable and not promoted:
            assert ready(stored, record.to), f"rule 4: {weight} % for a canary without pods"
        if record.state in ENDING and stable:
            home = label(stored, "canary") == version(record.from_) == label(stored, "stable")
            assert weight == 0 or home, f"rule 8: {weight} % while {record.state}"
            assert not exposed or home, f"rule 8: the canary is still shown to some while {record.state}"
        self._idempotent()

    def _idempotent(self) -> None:
        world = self.world
        assert world.process
        before = world.cluster.now.number
        one = world.process.look(world.api, world.cluster.time)
        if one is None:
            return
        noise = [effect for effect in one.done if not isinstance(effect, Announce)]
        assert world.cluster.now.number == before, f"rule 10: written again though nothing changed: {one.decision}"
        assert not noise and not one.done, f"rule 10: {one.done} though nothing changed"
