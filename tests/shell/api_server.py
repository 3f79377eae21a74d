"""A stand-in for the API server as watches see it: discovery, lists, streams, and whatever can go wrong with them."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from canary_operator.clients.kinds import CANARY_RELEASE, WATCHED, Kind, kind_of

Stream = Callable[[web.StreamResponse, "ApiServer"], Awaitable[None]]


def release(name: str, version: int = 5) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": CANARY_RELEASE.api_version, "kind": "CanaryRelease", "metadata": metadata, "spec": {"service": {"name": name}}}


def line(kind: str, document: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def error(code: int) -> bytes:
    return line("ERROR", {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "said the server"})


async def lasting(response: web.StreamResponse, server: "ApiServer") -> None:
    """A stream as it should be: a bookmark now and then."""
    while True:
        await asyncio.sleep(0.2)
        await response.write(line("BOOKMARK", {"kind": "CanaryRelease", "metadata": {"resourceVersion": "9"}}))


class ApiServer:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.releases = ["a", "b"]
        self.streams: list[Stream] = []
        """Of the CanaryReleases, one after another; then they last."""
        self.refusals: list[int] = []
        """Status of the next answers to lists and watches, whatever they ask for."""
        self.token = "first"
        self.asked: list[tuple[float, str, str]] = []
        """When, list or watch, plural."""

    def count(self, verb: str, since: float = 0.0, plural: str = CANARY_RELEASE.plural) -> int:
        return Counter((each[1], each[2]) for each in self.asked if each[0] >= since)[verb, plural]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.asked.append((time.monotonic(), "refused", request.path))
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        kind = kind_of(request.path)
        if kind is None:
            return web.json_response(self._discovery(request.path))
        if self.refusals:
            status = self.refusals.pop(0)
            return web.json_response({"kind": "Status", "code": status}, status=status)
        watch = "watch" in request.query
        self.asked.append((time.monotonic(), "watch" if watch else "list", kind.plural))
        if watch:
            return await self._watch(request, kind)
        items = [release(name) for name in self.releases] if kind == CANARY_RELEASE else []
        listed = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": {"resourceVersion": "9"}, "items": items}
        return web.json_response(listed)

    async def _watch(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        stream = self.streams.pop(0) if kind == CANARY_RELEASE and self.streams else lasting
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await stream(response, self)
        return response

    def _discovery(self, path: str) -> dict[str, Any]:
        groups = {(kind.group, kind.version) for kind in WATCHED if kind.group}
        if path == "/api":
            return {"versions": ["v1"]}
        if path == "/apis":
            versions = [(group, {"groupVersion": f"{group}/{version}", "version": version}) for group, version in sorted(groups)]
            return {"groups": [{"name": group, "versions": [each], "preferredVersion": each} for group, each in versions]}
        verbs = ["list", "watch", "patch", "get"]
        found = [kind for kind in WATCHED if path == kind.path().rpartition("/")[0]]
        resources = [{"name": each.plural, "singularName": "", "kind": each.kind, "namespaced": True, "verbs": verbs} for each in found]
        return {
            "resources": resources + [{"name": "namespaces", "singularName": "", "kind": "Namespace", "namespaced": False, "verbs": verbs}]
        }


@asynccontextmanager
async def serving(server: ApiServer, directory: Path) -> AsyncIterator[Path]:
    """Serves; gives the kubeconfig, whose token stands in the file `token` beside it."""
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    (directory / "token").write_text(server.token)
    kubeconfig = directory / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://{host}:{port}"}}],
        "users": [{"name": "test", "user": {"tokenFile": str(directory / "token")}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    kubeconfig.write_text(json.dumps(document))
    try:
        yield kubeconfig
    finally:
        await runner.cleanup()
