"""istiod (`pilot-discovery`): xDS for the proxies, and its own sidecar injector and validator as the API server's webhooks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import programs
from lab.addresses import ISTIOD_MONITORING_PORT, ISTIOD_PORT, ISTIOD_WEBHOOK_PORT, ISTIOD_XDS_PORT
from lab.api import Api
from lab.part import Part, answers

NAMESPACE = "istio-system"
_MESH = {
    "rootNamespace": NAMESPACE,
    "trustDomain": "cluster.local",
    "enableAutoMtls": False,
    "enableTracing": False,
    "ingressControllerMode": "OFF",
    "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    "defaultConfig": {"discoveryAddress": f"127.0.0.1:{ISTIOD_XDS_PORT}"},
}
_WEBHOOKS = {
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istiod-default-validator",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istio-validator-istio-system",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector",
}


class Istiod(Part):
    """The control plane of the mesh."""

    name = "istiod"

    def __init__(self, directory: Path, api: Api, domain: str = "cluster.local") -> None:
        super().__init__(directory)
        self._api = api
        self.domain = domain
        """The cluster's; another one counts after a restart."""
        self._more: Mapping[str, Any] = {}

    def configure(self, **more: Any) -> None:
        """Sets fields of the mesh config beside the lab's own, instead of those set before. It is running, and takes them up by itself."""
        self._more = more
        self._write()

    def _write(self) -> Path:
        """Istiod reads the file; others look into the ConfigMap, from which istiod reads it in a cluster."""
        mesh, config = self.directory / "mesh.json", json.dumps({**_MESH, **self._more})
        unfinished = mesh.with_suffix(".part")
        unfinished.write_text(config)
        unfinished.replace(mesh)
        metadata = {"name": "istio", "namespace": NAMESPACE}
        self._api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": config}})
        return mesh

    def environment(self) -> Mapping[str, str]:
        """REVISION must be set, or the webhooks' CA bundles are never filled in.

        The last two keep filters that only Istio's own Envoy has away from upstream Envoy, which would refuse them.
        """
        return {
            "POD_NAME": "istiod-lab",
            "POD_NAMESPACE": NAMESPACE,
            "CLUSTER_ID": "Kubernetes",
            "REVISION": "default",
            "ENABLE_LEADER_ELECTION": "false",
            "ENABLE_CA_SERVER": "true",
            "PILOT_CERT_PROVIDER": "istiod",
            "INJECT_ENABLED": "true",
            "ISTIOD_CUSTOM_HOST": "localhost",
            "VALIDATION_WEBHOOK_CONFIG_NAME": f"istio-validator-{NAMESPACE}",
            "INJECTION_WEBHOOK_CONFIG_NAME": "istio-sidecar-injector",
            "PILOT_ENABLE_GATEWAY_API": "false",
            "PILOT_ENABLE_IP_AUTOALLOCATE": "false",
            "PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION": "false",
            "XDS_AUTH": "false",
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
            "PILOT_ENABLE_ALPN_FILTER": "false",
        }

    def command(self) -> Sequence[str | Path]:
        """Plain xDS on loopback for the proxies, TLS for the webhooks only."""
        mesh = self._write()
        return [
            *(programs.path(programs.ISTIOD), "discovery", "--kubeconfig", self.directory / "kubeconfig"),
            *("--meshConfig", mesh, "--domain", self.domain, "--secureGRPCAddr", "", "--ctrlz_port", "0"),
            *("--httpAddr", f"127.0.0.1:{ISTIOD_PORT}", "--grpcAddr", f"127.0.0.1:{ISTIOD_XDS_PORT}"),
            *(
                "--httpsAddr",
                f"127.0.0.1:{ISTIOD_WEBHOOK_PORT}",
                "--monitoringAddr",
                f"127.0.0.1:{ISTIOD_MONITORING_PORT}",
            ),
        ]

    def is_ready(self) -> bool:
        """It serves, and the API server has been told which CA signs its webhooks."""
        return answers(ISTIOD_PORT, "/ready") and all(self._has_authority(path) for path in _WEBHOOKS)

    def _has_authority(self, path: str) -> bool:
        found = self._api.find(path)
        return found is not None and all(webhook["clientConfig"].get("caBundle") for webhook in found["webhooks"])
