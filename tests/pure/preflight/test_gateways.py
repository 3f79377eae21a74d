"""Whether the gateways that the spec names serve its hosts, and whether anybody comes another way."""

from typing import Any

import pytest

from canary_operator.preflight import inspect, reads, wanted
from canary_operator.preflight.reading import Listing, NotPermitted, Read
from preflight.objects import HOST, Document, facts, mesh, named, routed, row, told

ERROR, WARNING = "Error", "Warning"
PUBLIC: dict[str, Any] = {"hosts": ("reviews.example.com",), "gateways": ("infra/public", "mesh")}
GATEWAYS, PODS = Read("Gateway", "infra"), Read("Pod", None, selector="istio=ingressgateway")
CALLS = reads.telemetry(facts())
OURS = routed("shop/reviews", HOST, owner="reviews", gateways=["infra/public", "mesh"], to={"host": HOST, "subset": "stable"})
READY: Document = {
    "metadata": {"namespace": "infra", "name": "gateway-1"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def gateway(*hosts: str, name: str = "infra/public") -> Document:
    return named(name, selector={"istio": "ingressgateway"}, servers=[{"hosts": list(hosts)}])


def given(*hosts: str, around: dict[Read, Listing] | None = None, **changes: Any) -> Any:
    """A gateway for these hosts, with a ready pod and a caller that comes through it."""
    there = {GATEWAYS: (gateway(*hosts),), PODS: (READY,), CALLS: (row("infra", "gateway"),)}
    return mesh(around={**there, **(around or {})}, **{**PUBLIC, **changes})


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        pytest.param(["*"], [], id="all hosts"),
        pytest.param(["reviews.example.com"], [], id="our host"),
        pytest.param(["*.example.com"], [], id="a wildcard over our host"),
        pytest.param(["*/*.example.com"], [], id="for VirtualServices of any namespace"),
        pytest.param(["shop/*.example.com"], [], id="for VirtualServices of ours"),
        pytest.param(["./*.example.com"], [("GatewayHostMissing", ERROR)], id="for VirtualServices of its own namespace"),
        pytest.param(["other/*"], [("GatewayHostMissing", ERROR)], id="for VirtualServices of another namespace"),
        pytest.param(["shop.example.com"], [("GatewayHostMissing", ERROR)], id="another host"),
        pytest.param(["shop.example.com", "reviews.example.com"], [], id="our host among others"),
    ],
)
def test_hosts(hosts: list[str], found: list[tuple[str, str]]) -> None:
    assert told(inspect(given(*hosts))) == found


@pytest.mark.parametrize(
    ("around", "changes", "found"),
    [
        pytest.param({GATEWAYS: ()}, {}, [("GatewayMissing", ERROR)], id="it does not exist"),
        pytest.param({GATEWAYS: (gateway("*", name="infra/private"),)}, {}, [("GatewayMissing", ERROR)], id="another one does"),
        pytest.param({GATEWAYS: NotPermitted()}, {}, [("NotPermitted", WARNING)], id="it may not be looked at"),
        pytest.param({PODS: ()}, {}, [("GatewayWithoutPods", WARNING)], id="no pod carries its labels"),
        pytest.param({PODS: (READY | {"status": {}},)}, {}, [("GatewayWithoutPods", WARNING)], id="no pod of it is ready"),
        pytest.param({CALLS: (row("clients"),)}, {}, [], id="nobody comes through it before our route is there"),
        pytest.param({CALLS: (row("clients"),)}, {"virtual_services": (OURS,)}, [("GatewayUnused", WARNING)], id="nor afterwards"),
        pytest.param({}, {"virtual_services": (OURS,)}, [], id="callers come through it"),
        pytest.param(
            {CALLS: (row("infra", "gateway"), row("clients"))},
            {"gateways": ("infra/public",)},
            [("MeshBypassed", WARNING)],
            id="callers inside the mesh, which the spec leaves out",
        ),
        pytest.param({}, {"gateways": ("infra/public",)}, [], id="no callers inside the mesh"),
    ],
)
def test_gateway(around: dict[Read, Listing], changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(given("*", around=around, **changes))) == found


@pytest.mark.parametrize(
    ("hosts", "around", "message"),
    [
        pytest.param(
            ["shop.example.com"],
            {},
            "Gateway infra/public serves shop.example.com and none of reviews.example.com, so it answers 404 to them: "
            'write `hosts: ["reviews.example.com"]` into a server of the Gateway, or a host that it serves into spec.traffic.owned.hosts',
            id="host",
        ),
        pytest.param(
            ["*"],
            {GATEWAYS: (gateway("*", name="infra/private"),)},
            "Gateway infra/public does not exist: write one of infra/private into spec.traffic.owned.gateways",
            id="name",
        ),
    ],
)
def test_messages_say_what_to_write(hosts: list[str], around: dict[Read, Listing], message: str) -> None:
    assert inspect(given(*hosts, around=around))[0].message == message


def test_a_gateway_leads_to_its_pods() -> None:
    assert GATEWAYS in wanted(mesh(**PUBLIC))
    assert PODS not in wanted(mesh(**PUBLIC))
    assert PODS in wanted(given("*"))
