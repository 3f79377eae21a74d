"""What the API server stored, put side by side: at every revision the CanaryRelease, its VirtualService and its DestinationRule. Judges nothing.

Revisions come from `lab.revisions`; anything with the same four fields will do.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Protocol

from canary_operator.api.names import (
    CANARY,
    FINALIZER,
    KIND,
    MANAGED_BY,
    MANAGER,
    MARK,
    MESH_ROUTE,
    OWNER,
    PREVIEWS,
    ROUTE,
    ROUTES,
    STABLE,
    USERS_MARK,
)
from canary_operator.api.quantities import parse_duration
from canary_operator.mesh.hosts import expand, service_fqdn
from canary_operator.release.model import Mark

Document = dict[str, Any]
_MANAGED = ("route", "redirect", "directResponse", "delegate")
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
    """A CanaryRelease, one VirtualService and the DestinationRule as they stand; None: there is none, or it was not recorded yet."""

    managed: str = ROUTE
    """Which of the HTTP routes is looked at, by name; `#0`: the first."""
    alike: tuple[str, ...] = (ROUTE,)
    """All managed routes of the VirtualService."""
    release: Document | None = None
    route: Document | None = None
    rule: Document | None = None

    @property
    def attached(self) -> bool:
        """The VirtualService is the user's."""
        return not set(self.alike) <= set(ROUTES)

    @property
    def record(self) -> Document:
        """`status.release`; empty before the first."""
        record: Document = ((self.release or {}).get("status") or {}).get("release") or {}
        return record

    @property
    def shares(self) -> dict[str, Any]:
        """Weight per subset in the managed route; empty without one."""
        route = http_route(self.route, self.managed)
        return {share["destination"].get("subset", ""): share.get("weight", 0) for share in route.get("route") or ()}

    @property
    def unsplit(self) -> bool:
        """Our VirtualService stands, and its managed route names the host without a subset."""
        return self.shares.keys() == {""}

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
    def ours(self) -> bool:
        """The DestinationRule has at least one of our subsets."""
        return bool(self.labels.keys() & {STABLE, CANARY})

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
        host = _host(self.rule, ((self.rule or {}).get("spec") or {}).get("host", ""))
        subsets = [each for each in named if "subset" in each and _host(self.route, each["host"]) in (host, _service(self.release), None)]
        return {each["subset"] for each in subsets if each["subset"] not in self.labels or _host(self.route, each["host"]) != host}

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
    def release(self) -> str:
        """Name of the CanaryRelease; empty before it was recorded."""
        found = self.before.release or self.after.release
        return str(found["metadata"]["name"]) if found else ""

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
        """The mark of this CanaryRelease on the object after this revision: one of the user's has one per release."""
        _, after = self.pair
        key = MARK if owned(after) else f"{USERS_MARK}{self.release}"
        return Mark.parse(((after or {}).get("metadata", {}).get("annotations") or {}).get(key))


def histories(revisions: Iterable[Revision]) -> list[list[Moment]]:
    """Per CanaryRelease, by name, and per route that it manages: all moments in the order of writing. What belongs to none is left out."""
    ordered = sorted(revisions, key=lambda revision: revision.number)
    releases: dict[tuple[str, str], list[Revision]] = {}
    for revision in ordered:
        if revision.object["kind"] == KIND:
            releases.setdefault(_name(revision.object), []).append(revision)
    return [
        _history(ordered, name, virtual_service, Stored(managed, tuple(routes)))
        for name, written in releases.items()
        for virtual_service, routes in _managed(name, written).items()
        for managed in routes
    ]


def _managed(name: tuple[str, str], written: Sequence[Revision]) -> dict[str, dict[str, None]]:
    """Per VirtualService the routes that the CanaryRelease ever managed."""
    found: dict[str, dict[str, None]] = {}
    for revision in written:
        attach = (revision.object["spec"].get("traffic") or {}).get("attach")
        for each in attach or ({"virtualService": name[1], "routes": ROUTES},):
            found.setdefault(each["virtualService"], {}).update(dict.fromkeys(each.get("routes") or ("#0",)))
    return found


def _history(ordered: Sequence[Revision], name: tuple[str, str], virtual_service: str, last: Stored) -> list[Moment]:
    moments: list[Moment] = []
    for revision in ordered:
        wanted = {KIND: name, "VirtualService": (name[0], virtual_service)}.get(revision.object["kind"])
        if wanted == _name(revision.object) or (wanted is None and _rules(revision.object, name, last)):
            moments.append(_moment(revision, last))
            last = moments[-1].after
    return moments


