"""What is known of the mesh, from the API to what is written: default exports, and the domain of the cluster."""

from typing import Any

import pytest

from canary_operator.cache import Cache
from canary_operator.clients.kinds import CANARY_RELEASE, CONFIG_MAP, DESTINATION_RULE, POD, SERVICE, VIRTUAL_SERVICE
from canary_operator.findings import learned
from canary_operator.mesh.config import Mesh, MeshConfig
from canary_operator.observe import route_seen, subsets_seen
from canary_operator.preflight.reading import Listing, NotPermitted, Read
from canary_operator.release.model import EnsureSubsets, EnsureWeights
from canary_operator.subject import subject
from canary_operator.trimming import looked_up
from tests.shell.applying import KEY, World, named

READ = Read("ConfigMap", "istio-system", "istio")
OWN = MeshConfig(services=(".",))


def config_map(mesh: str | None) -> dict[str, Any]:
    return looked_up(CONFIG_MAP, {"metadata": {"name": "istio"}, "data": {} if mesh is None else {"mesh": mesh}})


@pytest.mark.parametrize(
    ("listing", "config"),
    [
        pytest.param(None, None, id="not read yet"),
        pytest.param(NotPermitted(), MeshConfig(), id="not permitted: Istio's defaults"),
        pytest.param((), MeshConfig(), id="not there: Istio's defaults"),
        pytest.param((config_map(None),), MeshConfig(), id="empty"),
        pytest.param((config_map("a: [b"),), MeshConfig(), id="no YAML"),
        pytest.param((config_map("- a"),), MeshConfig(), id="no mapping"),
        pytest.param((config_map("defaultServiceExportTo: ['.']\ntrustDomain: x"),), OWN, id="what it says"),
    ],
)
def test_what_is_learned(listing: Listing | None, config: MeshConfig | None) -> None:
    assert learned(Mesh(), {} if listing is None else {READ: listing}) == Mesh(config=config)
    assert learned(Mesh(config=OWN), {}) == Mesh(config=OWN), "what was read once stays known"


@pytest.mark.parametrize(
    ("annotation", "config", "written"),
    [
        pytest.param(None, MeshConfig(), ["*"], id="everybody"),
        pytest.param(None, OWN, ["."], id="as the mesh config says of Services"),
        pytest.param("*", OWN, ["*"], id="the Service's own word comes first"),
        pytest.param("web, shop", MeshConfig(), [".", "web"], id="few"),
        pytest.param("web", None, ["web"], id="its word needs no mesh config"),
        pytest.param("~", MeshConfig(), ["."], id="nobody, which Istio refuses here"),
    ],
)
async def test_both_objects_are_exported_as_the_service_is(annotation: str | None, config: MeshConfig | None, written: list[str]) -> None:
    world = World()
    annotations = {} if annotation is None else {"annotations": {"networking.istio.io/exportTo": annotation}}
    world.memory.put(SERVICE, named("reviews", {"ports": [{"port": 9080}], "selector": {"app": "reviews"}}, **annotations))
    process = world.process()
    process.cache.mesh = Mesh(config=config)
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    assert world.spec("VirtualService", "reviews")["exportTo"] == world.spec("DestinationRule", "reviews")["exportTo"] == written


async def test_before_the_mesh_config_is_read_exports_stay_as_they_are_and_afterwards_they_are_set_right() -> None:
    world = World()
    process = world.process()
    process.cache.mesh = Mesh(config=OWN)
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    again = world.process(age=60)
    seen, subsets = route_seen(again.it, again.cache), subsets_seen(again.it, again.cache)
    assert seen is not None and subsets is not None and (seen.intact, subsets.exported) == (True, True), "a restart changes nothing"
    again.cache.mesh = Mesh(config=MeshConfig())
    seen, subsets = route_seen(again.it, again.cache), subsets_seen(again.it, again.cache)
    assert seen is not None and subsets is not None and (seen.intact, seen.unfinished, subsets.exported) == (False, True, False)


async def test_somebody_who_limits_what_is_ours_is_seen() -> None:
    world = World()
    process = world.process()
    process.cache.mesh = Mesh(config=MeshConfig())
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    for kind in (VIRTUAL_SERVICE, DESTINATION_RULE):
        stored = world.memory.objects[kind.kind, *KEY]
        world.memory.put(kind, {**stored, "spec": {**stored["spec"], "exportTo": ["."]}})
    again = world.process()
    again.cache.mesh = Mesh(config=MeshConfig())
    seen, subsets = route_seen(again.it, again.cache), subsets_seen(again.it, again.cache)
    assert seen is not None and subsets is not None
    assert (seen.intact, seen.unfinished, subsets.exported, subsets.former) == (False, False, False, False)


async def test_hosts_are_under_the_clusters_domain_and_rules_of_the_users_are_known_by_it() -> None:
    world = World()
    process = world.process()
    process.cache.mesh = Mesh(domain="corp.internal", config=MeshConfig())
    world.memory.put(DESTINATION_RULE, named("policies", {"host": "reviews.shop.svc.corp.internal", "subsets": []}))
    process.cache.store(DESTINATION_RULE, world.memory.objects["DestinationRule", "shop", "policies"])
    await process.reach(EnsureSubsets("v1", "v1", process.mark(1)), EnsureWeights(0, process.mark(2)))
    (route,) = world.spec("VirtualService", "reviews")["http"]
    assert world.spec("VirtualService", "reviews")["hosts"] == ["reviews.shop.svc.corp.internal"]
    assert {share["destination"]["host"] for share in route["route"]} == {"reviews.shop.svc.corp.internal"}
    assert len(world.spec("DestinationRule", "policies")["subsets"]) == 2
    found = subject(KEY, process.cache)
    assert found is not None and found.reading is not None and found.reading.intact


def test_a_wildcard_under_the_clusters_domain_wakes_its_services() -> None:
    cache = Cache(mesh=Mesh(domain="corp.internal"))
    release = {"metadata": {"namespace": "shop", "name": "reviews", "uid": "u", "resourceVersion": "1"}}
    cache.store(CANARY_RELEASE, {**release, "spec": {"service": {"name": "reviews"}, "version": "v1"}})
    rule = {"metadata": {"namespace": "web", "name": "all", "resourceVersion": "2"}, "spec": {"host": "*.corp.internal"}}
    assert cache.store(DESTINATION_RULE, rule) == {KEY}


@pytest.mark.parametrize(
    ("containers", "domain"),
    [
        pytest.param(
            [{"name": "istio-proxy", "args": ["proxy", "--domain", "$(POD_NAMESPACE).svc.corp.internal"]}],
            "corp.internal",
            id="told",
        ),
        pytest.param([{"name": "istio-proxy", "args": ["proxy", "--domain"]}], None, id="cut off"),
        pytest.param([{"name": "istio-proxy"}], None, id="not told"),
        pytest.param([{"name": "app", "args": ["--domain", "a.svc.b"]}], None, id="another container's"),
    ],
)
@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_the_domain_that_a_sidecar_was_told(containers: list[Any], domain: str | None, field: str) -> None:
    pod = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {field: containers}}
    assert looked_up(POD, pod)["spec"].get("proxyDomain") == domain
