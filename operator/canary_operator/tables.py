"""Tables that answer "which of them?" without a walk over all of them: names by host, by labels, by selector. Pure.

Each is told of every change of an object once, and costs what the answer costs, however many objects there are.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from canary_operator.mentions import Name

T = TypeVar("T", bound=Hashable)
Pair = tuple[str, str, str]
"""Namespace, key and value of a label; the namespace alone with two empty texts."""
UNIQUE = frozenset({"pod-template-hash", "controller-revision-hash"})
"""Labels whose values nearly nothing shares: nothing is filed under them."""


class Table(Generic[T]):
    """Names by what they are filed under."""

    def __init__(self) -> None:
        self._names: dict[T, set[Name]] = defaultdict(set)

    def change(self, name: Name, before: Iterable[T], after: Iterable[T]) -> None:
        """What the name was filed under, and what it is to be filed under."""
        old, new = set(before), set(after)
        for entry in old - new:
            self._names[entry].discard(name)
            if not self._names[entry]:
                del self._names[entry]
        for entry in new - old:
            self._names[entry].add(name)

    def at(self, entry: T) -> set[Name]:
        """The names under an entry; not to be changed."""
        return self._names.get(entry, set())

    def count(self, entry: T) -> int:
        """How many there are."""
        return len(self._names.get(entry, ()))

    def __contains__(self, entry: T) -> bool:
        return entry in self._names

    def __iter__(self) -> Iterator[T]:
        return iter(self._names)


class ByHost:
    """Names by hosts and patterns, in the spelling of `mentions`. A pattern begins with `*` and covers what ends like it."""

    def __init__(self) -> None:
        self._table: Table[str] = Table()
        self._backwards: list[str] = []
        """All hosts, spelled backwards and sorted: those that a pattern covers stand together."""

    def change(self, name: Name, before: Iterable[str], after: Iterable[str]) -> None:
        """The hosts that the name had, and has."""
        old, new = set(before), set(after)
        known = {host for host in old | new if host in self._table}
        self._table.change(name, old, new)
        for host in sorted(old | new):
            if host in self._table and host not in known:
                insort(self._backwards, host[::-1])
            elif host not in self._table and host in known:
                del self._backwards[bisect_left(self._backwards, host[::-1])]

    def exactly(self, hosts: Iterable[str]) -> set[Name]:
        """Those that have one of these hosts, or one of these patterns, as it is."""
        return {name for host in hosts for name in self._table.at(host)}

    def covering(self, hosts: Iterable[str]) -> set[Name]:
        """Those with a pattern that covers one of these hosts, or is one of these patterns or wider."""
        return {name for host in hosts for pattern in patterns(host) for name in self._table.at(pattern)}

    def covered_by(self, hosts: Iterable[str]) -> set[Name]:
        """Those with a host, or a narrower pattern, that one of these patterns covers."""
        found: set[Name] = set()
        for host in hosts:
            if not host.startswith("*"):
                continue
            end = host[:0:-1]
            for place in range(bisect_left(self._backwards, end), len(self._backwards)):
                if not self._backwards[place].startswith(end):
                    break
                found |= self._table.at(self._backwards[place][::-1])
        return found


def patterns(host: str) -> Iterator[str]:
    """Every pattern that covers a host, or a pattern.

    >>> list(patterns("a.io"))[:3], list(patterns("*.io"))
    (['*a.io', '*.io', '*io'], ['*.io', '*io', '*o', '*'])
    """
    text = host.removeprefix("*")
    return (f"*{text[place:]}" for place in range(len(text) + 1))


class ByLabels:
    """Names of what carries labels, such as pod templates, for selectors to find."""

    def __init__(self) -> None:
        self._labels: dict[Name, Mapping[str, str]] = {}
        self._table: Table[Pair] = Table()

    def change(self, name: Name, labels: Mapping[str, str] | None) -> None:
        """The labels that the name has; None: it is gone."""
        before = self._labels.pop(name, None)
        if labels is not None:
            self._labels[name] = labels
        filed = [] if before is None else _filed(name[0], before)
        self._table.change(name, filed, [] if labels is None else _filed(name[0], labels))

    def labels(self, name: Name) -> Mapping[str, str]:
        """The labels that the name has; none when it is not known."""
        return self._labels.get(name, {})

    def selected(self, namespace: str, selector: Mapping[str, str]) -> set[Name]:
        """Those that carry all labels of a selector. An empty one selects nothing, as in a Service."""
        if not selector:
            return set()
        rarest = min(_filed(namespace, selector), key=self._table.count)
        return {name for name in self._table.at(rarest) if selector.items() <= self._labels[name].items()}


class BySelector:
    """Names of what selects by labels, such as Services, for labels to find. Each is filed under the label that the fewest others ask for."""

    def __init__(self) -> None:
        self._selectors: dict[Name, Mapping[str, str]] = {}
        self._filed: dict[Name, Pair] = {}
        self._table: Table[Pair] = Table()

    def change(self, name: Name, selector: Mapping[str, str] | None) -> None:
        """What the name selects; None: it is gone. An empty selector selects nothing."""
        filed = self._filed.pop(name, None)
        self._selectors.pop(name, None)
        self._table.change(name, [filed] if filed else [], [])
        if selector:
            self._selectors[name] = selector
            self._filed[name] = min(sorted(_pairs(name[0], selector)), key=self._table.count)
            self._table.change(name, [], [self._filed[name]])

    def selector(self, name: Name) -> Mapping[str, str]:
        """What the name selects; empty: nothing, or it is not known."""
        return self._selectors.get(name, {})

    def selecting(self, namespace: str, labels: Mapping[str, str]) -> set[Name]:
        """Those that select something with these labels."""
        found = (name for pair in _pairs(namespace, labels) for name in self._table.at(pair))
        return {name for name in found if self._selectors[name].items() <= labels.items()}


def _pairs(namespace: str, labels: Mapping[str, str]) -> list[Pair]:
    return [(namespace, key, value) for key, value in labels.items()]


def _filed(namespace: str, labels: Mapping[str, str]) -> list[Pair]:
    """What something with these labels is filed under: its namespace, and all labels that others may share."""
    return [(namespace, "", ""), *(pair for pair in _pairs(namespace, labels) if pair[1] not in UNIQUE)]
