"""A Kubernetes cluster without a mesh: etcd, API server, controllers and a kubelet stand-in.

The base of `Lab`, and enough for many tests.
"""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.audit import Audit
from lab.container import Records
from lab.isolation import isolated, scratch
from lab.kubernetes import Kubernetes
from lab.part import Part
from lab.parts.controller_manager import ControllerManager
from lab.parts.etcd import Etcd
from lab.parts.kubelet import Kubelet
from lab.revisions import Revisions


class NotIsolated(Exception):
    """The lab was asked to come up outside a namespace of its own, or in one that has a lab already."""


class Cluster(Kubernetes):
    """Comes up when entered and is gone when left. One per namespace: see `lab.isolation`."""

    def __init__(self, directory: Path | None = None) -> None:
        """The cluster, not started yet.

        Args:
            directory: Where its files go; a temporary one is made and removed otherwise (kept with LAB_KEEP=1).
        """
        if not isolated():
            raise NotIsolated("the lab needs a namespace of its own: run this with `python -m lab isolated -- COMMAND`")
        self._temporary = directory is None
        super().__init__(directory or Path(tempfile.mkdtemp(prefix="lab-")))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lifeline, self._lab_lives = os.pipe()
        self.etcd = Etcd(self.directory)
        self.controller_manager = ControllerManager(self.directory, self.api_server)
        self.kubelet = Kubelet(self.directory, self.api_server, self._lifeline)
        self.audit = Audit(self.api_server.audit_log)
        self._recorders: list[Revisions] = []
        self._lock = (scratch() / "lab.lock").open("w")
        self.started_in = 0.0
        """How long the start took, in seconds."""

    @property
    def parts(self) -> dict[str, Part]:
        """All parts by name."""
        return {part.name: part for part in (self.etcd, self.api_server, self.controller_manager, self.kubelet)}

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
        try:
            self._be_the_only_one()
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
        if os.environ.get("LAB_KEEP"):
            print(f"lab: kept {self.directory}", file=sys.stderr)
        elif self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def revisions(self, *collections: str, namespace: str = "") -> Revisions:
        """Starts to record every revision of these custom resources, e.g. "/apis/networking.istio.io/v1/virtualservices"."""
        recorder = Revisions(collections, namespace)
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
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotIsolated("a lab runs in this namespace already: start another with `python -m lab isolated`") from error
