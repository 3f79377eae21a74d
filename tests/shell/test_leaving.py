"""What `kubectl canary uninstall` changes: documents in, changes out."""

from typing import Any

import pytest

from canary_operator.api.names import FINALIZER, MANAGED_BY, MANAGER, MARK, OWNER
from canary_operator.cli.leaving import Change, Found, belongs, blocker, give_back, relabel, remove_routes, shift

Document = dict[str, Any]
HOST = "reviews.shop.svc.cluster.local"
THEIRS = "mark.canary.rollouts.dev/reviews"
OURS = {OWNER: "reviews", MANAGED_BY: MANAGER}


def share(subset: str, weight: int | None = None, host: str = HOST) -> Document:
    return {"destination": {"host": host, "subset": subset}} | ({} if weight is None else {"weight": weight})


def split(canary: int, host: str = HOST) -> list[Document]:
    return [share("stable", 100 - canary, host), share("canary", canary, host)]


def document(kind: str, spec: Document, labels: Document | None = None, **annotations: str) -> Document:
    metadata = {
        "name": "reviews",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "7",
        "labels": labels or {},
        "annotations": annotations,
    }
    return {"kind": kind, "metadata": metadata, "spec": spec}


def route(*http: Document, labels: Document | None = None, **spec: Any) -> Document:
    return document("VirtualService", {"hosts": [HOST], "http": list(http), **spec}, OURS if labels is None else labels)


def rule(stable: str = "v1", canary: str = "v2", labels: Document | None = None, **spec: Any) -> Document:
    subsets = [{"name": "stable", "labels": {"version": stable}}, {"name": "canary", "labels": {"version": canary}}]
    return document("DestinationRule", {"host": HOST, "subsets": subsets, **spec}, OURS if labels is None else labels)


def pods(*versions: str, ready: bool = True) -> tuple[Document, ...]:
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return tuple({"metadata": {"labels": {"app": "reviews", "version": version}}, "status": status} for version in versions)


def found(http: Document | None = None, *, served: tuple[Document, ...] = (), **options: Any) -> Found:
    release = document("CanaryRelease", {"service": {"name": "reviews"}})
    release["metadata"]["finalizers"] = ["somebody.else/too", FINALIZER]
    at = http or {"name": "canary-release", "route": split(25)}
    routes, others = options.get("routes", (route(at),)), options.get("others", ())
    return Found(release, routes, options.get("rule", rule()), served or pods("v1", "v2"), others)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"route": split(25), "timeout": "1s"}, {"route": split(0), "timeout": "1s"}),
        ({"route": split(25, "reviews")}, {"route": split(0, "reviews")}),
        ({"match": [{"headers": {}}], "route": [share("canary")]}, {"match": [{"headers": {}}], "route": [share("stable")]}),
        ({"route": split(0), "mirror": share("canary")["destination"], "mirrorPercentage": {"value": 100}}, {"route": split(0)}),
        ({"route": split(0), "mirrors": [share("canary"), share("other")]}, {"route": split(0), "mirrors": [share("other")]}),
        ({"route": split(40, "other.shop.svc.cluster.local")}, None),
        ({"route": split(0)}, None),
    ],
    ids=[
        "weights go home and the rest stays",
        "a short host is the same host",
        "a preview is served by stable",
        "a copy is not sent any more",
        "somebody else's copy stays",
        "another host's canary is not ours",
        "at rest nothing is written",
    ],
)
def test_traffic_goes_home(before: Document, after: Document | None) -> None:
    patches = [change.patch for change in shift(found(before))]

    assert patches == ([] if after is None else [{"spec": {"http": [after]}, "metadata": {"resourceVersion": "7"}}])


def test_a_rule_of_the_users_may_name_its_host_shortly() -> None:
    short = rule(labels={})
    short["spec"]["host"] = "reviews"

    assert [change.said for change in shift(found(rule=short))] == ["VirtualService shop/reviews: canary 25 -> 0 %"]


def test_both_subsets_select_stable_and_what_users_added_stays() -> None:
    mine = {"name": "mine", "labels": {"version": "v0"}}
    before = rule()
    before["spec"]["subsets"].append(mine)

    [change] = relabel(found(rule=before))

    assert change.patch and change.patch["spec"] == {"subsets": [*rule("v1", "v1")["spec"]["subsets"], mine]}


