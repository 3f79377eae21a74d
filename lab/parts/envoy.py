"""Upstream Envoy, configured by istiod: the gateway, and the mesh clients."""

import json
import socket
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import programs
from lab.addresses import FIRST_ADMIN_PORT, FIRST_CLIENT_HOST, GATEWAY_ADDRESS, GATEWAY_PORT, ISTIOD_XDS_PORT
from lab.part import Part, answers

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_XDS = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


class Envoy(Part):
    """A proxy known to istiod by its node: kind, address, name and namespace."""

    address: str
    admin_port: int
    namespace: str
    workload: str

    def command(self) -> Sequence[str | Path]:
        """One worker thread; drains for 5 s when told to end."""
        bootstrap = self.directory / f"{self.name}.json"
        bootstrap.write_text(json.dumps(self._bootstrap()))
        return [
            *(programs.envoy(), "-c", bootstrap, "--use-dynamic-base-id", "--concurrency", "1"),
            *("--log-level", "warning", "--drain-time-s", "5"),
        ]

    def is_ready(self) -> bool:
        """It has its first configuration from istiod."""
        return answers(self.admin_port, "/ready")

    @property
    @abstractmethod
    def kind(self) -> str:
        """`router` or `sidecar`."""

    @property
    @abstractmethod
    def labels(self) -> Mapping[str, str]:
        """The pod labels istiod matches selectors against."""

    def _bootstrap(self) -> dict[str, object]:
        node = {
            "id": f"{self.kind}~{self.address}~{self.workload}.{self.namespace}~{self.namespace}.svc.cluster.local",
            "cluster": f"{self.workload}.{self.namespace}",
            "metadata": {
                "NAMESPACE": self.namespace,
                "CLUSTER_ID": "Kubernetes",
                "ISTIO_VERSION": programs.ISTIO_VERSION,
                "INTERCEPTION_MODE": "NONE",
                "INSTANCE_IPS": self.address,
                "WORKLOAD_NAME": self.workload,
                "SERVICE_ACCOUNT": "default",
                "LABELS": self.labels,
                "PROXY_CONFIG": {},
            },
        }
        return {
            "node": node,
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin_port}}},
            "layered_runtime": {
                "layers": [
                    {
                        "name": "static",
                        "static_layer": {
                            "re2.max_program_size.error_level": 32768,
                            "envoy.features.enable_all_deprecated_features": True,
                        },
                    }
                ]
            },
            "bootstrap_extensions": [
                {
                    "name": "envoy.bootstrap.internal_listener",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
                }
            ],
            "stats_config": {
                "use_all_default_tags": False,
                "stats_tags": [
                    {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
                    {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
                    {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
                ],
            },
            "dynamic_resources": {
                "lds_config": _XDS,
                "cds_config": _XDS,
                "ads_config": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": True,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
                },
            },
            "static_resources": {"clusters": [_istiod_cluster()]},
        }


class Gateway(Envoy):
    """The ingress gateway; the Gateway resource `infra/public` selects it."""

    name = "gateway"
    kind = "router"
    address = GATEWAY_ADDRESS
    admin_port = FIRST_ADMIN_PORT
    namespace = "infra"
    workload = "gateway"
    labels: Mapping[str, str] = {"istio": "ingressgateway", "app": "gateway"}

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://{self.address}:{GATEWAY_PORT}"


class MeshClient(Envoy):
    """A caller's sidecar.

    It listens on its own address, one listener per service port, and takes the service's name from the Host header.
    """

    kind = "sidecar"
    workload = "mesh-client"
    labels: Mapping[str, str] = {"app": "mesh-client"}

    def __init__(self, directory: Path, namespace: str, number: int, ports: Sequence[int]) -> None:
        super().__init__(directory)
        self.ports = frozenset(ports)
        self.namespace = namespace
        self.name = f"mesh-client-{namespace}"
        self.address = f"10.244.0.{FIRST_CLIENT_HOST + number}"
        self.admin_port = FIRST_ADMIN_PORT + 1 + number

    def open(self, ports: Sequence[int]) -> bool:
        """Notes service ports to listen on; whether any of them is new."""
        before = self.ports
        self.ports |= set(ports)
        return self.ports != before

    def listens(self, ports: Sequence[int]) -> bool:
        """Whether istiod has given it a listener for each of these ports."""
        return all(_takes_connections(self.address, port) for port in ports)

    def sidecar(self) -> dict[str, Any]:
        """The Sidecar resource that opens its service ports.

        One HTTP listener per port, and not one HTTP_PROXY listener for all: for that one istiod writes virtual hosts *with* the service's
        port while the route ignores ports in the Host header, so every request is answered with 502.
        """
        listeners = [
            {
                "port": {"number": port, "protocol": "HTTP", "name": f"http-{port}"},
                "bind": self.address,
                "hosts": ["*/*"],
            }
            for port in sorted(self.ports)
        ]
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": "mesh-client", "namespace": self.namespace},
            "spec": {"workloadSelector": {"labels": dict(self.labels)}, "egress": listeners},
        }


def _takes_connections(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def _istiod_cluster() -> dict[str, object]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ISTIOD_XDS_PORT}}}}
    return {
        "name": "xds-grpc",
        "alt_stat_name": "xds-grpc;",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
