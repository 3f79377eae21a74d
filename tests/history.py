"""What the API server stored, put side by side: at every revision the CanaryRelease, its VirtualService and its DestinationRule. Judges nothing.

Revisions come from `lab.revisions`; anything with the same four fields will do.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Protocol

from canary_operator.api.names import CANARY, FINALIZER, KIND, MANAGED_BY, MANAGER, MARK, OWNER, PREVIEW, ROUTE, STABLE
from canary_operator.api.quantities import parse_duration
from canary_operator.release.model import Mark

Document = dict[str, Any]
_FIELDS = {KIND: "release", "VirtualService": "route", "DestinationRule": "rule"}


class Revision(Protocol):
    """One write of one object, as `lab.revisions.Revision` has it."""

    @property
    def number(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def object(self) -> Document: ...
    @property
    def received(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """The three documents of one name as they stand; None: there is none, or it was not recorded yet."""

    release: Document | None = None
    route: Document | None = None
    rule: Document | None = None
    attached: tuple[str, ...] | None = None
    """The user's routes that are managed in the VirtualService, by name; empty: its only one; None: it is the operator's."""

    @property
    def record(self) -> Document:
        """`status.release`; empty before the first."""
        record: Document = ((self.release or {}).get("status") or {}).get("release") or {}
        return record

    @property
    def shares(self) -> dict[str, Any]:
        """Weight per subset in the managed route; empty without one."""
        route = managed_route(self.route, self.attached)
        return {share["destination"].get("subset", ""): share.get("weight", 0) for share in route.get("route") or ()}

    @property
    def canary(self) -> int:
        """The canary's weight; 0 without a route."""
        weight: int = self.shares.get(CANARY, 0)
        return weight

    @property
    def labels(self) -> dict[str, Document]:
        """Labels per subset."""
        return {subset["name"]: subset.get("labels") or {} for subset in (self.rule or {}).get("spec", {}).get("subsets") or ()}

    @property
    def settle(self) -> float:
        """Seconds of `spec.settle`."""
        return parse_duration(((self.release or {}).get("spec") or {}).get("settle", "5s")).total_seconds()

    @property
    def guarded(self) -> bool:
        """Our finalizer is on the CanaryRelease."""
        return self.release is not None and FINALIZER in (self.release["metadata"].get("finalizers") or ())

    @property
    def deleting(self) -> bool:
        """The CanaryRelease is on its way out, or gone."""
        return self.release is None or "deletionTimestamp" in self.release["metadata"]

    @property
    def broken(self) -> set[str]:
        """Subsets that the VirtualService names and the DestinationRule lacks."""
        named = (share["destination"] for http in _routes(self.route) for share in http.get("route") or ())
        hosts = {_full(self.rule["spec"]["host"], self.rule)} if self.rule else set()
        lost = (
            each
            for each in named
            if "subset" in each and (each["subset"] not in self.labels or _full(each["host"], self.route) not in hosts)
        )
        return {each["subset"] for each in lost}

    @property
    def versions(self) -> set[str]:
        """The versions that get traffic through the managed route."""
        served = (subset for subset, weight in self.shares.items() if weight)
        return {version for subset in served for version in self.labels.get(subset, {}).values()}


@dataclass(frozen=True, slots=True)
class Moment:
    """One revision with what stood before and after it."""

    revision: Revision
    before: Stored
    after: Stored
    ours: bool
    """Written by the operator. A deletion names nobody: it is ours when the CanaryRelease is being deleted."""

    @property
    def what(self) -> str:
        """For a sentence: kind, name and revision."""
        found = self.revision.object
        return f"{found['kind']} {found['metadata']['namespace']}/{found['metadata']['name']} at revision {self.revision.number}"

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return str(self.revision.object["kind"])

    @property
    def pair(self) -> tuple[Document | None, Document | None]:
        """The object before and after."""
        return getattr(self.before, _FIELDS[self.kind]), getattr(self.after, _FIELDS[self.kind])

    @property
    def routing(self) -> bool:
        """The operator wrote the spec of a routing object."""
        before, after = self.pair
        changed = after is not None and (before is None or before["spec"] != after["spec"])
        return self.kind != KIND and self.ours and changed

    @property
    def mark(self) -> Mark | None:
        """The mark on the object after this revision."""
        _, after = self.pair
        return Mark.parse(((after or {}).get("metadata", {}).get("annotations") or {}).get(MARK))


