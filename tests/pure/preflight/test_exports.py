"""All who see the Service see its routes and subsets: what users wrote may be narrower, by their own word or by the mesh config's."""

from typing import Any

import pytest

from canary_operator.mesh.config import Mesh, MeshConfig
from canary_operator.preflight import Attachment, inspect, reads
from canary_operator.preflight.facts import Facts
from canary_operator.preflight.finding import NOT_EXPORTED
from preflight.objects import HOST, mesh, named, pod

OWN = MeshConfig(virtual_services=(".",), destination_rules=(".",))
ROUTE = [
    {"name": "primary", "route": [{"destination": {"host": HOST, "subset": s}, "weight": w} for s, w in (("stable", 100), ("canary", 0))]}
]
ROOT = [{"delegate": {"name": "reviews", "namespace": "shop"}}]
SUBSETS = [{"name": name, "labels": {"version": "v1"}} for name in ("stable", "canary")]


def user_rule(**spec: Any) -> Any:
    return named("shop/policies", host=HOST, subsets=SUBSETS, **spec)


def attached(*exports: list[str] | None, gateways: list[str] | None = None, **changes: Any) -> Facts:
    """VirtualServices web0, web1, ... of the user's, each exported to these namespaces."""
    documents = [named(f"shop/web{n}", hosts=[HOST], http=ROUTE, exportTo=each, gateways=gateways) for n, each in enumerate(exports)]
    attachments = tuple(Attachment(f"web{n}", ("primary",)) for n in range(len(exports)))
    return mesh(
        **{"virtual_services": tuple(documents), "attachments": attachments, "destination_rules": (user_rule(exportTo=["*"]),), **changes}
    )


def delegated(where: str, **changes: Any) -> Facts:
    spec: dict[str, Any] = {"hosts": [HOST], "http": ROOT, **changes.pop("root", {})}
    return mesh(delegate=True, virtual_services=(named(f"{where}/root", **spec),), **changes)


def of(config: MeshConfig) -> Mesh:
    return Mesh(config=config)


@pytest.mark.parametrize(
    ("facts", "blocked"),
    [
        pytest.param(mesh(destination_rules=(user_rule(),)), [], id="a rule that says nothing, in a mesh that says nothing"),
        pytest.param(mesh(destination_rules=(user_rule(),), mesh=of(OWN)), ["policies"], id="in a mesh that keeps rules private"),
        pytest.param(mesh(destination_rules=(user_rule(exportTo=["*"]),), mesh=of(OWN)), [], id="there, one that says everybody"),
        pytest.param(mesh(destination_rules=(user_rule(exportTo=["."]),)), ["policies"], id="a rule kept private"),
        pytest.param(mesh(destination_rules=(user_rule(exportTo=["."]),), export_to=(".",)), [], id="as private as the Service"),
        pytest.param(mesh(destination_rules=(user_rule(exportTo=["shop", "web"]),), export_to=(".", "web")), [], id="in another spelling"),
        pytest.param(
            mesh(destination_rules=(user_rule(exportTo=["web"]),), export_to=(".", "web")), ["policies"], id="one of two is missing"
        ),
        pytest.param(mesh(destination_rules=(user_rule(exportTo=["."]),), mesh=Mesh()), [], id="nothing is known of the mesh yet"),
        pytest.param(attached(None), [], id="an attached route that says nothing"),
        pytest.param(attached(None, mesh=of(OWN)), ["web0"], id="in a mesh that keeps routes private"),
        pytest.param(attached(["."]), ["web0"], id="an attached route kept private"),
        pytest.param(attached(["."], ["web"], export_to=(".", "web")), [], id="two that share the callers"),
        pytest.param(attached(["."], ["web"], export_to=(".", "api", "web")), ["web0", "web1"], id="two that leave some out"),
        pytest.param(attached(["infra"], gateways=["infra/public"]), [], id="a route for a gateway alone"),
        pytest.param(delegated("shop"), [], id="a root beside its delegate"),
        pytest.param(delegated("infra"), [], id="a root elsewhere"),
        pytest.param(delegated("infra", export_to=(".",), root={"exportTo": ["shop"]}), ["root"], id="that does not see its delegate"),
        pytest.param(delegated("infra", root={"exportTo": ["."]}), ["root"], id="a root kept private"),
        pytest.param(
            delegated("infra", root={"exportTo": ["."]}, export_to=("infra",)), [], id="as the Service is, seen from its namespace"
        ),
        pytest.param(delegated("infra", mesh=of(OWN)), ["root"], id="a root in a mesh that keeps routes private"),
        pytest.param(mesh(export_to=("~",)), ["Service"], id="a Service that nobody sees"),
    ],
)
def test_what_keeps_callers_out_blocks_and_is_named(facts: Facts, blocked: list[str]) -> None:
    found = [finding for finding in inspect(facts) if finding.reason == NOT_EXPORTED]
    assert [str(finding.severity) for finding in found] == ["Error"] * len(blocked)
    assert all(name in finding.message for finding, name in zip(found, blocked, strict=True))
    assert all("write `" in finding.message for finding in found)


