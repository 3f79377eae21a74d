"""The kubelet stand-in: `python -m lab.kubelet DIRECTORY`. Runs a real backend process for every pod and reports what it sees.

A pod gets an address of its own, its backend is started on it, bound to the node, probed, and reported; on deletion it goes on serving for
a moment, as with a preStop hook, so that its endpoints leave first. Pods whose image is `pause` get no process and are ready at once (for
benchmarks of thousands). Backends outlive this program; when it starts again it takes them over.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from lab.addresses import NODE, NODE_ADDRESS
from lab.api import Api, ApiError, ApiUnreachable, Document
from lab.pod import Pod
from lab.pod_addresses import PodAddresses

RELIST_SECONDS = 0.2


class Kubelet:
    """Follows the cluster's pods; one task per pod does the rest."""

    def __init__(self, directory: Path, api: Api) -> None:
        self._directory = directory
        self._api = api
        self._addresses = PodAddresses()
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Lists and follows, for ever."""
        while True:
            try:
                version = await self._list()
                await self._follow(version)
            except (ApiError, ApiUnreachable) as error:
                print(f"kubelet: {error}; listing again", flush=True)
            await asyncio.sleep(RELIST_SECONDS)

    async def _list(self) -> str:
        await asyncio.to_thread(self._register_node)
        answer = await asyncio.to_thread(self._api.get, "/api/v1/pods")
        there = {pod["metadata"]["uid"] for pod in answer["items"]}
        for document in answer["items"]:
            self._addresses.take(document.get("status", {}).get("podIP"))
        for document in answer["items"]:
            self._see(document)
        for uid in set(self._pods) - there:
            self._gone(uid)
        (self._directory / "kubelet.pid").write_text(str(os.getpid()))
        version: str = answer["metadata"]["resourceVersion"]
        return version

    async def _follow(self, version: str) -> None:
        """Reads the watch in a thread and handles each event in the loop, in order."""
        loop = asyncio.get_running_loop()

        def handle(kind: str, document: Document) -> None:
            if kind == "DELETED":
                self._gone(document["metadata"]["uid"])
            elif kind != "BOOKMARK":
                self._see(document)

        def read() -> None:
            for event in self._api.watch("/api/v1/pods", version):
                loop.call_soon_threadsafe(handle, event.type, event.object)

        await asyncio.to_thread(read)

    def _see(self, document: Document) -> None:
        uid = document["metadata"]["uid"]
        if uid not in self._pods:
            pod = Pod(document, self._directory, self._api, self._addresses)
            self._pods[uid] = pod
            task = asyncio.get_running_loop().create_task(pod.run(), name=pod.name)
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        self._pods[uid].see(document)

    def _gone(self, uid: str) -> None:
        if uid in self._pods:
            self._pods.pop(uid).vanish()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            print(f"kubelet: pod {task.get_name()}: {task.exception()!r}", flush=True)

    def _register_node(self) -> None:
        """The EndpointSlice controller leaves out pods whose node it does not know."""
        if self._api.exists(f"/api/v1/nodes/{NODE}"):
            return
        self._api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}})
        # A new node is tainted by admission until the node lifecycle controller, which the lab does without, takes the taint off.
        self._api.patch(f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}})
        status = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the lab's stand-in"}],
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
        }
        self._api.patch(f"/api/v1/nodes/{NODE}/status", {"status": status})


def main() -> None:
    """Runs with the lab's directory as the only argument."""
    directory = Path(sys.argv[1])
    content = json.loads((directory / "kubeconfig").read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    api = Api(cluster["server"], user["token"], Path(cluster["certificate-authority"]), "lab-kubelet")
    with suppress(KeyboardInterrupt):
        asyncio.run(Kubelet(directory, api).run())


if __name__ == "__main__":
    main()
