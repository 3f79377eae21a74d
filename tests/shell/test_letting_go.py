"""A deletion and `kubectl canary uninstall` end alike, whatever they find: both are played over the same objects until nothing is left to do."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import pytest

from canary_operator.api.names import FINALIZER
from canary_operator.api.status import ReleaseRecord
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES, Changed, Kubectl, Missing
from canary_operator.cli.uninstall import uninstall
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.findings import Inspection
from canary_operator.observe import observe
from canary_operator.release.decide import decide
from canary_operator.release.model import Effect, EnsureSubsets, EnsureWeights, Presence, ReadAgain, ReleaseFinalizer
from canary_operator.workloads.model import Survey
from tests.builders import LONG_AGO, serving
from tests.shell.applying import HOST, KEY, World, named, split
from tests.shell.memory import Memory, merged

Document = dict[str, Any]
Objects = dict[tuple[str, str, str], Document]
NOTHING = Inspection(findings=(), warnings=(), unread=None, reads=(), survey=Survey())
PUBLIC = {"owned": {"hosts": ["shop.example.com"], "gateways": ["infra/public", "mesh"]}}
ATTACH = {"attach": [{"virtualService": "web", "routes": ["primary"]}, {"virtualService": "api"}]}
POLICY = {"connectionPool": {"tcp": {"maxConnections": 9}}}
KINDS = {VIRTUAL_SERVICES: VIRTUAL_SERVICE, DESTINATION_RULES: DESTINATION_RULE, RELEASES: CANARY_RELEASE, "services": SERVICE}


BY_HAND = "an endpoint that somebody wrote"
"""Stands where a version does; it is behind the Service, and no pod."""


class Case:
    """Objects as an operator has left them.

    Args:
        pods: Ready pods per version; a negative number: so many that are not. Without a version: pods without the label.
        weight: The canary's, percent.
        subsets: The versions that stable and canary select.
        traffic: Of the spec.
        record: `status.release`.
        change: What somebody did to the objects afterwards.
    """

    def __init__(  # noqa: PLR0913
        self,
        pods: dict[str, int],
        *,
        weight: int = 0,
        subsets: tuple[str, str] = ("v1", "v1"),
        traffic: Document | None = None,
        record: Document | None = None,
        stable: str = "v1@a",
        change: Callable[[Memory], None] = lambda memory: None,
    ) -> None:
        self.pods, self.weight, self.subsets, self.traffic, self.change = pods, weight, subsets, traffic or {}, change
        self.status = {"stable": stable, "phase": "Progressing", "release": {"state": "Stable", "number": 1, "seq": 3, **(record or {})}}

    async def world(self) -> World:
        """A cluster with them."""
        world = World(**self.traffic)
        if "attach" in self.traffic:
            world.memory.put(VIRTUAL_SERVICE, named("web", {"hosts": ["a"], "http": [split(timeout="1s"), split("other")]}))
            world.memory.put(VIRTUAL_SERVICE, named("api", {"hosts": ["b"], "http": [split()]}))
        process = world.process()
        stable, canary = self.subsets
        await process.reach(EnsureSubsets(stable, canary, process.mark(1)), EnsureWeights(self.weight, process.mark(2, self.weight)))
        release = world.memory.objects["CanaryRelease", *KEY]
        held = {**release["metadata"], "finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        world.memory.put(CANARY_RELEASE, {**release, "metadata": held, "status": self.status})
        self.change(world.memory)
        return world


async def deleted(case: Case) -> Objects:
    """What the operator leaves."""
    world = await case.world()
    versions = {
        version: replace(serving(version), ready=max(0, pods), desired=abs(pods))
        for version, pods in case.pods.items()
        if version not in ("", BY_HAND)
    }
    lasting = {version: Presence(LONG_AGO, 1, whole=True) for version in versions}
    for _ in range(40):
        process = world.process(age=3600)  # every settle is over
        it = process.it
        seen = replace(
            observe(it, process.cache, NOTHING),
            versions=versions,
            presence=lasting,
            strangers=case.pods.get("", 0) + case.pods.get(BY_HAND, 0),
            fresh=True,
        )
        decision = decide(it.spec, it.status.release or ReleaseRecord(), seen)
        effects: list[Effect] = [each for each in decision.effects if type(each).__name__ not in ("Announce", "RecordState")]
        assert ReadAgain() not in effects
        record = {**case.status["release"], "seq": decision.state.seq}  # type: ignore[dict-item]
        if ReleaseFinalizer() in effects:
            await process.reach(*[each for each in effects if each != ReleaseFinalizer()])
            return routing(world)
        await process.reach(*effects)
        release = world.memory.objects["CanaryRelease", *KEY]
        world.memory.put(CANARY_RELEASE, {**release, "status": {**release["status"], "release": record}})
    raise AssertionError("the deletion does not end")


class Direct:
    """Stands where `Kubectl` stands, before a cluster in memory."""

    def __init__(self, memory: Memory, pods: dict[str, int]) -> None:
        self.memory, self.pods = memory, pods

    def get(self, kind: str, namespace: str | None, name: str) -> Document:
        found = self.memory.objects.get((KINDS[kind].kind, namespace or "", name))
        if found is None:
            raise Missing(name)
        return found

    def items(self, kind: str, namespace: str | None, *options: str) -> list[Document]:
        if kind == "pods":
            return [pod(version, count > 0) for version, count in self.pods.items() if version != BY_HAND for _ in range(abs(count))]
        if kind.startswith("endpointslices"):
            pods, others = ({"targetRef": {"kind": "Pod"}}, {"conditions": {"ready": False}}), ({"addresses": ["10.0.0.9"]},)
            return [{"endpoints": [*pods, *(others if BY_HAND in self.pods else ())]}]
        of = KINDS[kind].kind
        return [{**document, "kind": of} for (each, _, _), document in self.memory.objects.items() if each == of]

    def patch(self, kind: str, namespace: str, name: str, change: Document, *, subresource: str | None = None) -> None:
        stored = self.get(kind, namespace, name)
        version = change.get("metadata", {}).get("resourceVersion", stored["metadata"]["resourceVersion"])
        if version != stored["metadata"]["resourceVersion"]:
            raise Changed(name)
        self.memory.put(KINDS[kind], merged(stored, change))

    def create(self, document: Document) -> None:
        self.memory.put(DESTINATION_RULE, document)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.memory.drop(KINDS[kind], namespace, name)


def pod(version: str, ready: bool) -> Document:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"labels": {"app": "reviews", **({"version": version} if version else {})}}, "status": status}


async def uninstalled(case: Case) -> Objects:
    """What `kubectl canary uninstall` leaves."""
    world = await case.world()
    direct = Direct(world.memory, case.pods)
    uninstall(cast(Kubectl, direct), None, dry_run=False, say=lambda line: None, wait=lambda seconds: None)
    assert not world.metadata("CanaryRelease", "reviews").get("finalizers")
    return routing(world)


def routing(world: World) -> Objects:
    """VirtualServices and DestinationRules, without what the API server writes into them and without empty fields."""
    found: Objects = {}
    for key, document in world.memory.objects.items():
        if key[0] in ("VirtualService", "DestinationRule"):
            metadata = {field: value for field, value in document["metadata"].items() if value and field not in ("uid", "resourceVersion")}
            found[key] = {"metadata": metadata, "spec": {field: value for field, value in document["spec"].items() if value}}
    return found


def edited(kind: Kind, name: str, **spec: Any) -> Callable[[Memory], None]:
    """Somebody adds to the spec of an object."""

    def change(memory: Memory) -> None:
        stored = memory.objects[kind.kind, "shop", name]
        memory.put(kind, merged(stored, {"spec": deepcopy(spec)}))

    return change


def added(*routes: Document) -> Callable[[Memory], None]:
    """Somebody puts routes before ours."""

    def change(memory: Memory) -> None:
        stored = memory.objects["VirtualService", *KEY]
        memory.put(VIRTUAL_SERVICE, merged(stored, {"spec": {"http": [*routes, *stored["spec"]["http"]]}}))

    return change


def gone(kind: Kind, name: str = "reviews") -> Callable[[Memory], None]:
    """Somebody deletes an object."""
    return lambda memory: memory.drop(kind, "shop", name)


def unowned(kind: Kind) -> Callable[[Memory], None]:
    """The object carries nothing of ours, as after a deletion and an adoption by an earlier version of the operator."""

    def change(memory: Memory) -> None:
        stored = memory.objects[kind.kind, *KEY]
        memory.put(kind, {**stored, "metadata": {**stored["metadata"], "labels": {}, "annotations": {}}})

    return change


def elsewhere(memory: Memory) -> None:
    """A route of the user's in another VirtualService names the subsets."""
    route = {"route": [{"destination": {"host": HOST, "subset": "stable"}}]}
    memory.put(VIRTUAL_SERVICE, named("edge", {"hosts": ["edge.example.com"], "gateways": ["infra/public"], "http": [route]}))


