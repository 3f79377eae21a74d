"""What `kubectl canary uninstall` changes: documents in, changes out."""

from dataclasses import replace
from typing import Any

import pytest

from canary_operator.api.names import FINALIZER, MANAGED_BY, MANAGER, MARK, OWNER
from canary_operator.cli.belongings import Found, belongs, rule_of
from canary_operator.cli.leaving import after, next_step

Document = dict[str, Any]
HOST = "reviews.shop.svc.cluster.local"
THEIRS = "mark.canary.rollouts.dev/reviews"
OURS = {OWNER: "reviews", MANAGED_BY: MANAGER}


def share(subset: str, weight: int | None = None, host: str = HOST) -> Document:
    return {"destination": {"host": host, "subset": subset}} | ({} if weight is None else {"weight": weight})


def split(canary: int, host: str = HOST) -> list[Document]:
    return [share("stable", 100 - canary, host), share("canary", canary, host)]


def document(kind: str, spec: Document, labels: Document | None = None, **annotations: str) -> Document:
    metadata: Document = {
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


def status(phase: str = "Progressing") -> Document:
    conditions = [{"type": "Ready", "status": "True", "reason": phase}, {"type": "TrafficShifted", "status": "True", "reason": phase}]
    return {"phase": phase, "reason": "Gathering", "weight": 25, "stable": "v1@a", "conditions": conditions}


def changes(at: Found, *, drained: bool = True) -> list[Document | None]:
    """The bodies of the first step, without the version that they are bound to."""
    step = next_step(at, drained=drained)
    assert step is not None
    assert all(each.verb != "patch" or (each.body or {})["metadata"].get("resourceVersion") == "7" for each in step.changes)
    return [None if each.body is None else dict(each.body) for each in step.changes]


def first_spec(at: Found) -> Document | None:
    bodies = changes(at)
    return bodies[0]["spec"] if bodies and bodies[0] and "spec" in bodies[0] else None


NAME = {"name": "canary-release"}


@pytest.mark.parametrize(
    ("before", "left"),
    [
        ({"route": split(25), "timeout": "1s"}, {"route": split(0), "timeout": "1s"}),
        ({"route": split(25, "reviews")}, {"route": split(0, "reviews")}),
        ({"route": split(0), "mirrors": [share("canary"), share("other")]}, {"route": split(0), "mirrors": [share("other")]}),
        ({"route": split(40, "other.shop.svc.cluster.local")}, None),
        ({"route": split(0)}, None),
    ],
    ids=[
        "weights go home and the rest stays",
        "a short host is the same host",
        "a copy is not sent any more, somebody else's stays",
        "another host's canary is not ours",
        "at rest nothing is written",
    ],
)
def test_traffic_goes_home(before: Document, left: Document | None) -> None:
    spec = first_spec(found({**NAME, **before}))

    assert (spec and spec.get("http")) == (None if left is None else [{**NAME, **left}])


def test_a_preview_of_ours_goes_and_a_users_route_stays() -> None:
    mine = {"match": [{"headers": {}}], "route": [share("canary")]}
    at = replace(found(), routes=(route({"name": "canary-preview", "route": [share("canary")]}, mine, {**NAME, "route": split(0)}),))

    assert first_spec(at) == {"http": [mine, {**NAME, "route": split(0)}]}


def test_of_attached_routes_only_the_managed_ones_change() -> None:
    other = {"name": "beta", "route": split(50)}
    at = replace(found(), routes=(route({"name": "main", "route": split(25)}, other, labels={}),))
    at.release["spec"]["traffic"] = {"attach": [{"virtualService": "reviews", "routes": ["main"]}]}
    at.routes[0]["metadata"]["annotations"][THEIRS] = "u/1/2/25/StepPassed"

    assert first_spec(at) == {"http": [{"name": "main", "route": split(0)}, other]}


def test_a_label_changes_only_when_the_drain_is_over() -> None:
    at = found({**NAME, "route": split(0)})

    step = next_step(at, drained=False)
    assert step is not None and (step.changes, step.waits) == ((), ("settle", "drain"))
    assert changes(at)[0] == {"spec": {"subsets": rule("v1", "v1")["spec"]["subsets"]}, "metadata": {"resourceVersion": "7"}}


def test_what_stays_carries_nothing_of_ours_and_other_finalizers_stay() -> None:
    at = found({**NAME, "route": split(0)}, rule=rule("v1", "v1"))

    off = {"labels": {OWNER: None, MANAGED_BY: None}, "resourceVersion": "7"}
    assert changes(at) == [
        {"metadata": off},
        {"metadata": off},
        {"metadata": {"finalizers": ["somebody.else/too"], "resourceVersion": "7"}},
    ]


def test_the_status_of_what_stays_does_not_go_on_telling_of_a_release() -> None:
    at = found({**NAME, "route": split(0)}, rule=rule("v1", "v1"))
    at = replace(at, release={**at.release, "status": status()})

    told = changes(at)[-1]

    assert told is not None
    said = told["status"]
    assert (said["phase"], said["reason"], said["weight"]) == ("Released", "Released", 0)
    assert "kubectl canary uninstall" in said["message"] and "several versions serve (v1, v2)" in said["message"]
    assert [(each["type"], each["status"], each["reason"]) for each in said["conditions"]] == [
        ("Ready", "Unknown", "Released"),
        ("TrafficShifted", "False", "Released"),
    ]


def test_nothing_is_done_to_what_is_let_go_already() -> None:
    at = found()
    at.release["metadata"]["finalizers"] = []
    given_back = replace(at, routes=(), rule=rule("v1", "v1", labels={}))

    assert next_step(given_back, drained=True) is None


@pytest.mark.parametrize(
    ("names", "which"),
    [
        ({"ours": {OWNER: "reviews"}, "users": {}}, "ours"),
        ({"users": {}, "another's": {OWNER: "ratings"}}, "users"),
        ({"another's": {OWNER: "ratings"}}, None),
    ],
    ids=["labelled", "nobody's, with both subsets", "another's"],
)
def test_which_rule_belongs_to_a_release(names: dict[str, Document], which: str | None) -> None:
    rules = [{**rule(labels=labels), "metadata": {**rule(labels=labels)["metadata"], "name": name}} for name, labels in names.items()]

    chosen = rule_of(rules, document("CanaryRelease", {"service": {"name": "reviews"}}))

    assert (chosen and chosen["metadata"]["name"]) == which


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


def test_each_change_says_what_it_does_and_a_dry_run_foresees_all_of_them() -> None:
    at, said = replace(found({**NAME, "route": split(25)}), release={**found().release, "status": status()}), []
    for _ in range(10):
        step = next_step(at, drained=True)
        if step is None:
            break
        for change in step.changes:
            said.append(change.said)
            at = after(at, change)

    assert said == [
        "VirtualService shop/reviews: canary 25 -> 0 %",
        "DestinationRule shop/reviews: subset canary selects v1 too",
        "VirtualService shop/reviews: is yours now, pinned to v1",
        "DestinationRule shop/reviews: is yours now, both subsets select v1",
        "CanaryRelease shop/reviews: finalizer off",
        "CanaryRelease shop/reviews: status says Released",
    ]
