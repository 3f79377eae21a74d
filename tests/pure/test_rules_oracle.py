"""Each rule of `tests/rules.py` is broken once by hand, and says so; a good release breaks none."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from canary_operator.api.names import FINALIZER, MANAGER, MARK, OWNER
from lab.revisions import Revision
from tests import rules

Document = dict[str, Any]
HOST, PLAN = "reviews.shop.svc.cluster.local", [{"weight": 20}, {"weight": 40}]
SPEC: Document = {"service": {"name": "reviews"}, "settle": "1s"}


class Story:
    """Revisions, a second apart, written by the operator unless said otherwise."""

    def __init__(self) -> None:
        self.revisions: list[Revision] = []
        self.now = 1000.0
        self._last: dict[str, Document] = {}
        self._by: dict[str, list[Document]] = {}

    def write(self, kind: str, document: Document, by: str = MANAGER, after: float = 1.0) -> "Story":
        self.now += after
        number = len(self.revisions) + 1
        entries = [entry for entry in self._by.get(kind, []) if entry["manager"] != by]
        self._by[kind] = [*entries, {"manager": by, "time": f"{number:04}"}]
        metadata = {"name": "reviews", "namespace": "shop", "uid": kind, "generation": 1, "managedFields": self._by[kind]}
        document = {**deepcopy(document), "kind": kind, "metadata": {**metadata, **document.get("metadata", {})}}
        self._put(kind, "MODIFIED" if kind in self._last else "ADDED", document)
        return self

    def delete(self, kind: str, after: float = 1.0) -> "Story":
        self.now += after
        self._put(kind, "DELETED", self._last[kind])
        return self

    def _put(self, kind: str, change: str, document: Document) -> None:
        self.revisions.append(Revision(len(self.revisions) + 1, change, document, self.now))
        self._last[kind] = document

    def release(self, weight: int = 0, step: int = 0, state: str = "Progressing", **changes: Any) -> "Story":
        guarded, seen = changes.pop("finalizers", [FINALIZER]), changes.pop("seen", 1)
        metadata = {"uid": "u", "finalizers": guarded, **changes.pop("metadata", {})}
        after, spec = changes.pop("after", 1.0), changes.pop("spec", {})
        record = {"number": 1, "state": state, "plan": PLAN, "step": step, "weight": weight, **changes}
        status = {"observedGeneration": seen, "stable": "v1@a", "release": record}
        return self.write("CanaryRelease", {"metadata": metadata, "spec": {**SPEC, **spec}, "status": status}, after=after)

    def rule(self, mark: str, stable: str = "v1", canary: str = "v1", **options: Any) -> "Story":
        extra = options.pop("extra", {})
        subsets = [{"name": name, "labels": {"version": version}} for name, version in (("stable", stable), ("canary", canary)) if version]
        return self.write("DestinationRule", {"metadata": _ours(mark), "spec": {"host": HOST, "subsets": subsets, **extra}}, **options)

    def route(self, mark: str, canary: int, **options: Any) -> "Story":
        http, stable = options.pop("http", {}), options.pop("stable", 100 - canary)
        shares = [
            {"destination": {"host": HOST, "subset": subset}, "weight": weight}
            for subset, weight in (("stable", stable), ("canary", canary))
        ]
        metadata = options.pop("metadata", _ours(mark))
        spec = {"hosts": [HOST], "http": [{"name": "canary-release", "route": shares, **http}]}
        return self.write("VirtualService", {"metadata": metadata, "spec": spec}, **options)


def _ours(mark: str) -> Document:
    return {"labels": {OWNER: "reviews"}, "annotations": {MARK: f"u/{mark}"}}


def adopted() -> Story:
    story = Story().release(state="Initializing", number=0, plan=[])
    return story.rule("0/1/0/Adopting").route("0/2/0/Adopting", 0).release(state="Stable", number=0, plan=[])


def started() -> Story:
    return adopted().release().rule("1/3/0/ReleaseStarted", canary="v2")


def at_20() -> Story:
    return started().release(20, 1).route("1/4/20/StepPassed", 20)


def at_100() -> Story:
    return at_20().release(40, 2).route("1/5/40/StepPassed", 40).release(100, 2, "Promoting", to="v2@b").route("1/6/100/StepPassed", 100)


def promoted() -> Story:
    story = at_100().rule("1/7/100/Promoted", stable="v2", canary="v2").route("1/8/0/Promoted", 0)
    return story.release(state="Stable", plan=[])


def rolled_back() -> Story:
    return at_20().route("1/5/0/MoreFailures", 0).release(state="RollingBack").rule("1/6/0/MoreFailures")


def deleting(story: Story) -> Story:
    return story.release(metadata={"deletionTimestamp": "now"})


def removed() -> Story:
    story = deleting(adopted()).delete("VirtualService").delete("DestinationRule")
    return story.release(metadata={"deletionTimestamp": "now"}, finalizers=[]).delete("CanaryRelease")


def paced(weight: int = 20, most: int = 50, seen: int = 9, **changes: Any) -> Story:
    """First 10, then another weight, chosen by a budget; then everything."""
    pace, evidence = {"failureBudget": 20, "maxWeight": most}, {"segments": [{"weight": 10, "canary": {"requests": seen}}]}
    story = started().release(10, 1, plan=[{"weight": 10}], pace=pace).route("1/4/10/StepPassed", 10)
    story.release(weight, 2, plan=[{"weight": 10}, {"weight": weight}], pace=pace, evidence=evidence, **changes)
    return story.route(f"1/5/{weight}/StepPassed", weight)


def paced_through(weight: int = 20, most: int = 20, **changes: Any) -> Story:
    plan, pace = [{"weight": 10}, {"weight": weight}], {"failureBudget": 20, "maxWeight": most}
    story = paced(weight, max(weight, most)).release(100, 2, "Promoting", to="v2@b", plan=plan, pace=pace, **changes)
    return story.route("1/6/100/StepPassed", 100)


def edited() -> Story:
    """A person adds retries, and moves weights and labels: that is no violation, nor is what the operator does about it."""
    story = at_20().route("1/4/20/StepPassed", 70, http={"retries": {"attempts": 2}}, by="kubectl")
    story.route("1/5/0/Drift", 0, http={"retries": {"attempts": 2}}).release(seq=5)
    return story.rule("1/3/0/ReleaseStarted", stable="v9", canary="v2", by="kubectl").rule("1/6/0/Drift", canary="v2", after=0.1)


THEIRS = "mark.canary.rollouts.dev/reviews"
ATTACH = {"traffic": {"attach": [{"virtualService": "shop", "routes": ["main", "beta"]}]}}


def attach(story: Story, mark: str, *weights: int, by: str = MANAGER, labels: Document | None = None, **spec: Any) -> Story:
    """A user's VirtualService with two managed routes and one that is not."""
    shares = [
        [{"destination": {"host": "reviews", "subset": "stable"}, "weight": 100 - weight}]
        + [{"destination": {"host": "reviews", "subset": "canary"}, "weight": weight}]
        for weight in weights
    ]
    http = [{"name": name, "route": route} for name, route in zip(("main", "beta", "static"), shares, strict=False)]
    metadata = {"name": "shop", "annotations": {THEIRS: f"u/{mark}"} if mark else {}, "labels": labels or {}}
    return story.write("VirtualService", {"metadata": metadata, "spec": {"hosts": ["reviews"], "http": http, **spec}}, by=by)


