"""A GitOps controller: applies the same documents again and again, as the users of Argo CD and Flux have it. No real one runs in the lab."""

import json
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lab.api import MERGE_PATCH, Api, ApiError

Document = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "git"


def respecting_weights(wanted: Document, live: Document | None) -> Document:
    """The documented ignore rule for attached routes: the weights are taken from what is there."""
    document, found = deepcopy(wanted), ((live or {}).get("spec") or {}).get("http") or []
    for route, there in zip(document["spec"].get("http") or [], found, strict=False):
        for share, other in zip(route.get("route") or [], there.get("route") or [], strict=False):
            share["weight"] = other.get("weight", 0)
    return document


def as_in_git(wanted: Document, live: Document | None) -> Document:
    """No ignore rule: what Git says, weights and all."""
    return wanted


class Git:
    """Re-applies until it is stopped.

    Args:
        api: Where to.
        documents: What Git has.
        every: Seconds between two rounds.
        server_side: Server-side apply, forced; else a three-way merge patch as `kubectl apply` sends it.
        rule: What of the live object is respected.
    """

    def __init__(
        self,
        api: Api,
        *documents: Document,
        every: float = 1.0,
        server_side: bool = True,
        rule: Callable[[Document, Document | None], Document] = respecting_weights,
    ) -> None:
        self._api, self._documents, self._every, self._rule = api, documents, every, rule
        self._apply = self._server_side if server_side else self._client_side
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="git", daemon=True)
        self.rounds = 0
        self.once()

    def __enter__(self) -> "Git":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def once(self) -> None:
        """One round.

        What is applied is bound to the version that was read: a controller that takes a weight over may be late by milliseconds, and what comes of
        that (the release begins again at step 1) is not what these tests ask.
        """
        for document in self._documents:
            live = self._api.find(self._api.path_of(document))
            wanted = self._rule(document, live)
            version = {"resourceVersion": live["metadata"]["resourceVersion"]} if live else {}
            self._apply({**wanted, "metadata": {**wanted["metadata"], **version}})
        self.rounds += 1

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self.once()
            except ApiError as error:
                if error.status != 409:  # somebody wrote meanwhile: the next round
                    raise

    def _server_side(self, document: Document) -> None:
        self._api.apply(document, manager=MANAGER)

    def _client_side(self, document: Document) -> None:
        path = self._api.path_of(document)
        last_applied = json.dumps({"spec": document["spec"]}, sort_keys=True)
        applied = {**document, "metadata": {**document["metadata"], "annotations": {LAST_APPLIED: last_applied}}}
        live = self._api.find(path)
        if live is None:
            self._api.request("POST", self._api.path_of(document, named=False), applied, query={"fieldManager": MANAGER})
            return
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}"))
        spec: Document = {key: value for key, value in document["spec"].items() if value != live["spec"].get(key)}
        spec |= {key: None for key in last.get("spec", {}) if key not in document["spec"]}
        change = {"metadata": applied["metadata"], "spec": spec}
        self._api.request("PATCH", path, change, content_type=MERGE_PATCH, query={"fieldManager": MANAGER})
