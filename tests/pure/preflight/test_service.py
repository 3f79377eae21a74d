"""Whether a Service can be split by version."""

from typing import Any

import pytest

from canary_operator.preflight import inspect
from canary_operator.preflight.ports import port_of
from preflight.objects import facts, service, told

ERROR, WARNING = "Error", "Warning"
HTTP, METRICS = {"name": "http", "port": 9080}, {"name": "metrics", "port": 9090}
ADMIN, MYSQL, REDIS = {"name": "http-admin", "port": 9081}, {"name": "mysql", "port": 3306}, {"name": "redis", "port": 6379}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({}, [], id="a plain Service with an HTTP port is fine"),
        pytest.param({"service": None}, [("ServiceMissing", ERROR)], id="a missing Service is told once"),
        pytest.param(
            {"service": service(type="ExternalName", selector=None, externalName="x.example.com")},
            [("ServiceNotRoutable", ERROR)],
            id="an ExternalName is not asked for a selector",
        ),
        pytest.param(
            {"service": service(publishNotReadyAddresses=True)},
            [("ServicePublishesNotReady", ERROR)],
            id="every pod of it is called ready, so nobody knows what serves",
        ),
        pytest.param({"service": service(clusterIP="None")}, [("ServiceNotRoutable", ERROR)], id="a headless Service ignores weights"),
        pytest.param({"service": service(selector={})}, [("ServiceSelectorEmpty", ERROR)], id="an empty selector selects no version"),
        pytest.param(
            {"service": service(selector={"app": "reviews", "version": "v1"})},
            [("ServiceSelectsOneVersion", ERROR)],
            id="a version in the selector leaves the other out",
        ),
        pytest.param(
            {"service": service(selector={"app": "reviews", "version": "v1"}), "version_label": "release"},
            [],
            id="a version label of another name does not matter",
        ),
        pytest.param({"service": service(HTTP, METRICS)}, [], id="the one port that is HTTP by name needs no naming"),
        pytest.param({"service": service(HTTP, ADMIN)}, [], id="in the mesh every port keeps its requests, so none needs naming"),
        pytest.param({"service": service(HTTP, ADMIN), "gateways": ("mesh",)}, [], id="nor when the mesh is named"),
        pytest.param({"service": service(MYSQL, REDIS)}, [("ServicePortUnknown", ERROR)], id="several ports of which none takes requests"),
        pytest.param(
            {"service": service(HTTP, ADMIN), "gateways": ("infra/public",), "hosts": ("reviews.example.com",)},
            [("ServicePortUnknown", ERROR)],
            id="a gateway must be told one of several",
        ),
        pytest.param({"service": service(HTTP, ADMIN), "delegate": True}, [("ServicePortUnknown", ERROR)], id="so must a delegate"),
        pytest.param(
            {
                "service": service(HTTP, ADMIN),
                "service_port": 9080,
                "gateways": ("infra/public", "mesh"),
                "hosts": ("reviews.example.com",),
            },
            [],
            id="a gateway that is told one",
        ),
        pytest.param({"service": service(HTTP, METRICS), "service_port": 9080}, [], id="several ports and one named"),
        pytest.param({"service_port": 80}, [("ServicePortUnknown", ERROR)], id="a port that the Service lacks"),
        pytest.param({"service": service(ports=[])}, [("ServicePortUnknown", ERROR)], id="a Service without ports"),
    ],
)
def test_service(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(**changes))) == found


@pytest.mark.parametrize(
    ("port", "found"),
    [
        pytest.param({"name": "http"}, [], id="http by name"),
        pytest.param({"name": "http2-api"}, [], id="http2 by the name up to the dash"),
        pytest.param({"name": "grpc-web-api"}, [], id="grpc-web has a dash of its own"),
        pytest.param({"name": "GRPC-api"}, [], id="names are read without case"),
        pytest.param({"name": "tcp", "appProtocol": "http"}, [], id="appProtocol wins over the name"),
        pytest.param({"appProtocol": "kubernetes.io/h2c"}, [], id="h2c by the name Kubernetes gave it"),
        pytest.param({"appProtocol": "kubernetes.io/ws"}, [], id="a WebSocket starts as HTTP"),
        pytest.param({"name": "tcp-reviews"}, [("PortNotHttp", ERROR)], id="tcp by name"),
        pytest.param({"name": "https"}, [("PortNotHttp", ERROR)], id="https is opaque to the proxy"),
        pytest.param({"name": "http", "appProtocol": "kubernetes.io/wss"}, [("PortNotHttp", ERROR)], id="wss is opaque to the proxy"),
        pytest.param({"name": "http", "protocol": "UDP"}, [("PortNotHttp", ERROR)], id="udp, whatever its name"),
        pytest.param({"name": "web", "port": 3306}, [("PortNotHttp", ERROR)], id="a port that Istio takes for MySQL unless told otherwise"),
        pytest.param({"name": "http", "port": 3306}, [], id="such a port when it is told otherwise"),
        pytest.param({"name": "web"}, [("PortSniffed", WARNING)], id="a name that says nothing is guessed"),
        pytest.param({}, [("PortSniffed", WARNING)], id="a single port needs no name, and is guessed"),
        pytest.param({"appProtocol": "example.com/custom"}, [("PortSniffed", WARNING)], id="an unknown appProtocol is guessed"),
    ],
)
def test_protocol(port: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(facts(service=service({"port": 9080, **port})))) == found


def test_of_one_number_over_tcp_and_udp_the_tcp_port_counts() -> None:
    both = service({"name": "udp-web", "port": 443, "protocol": "UDP"}, {"name": "http-web", "port": 443, "protocol": "TCP"})
    assert told(inspect(facts(service=both))) == []


@pytest.mark.parametrize(
    ("ports", "asked", "port"),
    [
        pytest.param([HTTP], None, 9080, id="the only port"),
        pytest.param([HTTP, METRICS], 9090, 9090, id="the port that is named"),
        pytest.param([HTTP, METRICS], None, 9080, id="the only one that is HTTP by name"),
        pytest.param([HTTP, ADMIN], None, None, id="no telling which"),
        pytest.param([HTTP], 80, None, id="not in the Service"),
        pytest.param([], None, None, id="no port"),
    ],
)
def test_port_of(ports: list[dict[str, Any]], asked: int | None, port: int | None) -> None:
    assert port_of({"spec": {"ports": ports}}, asked) == port


def test_messages_say_what_to_write() -> None:
    (finding,) = inspect(facts(service=service(selector={"version": "v1"})))
    assert finding.message == (
        "Service shop/reviews selects one version only: take `version` out of its spec.selector, the Service must select all versions"
    )
