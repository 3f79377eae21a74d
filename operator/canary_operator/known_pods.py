"""What was read of pods that their names do not tell of. Kept as long as an EndpointSlice names them; nothing watches them.

A pod's name and uid are never used again, and what its labels say of its version hardly ever changes: whatever does is seen while a release
needs it, since its pods are then read every minute.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from canary_operator.workloads.model import Pod
from canary_operator.workloads.source import Identity


@dataclass(frozen=True, slots=True)
class Wish:
    """Pods that a CanaryRelease does not know."""

    selector: str
    """Of its Service, as the API writes it."""
    pods: frozenset[Identity]
    urgent: bool = False
    """A release waits for it: what was refused is tried again."""


class KnownPods:
    """By namespace. Small: pods of ReplicaSets that are known are not here."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[Identity, Pod | None]] = defaultdict(dict)
        self._denied: set[str] = set()

    def of(self, namespace: str) -> dict[Identity, Pod | None]:
        """All that was read there, not to be changed; None: there is no such pod."""
        return self._pods.get(namespace, {})

    def put(self, namespace: str, pods: Mapping[Identity, Pod | None]) -> None:
        """What a read brought."""
        self._denied.discard(namespace)
        self._pods[namespace].update(pods)

    def deny(self, namespace: str) -> None:
        """The operator may not read pods there."""
        self._denied.add(namespace)

    def denied(self, namespace: str) -> bool:
        """The last read there was refused."""
        return namespace in self._denied

    def forget(self, namespace: str, names: Iterable[Identity]) -> None:
        """No EndpointSlice names them any more, as far as is known: should another one do, they are read again."""
        known = self._pods.get(namespace)
        if known is None:
            return
        for name in names:
            known.pop(name, None)
        if not known:
            del self._pods[namespace]
