"""The mistakes that people make around Istio, each in a namespace of its own: how it is made, what is found, how it is mended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.mesh.place import Place
from tests.mesh.shop import NAME


@dataclass
class Mistake:
    """One mistake of the article."""

    title: str
    reason: str
    make: Callable[[Place], None]
    mend: Callable[[Place, str], object]
    """Is given the message."""
    mended: str
    """What was done, in words."""
    warns: bool = False
    """The release goes on all the same."""
    message: str = field(default="", init=False)
    described: str = field(default="", init=False)
    failed: BaseException | None = field(default=None, init=False)
    """Why it could not be made, found or mended."""


def _serving(place: Place, **options: Any) -> None:
    place.prepare()
    place.version("v1", **options)


def _run(place: Place, message: str) -> None:
    place.run_what_the_message_says(message)


def _not_injected(place: Place) -> None:
    place.prepare(injection=False)
    place.version("v1")
    place.release()


def _label_against_it(place: Place) -> None:
    _serving(place, labels={"sidecar.istio.io/inject": "false"})
    place.release()


def _labelled_too_late(place: Place) -> None:
    place.prepare(injection=False)
    place.lab.wait_ready(place.version("v1"))
    place.lab.kubectl("label", "namespace", place.namespace, "istio-injection=enabled")
    place.release()


def _unknown_revision(place: Place) -> None:
    place.prepare(injection=False, labels={"istio.io/rev": "1-99"})
    place.version("v1")
    place.release()


def _host_network(place: Place) -> None:
    place.prepare()
    place.deploy("v1", lambda document: document["spec"]["template"]["spec"].update(hostNetwork=True))
    place.release()


def _no_version_label(place: Place) -> None:
    def plain(document: dict[str, Any]) -> None:
        document["spec"]["selector"]["matchLabels"] = document["spec"]["template"]["metadata"]["labels"] = {"app": NAME, "tier": "old"}

    _serving(place)
    place.deploy("old", plain)
    place.release()


def _no_app_label(place: Place) -> None:
    def run(document: dict[str, Any]) -> None:
        labels = {"run": NAME, "version": "v1"}
        document["spec"]["selector"]["matchLabels"] = dict(labels)
        document["spec"]["template"]["metadata"]["labels"] = dict(labels)

    place.prepare()
    place.change("v1", "Service", NAME, {"selector": {"app": None, "run": NAME}})
    place.deploy("v1", run)
    place.release()


def _other_app(document: dict[str, Any]) -> None:
    document["spec"]["selector"]["matchLabels"] = {"version": "v2"}
    document["spec"]["template"]["metadata"]["labels"]["app"] = "review"


def _not_selected(place: Place) -> None:
    _serving(place)
    place.adopted_then("v2")
    place.deploy("v2", _other_app)


def _one_deployment(place: Place) -> None:
    def loose(version: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            document["metadata"]["name"] = NAME
            document["spec"]["selector"]["matchLabels"] = {"app": NAME}
            document["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
            document["spec"]["template"]["metadata"]["labels"]["version"] = version
            if version == "v2":  # half rolled out: its first pod is not ready yet
                container = document["spec"]["template"]["spec"]["containers"][0]
                container |= {"image": "backend", "env": [{"name": "START_DELAY", "value": "600"}]}

        return change

    place.prepare()
    place.deploy("v1", loose("v1"))
    place.adopted_then("v2")
    place.deploy("v2", loose("v2"))


def _mend_one_deployment(place: Place, message: str) -> None:
    place.lab.kubectl("rollout", "undo", f"deployment/{NAME}", "-n", place.namespace)
    place.version("v2")


def _port(place: Place, **port: Any) -> None:
    place.change("v1", "Service", NAME, {"ports": [{"name": "http", "port": 9080, "targetPort": 9080, **port}]})


def _unnamed_port(place: Place) -> None:
    place.prepare(port_name="web")
    place.version("v1")
    place.release()


def _tcp_port(place: Place) -> None:
    place.prepare(port_name="tcp-reviews")
    place.version("v1")
    place.release()


def _grpc(place: Place) -> None:
    place.prepare()
    _port(place, targetPort="grpc")
    place.deploy("v1", lambda document: document["spec"]["template"]["spec"]["containers"][0]["ports"][0].update(name="grpc"))
    place.release()


def _target_port(place: Place) -> None:
    place.prepare()
    _port(place, targetPort="web")
    place.version("v1")
    place.release()


def _gateway(place: Place, *hosts: str) -> None:
    server = {"port": {"number": 8081, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}
    place.istio("Gateway", "edge", {"selector": {"istio": "edge"}, "servers": [server]})


def _gateway_host(place: Place) -> None:
    _serving(place)
    _gateway(place, f"www.{place.namespace}.example.com")
    place.release(traffic={"owned": {"hosts": [f"reviews.{place.namespace}.example.com"], "gateways": ["edge", "mesh"]}})


def _gateway_missing(place: Place) -> None:
    _serving(place)
    place.release(traffic={"owned": {"hosts": [f"reviews.{place.namespace}.example.com"], "gateways": ["edge", "mesh"]}})


def _route(ruled: str, **destination: Any) -> dict[str, Any]:
    return {"hosts": [ruled], "http": [{"name": "all", "route": [{"destination": destination}]}]}


def _second_route(place: Place) -> None:
    _serving(place)
    place.istio("VirtualService", "mine", _route(place.host, host=place.host))
    place.release()


def _missing_subset(place: Place) -> None:
    _serving(place)
    place.istio("VirtualService", "edge", _route(f"edge.{place.namespace}.example.com", host=place.host, subset="v3"))
    place.release()


def _mtls(place: Place) -> None:
    _serving(place)
    place.apply("security.istio.io/v1", "PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}})
    place.istio("DestinationRule", "plain", {"host": place.host, "trafficPolicy": {"tls": {"mode": "DISABLE"}}})
    place.release()


def _shadowed(place: Place) -> None:
    _serving(place)
    place.istio("DestinationRule", f"reviews-{place.namespace}", {"host": place.host}, "clients")
    place.release()


def _broader_policy(place: Place) -> None:
    _serving(place)
    policy = {"connectionPool": {"tcp": {"maxConnections": 100}}}
    place.istio("DestinationRule", "all", {"host": f"*.{place.namespace}.svc.cluster.local", "trafficPolicy": policy})
    place.release()


def _take_the_policy_over(place: Place, message: str) -> None:
    place.istio("DestinationRule", NAME, {"host": place.host, "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 100}}}})


def _no_service(place: Place) -> None:
    _serving(place)
    place.delete("v1", "Service", NAME)
    place.release()


def _version_in_selector(place: Place) -> None:
    _serving(place)
    place.change("v1", "Service", NAME, {"selector": {"version": "v1"}})
    place.release()


MISTAKES = (
    Mistake("The namespace is not injected", "NotInjected", _not_injected, _run, "ran both commands"),
    Mistake(
        "A pod label against injection",
        "NotInjected",
        _label_against_it,
        lambda place, message: place.pods("v1", {"metadata": {"labels": {"sidecar.istio.io/inject": None}}}),
        "took the label out of the Deployment",
    ),
    Mistake("A pod without a sidecar", "SidecarMissing", _labelled_too_late, _run, "ran the command"),
    Mistake("A revision that nobody serves", "RevisionUnknown", _unknown_revision, _run, "ran the command"),
    Mistake(
        "hostNetwork",
        "HostNetwork",
        _host_network,
        lambda place, message: place.pods("v1", {"spec": {"hostNetwork": None}}),
        "took `hostNetwork` out of the Deployment",
    ),
    Mistake(
        "No version label",
        "VersionLabelMissing",
        _no_version_label,
        lambda place, message: place.pods("old", {"metadata": {"labels": {"version": "v1"}}}),
        "wrote `version: v1` into the Deployment",
    ),
    Mistake(
        "No app label",
        "AppLabelMissing",
        _no_app_label,
        lambda place, message: place.pods("v1", {"metadata": {"labels": {"app": NAME}}}),
        "wrote `app: reviews` into the Deployment",
        warns=True,
    ),
    Mistake(
        "A Service whose selector does not match",
        "ServiceSelectsNoPod",
        _not_selected,
        lambda place, message: place.pods("v2", {"metadata": {"labels": {"app": NAME}}}),
        "wrote `app: reviews` into the Deployment",
    ),
    Mistake(
        "Both versions in one Deployment",
        "StableReplaced",
        _one_deployment,
        _mend_one_deployment,
        "undid it, and deployed reviews-v2",
        warns=True,
    ),
    Mistake(
        "A port without the name of a protocol",
        "PortSniffed",
        _unnamed_port,
        lambda place, message: _port(place, name="web", appProtocol="http"),
        "wrote `appProtocol: http` into the Service",
        warns=True,
    ),
    Mistake(
        "A port with another protocol's name",
        "PortNotHttp",
        _tcp_port,
        lambda place, message: _port(place, name="tcp-reviews", appProtocol="http"),
        "wrote `appProtocol: http` into the Service",
    ),
    Mistake(
        "A gRPC port that is not named grpc",
        "GrpcPortNotNamed",
        _grpc,
        lambda place, message: _port(place, targetPort="grpc", appProtocol="grpc"),
        "wrote `appProtocol: grpc` into the Service",
    ),
    Mistake(
        "A wrong targetPort",
        "TargetPortUnknown",
        _target_port,
        lambda place, message: _port(place, targetPort=9080),
        "wrote `targetPort: 9080` into the Service",
    ),
    Mistake(
        "A host that the Gateway does not serve",
        "GatewayHostMissing",
        _gateway_host,
        lambda place, message: _gateway(place, f"reviews.{place.namespace}.example.com"),
        "wrote the host into the Gateway",
    ),
    Mistake(
        "A Gateway that does not exist",
        "GatewayMissing",
        _gateway_missing,
        lambda place, message: _gateway(place, "*"),
        "created the Gateway",
    ),
    Mistake(
        "A second VirtualService on the host",
        "HostTaken",
        _second_route,
        lambda place, message: place.delete("networking.istio.io/v1", "VirtualService", "mine"),
        "deleted it",
    ),
    Mistake(
        "A route to a subset that does not exist",
        "SubsetMissing",
        _missing_subset,
        lambda place, message: place.istio(
            "VirtualService", "edge", _route(f"edge.{place.namespace}.example.com", host=place.host, subset="stable")
        ),
        "wrote `subset: stable` into the destination",
    ),
    Mistake(
        "mTLS: STRICT against DISABLE",
        "MtlsConflict",
        _mtls,
        lambda place, message: place.change("networking.istio.io/v1", "DestinationRule", "plain", {"trafficPolicy": None}),
        "took `tls` out of the DestinationRule",
    ),
    Mistake(
        "A DestinationRule in a caller's namespace",
        "PolicyShadowed",
        _shadowed,
        lambda place, message: place.delete("networking.istio.io/v1", "DestinationRule", f"reviews-{place.namespace}", "clients"),
        "deleted it",
        warns=True,
    ),
    Mistake(
        "A policy for all hosts of the namespace",
        "PolicyShadowed",
        _broader_policy,
        _take_the_policy_over,
        "wrote its trafficPolicy into a DestinationRule of the host",
    ),
    Mistake(
        "A Service that does not exist",
        "ServiceMissing",
        _no_service,
        lambda place, message: place.lab.service(NAME, place.namespace),
        "created it",
    ),
    Mistake(
        "A version in the Service's selector",
        "ServiceSelectsOneVersion",
        _version_in_selector,
        lambda place, message: place.change("v1", "Service", NAME, {"selector": {"version": None}}),
        "took `version` out of the selector",
    ),
)
