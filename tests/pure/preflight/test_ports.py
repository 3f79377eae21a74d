"""A Service with several HTTP ports: every port keeps its own server, and every check that asks of one asks of all that are moved."""

from typing import Any

import pytest

from canary_operator.preflight import Attachment, inspect, reads
from canary_operator.preflight.facts import Facts
from preflight.objects import HOST, mesh, named, service, template, told
from preflight.objects import arms as two_arms

HTTP, ADMIN, MYSQL = (
    {"name": "http", "port": 9080},
    {"name": "http-admin", "port": 9081, "targetPort": 9080},
    {"name": "mysql", "port": 3306},
)
TWO = service(HTTP, ADMIN)
WARNING, ERROR = "Warning", "Error"
SUBSETS = named("shop/rule", host=HOST, subsets=[{"name": name, "labels": {"version": "v1"}} for name in ("stable", "canary")])


def split(port: int | None, other: int | None = None, **more: Any) -> dict[str, Any]:
    def to(subset: str, number: int | None) -> dict[str, Any]:
        return {"destination": {"host": HOST, "subset": subset, **({"port": {"number": number}} if number else {})}, "weight": 50}

    return {"name": "primary", "route": [to("stable", port), to("canary", other or port)], **more}


def attached(route: dict[str, Any], *gateways: str, **changes: Any) -> Facts:
    document = named("shop/web", hosts=[HOST], http=[route], gateways=list(gateways) or None)
    return mesh(
        **{
            "service": TWO,
            "virtual_services": (document,),
            "attachments": (Attachment("web", ("primary",)),),
            "destination_rules": (SUBSETS,),
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param(attached(split(None)), [], id="in the mesh a route without a port keeps every port"),
        pytest.param(attached(split(9080)), [("PortsCrossed", WARNING)], id="one that names a port answers the others by it"),
        pytest.param(attached(split(9080), service=service(HTTP, MYSQL)), [], id="but not those that hold no requests"),
        pytest.param(attached(split(9080), service=service(HTTP)), [], id="nor is there another"),
        pytest.param(attached(split(9080, match=[{"port": 9080}])), [], id="a match of that port keeps the others away"),
        pytest.param(attached(split(9080, match=[{"port": 9081}])), [("PortsCrossed", WARNING)], id="a match of another port"),
        pytest.param(
            attached(split(9080, match=[{"uri": {"prefix": "/a"}}])), [("PortsCrossed", WARNING)], id="a match of a path, on all ports"
        ),
        pytest.param(attached(split(9080), "infra/public"), [], id="a gateway must be told the port"),
        pytest.param(attached(split(None), "infra/public"), [("PortsCrossed", WARNING)], id="or takes its listener's"),
        pytest.param(
            attached(split(9080, match=[{"gateways": ["infra/public"]}]), "infra/public", "mesh"), [], id="a route for the gateway alone"
        ),
        pytest.param(attached(split(None, match=[{"gateways": ["mesh"]}]), "infra/public", "mesh"), [], id="a route for the mesh alone"),
        pytest.param(attached(split(9080), "infra/public", "mesh"), [("PortsCrossed", WARNING)], id="one for both cannot be right"),
        pytest.param(attached(split(9080, 9081)), [("RouteUnfit", ERROR)], id="the two versions on two ports"),
    ],
)
def test_attached_routes(facts: Facts, found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts)) == found


@pytest.mark.parametrize(
    ("match", "gateways", "ports", "found"),
    [
        pytest.param(None, ["mesh"], TWO, [], id="a root without a match"),
        pytest.param([{"uri": {"prefix": "/a"}}], ["mesh"], TWO, [], id="a path"),
        pytest.param([{"sourceNamespace": "web"}], ["mesh"], TWO, [("PortsCrossed", ERROR)], id="callers of one namespace"),
        pytest.param([{"uri": {"exact": "/a"}, "ignoreUriCase": True}], ["mesh"], TWO, [("PortsCrossed", ERROR)], id="a path in any case"),
        pytest.param([{"sourceNamespace": "web"}], ["mesh"], service(HTTP), [], id="with one port nothing can be crossed"),
        pytest.param([{"sourceNamespace": "web"}], ["infra/public"], TWO, [], id="at a gateway the port is right"),
        pytest.param(
            [{"sourceNamespace": "web", "gateways": ["infra/public"]}], ["infra/public", "mesh"], TWO, [], id="a match for gateways"
        ),
    ],
)
def test_roots(match: list[Any] | None, gateways: list[str], ports: Any, found: list[tuple[str, str]]) -> None:
    route = {"delegate": {"name": "reviews", "namespace": "shop"}, **({"match": match} if match else {})}
    root = named("infra/root", hosts=[HOST], gateways=gateways, http=[route])
    assert told(inspect(mesh(service=ports, service_port=9080, delegate=True, virtual_services=(root,)))) == found