@pytest.mark.parametrize(
    ("at", "gone"),
    [
        (found(served=pods("v1")), True),
        (found(served=pods("v1", "v2")), False),
        (found(served=pods("v1"), routes=(route({"name": "canary-release"}, {"name": "mine"}),)), False),
        (found(served=pods("v1"), routes=(route({"name": "canary-release"}, labels={}),)), False),
        (found(served=pods("v1"), routes=(route({"name": "canary-release"}, hosts=[]),)), False),
    ],
    ids=["one version serves", "two versions serve", "somebody added a route", "it is the user's", "a root may delegate to it"],
)
def test_only_a_route_that_nobody_needs_goes(at: Found, gone: bool) -> None:
    assert [change.patch for change in remove_routes(at)] == ([None] if gone else [])


def test_what_stays_carries_nothing_of_ours_and_other_finalizers_stay() -> None:
    off = {"labels": {OWNER: None, MANAGED_BY: None}, "annotations": {MARK: None, THEIRS: None}, "resourceVersion": "7"}

    changes = list(give_back(found()))

    assert [(change.kind.partition(".")[0], change.patch) for change in changes] == [
        ("virtualservices", {"metadata": off}),
        ("destinationrules", {"metadata": off}),
        ("canaryreleases", {"metadata": {"finalizers": ["somebody.else/too"], "resourceVersion": "7"}}),
    ]


@pytest.mark.parametrize(
    ("its", "patched"),
    [(rule(), False), (rule(trafficPolicy={"tls": {}}), True), (rule(labels={}), True)],
    ids=["ours", "somebody added to it", "the user's"],
)
def test_a_rule_goes_with_the_last_route_unless_somebody_needs_it(its: Document, patched: bool) -> None:
    [change] = [each for each in give_back(found(rule=its, routes=())) if each.kind.startswith("destinationrules")]

    assert (change.patch is not None) is patched


@pytest.mark.parametrize("subset", ["stable", "canary", "other"])
def test_a_rule_stays_whose_subsets_another_route_names(subset: str) -> None:
    other = route({"route": [share(subset)]}, labels={})
    [change] = [each for each in give_back(found(routes=(), others=(other,))) if each.kind.startswith("destinationrules")]

    assert (change.patch is not None) is (subset != "other")


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (found(served=pods("v1", "v2", ready=False)), "no pod of the stable version v1 is ready"),
        (found({"route": split(0)}, served=pods("v1", ready=False)), None),
        (found(rule=None), "lacks the subset `stable`"),
        (found(routes=(), rule=None), None),
        (found(), None),
    ],
    ids=["stable is gone", "nothing is to be moved", "no subset", "no routes", "all is well"],
)
def test_what_would_lose_requests_is_not_done(at: Found, words: str | None) -> None:
    said = blocker(at)

    assert said is None if words is None else said is not None and words in said


@pytest.mark.parametrize(
    ("labels", "annotations", "mine"),
    [
        ({OWNER: "reviews"}, {}, True),
        ({OWNER: "ratings"}, {MARK: "u/1/2/25/StepPassed"}, False),
        ({}, {MARK: "u/1/2/25/StepPassed"}, True),
        ({}, {MARK: "other/1/2/25/StepPassed"}, False),
        ({}, {THEIRS: "u/1/2/25/StepPassed"}, True),
        ({}, {THEIRS: "u/1/2/25/StepPassed", "mark.canary.rollouts.dev/ratings": "other/1/2/25/StepPassed"}, True),
        ({}, {"mark.canary.rollouts.dev/ratings": "other/1/2/25/StepPassed"}, False),
        ({OWNER: "ratings"}, {THEIRS: "u/1/2/25/StepPassed"}, False),
        ({}, {}, False),
    ],
    ids=["its label", "another's label", "its mark", "another's mark", "its mark on the user's", "one of two marks", "a neighbour's mark"]
    + ["its mark on another's", "nothing"],
)
def test_what_belongs_to_a_release(labels: Document, annotations: dict[str, str], mine: bool) -> None:
    assert belongs(document("VirtualService", {}, labels, **annotations), document("CanaryRelease", {})) is mine


def test_each_change_says_what_it_does() -> None:
    said: list[Change] = [change for stage in (shift, relabel, give_back) for change in stage(found())]

    assert [change.said for change in said] == [
        "VirtualService shop/reviews: canary 25 -> 0 %",
        "DestinationRule shop/reviews: subset canary selects v1 too",
        "VirtualService shop/reviews: is yours now, pinned to v1",
        "DestinationRule shop/reviews: is yours now, both subsets select v1",
        "CanaryRelease shop/reviews: finalizer off",
    ]
