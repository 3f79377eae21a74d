"""What tests, demo and benchmarks do with a running cluster: namespaces, services, versions, rights, kubectl."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import programs
from lab.api import Document
from lab.installing import install
from lab.parts.api_server import ApiServer
from lab.waiting import until
from lab.workloads import Service, Workload, deployment_document, service_document

TOKEN_SECONDS = 30 * 24 * 3600


class Kubernetes:
    """Needs an API server and a directory; `Cluster` brings both."""

    domain = "cluster.local"
    """The cluster's."""
    injects = False
    """Whether pods get their sidecar by themselves; otherwise a workload's template names it, as after injection by hand."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.api_server = ApiServer(directory)
        self.api = self.api_server.api

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "kubeconfig"

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs kubectl as administrator.

        Raises:
            RuntimeError: It failed and `check` is true; the message is what it said.
        """
        command = [str(programs.kubectl()), *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)},
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def install(self, source: Path | Iterable[Document]) -> None:
        """Applies documents (a YAML file, a folder of them, or the documents), CRDs first; returns when their kinds can be listed."""
        install(self.api, source)

    def namespace(self, name: str, *, injection: bool = True, labels: Mapping[str, str] | None = None) -> None:
        """Makes a namespace (with Istio's injection label) and waits for its service account, without which no pod can be made."""
        injected = {"istio-injection": "enabled"} if injection else {}
        self.api.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {**injected, **(labels or {})}},
            }
        )
        until(lambda: self.api.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"), f"service account of {name}")

    def service(self, name: str, namespace: str, *, port: int = 9080, port_name: str = "http", others: Sequence[int] = ()) -> Service:
        """Makes a Service that selects `app: <name>`, with further HTTP ports if wanted."""
        service = Service(name, namespace, port, tuple(others), self.domain)
        self.api.apply(service_document(service, port_name))
        return service

    def workload(
        self,
        service: Service,
        version: str,
        *,
        replicas: int = 1,
        error_share: float = 0.0,
        latency_ms: float = 0.0,
        start_delay: float = 0.0,
        protocol: str = "http",
        image: str = "backend",
        environment: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Workload:
        """Applies the Deployment `<service>-<version>`.

        Args:
            service: From `service()`.
            version: Pod label `version`, header `x-version` of every answer.
            replicas: Pods; each is a real process.
            error_share: Share of requests it fails, 0 to 1; `Workload.behave` changes it later without a new template.
            latency_ms: How long it takes to answer.
            start_delay: Seconds before it listens.
            protocol: "http" or "grpc".
            image: "backend"; "pause" makes pods without a process, ready at once (for thousands of them).
            environment: More variables; a change makes a new template, hence new pods.
            labels: More pod labels.
        """
        told = {
            "VERSION": version,
            "ERROR_SHARE": error_share,
            "LATENCY_MS": latency_ms,
            "START_DELAY": start_delay,
            "PROTOCOL": protocol,
            **({"OTHER_PORTS": ",".join(map(str, service.others))} if service.others else {}),
        }
        self.api.apply(
            deployment_document(
                service, version, replicas, {**told, **(environment or {})}, image=image, labels=labels, sidecar=not self.injects
            )
        )
        return Workload(service, version, self.api, self.directory)

    def wait_ready(self, *workloads: Workload, seconds: float = 60) -> None:
        """Blocks until all of these are rolled out, ready and known to their endpoints."""
        for workload in workloads:
            workload.wait_ready(seconds)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a real token of this ServiceAccount, which is made if it is missing.

        A program run with it has the account's rights and no others.
        """
        self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
        request: dict[str, Any] = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        answer = self.api.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
        file = self.directory / f"kubeconfig-{namespace}-{name}"
        file.touch(mode=0o600)
        file.write_text(self.api_server.kubeconfig(answer["status"]["token"], namespace))
        return file