@pytest.mark.parametrize(
    ("gateways", "found"),
    [
        pytest.param((), ["GrpcPortNotNamed", "TargetPortUnknown"], id="in the mesh all ports are moved"),
        pytest.param(("infra/public",), [], id="at a gateway the one that is named"),
    ],
)
def test_what_is_asked_of_one_port_is_asked_of_all_that_are_moved(gateways: tuple[str, ...], found: list[str]) -> None:
    ports = service(
        HTTP, {"name": "http-rpc", "port": 9082, "targetPort": "grpc"}, {"name": "http-x", "port": 9083, "targetPort": "missing"}
    )
    listed = [{"name": "web", "containerPort": 9080}, {"name": "grpc", "containerPort": 9082}]
    both = [template(labels={"version": version}, containers=[{"name": "app", "ports": listed}]) for version in ("v1", "v2")]
    sets = two_arms(
        *(
            {"metadata": {"namespace": "shop", "name": f"reviews-{n}"}, "spec": {"replicas": 1, "template": pods}}
            for n, pods in enumerate(both)
        )
    )
    reasons = {finding.reason for finding in inspect(mesh(service=ports, service_port=9080, gateways=gateways, **sets))}
    assert sorted(reasons & {"GrpcPortNotNamed", "TargetPortUnknown"}) == found


def test_a_second_port_whose_mtls_disagrees_blocks_and_is_named() -> None:
    strict = named("shop/strict", mtls={"mode": "STRICT"})
    policy = {"portLevelSettings": [{"port": {"number": 9081}, "tls": {"mode": "DISABLE"}}]}
    rule = named("shop/rule", host=HOST, trafficPolicy=policy, subsets=[])
    base = mesh(service=TWO, service_port=9080, destination_rules=(rule,))
    facts = mesh(around={reads.policies(base)[0]: (strict,)}, service=TWO, service_port=9080, destination_rules=(rule,))
    conflicts = [finding for finding in inspect(facts) if finding.reason == "MtlsConflict"]
    assert len(conflicts) == 2, "one for each version"
    assert all("on port 9081 get 503" in finding.message for finding in conflicts)


def test_port_level_mtls_is_found_by_the_number_behind_a_named_target_port() -> None:
    by_name = service({"name": "http", "port": 9080}, {"name": "http-admin", "port": 80, "targetPort": "web"})
    selector = {"matchLabels": {"app": "reviews"}}
    lenient = named("shop/lenient", selector=selector, mtls={"mode": "PERMISSIVE"}, portLevelMtls={"9080": {"mode": "STRICT"}})
    rule = named("shop/rule", host=HOST, trafficPolicy={"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]})
    base = mesh(service=by_name, service_port=80, destination_rules=(rule,))
    facts = mesh(around={reads.policies(base)[0]: (lenient,)}, service=by_name, service_port=80, destination_rules=(rule,))
    assert "MtlsConflict" in {finding.reason for finding in inspect(facts)}


@pytest.mark.parametrize(
    ("listener", "changes", "blocks"),
    [
        pytest.param({"port": {"number": 15002, "protocol": "HTTP_PROXY", "name": "proxy"}}, {}, True, id="an HTTP proxy"),
        pytest.param({"port": {"number": 80, "protocol": "HTTP", "name": "a"}, "bind": "unix:///tmp/a"}, {}, True, id="a Unix socket"),
        pytest.param({"port": {"number": 9081, "protocol": "HTTP", "name": "a"}}, {}, False, id="a port of the Service"),
        pytest.param({}, {}, False, id="every port"),
        pytest.param(
            {"port": {"number": 1, "protocol": "HTTP_PROXY", "name": "p"}}, {"service": service(HTTP)}, False, id="one port is found"
        ),
        pytest.param(
            {"port": {"number": 1, "protocol": "HTTP_PROXY", "name": "p"}},
            {"gateways": ("infra/public",), "hosts": ("a.example.com",), "service_port": 9080},
            False,
            id="at a gateway the route names it",
        ),
    ],
)
def test_callers_whose_sidecar_tells_no_port(listener: dict[str, Any], changes: dict[str, Any], blocks: bool) -> None:
    sidecar = named("clients/proxy", egress=[{"hosts": ["*/*"], **listener}])
    found = inspect(mesh(around={reads.Read("Sidecar", "clients"): (sidecar,)}, **{"service": TWO, **changes}))
    assert [str(each.severity) for each in found if each.reason == "PortsCrossed"] == [ERROR] * blocks
