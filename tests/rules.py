"""The rules of DESIGN.md section 5 that can be read off what the API server stored. Pure: revisions in, a sentence per violation out.

    assert not rules.check(record.all)

What these cannot see: pods (rule 4), samples (rule 9), requests that changed nothing (rule 10). Only what the operator wrote is judged.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from canary_operator.api.names import CANARY, KIND, STABLE
from canary_operator.release.reasons import DELETING, OUTCOMES, STABLE_GONE
from tests.history import Document, Moment, Revision, Stored, foreign, histories, owned

JITTER = 0.15
"""Seconds by which the recorder may see two revisions nearer to each other than they were; a third of the span on a busy machine, if that is more."""
RUNNING, ENDING = ("Progressing", "Promoting"), ("RollingBack", "Withdrawing")


def _early(gap: float, span: float) -> bool:
    """Whether less time passed between two revisions than has to."""
    return gap < span - max(JITTER, span / 3)


def check(revisions: Iterable[Revision]) -> list[str]:
    """All violations, rule by rule; empty when all is well."""
    found = (sentence for moments in histories(revisions) for rule in RULES for sentence in rule(moments))
    return list(dict.fromkeys(found))


def weights(moments: Sequence[Moment]) -> Iterator[str]:
    """1: weights are integers from 0 to 100 and sum to 100; each rise is the next step of the plan, and was recorded."""
    for moment in moments:
        if not moment.routing or moment.kind != "VirtualService":
            continue
        if moment.after.unsplit:
            yield from _unsplit(moment)
            continue
        found = list(moment.after.shares.values())
        if not all(isinstance(weight, int) and 0 <= weight <= 100 for weight in found) or sum(found) != 100:
            yield f"rule 1: {moment.what} has the weights {found}"
        old, new, record = moment.before.canary, moment.after.canary, moment.before.record
        if new <= old or _to_what_serves(moment):
            continue
        plan = [0, *(step["weight"] for step in record.get("plan") or () if step["weight"] < 100), 100]
        by_hand = record.get("state") == "Promoting" and new == 100 and old == plan[record.get("step", 0)]
        if not by_hand and not _stands_in(moment) and (new not in plan or plan[plan.index(new) - 1] != old):
            yield f"rule 1: {moment.what} rises from {old} to {new}, which is no step of the plan {plan}"
        if moment.mark is None or record.get("state") not in RUNNING or record.get("number") != moment.mark.release:
            yield f"rule 1: {moment.what} rises to {new} while the record says {record.get('state')} of release {record.get('number')}"


def _unsplit(moment: Moment) -> Iterator[str]:
    """12: only a deletion lets a route name the host without a subset, in our own VirtualService."""
    if not moment.before.deleting or moment.before.attached:
        yield f"rule 12: {moment.what} names no subset, though nothing is being deleted"


def _to_what_serves(moment: Moment) -> bool:
    """12: where stable has no ready pod, a deletion ends at what serves: everything goes there at once, and the record knows the write."""
    mark, record = moment.mark, moment.before.record
    known = mark is not None and _rank(record) == mark.rank and mark.decision == DELETING if record else False
    return known and moment.before.deleting and moment.after.canary == 100


def _stands_in(moment: Moment) -> bool:
    """Rule 8's exception: a weight that no step has earned, recorded as such, because stable has no ready pod."""
    gone = moment.before.record.get("stableGone") or {}
    return moment.mark is not None and moment.mark.decision == STABLE_GONE and bool(gone.get("moved"))


def ends(moments: Sequence[Moment]) -> Iterator[str]:
    """2: after a rollback or withdrawal the canary's weight never rises again in that release. A namesake counts its releases anew."""
    ended: dict[tuple[str, int], int] = {}
    for moment in moments:
        mark, record, weight = moment.mark, moment.after.record, moment.after.canary
        release = (mark.uid, mark.release) if mark else ("", 0)
        if moment.routing and weight > moment.before.canary and release in ended and not _to_what_serves(moment):
            yield f"rule 2: {moment.what} rises to {weight}, but revision {ended[release]} ended release {release[1]}"
        if moment.kind == KIND and record.get("state") in ENDING:
            ended.setdefault((moment.revision.object["metadata"]["uid"], record["number"]), moment.revision.number)
        if moment.routing and moment.kind == "VirtualService" and mark and mark.decision in OUTCOMES:
            ended.setdefault(release, moment.revision.number)


