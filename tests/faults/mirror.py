"""The CanaryReleases, VirtualServices and DestinationRules as they are now, followed by watches: asking costs the API server nothing."""

import threading
from contextlib import suppress
from typing import Any

from lab.api import Api, ApiError, ApiUnreachable
from lab.waiting import until

Document = dict[str, Any]

RELEASES = "/apis/canary.rollouts.dev/v1beta1/canaryreleases"
VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/virtualservices"
DESTINATION_RULES = "/apis/networking.istio.io/v1/destinationrules"
COLLECTIONS = (RELEASES, VIRTUAL_SERVICES, DESTINATION_RULES)


class Mirror:
    """Follows until the API server goes away."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._objects: dict[tuple[str, str, str], Document] = {}
        self._heads: dict[str, int] = {}
        for collection in COLLECTIONS:
            threading.Thread(target=self._follow, args=(collection,), name=collection, daemon=True).start()
        until(lambda: len(self._heads) == len(COLLECTIONS), "mirror filled")

    def get(self, collection: str, namespace: str, name: str) -> Document | None:
        """The object, or None if there is none."""
        return self._objects.get((collection, namespace, name))

    def weight(self, namespace: str, name: str) -> int | None:
        """The canary's weight in percent; None without a route."""
        route = self.get(VIRTUAL_SERVICES, namespace, name)
        return next((weight for subset, weight in _shares(route) if subset == "canary"), 0) if route else None

    def shares(self, namespace: str, name: str) -> dict[str, float]:
        """Which version gets which share of the requests, 0 to 1; empty without a route."""
        route, rule = self.get(VIRTUAL_SERVICES, namespace, name), self.get(DESTINATION_RULES, namespace, name)
        if route is None or rule is None:
            return {}
        versions = {subset["name"]: subset["labels"]["version"] for subset in rule["spec"]["subsets"]}
        found: dict[str, float] = {}
        for subset, weight in _shares(route):
            found[versions[subset]] = found.get(versions[subset], 0) + weight / 100
        return found

    def _follow(self, collection: str) -> None:
        with suppress(ApiUnreachable):
            while True:
                answer = self._api.get(collection)
                for document in answer["items"]:
                    self._take(collection, "ADDED", document)
                version = self._heads[collection] = int(answer["metadata"]["resourceVersion"])
                with suppress(ApiError):
                    for event in self._api.watch(collection, str(version)):
                        self._take(collection, event.type, event.object)

    def _take(self, collection: str, event: str, document: Document) -> None:
        if event == "BOOKMARK":
            return
        key = (collection, document["metadata"]["namespace"], document["metadata"]["name"])
        if event == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = document


def _shares(route: Document) -> list[tuple[str, int]]:
    return [
        (share["destination"].get("subset", ""), share.get("weight", 0))
        for http in route["spec"].get("http") or ()
        for share in http.get("route") or ()
    ]
