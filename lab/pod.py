"""One pod's life in the kubelet stand-in: start, probe, report, restart, drain."""

import asyncio
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

from lab import behaviour
from lab.addresses import NODE
from lab.api import Api, ApiError, ApiUnreachable, Document
from lab.behaviour import CONTROL, Control
from lab.container import Container, Record, Records
from lab.pod_addresses import PodAddresses
from lab.pod_status import Seen, application_container, status, timestamp
from lab.probe import probe

DRAIN_SECONDS = 2.0
"""How long a deleted pod goes on serving, at most its own grace period: its endpoints leave first."""
STOP_SECONDS = 2.0
PROBE_SECONDS = 1.0
PROBE_FAILURES = 3
"""So many probes in a row make a ready pod unready: a busy machine is no failure."""
QUIET_SECONDS = 0.3
"""A pod that is ready within this time is reported once, not twice."""
LONGEST_BACK_OFF_SECONDS = 10.0
NO_PROCESS = "pause"


class Pod:
    """Runs until the pod is gone. `see` and `vanish` tell it what the watch says."""

    def __init__(self, document: Document, directory: Path, api: Api, addresses: PodAddresses) -> None:
        self._document = document
        self._api = api
        self._addresses = addresses
        self._records = Records(directory)
        self._log = directory / "pods.log"
        metadata = document["metadata"]
        self._uid, self.name, self._namespace = metadata["uid"], metadata["name"], metadata["namespace"]
        self._path = f"/api/v1/namespaces/{self._namespace}/pods/{self.name}"
        container = application_container(document["spec"])
        labels = metadata.get("labels", {})
        self._environment = {variable["name"]: variable.get("value", "") for variable in container.get("env", ())}
        self._app = labels.get("app", self.name)
        self._version = self._environment.setdefault("VERSION", labels.get("version", "unknown"))
        files = (
            behaviour.version_file(directory, self._namespace, self._app, self._version),
            behaviour.pod_file(directory, self._namespace, self.name),
        )
        self._environment |= {"POD": self.name, CONTROL: ":".join(map(str, files))}
        self._control = Control.of_environment(self._environment)
        self._port = int(next((port["containerPort"] for port in container.get("ports", ())), 8080))
        self._has_process = not container.get("image", "").startswith(NO_PROCESS)
        self._container: Container | None = None
        self._address = ""
        self._restarts = 0
        self._failures = 0
        self._probed = 0.0
        self._reported: Seen | None = None
        self._started = document.get("status", {}).get("startTime") or timestamp()
        self._news = asyncio.Event()
        self._vanished = False

    def see(self, document: Document) -> None:
        """Takes the latest state of the object."""
        self._document = document
        if document["metadata"].get("deletionTimestamp"):
            self._news.set()

    def vanish(self) -> None:
        """The object is gone."""
        self._vanished = True
        self._news.set()

    async def run(self) -> None:
        """Returns when nothing of the pod is left."""
        self._take_over()
        if not self._leaving:
            await self._serve()
        if not self._vanished and self._address:
            grace = float(self._document["metadata"].get("deletionGracePeriodSeconds") or 0)
            await self._sleep_unless_vanished(min(DRAIN_SECONDS, grace))
        if self._container:
            await self._container.end(STOP_SECONDS)
        self._records.remove(self._uid)
        self._addresses.free(self._address)
        with suppress(ApiError, ApiUnreachable):
            if not self._vanished:
                await asyncio.to_thread(self._api.delete, self._path, grace_seconds=0)

    async def _serve(self) -> None:
        begun = asyncio.get_running_loop().time()
        while not self._leaving:
            ready = await self._keep_running()
            late = asyncio.get_running_loop().time() - begun > QUIET_SECONDS
            if (ready or late) and not self._leaving:
                await self._report(Seen(self._address, ready, self._restarts))
            await self._pause(PROBE_SECONDS if ready and not self._has_process else 0.2 if ready else 0.05)

    async def _keep_running(self) -> bool:
        """Whether the pod is ready; starts its process when there is none, and waits out the back-off after a crash."""
        if not self._has_process:
            return self._control.now.ready
        if self._container and self._control.now.crashing:
            self._container.signal(SIGKILL)
            await self._container.ended.wait()
        if self._container and self._container.ended.is_set():
            self._container = None
            self._restarts += 1
            await self._report(Seen(self._address, False, self._restarts, "CrashLoopBackOff"))
            await self._pause(min(0.25 * 2**self._restarts, LONGEST_BACK_OFF_SECONDS), until_crash=False)
            if self._leaving:
                return False
        if not self._container:
            self._container = Container.start(self._address, self._port, self._environment, self._log)
            self._record()
        return self._control.now.ready and await self._probe()

    async def _probe(self) -> bool:
        was_ready = self._reported is not None and self._reported.ready
        now = asyncio.get_running_loop().time()
        if was_ready and now - self._probed < PROBE_SECONDS:
            return True
        self._probed = now
        try:
            passed = await asyncio.wait_for(probe(self._address, self._port, self._environment.get("PROTOCOL", "http")), PROBE_SECONDS)
        except (OSError, TimeoutError):
            passed = False
        self._failures = 0 if passed else self._failures + 1
        return passed or (was_ready and self._failures < PROBE_FAILURES)

    async def _report(self, seen: Seen) -> None:
        if seen == self._reported:
            return
        try:
            if not self._document["spec"].get("nodeName"):
                await self._bind()
            change = {"status": status(self._document["spec"], seen, self._started)}
            await asyncio.to_thread(self._api.patch, f"{self._path}/status", change)
            self._reported = seen
        except (ApiError, ApiUnreachable) as error:
            if not (isinstance(error, ApiError) and error.status == 404):
                print(f"kubelet: {self.name}: {error}", flush=True)
                await self._pause(0.2)

    async def _bind(self) -> None:
        target = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": self.name},
            "target": {"kind": "Node", "name": NODE},
        }
        try:
            await asyncio.to_thread(self._api.request, "POST", f"{self._path}/binding", target)
        except ApiError as error:
            if error.status != 409:  # bound already, and the watch has not said so yet
                raise

    def _take_over(self) -> None:
        record = self._records.read(self._uid)
        self._address = record.address if record else self._document.get("status", {}).get("podIP") or self._addresses.new()
        if record:
            self._restarts = record.restarts
            self._container = Container.adopt(record)

    def _record(self) -> None:
        assert self._container
        record = Record(self._namespace, self.name, self._app, self._version, self._address, self._container.pid, self._restarts)
        self._records.write(self._uid, record)

    @property
    def _leaving(self) -> bool:
        return self._vanished or bool(self._document["metadata"].get("deletionTimestamp"))

    async def _pause(self, seconds: float, *, until_crash: bool = True) -> None:
        """Sleeps, but wakes when the pod is to go, or when its process ends."""
        waits = [asyncio.ensure_future(self._news.wait())]
        if until_crash and self._container:
            waits.append(asyncio.ensure_future(self._container.ended.wait()))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _sleep_unless_vanished(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._vanished and asyncio.get_running_loop().time() < deadline:
            self._news.clear()
            await self._pause(deadline - asyncio.get_running_loop().time(), until_crash=False)