def attached() -> Story:
    """A user's objects, taken over, at 20 percent in both routes."""
    story = attach(Story(), "", 0, 0, 0, by="git").write("DestinationRule", _policies("", "v1"), by="git")
    story.release(state="Stable", number=0, plan=[], spec=ATTACH).release(spec=ATTACH)
    story.write("DestinationRule", _policies("1/1/0/ReleaseStarted", "v2")).release(20, 1, spec=ATTACH)
    return attach(story, "1/2/20/StepPassed", 20, 20, 0)


def _policies(mark: str, canary: str, **spec: Any) -> Document:
    subsets = [{"name": name, "labels": {"version": version}} for name, version in (("stable", "v1"), ("canary", canary))]
    metadata = {"name": "policies", "annotations": {THEIRS: f"u/{mark}"} if mark else {}}
    return {"metadata": metadata, "spec": {"host": "reviews", "trafficPolicy": {"tls": {}}, "subsets": subsets, **spec}}


def given_back(weight: int = 0, canary: str = "v1") -> Story:
    """Deleted; what is the user's stays, with this weight and this label."""
    story = attach(attached().release(20, 1, spec=ATTACH, metadata={"deletionTimestamp": "now"}), "1/3/0/Deleting", weight, weight, 0)
    story.write("DestinationRule", _policies("1/4/0/Deleting", canary), after=2)
    return story.release(20, 1, spec=ATTACH, metadata={"deletionTimestamp": "now"}, finalizers=[])


