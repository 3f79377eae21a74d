"""How a CanaryRelease is let go without the operator: documents in, changes out, in an order in which no request is lost. Pure.

Deliberately apart from `release/deletion.py`: it reads neither spec nor record, so that it also frees what this version cannot read.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from canary_operator.api.names import CANARY, FINALIZER, MANAGED_BY, MANAGER, MARK, OWNER, PREVIEW, ROUTE, STABLE
from canary_operator.api.quantities import parse_duration
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES
from canary_operator.mesh.hosts import expand
from canary_operator.mesh.routes import names_subsets, subset_of
from canary_operator.release.model import Mark
from canary_operator.traffic.mark import users_mark

Document = Mapping[str, Any]
_SPANS = {"settle": "5s", "drain": "30s"}
"""What a spec that does not name them means."""


@dataclass(frozen=True, slots=True)
class Found:
    """A CanaryRelease with what belongs to it."""

    release: Document
    routes: tuple[Document, ...]
    """VirtualServices that carry its label or its mark."""
    rule: Document | None
    """The DestinationRule that does."""
    pods: tuple[Document, ...]
    """Pods that its Service selects, those that are leaving aside."""
    others: tuple[Document, ...] = ()
    """VirtualServices that do not belong to it, as far as they are listed."""

    @property
    def title(self) -> str:
        """Namespace and name."""
        return f"{self.release['metadata']['namespace']}/{self.release['metadata']['name']}"

    @property
    def home(self) -> Mapping[str, str] | None:
        """The labels of the version at which all traffic ends: what the subset `stable` selects. None: there is no such subset."""
        return next((subset.get("labels") for subset in _subsets(self.rule) if subset["name"] == STABLE), None)

    def span(self, field: str) -> timedelta:
        """`settle` or `drain` of the spec."""
        return parse_duration(self.release["spec"].get(field) or _SPANS[field])

    @property
    def home_pods(self) -> list[Document]:
        """Pods of the version at which the traffic ends."""
        return [pod for pod in self.pods if (self.home or {}).items() <= (pod["metadata"].get("labels") or {}).items()]


@dataclass(frozen=True, slots=True)
class Change:
    """One request."""

    said: str
    """What it does, for the person who watches."""
    kind: str
    namespace: str
    name: str
    patch: Mapping[str, Any] | None
    """None: the object is deleted."""


def belongs(document: Document, release: Document) -> bool:
    """The object carries the label or a mark of this CanaryRelease."""
    metadata, wanted = document["metadata"], release["metadata"]
    annotations, owner = metadata.get("annotations") or {}, (metadata.get("labels") or {}).get(OWNER)
    mark = Mark.parse(annotations.get(MARK))
    marked = users_mark(wanted["name"]) in annotations or (mark is not None and mark.uid == wanted["uid"])
    return owner == wanted["name"] if owner else marked


def blocker(found: Found) -> str | None:
    """Why letting it go would lose requests; None when it would not."""
    if not found.routes:
        return None
    if found.home is None:
        return "its DestinationRule lacks the subset `stable`, so nothing says where its traffic belongs: put the subset back"
    if any(shift(found)) and not any(map(_is_ready, found.home_pods)):
        return f"no pod of the stable version {_version(found)} is ready: bring it back first"
    return None


def shift(found: Found) -> Iterator[Change]:
    """All traffic to the subset `stable`: weights home, copies and previews off."""
    for route in found.routes:
        spec, before = _sent_home(route, found.rule), canary_weight(route, found.rule)
        if spec != route["spec"]:
            words = f"canary {before} -> 0 %" if before else "nothing but weights is left on the canary"
            yield _patch(route, VIRTUAL_SERVICES, words, {"spec": {"http": spec["http"]}})


def relabel(found: Found) -> Iterator[Change]:
    """Both subsets select stable, so that any weights are right. Only after the shift has settled."""
    if found.rule is None or found.home is None:
        return
    subsets = deepcopy(list(_subsets(found.rule)))
    for subset in subsets:
        if subset["name"] == CANARY:
            subset["labels"] = dict(found.home)
    if subsets != list(_subsets(found.rule)):
        yield _patch(found.rule, DESTINATION_RULES, f"subset canary selects {_version(found)} too", {"spec": {"subsets": subsets}})


def remove_routes(found: Found) -> Iterator[Change]:
    """Routes that nobody needs: without them every request reaches the only version there is."""
    for route in found.routes:
        if _is_needless(found, route):
            metadata = route["metadata"]
            yield Change(f"VirtualService {_title(route)}: deleted", VIRTUAL_SERVICES, metadata["namespace"], metadata["name"], None)


def give_back(found: Found) -> Iterator[Change]:
    """Marks and labels off what stays, then the finalizer. Only after the removal of routes has settled."""
    left = [route for route in found.routes if not _is_needless(found, route)]
    for route in left:
        yield _patch(route, VIRTUAL_SERVICES, f"is yours now, pinned to {_version(found)}", {"metadata": _disowned(route, found)})
    if found.rule is not None:
        metadata = found.rule["metadata"]
        if not left and _is_ours(found.rule) and not _holds_more(found.rule) and not _is_named(found, found.rule):
            yield Change(f"DestinationRule {_title(found.rule)}: deleted", DESTINATION_RULES, metadata["namespace"], metadata["name"], None)
        else:
            words = f"is yours now, both subsets select {_version(found)}"
            yield _patch(found.rule, DESTINATION_RULES, words, {"metadata": _disowned(found.rule, found)})
    finalizers = found.release["metadata"].get("finalizers") or []
    if FINALIZER in finalizers:
        kept = [name for name in finalizers if name != FINALIZER]
        yield _patch(found.release, RELEASES, "finalizer off", {"metadata": {"finalizers": kept}})


def canary_weight(route: Document, rule: Document | None) -> int:
    """The highest share, in percent, that any route of the VirtualService gives the canary."""
    found = [0]
    for http in route["spec"].get("http") or ():
        shares = http.get("route") or ()
        alone = 100 if len(shares) == 1 else 0  # what a weight that is left out means
        found += [share.get("weight", alone) for share in shares if _leads_to(share, CANARY, route, rule)]
    return max(found)


def _sent_home(route: Document, rule: Document | None) -> dict[str, Any]:
    spec: dict[str, Any] = deepcopy(dict(route["spec"]))
    for http in spec.get("http") or ():
        shares = http.get("route") or []
        stable = next((share for share in shares if _leads_to(share, STABLE, route, rule)), None)
        for share in shares:
            if _leads_to(share, CANARY, route, rule) and stable is not None:
                stable["weight"] = stable.get("weight", 0) + share.get("weight", 0)
                share["weight"] = 0
            elif _leads_to(share, CANARY, route, rule):
                share["destination"]["subset"] = STABLE  # a preview: whoever matches it is served by stable
        if _leads_to({"destination": http.get("mirror") or {}}, CANARY, route, rule):
            http.pop("mirror")
            http.pop("mirrorPercentage", None)
        if "mirrors" in http:
            http["mirrors"] = [mirror for mirror in http["mirrors"] if not _leads_to(mirror, CANARY, route, rule)]
    return spec


def _leads_to(share: Document, subset: str, route: Document, rule: Document | None) -> bool:
    if rule is None:
        return False  # nothing says what the subsets are of
    host = expand(str(rule["spec"].get("host", "")), rule["metadata"]["namespace"])
    return subset_of(share, host, route["metadata"]["namespace"]) == subset


def _is_needless(found: Found, route: Document) -> bool:
    """The operator made it, nobody added to it, no root delegates to it, and one version alone serves."""
    only_ours = {http.get("name") for http in route["spec"].get("http") or ()} <= {PREVIEW, ROUTE}
    alone = len(found.home_pods) == len(found.pods)
    return _is_ours(route) and only_ours and bool(route["spec"].get("hosts")) and alone


def _is_ours(document: Document) -> bool:
    return OWNER in (document["metadata"].get("labels") or {})


def _holds_more(rule: Document) -> bool:
    return {subset["name"] for subset in _subsets(rule)} != {STABLE, CANARY} or bool(set(rule["spec"]) - {"host", "subsets"})


def _is_named(found: Found, rule: Document) -> bool:
    """A route that stays sends to a subset of the rule: without it, it would answer 503."""
    host = expand(str(rule["spec"].get("host", "")), rule["metadata"]["namespace"])
    return any(names_subsets(each, host) for each in found.others)


def _disowned(document: Document, found: Found) -> dict[str, Any]:
    labels: dict[str, None] = {OWNER: None}
    if (document["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER:
        labels[MANAGED_BY] = None
    return {"labels": labels, "annotations": dict.fromkeys((MARK, users_mark(found.release["metadata"]["name"])))}


def _patch(document: Document, kind: str, words: str, change: dict[str, Any]) -> Change:
    metadata = document["metadata"]
    bound = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": metadata["resourceVersion"]}}
    return Change(f"{document['kind']} {_title(document)}: {words}", kind, metadata["namespace"], metadata["name"], bound)


def _subsets(rule: Document | None) -> list[dict[str, Any]]:
    return ((rule or {}).get("spec") or {}).get("subsets") or []


def _version(found: Found) -> str:
    return ",".join((found.home or {}).values())


def _title(document: Document) -> str:
    return f"{document['metadata']['namespace']}/{document['metadata']['name']}"


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
