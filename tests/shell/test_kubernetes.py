"""The client of the Kubernetes API against a server of our own: what is sent, and what every answer becomes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from canary_operator.clients.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotLeading,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from canary_operator.clients.kinds import CANARY_RELEASE, EVENT, SERVICE, VIRTUAL_SERVICE
from canary_operator.clients.kubernetes import PAGE, Cluster, Page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ROUTES = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"


def status(code: int, message: str = "said the server", reason: str = "", **fields: Any) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message, "reason": reason, **fields}, status=code)


def talk(
    handler: Handler, work: Callable[[Cluster], Awaitable[Any]], *, timeout: float = 5, port: int | None = None, **arguments: Any
) -> Any:
    async def main() -> Any:
        app = web.Application(client_max_size=1 << 24)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found = runner.addresses[0][1]
        configuration = Configuration(host=f"http://127.0.0.1:{port or found}", api_key={"BearerToken": "Bearer secret"})
        cluster = Cluster(ApiClient(configuration), agent="tester/1", timeout=timeout, **arguments)
        try:
            return await work(cluster)
        finally:
            await cluster.close()
            await runner.cleanup()

    return asyncio.run(main())


class Recorder:
    """Answers every request alike, and keeps it."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer if answer is not None else {"metadata": {"resourceVersion": "7"}}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.requests.append(
            (
                request.method,
                request.path_qs,
                {key.lower(): value for key, value in request.headers.items()},
                json.loads(text) if text else None,
            )
        )
        return web.json_response(self.answer)


def test_a_json_patch_is_sent_as_one() -> None:
    server = Recorder()
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": "6"}]
    talk(server, lambda cluster: cluster.json_patch(VIRTUAL_SERVICE, "shop", "reviews", operations))
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("PATCH", f"{ROUTES}/reviews?fieldManager=istio-canary-operator")
    assert headers["content-type"] == "application/json-patch+json" and body == operations
    assert headers["user-agent"] == "tester/1" and headers["authorization"] == "Bearer secret"


def test_a_merge_patch_of_status_goes_to_the_subresource() -> None:
    server = Recorder()
    talk(server, lambda cluster: cluster.merge_patch(CANARY_RELEASE, "shop", "reviews", {"status": {"phase": None}}, subresource="status"))
    ((_, path, headers, body),) = server.requests
    assert path.startswith("/apis/canary.rollouts.dev/v1beta1/namespaces/shop/canaryreleases/reviews/status?")
    assert headers["content-type"] == "application/merge-patch+json" and body == {"status": {"phase": None}}


def test_a_deletion_carries_its_preconditions() -> None:
    server = Recorder()
    talk(server, lambda cluster: cluster.delete(VIRTUAL_SERVICE, "shop", "reviews", uid="u", resource_version="6"))
    ((method, path, _, body),) = server.requests
    assert (method, path) == ("DELETE", f"{ROUTES}/reviews")
    assert body["preconditions"] == {"uid": "u", "resourceVersion": "6"}


def test_an_object_is_created_in_its_namespace() -> None:
    server = Recorder()
    event = {"metadata": {"namespace": "shop", "name": "x"}, "reason": "Promoted"}
    assert talk(server, lambda cluster: cluster.create(EVENT, event)) == server.answer
    ((method, path, _, body),) = server.requests
    assert (method, path, body) == ("POST", "/api/v1/namespaces/shop/events?fieldManager=istio-canary-operator", event)


async def every(pages: AsyncIterator[Page]) -> list[Page]:
    return [page async for page in pages]