def users_rule(memory: Memory) -> None:
    """The subsets stand in the user's DestinationRule."""
    ours = memory.objects["DestinationRule", *KEY]
    memory.drop(DESTINATION_RULE, *KEY)
    mark = {"mark.canary.rollouts.dev/reviews": ours["metadata"]["annotations"]["canary.rollouts.dev/mark"]}
    memory.put(DESTINATION_RULE, named("policies", {**ours["spec"], "trafficPolicy": POLICY}, annotations=mark))


OLD = {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "route": [{"destination": {"host": HOST, "subset": "stable"}}]}
LOGIN = {"name": "login", "match": [{"uri": {"prefix": "/login"}}], "redirect": {"authority": "login.example.com"}}
ONE, TWO = {"v1": 2}, {"v1": 2, "v2": 2}
PLAN = [{"weight": 25, "hold": {"min": "10s", "max": "30s"}}]
RUNNING = {"plan": PLAN, "state": "Progressing", "from": "v1@a", "to": "v2@b", "step": 1, "weight": 25}
AT_25: Document = {"weight": 25, "subsets": ("v1", "v2"), "record": RUNNING}
AT_100: Document = {"weight": 100, "subsets": ("v1", "v2"), "record": {**RUNNING, "state": "Promoting", "weight": 100}}
DECIDED: Document = {"weight": 100, "subsets": ("v2", "v2"), "record": {**RUNNING, "state": "Promoting", "weight": 0}}
DOWN, BOTH_DOWN = {"v1": -2, "v2": 2}, {"v1": -2, "v2": -2}