def test_the_message_says_what_to_write_into_which_object() -> None:
    (finding,) = [each for each in inspect(mesh(destination_rules=(user_rule(exportTo=["."]),))) if each.reason == NOT_EXPORTED]
    assert finding.message == (
        'DestinationRule shop/policies is exported to ["."] and Service shop/reviews to ["*"], so callers elsewhere would be sent to subsets that '
        'they do not know, and get 503: write `exportTo: ["*"]` into its spec, or `networking.istio.io/exportTo: "."` into the metadata.annotations '
        "of the Service"
    )
    (finding,) = [
        each for each in inspect(delegated("infra", root={"exportTo": ["."]}, export_to=(".", "infra"))) if each.reason == NOT_EXPORTED
    ]
    assert 'write `exportTo: [".", "shop"]` into its spec' in finding.message, "as the root's namespace would write it"


def test_a_gateway_that_does_not_see_the_service() -> None:
    changes: dict[str, Any] = {"gateways": ("infra/public",), "hosts": ("reviews.example.com",), "export_to": (".",)}
    gateway = named("infra/public", selector={"istio": "gw"}, servers=[{"hosts": ["*"]}])
    base = mesh(around={reads.Read("Gateway", "infra"): (gateway,)}, **changes)
    (read,) = reads.gateway_pods(base).values()
    standing = pod("v1") | {
        "metadata": {"namespace": "infra", "name": "gw-1"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    facts = mesh(around={reads.Read("Gateway", "infra"): (gateway,), read: (standing,)}, **changes)
    (finding,) = [each for each in inspect(facts) if each.reason == NOT_EXPORTED]
    assert 'write `networking.istio.io/exportTo: ".,infra"`' in finding.message


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        pytest.param((), "does not exist", id="no ConfigMap"),
        pytest.param(({"metadata": {}, "mesh": None},), "valid YAML", id="one that cannot be read"),
        pytest.param(({"metadata": {}, "mesh": {}},), None, id="one that says nothing of exports"),
    ],
)
def test_a_mesh_config_that_is_not_where_it_should_be_is_told(listing: tuple[Any, ...], told: str | None) -> None:
    found = [
        each for each in inspect(mesh(around={reads.mesh_config(("istio-system", "istio")): listing})) if each.reason == "MeshConfigUnknown"
    ]
    assert [str(each.severity) for each in found] == (["Warning"] if told else [])
    assert all(told in each.message and "`meshConfig`" in each.message for each in found if told)


@pytest.mark.parametrize(("domain", "blocks"), [("cluster.local", False), ("corp.internal", True), (None, False)])
def test_a_sidecar_that_knows_another_domain_blocks(domain: str | None, blocks: bool) -> None:
    standing = pod("v1", **({"proxyDomain": domain} if domain else {}))
    base = mesh()
    read = reads.pods(base)
    assert read is not None
    found = [each for each in inspect(mesh(around={read: (standing, pod("v2"))})) if each.reason == "ClusterDomainWrong"]
    assert bool(found) is blocks
    assert all("`clusterDomain: corp.internal`" in each.message for each in found)
