"""What an effect is applied with, and how an object is read afresh when a write to it was refused or its outcome is unknown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from canary_operator.cache import Cache, Document, Key
from canary_operator.clients.errors import ClusterError, Conflict, NotFound, Unavailable
from canary_operator.clients.kinds import CANARY_RELEASE, Kind
from canary_operator.clients.kubernetes import Cluster
from canary_operator.trimming import version_of


@dataclass(frozen=True, slots=True)
class Hands:
    """What an effect is applied with."""

    cluster: Cluster
    cache: Cache
    wake: Callable[[Iterable[Key]], None] = lambda keys: None
    """Is told whom a write or a read concerns: the watch has no news of what is in the cache already."""

    def store(self, kind: Kind, document: Document) -> None:
        """Takes in what was written or read."""
        self.wake(self.cache.store(kind, document))

    def remove(self, kind: Kind, document: Document) -> None:
        """Notes that an object is gone. A document without a resource version speaks of whatever is known."""
        self.wake(self.cache.remove(kind, document))


async def read_again(kind: Kind, name: tuple[str, str], hands: Hands) -> bool:
    """Reads an object afresh; True: it is not as the cache had it."""
    before = hands.cache.get(kind, *name)
    try:
        document = await hands.cluster.get(kind, *name)
    except NotFound:
        hands.remove(kind, {"metadata": {"namespace": name[0], "name": name[1]}})
        return before is not None
    known, read = version_of(before) if before is not None else None, version_of(document)
    if known is not None and read is not None and read < known:  # a read is never older than what was known before it
        hands.cache.went_back = True
        hands.wake(hands.cache.take_listed(kind, document, known))
    hands.store(kind, document)
    if kind == CANARY_RELEASE:
        hands.cache.note_read(Key(*name))
    return before is None or before["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]


class rereading:
    """Reads the object afresh when a write to it was refused, or when nobody knows whether it was done."""

    def __init__(self, kind: Kind, name: tuple[str, str], hands: Hands) -> None:
        self._kind, self._name, self._hands = kind, name, hands

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Conflict | NotFound | Unavailable):
            try:
                await read_again(self._kind, self._name, self._hands)
            except ClusterError:
                pass  # the write's own error says more