def unsplit(story: Story, mark: str = "0/4/0/Deleting", **metadata: Any) -> Story:
    """Our VirtualService names the host without a subset."""
    spec = {"hosts": [HOST], "http": [{"name": "canary-release", "route": [{"destination": {"host": HOST}}]}]}
    return story.write("VirtualService", {"metadata": metadata or _ours(mark), "spec": spec})


def left_at_a_gateway(after: float = 1.0) -> Story:
    story = unsplit(deleting(adopted())).delete("DestinationRule", after=after)
    return unsplit(story, labels={}).release(metadata={"deletionTimestamp": "now"}, finalizers=[]).delete("CanaryRelease")


def to_what_serves(seq: int = 5) -> Story:
    """Stable is gone, and the CanaryRelease is deleted at 20 percent."""
    story = deleting(at_20()).release(20, 1, seq=seq, metadata={"deletionTimestamp": "now"})
    return story.route("1/5/100/Deleting", 100)


def stranded(moved: bool = True) -> Story:
    """And both objects are given away, pinned to the wanted version; or so without stable having gone, after somebody changed the labels."""
    gone: Document = {"metadata": {"deletionTimestamp": "now"}, "spec": {"version": "v2"}}
    if moved:
        story = to_what_serves().rule("1/6/100/Deleting", stable="v2", canary="v2").route("1/7/0/Deleting", 0, after=2)
    else:
        story = deleting(at_20()).route("1/5/0/Deleting", 0).rule("1/5/0/Deleting", stable="v2", canary="v2", by="kubectl")
    story.release(0, 1, seq=7, **deepcopy(gone))
    subsets = [{"name": name, "labels": {"version": "v2"}} for name in ("stable", "canary")]
    story.write("DestinationRule", {"spec": {"host": HOST, "subsets": subsets}})
    return story.route("", 0, metadata={}).release(0, 1, seq=7, **gone, finalizers=[])


@pytest.mark.parametrize(
    "story",
    [stranded, left_at_a_gateway, to_what_serves, promoted, rolled_back, removed, edited, attached, given_back, paced, paced_through],
)
def test_nothing_is_wrong_with(story: Callable[[], Story]) -> None:
    assert rules.check(story().revisions) == []