def subsets(moments: Sequence[Moment]) -> Iterator[str]:
    """3: no route names a subset that is missing; labels change only at weight 0; traffic settles between the two."""
    relabelled: dict[str, float] = {}
    idle: dict[str, float] = {}
    foreign: set[str] = set()
    for moment in moments:
        before, after, at = moment.before, moment.after, moment.revision.received
        if moment.ours and moment.kind != KIND and after.broken - before.broken:
            yield f"rule 3: {moment.what} leaves the route with subsets that do not exist: {sorted(after.broken)}"
        for subset in (STABLE, CANARY):
            old, new = before.labels.get(subset), after.labels.get(subset)
            risen = after.shares.get(subset, 0) > before.shares.get(subset, 0)
            if moment.routing and old is not None and new != old and before.route and subset not in foreign:
                yield from _relabelled(moment, subset, idle.get(subset))
            if moment.routing and risen and _early(at - relabelled.get(subset, 0.0), after.settle):
                yield f"rule 3: {moment.what} gives subset {subset} traffic {at - relabelled[subset]:.2f} s after its labels changed"
            if new != old:
                (foreign.discard if moment.ours else foreign.add)(subset)
                relabelled.update({subset: at} if moment.ours else {})
            if before.shares.get(subset) and not after.shares.get(subset):
                idle[subset] = at


def _relabelled(moment: Moment, subset: str, idle: float | None) -> Iterator[str]:
    weight, since = moment.before.shares.get(subset, 0), moment.revision.received - (idle or 0.0)
    if weight:
        yield f"rule 3: {moment.what} changes the labels of subset {subset} at weight {weight}"
    elif _early(since, moment.after.settle):
        yield f"rule 3: {moment.what} changes the labels of subset {subset} {since:.2f} s after its last traffic"


def additions(moments: Sequence[Moment]) -> Iterator[str]:
    """5: of an object that exists the operator changes only what it manages; what users added stays."""
    for moment in moments:
        before, after = moment.pair
        if moment.kind == KIND or not moment.ours or not before or not after:
            continue
        users = (
            moment.before.attached
            if moment.kind == "VirtualService"
            else not owned(before) and before["metadata"]["name"] != moment.release
        )
        old, new = (foreign(each, moment.before.alike, users=users) for each in (before, after))
        if old != new:
            yield f"rule 5: {moment.what} differs in more than the operator's own fields: {old} became {new}"
        if users and owned(after):
            yield f"rule 5: {moment.what} is the user's and was labelled as the operator's"


def marks(moments: Sequence[Moment]) -> Iterator[str]:
    """6: every routing change carries a new mark, of the present CanaryRelease, and no mark ranks below an earlier one."""
    highest: dict[str, tuple[tuple[int, int], int]] = {}
    for moment in moments:
        if not moment.routing:
            continue
        if moment.kind == "DestinationRule" and not moment.after.ours:
            continue  # our subsets were taken out of a user's
        mark, uid = moment.mark, ((moment.before.release or {}).get("metadata") or {}).get("uid")
        if mark is None or mark.uid != uid:
            yield f"rule 6: {moment.what} carries the mark {mark}, which is none of CanaryRelease {uid}"
            continue
        if moment.kind == "VirtualService" and mark.weight != moment.after.canary:
            yield f"rule 6: {moment.what} carries a mark for weight {mark.weight} at weight {moment.after.canary}"
        rank, number = highest.get(mark.uid, ((-1, -1), 0))
        if mark.rank <= rank:
            yield f"rule 6: {moment.what} carries the mark {mark.rank}, not above {rank} of revision {number}"
        highest[mark.uid] = max(highest.get(mark.uid, (mark.rank, 0)), (mark.rank, moment.revision.number))


def records(moments: Sequence[Moment]) -> Iterator[str]:
    """7: the record of a rise precedes the route write. 13: no record is overwritten by an older one, and no step or release is skipped."""
    over: dict[str, int] = {}
    for moment in moments:
        before, after = moment.before.record, moment.after.record
        risen = moment.routing and moment.after.canary > moment.before.canary
        if risen and before.get("weight") != moment.after.canary and not _to_what_serves(moment):
            yield f"rule 7: {moment.what} rises to {moment.after.canary} while the record says {before.get('weight')}"
        if moment.kind != KIND or not (before and after):
            continue
        uid, state, was = moment.revision.object["metadata"]["uid"], after["state"], before["state"]
        if was in ENDING or (was in RUNNING and state == "Stable"):
            over[uid] = before["number"]
        if state in RUNNING and after["number"] <= over.get(uid, 0):
            yield f"rule 13: {moment.what} goes back to {state} of release {after['number']}, which is over"
        elif _rank(after) < _rank(before):
            yield f"rule 13: {moment.what} goes back from {_rank(before)} to {_rank(after)}"
        elif after["number"] > before["number"] + 1:
            yield f"rule 13: {moment.what} follows release {before['number']} with {after['number']}"
        elif after["number"] == before["number"] and after.get("step", 0) > before.get("step", 0) + 1:
            yield f"rule 13: {moment.what} goes from step {before.get('step', 0)} to {after['step']}"


