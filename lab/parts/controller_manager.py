"""kube-controller-manager: Deployments become pods, pods become endpoints, owners' deletion becomes garbage collection."""

from collections.abc import Sequence
from pathlib import Path

from lab import programs
from lab.addresses import CONTROLLER_MANAGER_PORT
from lab.api import Api, ApiUnreachable
from lab.part import Part
from lab.parts.api_server import ApiServer

CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "daemonset-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "validatingadmissionpolicy-status-controller",
)


class ControllerManager(Part):
    """The controllers that the lab needs, and no others."""

    name = "kube-controller-manager"

    def __init__(self, directory: Path, api_server: ApiServer) -> None:
        super().__init__(directory)
        self._api_server = api_server
        authority = directory / "certificates-controllers" / f"{self.name}.crt"
        self._own = Api(f"https://127.0.0.1:{CONTROLLER_MANAGER_PORT}", api_server.token, authority, "lab")

    def command(self) -> Sequence[str | Path]:
        """No leader election: there is only one."""
        kubeconfig = self.directory / "kubeconfig"
        return [
            programs.path(programs.CONTROLLER_MANAGER),
            *("--kubeconfig", kubeconfig, "--controllers", ",".join(CONTROLLERS)),
            *(
                "--leader-elect=false",
                "--use-service-account-credentials=false",
                "--kube-api-qps",
                "300",
                "--kube-api-burst",
                "600",
            ),
            *(
                "--bind-address",
                "127.0.0.1",
                "--secure-port",
                str(CONTROLLER_MANAGER_PORT),
                "--cert-dir",
                self.directory / "certificates-controllers",
            ),
            *("--authorization-always-allow-paths", "/healthz,/metrics"),
        ]

    def is_ready(self) -> bool:
        """It works: it runs, and a namespace got its service account from it."""
        try:
            healthy = self._own.answers("/healthz")
        except ApiUnreachable:
            return False
        finally:
            self._own.close()
        return healthy and self._api_server.api.exists("/api/v1/namespaces/default/serviceaccounts/default")