BROKEN: dict[str, tuple[Callable[[], Story], str]] = {
    "a sum of 90": (lambda: started().release(20, 1).route("1/4/20/StepPassed", 20, stable=70), "rule 1: .* has the weights"),
    "a share of 0.5": (lambda: started().route("1/4/0/Drift", 0.5, stable=99.5), "rule 1: .* has the weights"),  # type: ignore[arg-type]
    "a weight left out of the plan": (lambda: started().release(30, 1).route("1/4/30/StepPassed", 30), "rule 1: .* no step of the plan"),
    "a step skipped on the route": (lambda: at_20().release(100, 2, "Promoting").route("1/5/100/x", 100), "rule 1: .* no step of the plan"),
    "a rise at rest": (lambda: adopted().route("1/3/20/StepPassed", 20), "rule 1: .* while the record says Stable"),
    "a rise for another release": (lambda: started().release(20, 1).route("2/4/20/StepPassed", 20), "rule 1: .* of release 1"),
    "a rise after a rollback": (lambda: rolled_back().release(20, 1).route("1/7/20/StepPassed", 20), "rule 2: .* but revision 9"),
    "a rise after a rollback that was not recorded": (
        lambda: at_20().route("1/5/0/MoreFailures", 0).release(20, 1).route("1/6/20/StepPassed", 20),
        "rule 2: .* ended release 1",
    ),
    "a missing subset": (lambda: at_20().rule("1/5/20/Drift", canary=""), "rule 3: .* subsets that do not exist: .'canary'."),
    "a route before its rule": (lambda: Story().release().route("0/1/0/Adopting", 0), "rule 3: .* subsets that do not exist"),
    "labels under traffic": (lambda: at_20().rule("1/5/20/Drift", canary="v3"), "rule 3: .* labels of subset canary at weight 20"),
    "labels soon after traffic": (
        lambda: at_20().route("1/5/0/MoreFailures", 0).rule("1/6/0/MoreFailures", after=0.2),
        "rule 3: .* labels of subset canary 0.20 s after its last traffic",
    ),
    "traffic soon after labels": (
        lambda: started().release(20, 1, after=0.1).route("1/4/20/StepPassed", 20, after=0.1),
        "rule 3: .* gives subset canary traffic 0.20 s after its labels changed",
    ),
    "retries lost": (
        lambda: started().route("1/3/0/x", 0, http={"retries": {}}, by="kubectl").release(20, 1).route("1/4/20/StepPassed", 20),
        "rule 5: .* differs in more",
    ),
    "a traffic policy lost": (
        lambda: adopted().rule("0/1/0/x", extra={"trafficPolicy": {}}, by="kubectl").rule("1/3/0/ReleaseStarted", canary="v2"),
        "rule 5: .* differs in more",
    ),
    "an old mark": (lambda: started().release(20, 1).route("1/2/20/StepPassed", 20), r"rule 6: .* mark \(1, 2\), not above \(1, 3\)"),
    "a change without a new mark": (lambda: at_20().route("1/4/20/StepPassed", 0), "rule 6: .* not above"),
    "somebody else's mark": (
        lambda: started().route("1", 0, stable=100, http={"timeout": "1s"}),
        "rule 6: .* none of CanaryRelease u",
    ),
    "a mark that lies": (lambda: at_20().route("1/5/20/MoreFailures", 0), "rule 6: .* a mark for weight 20 at weight 0"),
    "a rise before its record": (lambda: started().route("1/4/20/StepPassed", 20).release(20, 1), "rule 7: .* while the record says 0"),
    "a step skipped in the record": (lambda: at_20().release(40, 3), "rule 13: .* goes from step 1 to 3"),
    "a release skipped": (lambda: at_20().release(number=3), "rule 13: .* follows release 1 with 3"),
    "a record overwritten by an older one": (
        lambda: at_20().release(20, 1, seq=4).release(20, 1, seq=3),
        "rule 13: .* back from .1, 4. to .1, 3.",
    ),
    "a release that begins again": (lambda: rolled_back().release(), "rule 13: .* goes back to Progressing of release 1"),
    "no finalizer": (lambda: Story().release(finalizers=[]).rule("0/1/0/Adopting"), "rule 12: .* without the finalizer"),
    "the finalizer gone first": (lambda: deleting(adopted()).release(finalizers=[]), "rule 12: .* lost its finalizer"),
    "the rule gone first": (lambda: deleting(adopted()).delete("DestinationRule"), "rule 12: .* went before the VirtualService"),
    "the rule gone at once": (
        lambda: deleting(adopted()).delete("VirtualService").delete("DestinationRule", after=0.3),
        "rule 12: .* went 0.30 s after the VirtualService",
    ),
    "no subset, though nothing is deleted": (lambda: unsplit(adopted()), "rule 12: .* names no subset, though nothing is being deleted"),
    "the rule gone as soon as no route names it": (lambda: left_at_a_gateway(0.3), "rule 12: .* went 0.30 s after"),
    "a deletion raises unrecorded": (lambda: to_what_serves(4), "rule 7: .* rises to 100"),
    "a deletion raises a little": (lambda: deleting(at_20()).route("1/5/40/Deleting", 40), "rule 7: .* rises to 40"),
    "given away at the wanted version, though nothing moved": (
        lambda: stranded(moved=False),
        "rule 12: .* serves .'v2'., not one of .'v1'.",
    ),
    "given away half-way": (lambda: deleting(at_20()).route("", 20, metadata={}), "rule 12: .* serves .'v1', 'v2'."),
    "a further field of a user's": (
        lambda: attach(attached(), "1/3/0/Aborted", 0, 0, 0, gateways=["mesh"]),
        "rule 5: VirtualService shop/shop .* differs in more",
    ),
    "a weight in a user's route that is not managed": (lambda: attach(attached(), "1/3/0/Aborted", 0, 0, 5), "rule 5: .* differs in more"),
    "a label on a user's": (lambda: attach(attached(), "1/3/0/Aborted", 0, 0, 0, labels={OWNER: "reviews"}), "rule 5: .* was labelled"),
    "a user's policy lost": (
        lambda: attached().write("DestinationRule", _policies("1/3/20/Drift", "v2", trafficPolicy=None)),
        "rule 5: DestinationRule shop/policies .* differs in more",
    ),
    "one of two attached routes left behind": (
        lambda: attach(attached(), "1/3/0/Aborted", 0, 20, 0),
        "rule 6: .* a mark for weight 0 at weight 20",
    ),
    "a user's subset relabelled under traffic": (
        lambda: attached().write("DestinationRule", _policies("1/3/20/Drift", "v3")),
        "rule 3: DestinationRule shop/policies .* labels of subset canary at weight 20",
    ),
    "a user's route given back half-way": (lambda: given_back(20, "v2"), "rule 12: .* was given away while it serves"),
    "a leap": (lambda: paced(40), "rule 1: .* rises from 10 to 40, more than its pace allows"),
    "a weight above the highest": (lambda: paced(20, most=15), "rule 1: .* rises from 10 to 20, more than its pace allows"),
    "a weight that follows from nothing": (lambda: paced(20, seen=0), "rule 1: .* but nothing was seen at 10"),
    "everything too early": (lambda: paced_through(20, most=50), "rule 1: .* from 20 to everything, but pace.maxWeight is 50"),
    "a path that was not recorded": (
        lambda: paced().release(40, 3, plan=[{"weight": 20}, {"weight": 40}]).route("1/6/50/x", 50),
        "rule 1: .* no step of the plan",
    ),
    "a generation ahead": (lambda: adopted().release(seen=2), "observedGeneration: .* speaks of generation 2"),
    "a generation that falls": (lambda: adopted().release(seen=0), "observedGeneration: .* falls from 1 to 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_noticed(name: str) -> None:
    story, sentence = BROKEN[name]
    found = "\n".join(rules.check(story().revisions))
    assert re.search(sentence, found), found or "nothing was found"


def test_several_releases_are_told_apart() -> None:
    one, other = promoted().revisions, rolled_back().revisions
    for revision in other:
        revision.object["metadata"]["namespace"] = "other"
    assert rules.check([*one, *other]) == []


def test_a_namesake_counts_its_releases_anew() -> None:
    story = rolled_back().release(metadata={"uid": "w"})
    story.route("1/9/20/StepPassed", 20, metadata={"labels": {OWNER: "reviews"}, "annotations": {MARK: "w/1/9/20/StepPassed"}})
    assert not [sentence for sentence in rules.check(story.revisions) if sentence.startswith("rule 2")]


def test_what_another_release_writes_into_a_shared_virtual_service_is_its_own_affair() -> None:
    story = attached()
    both = {THEIRS: "u/1/2/20/StepPassed", "mark.canary.rollouts.dev/ratings": "v/1/4/5/StepPassed"}
    written = deepcopy(story.revisions[-1].object)
    written["metadata"]["annotations"] = both
    written["spec"]["http"][2]["route"][0]["weight"], written["spec"]["http"][2]["route"][1]["weight"] = 95, 5
    story.write("VirtualService", {"metadata": {"name": "shop", "annotations": both}, "spec": written["spec"]})
    assert rules.check(story.revisions) == []


def test_a_sentence_names_the_object_and_its_revision() -> None:
    (sentence,) = rules.check(BROKEN["labels under traffic"][0]().revisions)
    assert sentence == "rule 3: DestinationRule shop/reviews at revision 9 changes the labels of subset canary at weight 20"