def histories(revisions: Iterable[Revision]) -> list[list[Moment]]:
    """Per CanaryRelease, by name, all moments in the order of writing; one that attaches several VirtualServices has a history for each.

    Other VirtualServices are left out, and the DestinationRules of other hosts.
    """
    found: dict[_Story, list[Moment]] = {}
    ordered = sorted(revisions, key=lambda revision: revision.number)
    stories = {story for revision in ordered if revision.object["kind"] == KIND for story in _stories(revision.object)}
    for revision in ordered:
        for story in sorted(stories, key=lambda story: story.route):
            if story.tells(revision.object):
                moments = found.setdefault(story, [])
                before = moments[-1].after if moments else Stored(attached=story.attached)
                moments.append(_moment(revision, before))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Story:
    """Which objects belong to one CanaryRelease and one of its VirtualServices."""

    namespace: str
    name: str
    service: str
    route: str
    attached: tuple[str, ...] | None

    def tells(self, document: Document) -> bool:
        metadata, kind = document["metadata"], document["kind"]
        if metadata["namespace"] != self.namespace:
            return False
        if kind == "DestinationRule" and metadata["name"] != self.name:
            return _full(document["spec"]["host"], document) == f"{self.service}.{self.namespace}.svc.cluster.local"
        return bool(metadata["name"] == (self.route if kind == "VirtualService" else self.name))


def _stories(release: Document) -> Iterator[_Story]:
    metadata, spec = release["metadata"], release["spec"]
    attach = (spec.get("traffic") or {}).get("attach")
    for each in attach or [{"virtualService": metadata["name"]}]:
        routes = tuple(each.get("routes") or ()) if attach else None
        service = (spec.get("service") or {}).get("name", metadata["name"])
        yield _Story(metadata["namespace"], metadata["name"], service, each["virtualService"], routes)


def _full(host: str, document: Document | None) -> str:
    namespace = (document or {}).get("metadata", {}).get("namespace", "")
    return host if "." in host else f"{host}.{namespace}.svc.cluster.local"


def owned(document: Document | None) -> bool:
    """The object belongs to a CanaryRelease."""
    return document is not None and OWNER in (document["metadata"].get("labels") or {})


def managed_route(route: Document | None, attached: tuple[str, ...] | None = None) -> Document:
    """The managed HTTP route, of several the first; empty when there is none."""
    names = (ROUTE,) if attached is None else attached
    return next((http for http in _routes(route) if http.get("name") in names or not names), {})


def foreign(document: Document, attached: tuple[str, ...] | None = None) -> Document:
    """The document without what the operator manages: of a user's VirtualService that is the weights alone."""
    spec, metadata = deepcopy(document["spec"]), document["metadata"]
    ours = managed_route({"spec": spec}, attached)
    if attached is not None and document["kind"] == "VirtualService":
        for share in ours.get("route") or ():
            share.pop("weight", None)
        return {**spec, "metadata": _kept(metadata)}
    for field in ("hosts", "gateways", "host"):
        spec.pop(field, None)
    for field in ("route", "redirect", "directResponse", "delegate", "mirrors"):
        ours.pop(field, None)
    spec["http"] = [http for http in spec.get("http") or () if http != {"name": ROUTE} and http.get("name") != PREVIEW]
    for subset in (subsets := spec.get("subsets") or []):
        if subset["name"] in (STABLE, CANARY):
            subset.pop("labels", None)
    spec["subsets"] = [subset for subset in subsets if subset not in ({"name": STABLE}, {"name": CANARY})]
    return {**_kept(metadata), "spec": spec}


def _kept(metadata: Document) -> Document:
    kept: Document = {field: metadata.get(field) for field in ("finalizers", "ownerReferences")}
    for field in ("labels", "annotations"):
        kept[field] = {key: value for key, value in (metadata.get(field) or {}).items() if key not in (MARK, OWNER, MANAGED_BY)}
    return kept


def _routes(route: Document | None) -> Iterator[Document]:
    yield from ((route or {}).get("spec") or {}).get("http") or ()


def _name(revision: Revision) -> tuple[str, str]:
    return revision.object["metadata"]["namespace"], revision.object["metadata"]["name"]


def _moment(revision: Revision, before: Stored) -> Moment:
    field = _FIELDS[revision.object["kind"]]
    document = None if revision.type == "DELETED" else revision.object
    after = replace(before, **{field: document})
    ours = before.deleting if document is None else MANAGER in _authors(getattr(before, field), document)
    return Moment(revision, before, after, ours)


def _authors(before: Document | None, after: Document) -> set[str]:
    """Who may have made this change: whose entry in managedFields it changed, else whose entry is newest. Without entries: the operator.

    Who takes fields over changes the entry of their former manager too, but not its time.
    """
    entries = [entry for entry in after["metadata"].get("managedFields") or () if not entry.get("subresource")]
    known = ((before or {}).get("metadata") or {}).get("managedFields") or ()
    changed = [entry for entry in entries if entry not in known]
    times = {(entry["manager"], entry["time"]) for entry in known}
    changed = [entry for entry in changed if (entry["manager"], entry["time"]) not in times] or changed
    newest = max((entry["time"] for entry in entries), default="")
    return {entry["manager"] for entry in changed or entries if changed or entry["time"] == newest} or {MANAGER}