def test_a_list_is_read_page_by_page_and_says_what_its_items_are() -> None:
    pages = [
        {"metadata": {"resourceVersion": "9", "continue": "next"}, "items": [{"metadata": {"name": "a"}}]},
        {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "b"}}]},
    ]
    asked: list[str] = []

    async def server(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        return web.json_response(pages[len(asked) - 1])

    first, second = talk(server, lambda cluster: every(cluster.pages(SERVICE)))
    assert [item["metadata"]["name"] for page in (first, second) for item in page.items] == ["a", "b"]
    assert (first.version, first.first, second.version, second.first) == ("9", True, "9", False)
    assert first.items[0]["kind"] == "Service" and first.items[0]["apiVersion"] == "v1"
    assert asked == [f"/api/v1/services?limit={PAGE}", f"/api/v1/services?limit={PAGE}&continue=next"]


@pytest.mark.parametrize(
    ("where", "path"),
    [
        pytest.param(
            (SERVICE, "shop", None, "app=reviews,tier=a"),
            "/api/v1/namespaces/shop/services?limit=250&labelSelector=app%3Dreviews,tier%3Da",
            id="some",
        ),
        pytest.param((SERVICE, None, None, ""), "/api/v1/services?limit=250", id="all"),
        pytest.param((SERVICE, "shop", "reviews", ""), "/api/v1/namespaces/shop/services/reviews", id="one"),
    ],
)
def test_objects_are_found_by_label_or_by_name(where: tuple[Any, ...], path: str) -> None:
    recorder = Recorder({"metadata": {"resourceVersion": "7"}, "items": []})
    talk(recorder, lambda cluster: cluster.find(*where))
    assert [(method, asked) for method, asked, *_ in recorder.requests] == [("GET", path)]


def test_no_more_objects_are_asked_for_than_are_enough() -> None:
    recorder = Recorder({"metadata": {"resourceVersion": "7", "continue": "next"}, "items": [{"metadata": {"name": "a"}}]})
    assert talk(recorder, lambda cluster: cluster.find(SERVICE, None, None, "app=reviews", most=1)) == [{"metadata": {"name": "a"}}]
    assert [asked for _, asked, *_ in recorder.requests] == ["/api/v1/services?limit=1&labelSelector=app%3Dreviews"]


def test_one_that_does_not_exist_is_no_error_and_a_kind_that_does_not_is() -> None:
    async def nothing(request: web.Request) -> web.StreamResponse:
        return status(404)

    assert talk(nothing, lambda cluster: cluster.find(SERVICE, "shop", "reviews")) == []
    with pytest.raises(NotFound):
        talk(nothing, lambda cluster: cluster.find(SERVICE, "shop", None))


def test_pages_that_expired_are_read_again_as_a_whole() -> None:
    async def server(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return status(410, reason="Expired")
        more = {"continue": "next"} if "limit" in request.query else {}
        return web.json_response({"metadata": {"resourceVersion": "9", **more}, "items": [{"metadata": {"name": "a"}}]})

    pages = talk(server, lambda cluster: every(cluster.pages(SERVICE)))
    assert [(len(page.items), page.first) for page in pages] == [(1, True), (1, True)]
    assert len(talk(server, lambda cluster: cluster.find(SERVICE, None, None))) == 1


REFUSED = {"details": {"name": "reviews", "kind": "VirtualService"}}
ANSWERS = [
    pytest.param(lambda: status(400), Invalid, id="400, as webhooks refuse"),
    pytest.param(lambda: status(401), Unauthorized, id="401"),
    pytest.param(lambda: status(403), Forbidden, id="403"),
    pytest.param(lambda: status(404), NotFound, id="404"),
    pytest.param(lambda: web.Response(status=404, text="404 page not found"), NotFound, id="404 of an unknown kind"),
    pytest.param(lambda: status(409, reason="Conflict"), Conflict, id="409"),
    pytest.param(lambda: status(409, reason="AlreadyExists"), AlreadyExists, id="409 of a creation"),
    pytest.param(
        lambda: status(422, "the server rejected our request due to an error in our request"), Conflict, id="422 of a failed test"
    ),
    pytest.param(lambda: status(422, "weight is too large", reason="Invalid", **REFUSED), Invalid, id="422 of a schema"),
    pytest.param(lambda: status(429), TooManyRequests, id="429"),
    *(
        pytest.param(
            partial(status, code, 'admission webhook "policy.example.com" denied the request: you cannot do that now'),
            Invalid,
            id=f"{code} of a webhook",
        )
        for code in (400, 401, 403, 404, 409, 410, 422, 429, 500, 503)
    ),
    pytest.param(
        lambda: status(500, 'admission webhook "x" denied the request without explanation'), Invalid, id="a webhook without words"
    ),
    pytest.param(
        lambda: status(
            401, "ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: not before Monday", reason="Unauthorized"
        ),
        Invalid,
        id="401 of a policy",
    ),
    pytest.param(lambda: status(500), Unavailable, id="500"),
    pytest.param(lambda: status(503), Unavailable, id="503"),
    pytest.param(lambda: web.Response(status=502, text="<html>"), Unavailable, id="502 of a proxy"),
    pytest.param(lambda: web.Response(text="<html>log in</html>", content_type="text/html"), Unavailable, id="200 with HTML"),
    pytest.param(lambda: web.json_response([1]), Unavailable, id="200 with a list"),
]


@pytest.mark.parametrize(("answer", "error"), ANSWERS)
def test_every_refusal_has_its_error(answer: Callable[[], web.Response], error: type[ClusterError]) -> None:
    async def server(request: web.Request) -> web.StreamResponse:
        return answer()

    with pytest.raises(ClusterError) as raised:
        talk(server, lambda cluster: cluster.json_patch(VIRTUAL_SERVICE, "shop", "reviews", []))
    assert type(raised.value) is error
    assert str(raised.value).startswith("patch VirtualService shop/reviews: ")
    assert "secret" not in str(raised.value)


def test_a_merge_patch_that_is_refused_with_422_is_invalid() -> None:
    async def server(request: web.Request) -> web.StreamResponse:
        return status(422)

    with pytest.raises(Invalid):
        talk(server, lambda cluster: cluster.merge_patch(CANARY_RELEASE, "shop", "reviews", {}))


def test_the_patience_that_is_asked_for_is_known() -> None:
    async def server(request: web.Request) -> web.StreamResponse:
        answer = status(429)
        answer.headers["Retry-After"] = "7"
        return answer

    with pytest.raises(TooManyRequests) as raised:
        talk(server, lambda cluster: cluster.get(SERVICE, "shop", "reviews"))
    assert raised.value.retry_after == 7


async def mute(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize("server", [mute, dripping, cut])
def test_a_server_that_does_not_answer_in_time_is_unavailable(server: Handler) -> None:
    calls: list[tuple[str, str, str]] = []

    async def work(cluster: Cluster) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Unavailable, match="patch VirtualService shop/reviews: "):
            await cluster.json_patch(VIRTUAL_SERVICE, "shop", "reviews", [])
        return loop.time() - began

    assert talk(server, work, timeout=0.3, count=lambda *call: calls.append(call)) < 1
    assert calls == [("VirtualService", "patch", "Unavailable")]


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        talk(mute, lambda cluster: cluster.get(SERVICE, "shop", "reviews"), port=1)


def test_nothing_is_tried_twice() -> None:
    asked: list[str] = []

    async def server(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        return status(503)

    with pytest.raises(Unavailable):
        talk(server, lambda cluster: cluster.get(SERVICE, "shop", "reviews"))
    assert asked == ["GET"]


def test_nothing_is_written_by_a_replica_that_may_not() -> None:
    server = Recorder()
    with pytest.raises(NotLeading):
        talk(server, lambda cluster: cluster.merge_patch(VIRTUAL_SERVICE, "shop", "reviews", {}), gate=lambda: 0)
    talk(server, lambda cluster: cluster.get(VIRTUAL_SERVICE, "shop", "reviews"), gate=lambda: 0)
    assert [method for method, *_ in server.requests] == ["GET"]


def test_a_write_is_given_up_when_another_replica_may_begin() -> None:
    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({})

    with pytest.raises(Unavailable, match="0.2 s"):
        talk(silent, lambda cluster: cluster.merge_patch(VIRTUAL_SERVICE, "shop", "reviews", {}), gate=lambda: 0.2)
