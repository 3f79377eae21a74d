"""The CanaryReleases, VirtualServices and DestinationRules as they are now, followed by watches: asking costs the API server nothing."""

import threading
from collections.abc import Iterator
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

    def all(self, collection: str, namespace: str) -> list[Document]:
        """The objects of a namespace, in the order of their names."""
        found = {key: document for key, document in list(self._objects.items()) if key[:2] == (collection, namespace)}
        return [found[key] for key in sorted(found)]

    def weights(self, namespace: str) -> list[int]:
        """The canary's weight in percent in every route that splits the traffic."""
        splits = (split for route in self.all(VIRTUAL_SERVICES, namespace) for split in _splits(route))
        return [split.get("canary", 0) for split in splits]

    def shares(self, namespace: str) -> dict[str, float]:
        """Which version gets which share of the requests to the first route that splits them, 0 to 1; empty without one."""
        splits = (split for route in self.all(VIRTUAL_SERVICES, namespace) for split in _splits(route))
        split = next(splits, None)
        subsets = [subset for rule in self.all(DESTINATION_RULES, namespace) for subset in rule["spec"].get("subsets") or ()]
        versions = {subset["name"]: subset["labels"]["version"] for subset in subsets if "version" in subset.get("labels", {})}
        found: dict[str, float] = {}
        for subset, weight in (split or {}).items():
            if subset in versions:
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


def _splits(route: Document) -> Iterator[dict[str, int]]:
    """Weight per subset, for every HTTP route with two destinations."""
    for http in route["spec"].get("http") or ():
        shares = http.get("route") or ()
        if len(shares) > 1:
            yield {share["destination"].get("subset", ""): share.get("weight", 0) for share in shares}