def _rules(document: Document, name: tuple[str, str], stored: Stored) -> bool:
    """A DestinationRule of our name, or a user's for the Service."""
    owner = (document["metadata"].get("labels") or {}).get(OWNER)
    return _name(document) == name or (owner is None and document["metadata"]["namespace"] == name[0] and _of_service(document, stored))


def _of_service(rule: Document, stored: Stored) -> bool:
    return stored.release is not None and _host(rule, rule["spec"].get("host", "")) == _service(stored.release)


def owned(document: Document | None) -> bool:
    """The object belongs to a CanaryRelease."""
    return document is not None and OWNER in (document["metadata"].get("labels") or {})


def http_route(route: Document | None, name: str) -> Document:
    """The HTTP route of a name, or at a place; empty when there is none. Without one for the mesh its callers go by the other."""
    named = (http for number, http in enumerate(_routes(route)) if name in (http.get("name"), f"#{number}"))
    return next(named, http_route(route, ROUTE) if name == MESH_ROUTE else {})


def foreign(document: Document, managed: Iterable[str] = (ROUTE,), *, users: bool = False) -> Document:
    """The document without what the operator manages: of a user's only the two weights, the labels of the two subsets, and the mark."""
    spec, metadata = deepcopy(document["spec"]), document["metadata"]
    for ours in (http_route({"spec": spec}, name) for name in managed):
        if not users:
            mirrors = [each for each in ours.get("mirrors", ()) if each["destination"].get("subset") != CANARY]
            for field in (*_MANAGED, "mirrors"):
                ours.pop(field, None)
            ours.update({"mirrors": mirrors} if mirrors else {})
        for share in ours.get("route") or ():
            share.pop("weight", None)
    if not users:
        for field in ("hosts", "gateways", "host", "exportTo"):
            spec.pop(field, None)
        ours = ({"name": ROUTE}, {})
        spec["http"] = [http for http in spec.get("http") or () if http not in ours and http.get("name") not in (MESH_ROUTE, *PREVIEWS)]
    for subset in (subsets := spec.get("subsets") or []):
        if subset["name"] in (STABLE, CANARY):
            subset.pop("labels", None)
    spec["subsets"] = [subset for subset in subsets if subset not in ({"name": STABLE}, {"name": CANARY})]
    kept: Document = {field: metadata.get(field) for field in ("finalizers", "ownerReferences")}
    for field in ("labels", "annotations"):
        entries = (metadata.get(field) or {}).items()
        kept[field] = {key: value for key, value in entries if key not in (MARK, OWNER, MANAGED_BY) and not key.startswith(USERS_MARK)}
    return {**kept, "spec": spec}


def _host(document: Document | None, host: str) -> str | None:
    return expand(host, document["metadata"]["namespace"]) if document else None


def _service(release: Document | None) -> str | None:
    return service_fqdn(release["spec"]["service"]["name"], release["metadata"]["namespace"]) if release else None


def _routes(route: Document | None) -> Iterator[Document]:
    yield from ((route or {}).get("spec") or {}).get("http") or ()


def _name(document: Document) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _moment(revision: Revision, before: Stored) -> Moment:
    field = _FIELDS[revision.object["kind"]]
    document = None if revision.type == "DELETED" else revision.object
    after = replace(before, **{field: document})
    earlier = getattr(before, field)
    ours = before.deleting if document is None else MANAGER in _authors(earlier, document) and not _is_neighbours(earlier, document, after)
    return Moment(revision, before, after, ours)


def _is_neighbours(before: Document | None, after: Document, stored: Stored) -> bool:
    """Another CanaryRelease that is attached to the same VirtualService wrote it: only its mark is another one now."""
    was, now = _marks(before), _marks(after)
    changed = {key for key in was | now if was.get(key) != now.get(key)}
    name = stored.release["metadata"]["name"] if stored.release else None
    return bool(changed) and not owned(after) and not changed & {MARK, f"{USERS_MARK}{name}"}


def _marks(document: Document | None) -> Document:
    annotations = ((document or {}).get("metadata") or {}).get("annotations") or {}
    return {key: text for key, text in annotations.items() if key == MARK or key.startswith(USERS_MARK)}


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