def paces(moments: Sequence[Moment]) -> Iterator[str]:
    """1, under a pace: each weight follows from the one before, which was served and seen; everything only from the highest weight."""
    for moment in moments:
        old, new = moment.before.record, moment.after.record
        pace, was, weight = new.get("pace"), old.get("weight", 0), new.get("weight", 0)
        if moment.kind != KIND or not pace or old.get("number") != new.get("number") or weight <= was:
            continue
        if (new.get("stableGone") or {}).get("moved"):
            continue  # no step has earned it: rule 8's exception
        asked, acted = old.get("asked") or {}, _last_action(moment.pair[0]) != _last_action(moment.pair[1])
        if new["state"] == "Promoting":
            if was < pace["maxWeight"] and not (asked.get("promote") or acted):
                yield f"rule 1: {moment.what} goes from {was} to everything, but pace.maxWeight is {pace['maxWeight']}"
            continue
        if weight > max(3 * was, 0 if was else 10) or weight > pace["maxWeight"]:
            yield f"rule 1: {moment.what} rises from {was} to {weight}, more than its pace allows"
        seen = [each for each in (new.get("evidence") or {}).get("segments") or () if each["weight"] == was]
        if was and not sum(each["canary"].get("requests", 0) for each in seen) and not (asked.get("skip") or acted):
            yield f"rule 1: {moment.what} rises from {was} to {weight}, but nothing was seen at {was}"


def _last_action(release: Document | None) -> object:
    return ((release or {}).get("status") or {}).get("lastAction")


def _rank(record: Document) -> tuple[int, int]:
    return record["number"], record.get("seq", 0)


def finalizers(moments: Sequence[Moment]) -> Iterator[str]:
    """12: the finalizer precedes the routing and outlives it; the VirtualService goes before the DestinationRule, with a settle time between."""
    gone = 0.0
    for moment in moments:
        before, after = moment.before, moment.after
        if moment.routing and not before.guarded:
            yield f"rule 12: {moment.what} was written without the finalizer on the CanaryRelease"
        if moment.kind == KIND and moment.ours and before.guarded and not after.guarded and (owned(before.route) or owned(before.rule)):
            yield f"rule 12: {moment.what} lost its finalizer while objects of it were left"
        if moment.kind == "VirtualService" and before.route and (not after.route or (after.unsplit and not before.unsplit)):
            gone = moment.revision.received
        if moment.kind == "DestinationRule" and moment.ours and before.ours and not after.ours:
            since = moment.revision.received - gone
            if owned(before.route) and not before.unsplit:
                yield f"rule 12: {moment.what} went before the VirtualService"
            elif _early(since, before.settle):
                yield f"rule 12: {moment.what} went {since:.2f} s after the VirtualService"


def gifts(moments: Sequence[Moment]) -> Iterator[str]:
    """12: what is left to the user serves one version alone, at which the traffic may end."""
    moved = False
    for moment in moments:
        before, after = moment.before, moment.after
        if moment.routing and moment.kind == "VirtualService" and after.canary > before.canary:
            moved = moved or _to_what_serves(moment) or _stands_in(moment)
        elif moment.routing and after.versions and after.versions <= _homes(before, moved=False):
            moved = False
        given_away = moment.kind == "VirtualService" and moment.ours and owned(before.route) and after.route and not owned(after.route)
        let_go = moment.kind == KIND and moment.ours and before.guarded and not after.guarded and after.route and not owned(after.route)
        home = after.unsplit or len(after.versions) == 1 and after.versions <= _homes(before, moved=moved)
        if (given_away or (let_go and after.versions)) and not home:
            yield f"rule 12: {moment.what} was given away while it serves {sorted(after.versions)}, not one of {sorted(_homes(before, moved=moved))}"


def _homes(before: Stored, *, moved: bool) -> set[str]:
    """The versions at which the traffic may end: stable, or the one that is being promoted; if stable had no pods, and it moved, the wanted one."""
    status, record = (before.release or {}).get("status") or {}, before.record
    homes = [status.get("stable"), record.get("to") if record.get("state") == "Promoting" else None]
    if moved:
        homes.append(((before.release or {}).get("spec") or {}).get("version"))
    return {str(revision).partition("@")[0] for revision in homes if revision}


def generations(moments: Sequence[Moment]) -> Iterator[str]:
    """`observedGeneration` is never ahead of the generation, and never falls."""
    for moment in moments:
        before, after = moment.pair
        if moment.kind != KIND or after is None:
            continue
        was, seen = (((each or {}).get("status") or {}).get("observedGeneration", -1) for each in (before, after))
        if seen > after["metadata"].get("generation", 0):
            yield f"observedGeneration: {moment.what} speaks of generation {seen}, which does not exist yet"
        if before and before["metadata"]["uid"] == after["metadata"]["uid"] and seen < was:
            yield f"observedGeneration: {moment.what} falls from {was} to {seen}"


Rule = Callable[[Sequence[Moment]], Iterator[str]]
RULES: Sequence[Rule] = (weights, ends, subsets, additions, marks, records, paces, finalizers, gifts, generations)
