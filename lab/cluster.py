"""A Kubernetes cluster without a mesh: etcd, API server, controllers and a kubelet stand-in. The base of `Lab`, and enough for many tests."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import programs
from lab.api import ApiError, Document
from lab.audit import Audit
from lab.container import Records
from lab.installing import install
from lab.isolation import isolated, scratch
from lab.part import Part, PartFailed
from lab.parts.api_server import ApiServer
from lab.parts.controller_manager import ControllerManager
from lab.parts.etcd import Etcd
from lab.parts.kubelet import Kubelet
from lab.revisions import Revisions
from lab.waiting import until
from lab.workloads import Service, Workload, deployment_document, service_document

TOKEN_SECONDS = 30 * 24 * 3600


class NotIsolated(Exception):
    """The lab was asked to come up outside a namespace of its own, or in one that has a lab already."""


class Cluster:
    """Comes up when entered and is gone when left. One per namespace: see `lab.isolation`."""

    def __init__(self, directory: Path | None = None) -> None:
        """Args:
        directory: Where its files go; a temporary one is made and removed otherwise (kept with LAB_KEEP=1).
        """
        if not isolated():
            raise NotIsolated("the lab needs a namespace of its own: run this with `python -m lab isolated -- COMMAND`")
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="lab-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lifeline, self._lab_lives = os.pipe()
        self.etcd = Etcd(self.directory)
        self.api_server = ApiServer(self.directory)
        self.controller_manager = ControllerManager(self.directory, self.api_server)
        self.kubelet = Kubelet(self.directory, self.api_server, self._lifeline)
        self.api = self.api_server.api
        self.audit = Audit(self.api_server.audit_log)
        self._recorders: list[Revisions] = []
        self.started_in = 0.0
        """How long the start took, in seconds."""

    @property
    def parts(self) -> dict[str, Part]:
        """All parts by name."""
        return {part.name: part for part in (self.etcd, self.api_server, self.controller_manager, self.kubelet)}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "kubeconfig"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Brings everything up and returns when it serves.

        Raises:
            PartFailed: A part did not come up; the message ends with its log.
        """
        begun = time.monotonic()
        self._be_the_only_one()
        try:
            self._bring_up()
        except BaseException:
            self.close()
            raise
        self.started_in = time.monotonic() - begun

    def close(self) -> None:
        """Ends everything at once; nothing in here is worth a farewell."""
        self.api.close()
        for recorder in self._recorders:
            recorder.close()
        for part in self.parts.values():
            if part.alive:
                os.kill(part.pid, signal.SIGKILL)
        for part in self.parts.values():
            part.kill()
        for record in Records(self.directory).all():
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
        for handle in (self._lifeline, self._lab_lives):
            with suppress(OSError):
                os.close(handle)
        self._lock.close()
        if self._temporary and not os.environ.get("LAB_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

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

    def service(self, name: str, namespace: str, *, port: int = 9080, port_name: str = "http") -> Service:
        """Makes a Service that selects `app: <name>`."""
        service = Service(name, namespace, port)
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
        }
        self.api.apply(deployment_document(service, version, replicas, {**told, **(environment or {})}, image=image, labels=labels))
        return Workload(service, version, self.api, self.directory)

    def wait_ready(self, *workloads: Workload, seconds: float = 60) -> None:
        """Blocks until all of these are rolled out, ready and known to their endpoints."""
        for workload in workloads:
            workload.wait_ready(seconds)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a real token of this ServiceAccount, which is made if it is missing: a program run with it has the account's rights."""
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

    def revisions(self, *collections: str) -> Revisions:
        """Starts to record every revision of these custom resources, e.g. "/apis/networking.istio.io/v1/virtualservices"."""
        recorder = Revisions(collections)
        self._recorders.append(recorder)
        return recorder

    def _bring_up(self) -> None:
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(self.api_server.kubeconfig(self.api_server.token))
        self.etcd.start()
        self.etcd.wait_ready()
        self.api_server.start()
        self.api_server.wait_ready()
        self.controller_manager.start()
        self.kubelet.start()
        self._bring_up_mesh()
        self.controller_manager.wait_ready()
        self.kubelet.wait_ready()

    def _bring_up_mesh(self) -> None:
        """Nothing here; `Lab` has one."""

    def _be_the_only_one(self) -> None:
        self._lock = (scratch() / "lab.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotIsolated("a lab runs in this namespace already: start another with `python -m lab isolated`") from error


__all__ = ["ApiError", "Cluster", "NotIsolated", "PartFailed"]
