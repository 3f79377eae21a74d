"""The shapes: how other people's objects look around a Service that is to be released. One entry, about ten lines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.laboratory import CLIENT_NAMESPACE
from tests.mesh.shapes.ground import Ground
from tests.mesh.shop import NAME
from tests.mesh.users import at_rest, split

MESH, GATEWAY, SECOND = "mesh", "gateway", "second port"
"""How callers come: inside the mesh, at the gateway, inside the mesh on the Service's second port."""
PUBLIC = ["infra/public"]


def _nothing(ground: Ground) -> None:
    pass


def _deployment(ground: Ground, version: str, **options: Any) -> None:
    ground.deploy(version, **options)


def _owned(ground: Ground) -> dict[str, Any]:
    return {"owned": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of surroundings."""

    name: str
    before: Callable[[Ground], None] = _nothing
    """The user's objects that are there before the CanaryRelease."""
    deploy: Callable[..., None] = _deployment
    """How a version is deployed."""
    traffic: Callable[[Ground], dict[str, Any]] = _owned
    """`spec.traffic`."""
    port: int | None = None
    """`spec.service.port`; None: left out."""
    asked: Callable[[Ground], None] = _nothing
    """What the user does when the adoption asks for it."""
    ways: tuple[str, ...] = (MESH,)
    """How callers come who are answered from before the adoption until after the operator is taken away."""
    later: tuple[str, ...] = ()
    """How others come, who are answered from the adoption on."""
    others: tuple[int, ...] = ()
    """Further HTTP ports of the Service."""
    also: tuple[str, ...] = ()
    """Versions that answer beside those of the release, such as a pod that is no version at all."""
    blocked: str | None = None
    """The reason with which the adoption waits, and nothing is written; None: it goes on."""


def _to(ground: Ground, subset: str | None = None, **more: Any) -> dict[str, Any]:
    destination = {"host": ground.host, **({"subset": subset} if subset else {})}
    return {"route": [{"destination": destination}], **more}


def _attached(ground: Ground) -> None:
    ground.istio("VirtualService", "web", hosts=[ground.host, ground.public], gateways=[*PUBLIC, MESH], http=[_to(ground, name="primary")])


def _attach_as_asked(ground: Ground) -> None:
    ground.wait("the two lines are asked for", reason="RouteUnfit")
    ground.istio("VirtualService", "web", hosts=[ground.host, ground.public], gateways=[*PUBLIC, MESH], http=[split(ground.host)])


def _root(ground: Ground) -> None:
    """A root whose delegate is not there yet, and a route after it, by which requests go until then."""
    http = [{"delegate": {"name": NAME, "namespace": ground.namespace}}, _to(ground)]
    ground.istio("VirtualService", "root", hosts=[ground.host, ground.public], gateways=[*PUBLIC, MESH], http=http)


def _two_deployments(ground: Ground, version: str, **options: Any) -> None:
    ground.deploy(version, **options)
    ground.deploy_beside(version, "spot", **options)


def _daemon_first(ground: Ground, version: str, **options: Any) -> None:
    if version == "v1":
        ground.deploy_on_every_node(version, **options)
    else:
        ground.deploy(version, **options)


def _exported_to_callers(ground: Ground) -> None:
    ground.annotate_service("networking.istio.io/exportTo", f".,{CLIENT_NAMESPACE}")


def _stateful_first(ground: Ground, version: str, **options: Any) -> None:
    if version == "v1":
        ground.deploy_stateful(version, **options)
    else:
        ground.deploy(version, **options)


SHAPES = (
    Shape(name="one port"),
    Shape(name="two ports", others=(9081,), ways=(MESH, SECOND)),
    Shape(
        name="two ports, with a gateway",
        others=(9081,),
        traffic=lambda ground: {"owned": {"hosts": [ground.public], "gateways": [*PUBLIC, MESH]}},
        port=9080,
        ways=(MESH, SECOND),
        later=(GATEWAY,),
    ),
    Shape(name="a Service that is exported to some namespaces", before=_exported_to_callers),
    Shape(name="two Deployments of a version", deploy=_two_deployments),
    Shape(name="a DaemonSet, then Deployments", deploy=_daemon_first),
    Shape(name="a StatefulSet, then Deployments", deploy=_stateful_first),
    Shape(name="an endpoint written by hand", before=Ground.endpoint_by_hand, also=("old",), blocked="EndpointWithoutVersion"),
    Shape(
        name="a gateway and the mesh",
        traffic=lambda ground: {"owned": {"hosts": [ground.public], "gateways": [*PUBLIC, MESH]}},
        later=(GATEWAY,),
    ),
    Shape(
        name="a gateway alone", traffic=lambda ground: {"owned": {"hosts": [ground.public], "gateways": PUBLIC}}, ways=(), later=(GATEWAY,)
    ),
    Shape(
        name="attached, with a gateway",
        before=_attached,
        traffic=lambda ground: {"attach": [{"virtualService": "web"}]},
        asked=_attach_as_asked,
        ways=(MESH, GATEWAY),
    ),
    Shape(name="delegated, with a gateway", before=_root, traffic=lambda ground: {"delegate": {}}, ways=(MESH, GATEWAY)),
    Shape(
        name="a DestinationRule of the user's",
        before=lambda ground: ground.istio(
            "DestinationRule", "policies", host=NAME, trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 512}}}
        ),
    ),
    Shape(
        name="subsets of our names, as we write them",
        before=lambda ground: ground.istio("DestinationRule", "policies", host=NAME, subsets=[*at_rest("v1"), {"name": "all"}]),
    ),
    Shape(
        name="subsets of our names, the user's own",
        before=lambda ground: ground.istio(
            "DestinationRule",
            "mine",
            host=NAME,
            subsets=[{"name": "stable", "labels": {"tier": "a"}}, {"name": "canary", "labels": {"tier": "b"}}],
        ),
        blocked="SubsetTaken",
    ),
    Shape(
        name="a DestinationRule for some workloads",
        before=lambda ground: ground.istio("DestinationRule", "batch", host=NAME, workloadSelector={"matchLabels": {"app": "batch"}}),
    ),
    Shape(
        name="a rule of the whole namespace",
        before=lambda ground: ground.istio(
            "DestinationRule",
            "all",
            host=f"*.{ground.namespace}.svc.cluster.local",
            trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 99}}},
        ),
        blocked="PolicyShadowed",
    ),
    Shape(
        name="a route of the user's in the mesh",
        before=lambda ground: ground.istio("VirtualService", "mine", hosts=[NAME], http=[_to(ground, timeout="9s")]),
        blocked="HostTaken",
    ),
    Shape(
        name="an edge of the user's past the subsets",
        before=lambda ground: ground.istio("VirtualService", "edge", hosts=[ground.public], gateways=PUBLIC, http=[_to(ground)]),
    ),
)
