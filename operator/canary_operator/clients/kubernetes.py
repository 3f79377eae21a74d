"""The Kubernetes API: documents in, documents out, one request per call. Never retries, never caches, never interprets a document."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from canary_operator.api.names import MANAGER
from canary_operator.clients.answers import json_object, refusal
from canary_operator.clients.errors import ClusterError, Conflict, NotFound, NotLeading, Unauthorized, Unavailable
from canary_operator.clients.kinds import Kind
from canary_operator.clients.login import distrust

PAGE = 250
"""Objects per page of a list: the documents of one page are in memory whole, until they are trimmed."""
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Asks the API server for nothing but the metadata. Source: kubernetes.io/docs/reference/using-api/api-concepts, "Metadata-only fetches"."""
_WRITES = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


class Page(NamedTuple):
    """Some objects of a list."""

    items: list[dict[str, Any]]
    version: str
    """Resource version of the list: the same on each page."""
    first: bool
    """The list begins here, for the first time or again: what pages before it said does not count."""


class Cluster:
    """A connection to one API server.

    Args:
        client: The official client, configured; owned by this object from now on.
        agent: The user agent, which the API server writes to its audit log.
        timeout: Seconds until a call is given up, everything included.
        count: Is told kind, verb and outcome (an error's class name, or `ok`) of every write.
        gate: Asked before every write: the seconds that it may take at most. 0: it is not sent.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        agent: str = MANAGER,
        timeout: float = 5,
        count: Callable[[str, str, str], None] | None = None,
        gate: Callable[[], float] | None = None,
    ) -> None:
        self._client: Any = client  # the official client is not typed
        self._agent = agent
        self._timeout = timeout
        self._count = count or (lambda kind, verb, outcome: None)
        self._gate = gate or (lambda: timeout)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now."""
        return await self._call("GET", kind, namespace, name)

    async def pages(
        self, kind: Kind, namespace: str | None = None, selector: str = "", *, fields: str = "", accept: str = "application/json"
    ) -> AsyncIterator[Page]:
        """Every object of a kind, in a namespace or in all, page by page, so that no list is ever in memory whole."""
        chosen = {key: text for key, text in (("labelSelector", selector), ("fieldSelector", fields)) if text}
        query, first = {"limit": str(PAGE), **chosen}, True
        while True:
            try:
                page = await self._call("GET", kind, namespace, None, query=query, accept=accept)
            except Conflict:  # 410: the pages have expired meanwhile; then all at once
                if "limit" not in query:
                    raise
                query, first = dict(chosen), True
                continue
            metadata, items = page.get("metadata") or {}, page.get("items") or []
            for item in items:  # the items of a list of a built-in kind do not say what they are
                item.setdefault("apiVersion", kind.api_version)
                item.setdefault("kind", kind.kind)
            yield Page(items, str(metadata.get("resourceVersion", "")), first)
            first = False
            if not metadata.get("continue"):
                return
            query["continue"] = metadata["continue"]
            del page, items

    async def find(
        self, kind: Kind, namespace: str | None, name: str | None, selector: str = "", *, most: int | None = None
    ) -> list[dict[str, Any]]:
        """One object of a kind, or those with these labels, in a namespace or in all; one that does not exist is an empty list.

        Args:
            kind: The kind.
            namespace: None: all, or a kind that has none.
            name: None: all that the selector matches.
            selector: Labels, as the API writes them; empty: all.
            most: How many objects are enough: the API server is asked for no more; None: all.

        Raises:
            NotFound: The API server does not know the kind.
        """
        if name is None:
            return await (self._list(kind, namespace, selector) if most is None else self._some(kind, namespace, selector, most))
        try:
            return [await self._call("GET", kind, namespace, name)]
        except NotFound:
            return []

    async def find_metadata(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        """The metadata of all objects of a namespace with these labels and fields, as the API writes selectors; empty: all."""
        return await self._list(kind, namespace, labels, fields=fields, accept=METADATA_LIST)

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object, and answers it as stored.

        Raises:
            AlreadyExists: An object of this name exists.
        """
        metadata = document["metadata"]
        return await self._call(
            "POST", kind, metadata["namespace"], metadata.get("name") or metadata.get("generateName", ""), body=document
        )

    async def json_patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], *, subresource: str | None = None
    ) -> dict[str, Any]:
        """RFC 6902.

        Raises:
            Conflict: A `test` failed, or a path does not exist.
        """
        return await self._call("PATCH", kind, namespace, name, body=list(operations), subresource=subresource, content_type=JSON_PATCH)

    async def merge_patch(
        self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, subresource: str | None = None
    ) -> dict[str, Any]:
        """RFC 7386: None removes a field, lists are replaced."""
        return await self._call("PATCH", kind, namespace, name, body=body, subresource=subresource, content_type=MERGE_PATCH)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, resource_version: str | None = None) -> None:
        """Deletes an object if it is still the one that was meant.

        Raises:
            NotFound: It is gone already.
            Conflict: It is another one, or another version of it.
        """
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        await self._call("DELETE", kind, namespace, name, body=body | ({"preconditions": conditions} if conditions else {}))

    async def _some(self, kind: Kind, namespace: str | None, selector: str, most: int) -> list[dict[str, Any]]:
        query = {"limit": str(most), "labelSelector": selector}
        return list((await self._call("GET", kind, namespace, None, query=query)).get("items") or ())

    async def _list(self, kind: Kind, namespace: str | None, selector: str = "", **asked: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        async for page in self.pages(kind, namespace, selector, **asked):
            items = page.items if page.first else items + page.items
        return items

    async def _call(
        self,
        method: str,
        kind: Kind,
        namespace: str | None,
        name: str | None,
        *,
        body: object = None,
        subresource: str | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        verb = _WRITES.get(method, "get" if name else "list")
        what = f"{verb} {kind.kind} {'/'.join(part for part in (namespace, name) if part)}".rstrip()
        path = kind.path(namespace, None if method == "POST" else name, subresource)
        asked = dict(query or {}) | ({"fieldManager": MANAGER} if method in ("POST", "PATCH") else {})
        try:
            answer = await self._send(what, method, path + (f"?{urlencode(asked)}" if asked else ""), body, content_type, accept)
        except ClusterError as error:
            if method in _WRITES:
                self._count(kind.kind, verb, type(error).__name__)
            raise
        if method in _WRITES:
            self._count(kind.kind, verb, "ok")
        return answer

    async def _send(self, what: str, method: str, path: str, body: object, content_type: str, accept: str) -> dict[str, Any]:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": self._agent}
        timeout = min(self._timeout, self._gate()) if method in _WRITES else self._timeout
        if timeout <= 0:
            raise NotLeading(f"{what}: not sent, another replica may be leading by now")
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = await self._client.rest_client.request(
                method,
                self._client.configuration.host + path,
                headers=headers,
                body=body,
                _request_timeout=aiohttp.ClientTimeout(total=timeout),
            )
            content: bytes = await answer.read()
        except TimeoutError as error:
            raise Unavailable(f"{what}: no answer within {timeout:.3g} s") from error
        except (aiohttp.ClientError, ApiException, OSError) as error:
            raise Unavailable(f"{what}: {error or type(error).__name__}") from error
        status = int(answer.status)
        document = json_object(content)
        if status >= 300 or status < 200:
            refused = refusal(what, status, document, answer.headers, json_patch=content_type == JSON_PATCH)
            if isinstance(refused, Unauthorized):
                distrust(self._client.configuration)
            raise refused
        if document is None:
            raise Unavailable(f"{what}: the answer is no JSON object")
        return document