CASES: dict[str, Case] = {
    "at rest": Case(ONE),
    "at rest, two versions": Case(TWO),
    "at rest, and the other version's pods are not ready": Case({"v1": 2, "v2": -2}),
    "at 25 %": Case(TWO, **AT_25),
    "at 25 %, and only stable is left": Case(ONE, **AT_25),
    "at 25 %, and only the canary is left": Case({"v2": 2}, **AT_25),
    "at 25 %, and stable is not ready": Case(DOWN, **AT_25),
    "at 25 %, and nobody is ready": Case(BOTH_DOWN, **AT_25),
    "at 100 %": Case(TWO, **AT_100),
    "at 100 %, and stable is not ready": Case(DOWN, **AT_100),
    "decided": Case(TWO, **DECIDED),
    "at rest, stable is not ready, and a version that was never tried is": Case(DOWN),
    "at rest, stable is not ready, and three others are": Case({"v1": -1, "v4": 2, "v3": 3, "v2": 1}),
    "nothing serves": Case({}),
    "at a gateway": Case(ONE, traffic=PUBLIC),
    "at a gateway, two versions": Case(TWO, traffic=PUBLIC),
    "at a gateway, at 25 %": Case(TWO, traffic=PUBLIC, **AT_25),
    "at a gateway, at 25 %, and only the canary is left": Case({"v2": 2}, traffic=PUBLIC, **AT_25),
    "at a gateway, at 100 %, and stable is not ready": Case(DOWN, traffic=PUBLIC, **AT_100),
    "at a gateway, and the Service is gone": Case({}, traffic=PUBLIC, change=gone(SERVICE)),
    "at a gateway, and the DestinationRule is gone": Case(ONE, traffic=PUBLIC, change=gone(DESTINATION_RULE)),
    "at a gateway, two versions, and the DestinationRule is gone": Case(TWO, traffic=PUBLIC, change=gone(DESTINATION_RULE)),
    "at a gateway, and the VirtualService is gone": Case(ONE, traffic=PUBLIC, change=gone(VIRTUAL_SERVICE)),
    "at a gateway, and nothing on the DestinationRule is ours": Case(ONE, traffic=PUBLIC, change=unowned(DESTINATION_RULE)),
    "two versions, and nothing on the DestinationRule is ours": Case(TWO, change=unowned(DESTINATION_RULE)),
    "at a gateway, beside pods without the label": Case({"v1": 2, "": 1}, traffic=PUBLIC),
    "at a gateway, and only pods without the label": Case({"": 1}, traffic=PUBLIC),
    "at a gateway, beside an endpoint written by hand": Case({"v1": 2, BY_HAND: 1}, traffic=PUBLIC),
    "in the mesh, beside an endpoint written by hand": Case({"v1": 2, BY_HAND: 1}),
    "a delegate": Case(ONE, traffic={"delegate": {}}),
    "a delegate, two versions": Case(TWO, traffic={"delegate": {}}, **AT_25),
    "a further host in the mesh": Case(ONE, traffic={"owned": {"hosts": ["shop.example.com"]}}),
    "somebody added a redirect": Case(ONE, change=added(LOGIN)),
    "somebody added a route to a subset": Case(ONE, change=added(OLD)),
    "another VirtualService names a subset": Case(ONE, change=elsewhere),
    "another VirtualService names a subset, at a gateway": Case(ONE, traffic=PUBLIC, change=elsewhere),
    "somebody added a policy to the DestinationRule": Case(ONE, change=edited(DESTINATION_RULE, "reviews", trafficPolicy=POLICY)),
    "somebody added a subset": Case(
        ONE, change=edited(DESTINATION_RULE, "reviews", subsets=[{"name": name} for name in ("stable", "canary", "mine")])
    ),
    "a subset has a policy of its own": Case(
        ONE,
        change=edited(
            DESTINATION_RULE,
            "reviews",
            subsets=[{"name": name, "labels": {"version": "v1"}, "trafficPolicy": POLICY} for name in ("stable", "canary")],
        ),
    ),
    "the user's DestinationRule": Case(ONE, change=users_rule),
    "the user's DestinationRule, at a gateway": Case(ONE, traffic=PUBLIC, change=users_rule),
    "the user's DestinationRule, two versions": Case(TWO, change=users_rule, **AT_25),
    "attached, at rest": Case(ONE, traffic=ATTACH),
    "attached, at 25 %": Case(TWO, traffic=ATTACH, **AT_25),
    "attached, at 25 %, and stable is not ready": Case(DOWN, traffic=ATTACH, **AT_25),
    "attached, at 100 %, and stable is gone": Case({"v2": 2}, traffic=ATTACH, **AT_100),
    "attached, at rest, and only another version serves": Case({"v2": 2}, traffic=ATTACH),
    "attached, decided": Case(TWO, traffic=ATTACH, **DECIDED),
    "attached, and the DestinationRule is gone": Case(ONE, traffic=ATTACH, change=gone(DESTINATION_RULE)),
    "attached, and a route is gone": Case(ONE, traffic=ATTACH, change=gone(VIRTUAL_SERVICE, "web")),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_deletion_and_an_uninstall_end_alike(name: str) -> None:
    by_operator, by_hand = await deleted(CASES[name]), await uninstalled(CASES[name])

    assert by_hand == by_operator
    for document in by_operator.values():
        assert "canary.rollouts.dev" not in str(document["metadata"])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "gone" not in name and case.pods])
async def test_what_is_left_sends_every_request_to_a_version_that_serves(name: str) -> None:
    """No route names a subset that is missing, or that selects a version without ready pods while another has some."""
    case = CASES[name]
    left = await deleted(case)
    serving = {version for version, pods in case.pods.items() if version and version != BY_HAND and pods > 0}
    selected = {
        subset["name"]: subset["labels"]["version"]
        for (kind, _, _), document in left.items()
        if kind == "DestinationRule"
        for subset in document["spec"].get("subsets", ())
        if "labels" in subset
    }
    named_subsets = {
        share["destination"]["subset"]
        for (kind, _, _), document in left.items()
        if kind == "VirtualService"
        for http in document["spec"]["http"]
        for share in http.get("route", ())
        if "subset" in share["destination"]
    }
    assert named_subsets <= selected.keys()
    assert not serving or {selected[subset] for subset in named_subsets} <= serving
