"""What the watches last said, and what Prometheus last answered. Stores and finds; interprets no more of a document than whom it concerns.

Never hands out a copy: whoever reads a document here must not change it.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from canary_operator.analysis.samples import Answer
from canary_operator.analysis.value import QueryAsk, ValueAnswer
from canary_operator.clients.kinds import CANARY_RELEASE, ENDPOINT_SLICE, REPLICA_SET, Kind
from canary_operator.indexes import Indexes
from canary_operator.known_pods import KnownPods
from canary_operator.mesh.config import Mesh
from canary_operator.parsed import Parsed
from canary_operator.release.model import Presence, Serving
from canary_operator.release.presence import Presences
from canary_operator.reverse import Reverse
from canary_operator.trimming import REVISION, ROUTING, name_of, pods_of, routing_content, service_of, trimmed, version_of, without_version

__all__ = ["REVISION", "Cache", "Document", "Key"]

Document = Mapping[str, Any]
_Name = tuple[str, str]
TOMBSTONE_SECONDS = 600.0
"""How long a deletion is remembered: no event is that late."""
_MARKS = 16


class Key(NamedTuple):
    """A CanaryRelease."""

    namespace: str
    name: str


class Cache:
    """One per process; used from the event loop's thread only."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        mesh: Mesh | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._began = monotonic()
        self._objects: dict[Kind, dict[_Name, Document]] = defaultdict(dict)
        self._graves: dict[tuple[Kind, _Name], tuple[int, float]] = {}
        self._seen: dict[tuple[Kind, _Name], float] = {}
        self._slices: dict[_Name, set[_Name]] = defaultdict(set)
        self.indexes = Indexes((mesh or Mesh()).domain)
        """Which objects can concern which, by name; `pick` has the documents."""
        self._reverse = Reverse(self.indexes)
        self._highest: dict[Kind, int] = {}
        self._marks: dict[Key, deque[str]] = {}
        self._reads: dict[Key, float] = {}
        self._presences = Presences()
        self._answers: dict[Key, Answer] = {}
        self._values: dict[Key, Mapping[QueryAsk, ValueAnswer]] = {}
        self.parsed = Parsed()
        """Specs and statuses of the CanaryReleases that were looked at lately."""
        self.pods = KnownPods()
        """What was read of pods that no name tells of."""
        self.mesh = mesh or Mesh()
        """What is known of the mesh as a whole; whoever learns more puts another one here."""
        self.synced = False
        """All first lists are in. Before, an object that is missing here is unknown, not gone."""
        self.went_back = False
        """A read showed an older state than was known before it: etcd was restored, and everything is to be listed anew."""

    def note_restore(self) -> None:
        """Something older was seen than before: everything is to be listed anew. Watches do not show it: they wait for versions that come later."""
        self.went_back = True

    def now(self) -> datetime:
        """The wall clock."""
        return self._wall()

    def mark_synced(self) -> None:
        """All first lists are in. Whatever was seen until now counts as seen now."""
        self.synced = True
        self._began = self._monotonic()
        self._seen.clear()

    # ------------------------------------------------------------------------------------------------------------ what is told

    def store(self, kind: Kind, document: Document) -> frozenset[Key]:
        """Takes in a document unless a newer one is known, and answers which CanaryReleases it may matter to."""
        name, version = name_of(document), version_of(document)
        self.note_highest(kind, version)
        known = self._objects[kind].get(name)
        if known is not None and version is not None and version <= (version_of(known) or 0):
            return frozenset()
        grave = self._graves.get((kind, name))
        if grave is not None and version is not None and version <= grave[0]:
            return frozenset()
        self._graves.pop((kind, name), None)
        return self._put(kind, name, trimmed(kind, document))

    def remove(self, kind: Kind, document: Document) -> frozenset[Key]:
        """Notes that an object is gone. A document without a resource version speaks of whatever is known."""
        name, version = name_of(document), version_of(document)
        self.note_highest(kind, version)
        known = self._objects[kind].get(name)
        known_version = version_of(known) if known is not None else None
        if version is not None and known_version is not None and version < known_version:
            return frozenset()  # the deletion of an earlier object of this name
        self._bury(kind, name, max(version or 0, known_version or 0))
        return self._put(kind, name, None) if known is not None else frozenset()

    def listing(self, kind: Kind, namespaces: Sequence[str] = ()) -> "Listing":
        """Begins to take in a whole list, in these namespaces or in all."""
        return Listing(self, kind, namespaces, self._highest.get(kind, 0))

    def take_listed(self, kind: Kind, document: Document, bound: int) -> frozenset[Key]:
        """Takes in what a list, or a read, says of an object: it holds unless something newer than `bound` is known, whatever its own version."""
        name, version = name_of(document), version_of(document) or 0
        known, grave = self._objects[kind].get(name), self._graves.get((kind, name), (0, 0.0))[0]
        known_version = 0 if known is None else version_of(known) or 0
        if max(known_version, grave) > bound or (known is not None and known_version == version):
            return frozenset()
        self._graves.pop((kind, name), None)
        return self._put(kind, name, trimmed(kind, document))

    def end_listed(self, kind: Kind, present: Container[_Name], bound: int, namespaces: Sequence[str]) -> frozenset[Key]:
        """What a list did not name is gone, unless it is newer than `bound`."""
        affected: set[Key] = set()
        for name, document in list(self._objects[kind].items()):
            if name not in present and (not namespaces or name[0] in namespaces) and (version_of(document) or 0) <= bound:
                self._bury(kind, name, bound)
                affected |= self._put(kind, name, None)
        return frozenset(affected)

    def lower_graves(self, kind: Kind, version: int) -> None:
        """After a restore of etcd: what is made from now on has a lower version than deletions that were seen before, and is there all the same."""
        for grave, (buried, at) in self._graves.items():
            if grave[0] == kind and buried > version:
                self._graves[grave] = (version, at)

    def note_highest(self, kind: Kind, version: int | None, *, lower: bool = False) -> None:
        """The newest resource version that was seen of a kind; lower than before only after etcd was restored."""
        if version is not None and (lower or version > self._highest.get(kind, 0)):
            self._highest[kind] = version

    # ------------------------------------------------------------------------------------------------------------ what is asked

    def get(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """The document, trimmed."""
        return self._objects[kind].get((namespace, name))

    def all(self, kind: Kind, namespace: str | None = None) -> tuple[Document, ...]:
        """All documents of a kind, of one namespace or of all."""
        return tuple(document for name, document in self._objects[kind].items() if namespace in (None, name[0]))

    def pick(self, kind: Kind, names: Iterable[_Name]) -> tuple[Document, ...]:
        """The documents of these names that are there, ordered by name: what is made of them does not depend on which changed last."""
        objects = self._objects[kind]
        return tuple(objects[name] for name in sorted(names) if name in objects)

    def keys(self) -> frozenset[Key]:
        """All CanaryReleases."""
        return frozenset(Key(*name) for name in self._objects[CANARY_RELEASE])

    def replica_sets(self, namespace: str, selector: Mapping[str, str]) -> tuple[Document, ...]:
        """The ReplicaSets whose pods the selector matches. An empty selector matches nothing, as in a Service."""
        return self.pick(REPLICA_SET, self.indexes.replica_sets_selected(namespace, selector))

    def endpoint_slices(self, namespace: str, service: str) -> tuple[Document, ...]:
        """The EndpointSlices of a Service."""
        return self.pick(ENDPOINT_SLICE, self._slices.get((namespace, service), ()))

    def since(self, kind: Kind, namespace: str, name: str) -> datetime:
        """When this process first saw the routing of this object as it stands now, or that it is absent."""
        return self._time_of(self._seen.get((kind, (namespace, name)), self._began))

    # --------------------------------------------------------------------------------------------- what belongs to a CanaryRelease

    def note_mark(self, key: Key, mark: str) -> None:
        """This process is about to write this mark."""
        self._marks.setdefault(Key(*key), deque(maxlen=_MARKS)).append(mark)

    def is_own_mark(self, key: Key, mark: str | None) -> bool:
        """Whether this process wrote this mark itself."""
        return mark in self._marks.get(Key(*key), ())

    def note_read(self, key: Key) -> None:
        """The CanaryRelease has just been read from the API."""
        self._reads[Key(*key)] = self._monotonic()

    def read_at(self, key: Key) -> datetime | None:
        """When the CanaryRelease was last read from the API; None: never, or it is gone."""
        read = self._reads.get(Key(*key))
        return None if read is None else self._time_of(read)

    def put_answer(self, key: Key, answer: Answer | None) -> None:
        """What Prometheus answered to the last question; None: nothing is asked."""
        self._answers.pop(Key(*key), None)
        if answer is not None:
            self._answers[Key(*key)] = answer

    def answer(self, key: Key) -> Answer | None:
        """What Prometheus last answered; None: not asked yet."""
        return self._answers.get(Key(*key))

    def put_values(self, key: Key, values: Mapping[QueryAsk, ValueAnswer]) -> None:
        """What Prometheus answered to the user's own queries; empty: none is asked."""
        self._values.pop(Key(*key), None)
        if values:
            self._values[Key(*key)] = values

    def values(self, key: Key) -> Mapping[QueryAsk, ValueAnswer]:
        """What Prometheus answered last to the user's own queries; one that is missing was not asked yet."""
        return self._values.get(Key(*key), {})

    def presence(self, key: Key, versions: Mapping[str, Serving] | None, also: Iterable[str] = ()) -> Mapping[str, Presence]:
        """For how long each version has served or not, as far as the looks of this process tell. Takes this look in.

        Args:
            key: The CanaryRelease.
            versions: Per version, what serves; None: the Service is missing.
            also: Further versions that are watched, whether anything is there of them or not.
        """
        return self._presences.look(Key(*key), versions, self._monotonic(), self._time_of, also)

    # -------------------------------------------------------------------------------------------------------------------- private

    def _time_of(self, seen: float) -> datetime:
        """When that was by the wall clock as it goes now: a clock that is set makes nothing older or newer."""
        return self._wall() - timedelta(seconds=self._monotonic() - seen)

    def _put(self, kind: Kind, name: _Name, document: Document | None) -> frozenset[Key]:
        before = self._objects[kind].pop(name, None)
        if document is not None:
            self._objects[kind][name] = document
        if before is not None and document is not None and without_version(before) == without_version(document):
            return frozenset()
        if kind in ROUTING and routing_content(before) != routing_content(document):
            self._seen[kind, name] = self._monotonic()
        if kind == ENDPOINT_SLICE:
            _index(self._slices, name, service_of(before), service_of(document))
            self.pods.forget(name[0], pods_of(before) - pods_of(document))
        keys = self._reverse.concerned(kind, name, before, document)
        self.indexes.change(kind, name, before, document)
        keys = keys | self._reverse.concerned(kind, name, document, before)
        if kind == CANARY_RELEASE and document is None:
            self._presences.forget(Key(*name))
            for table in (self._marks, self._reads, self._answers, self._values):
                table.pop(Key(*name), None)
        return frozenset(Key(*key) for key in keys)

    def _bury(self, kind: Kind, name: _Name, version: int) -> None:
        now = self._monotonic()
        for grave, (_, at) in list(self._graves.items()):  # oldest first
            if now - at < TOMBSTONE_SECONDS:
                break
            del self._graves[grave]
            if grave[1] not in self._objects[grave[0]]:
                self._seen.pop(grave, None)
        self._graves.pop((kind, name), None)
        self._graves[kind, name] = (version, now)


class Listing:
    """A whole list that is taken in page by page.

    What it says replaces what was known when it began, also where its resource versions are lower, as after etcd was restored. What became
    known since then and is newer than the list stays.
    """

    def __init__(self, cache: Cache, kind: Kind, namespaces: Sequence[str], highest: int) -> None:
        self._cache, self._kind, self._namespaces, self._highest = cache, kind, namespaces, highest
        self._present: set[_Name] = set()
        self._version = 0

    def take(self, items: Iterable[Document], version: str) -> frozenset[Key]:
        """A page, and the resource version of the list."""
        self._version = int(version) if version.isdecimal() else 0
        affected: set[Key] = set()
        for item in items:
            self._present.add(name_of(item))
            affected |= self._cache.take_listed(self._kind, item, self._bound)
        return frozenset(affected)

    def end(self) -> frozenset[Key]:
        """The last page is in: what no page named is gone."""
        affected = self._cache.end_listed(self._kind, self._present, self._bound, self._namespaces)
        self._cache.note_highest(self._kind, self._version or None, lower=self._version < self._highest)
        if self._version and self._version < self._highest:
            self._cache.lower_graves(self._kind, self._version)
        return affected

    @property
    def _bound(self) -> int:
        return max(self._version, self._highest)


def _index(table: dict[Any, set[_Name]], name: _Name, before: object, after: object) -> None:
    if before is not None:
        table[before].discard(name)
        if not table[before]:
            del table[before]
    if after is not None:
        table[after].add(name)
