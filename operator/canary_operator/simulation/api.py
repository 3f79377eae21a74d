"""The requests of an operator to the API server: counted, refused when they are stale, and disturbed on order."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from canary_operator.api.status import CanaryReleaseStatus
from canary_operator.release.model import BARE, Extras, Mark
from canary_operator.simulation.objects import OPERATOR, Cluster, Resource, Route, Subsets, as_stored


class Fault(StrEnum):
    """What can happen to one write."""

    CRASH_BEFORE = "crash before"
    """The process dies before the write arrives."""
    CRASH_AFTER = "crash after"
    """The process dies after the write was stored."""
    REPLY_LOST = "reply lost"
    """The write is stored, but the process is told that it failed."""
    REFUSED = "refused"
    """The write is not stored, and the process is told so."""


class Crashed(Exception):
    """The process is dead."""


class Failed(Exception):
    """A request failed; the pass ends, and the key is looked at again."""


class Refused(Failed):
    """The API server says no, and nothing was written."""


class Stale(Failed):
    """A later decision has written already, or the object has changed since it was read."""


@dataclass
class Api:
    """One connection to the API server."""

    cluster: Cluster
    faults: dict[int, Fault] = field(default_factory=dict)
    """By the number of the write, from 0."""
    broken: set[str] = field(default_factory=set)
    """Objects whose writes are all refused: `status`, `resource`, `route`, `subsets`."""
    reads: int = 0
    writes: list[str] = field(default_factory=list)
    """Every write that was tried, by object."""

    def record(self, known: Resource, status: CanaryReleaseStatus) -> Resource:
        """Stores a status that was derived from `known`; returns the resource as it stands then."""
        present = self.cluster.now.resource
        if present is None or present.version != known.version:
            self.writes.append("status")
            raise Stale("status")
        stored = as_stored(status)
        if stored != known.status:
            self._write("status", lambda: self.cluster.put(OPERATOR, "resource", replace(known, status=stored), status.reason or ""))
        return self.cluster.now.resource or known

    def finalizer(self, known: Resource, wanted: bool) -> Resource | None:
        """Puts our finalizer on, or takes it off; a resource that is being deleted goes with it. Returns the resource as it stands then."""
        present = self.cluster.now.resource
        if present is None or present.finalizer == wanted:
            return present
        gone = present.deleting and not wanted
        self._write("resource", lambda: self.cluster.put(OPERATOR, "resource", None if gone else replace(present, finalizer=wanted)))
        return self.cluster.now.resource if present.version == known.version else known

    def weights(self, canary: int, mark: Mark, extras: Extras = BARE) -> None:
        """Reads the route afresh and gives the canary this weight, and what goes with it."""
        self.reads += 1
        present = self.cluster.now.route
        _refuse_stale(present.mark if present else None, mark)
        attached = self.cluster.attached
        if attached and present is None:
            raise AssertionError("a route of the user's is never created")
        wanted = (canary, extras, True, True, True)
        found = present and (present.weight, present.extras, present.intact, present.split, present.owned or attached)
        if present and present.mark and found == wanted:
            return
        route = Route(canary, extras=extras, mark=mark, owned=not attached)
        self._write("route", lambda: self.cluster.put(OPERATOR, "route", route, mark.decision))

    def unsplit(self, mark: Mark) -> None:
        """Reads our route afresh and lets it name the host without a subset, if it is there."""
        self.reads += 1
        present = self.cluster.now.route
        if present is None or self.cluster.attached:
            return
        _refuse_stale(present.mark, mark)
        if present.split or present.mark != mark:
            route = Route(0, intact=False, split=False, mark=mark)
            self._write("route", lambda: self.cluster.put(OPERATOR, "route", route, mark.decision))

    def subsets(self, stable: str, canary: str, mark: Mark) -> None:
        """Reads the subsets afresh and lets them select these versions."""
        self.reads += 1
        present = self.cluster.now.subsets
        _refuse_stale(present.mark if present else None, mark)
        if present and present.mark and (present.stable, present.canary, present.owned) == (stable, canary, True):
            return
        self._write("subsets", lambda: self.cluster.put(OPERATOR, "subsets", Subsets(stable, canary, mark=mark), mark.decision))

    def remove(self, what: str) -> None:
        """Removes the route or the subsets, if they are there and ours."""
        present = getattr(self.cluster.now, what)
        if present is not None and present.owned:
            self._write(what, lambda: self.cluster.put(OPERATOR, what, None))

    def disown(self, what: str) -> None:
        """Gives the route or the subsets away."""
        present = getattr(self.cluster.now, what)
        if present is not None and (present.owned or present.mark):
            self._write(what, lambda: self.cluster.put(OPERATOR, what, replace(present, owned=False, mark=None)))

    def _write(self, what: str, write: Callable[[], None]) -> None:
        fault = self.faults.get(len(self.writes))
        self.writes.append(what)
        if fault is None and what in self.broken:
            fault = Fault.REFUSED
        match fault:
            case None:
                write()
            case Fault.CRASH_BEFORE:
                raise Crashed(what)
            case Fault.CRASH_AFTER:
                write()
                raise Crashed(what)
            case Fault.REPLY_LOST:
                write()
                raise Failed(what)
            case Fault.REFUSED:
                raise Refused(what)
            case _:
                assert_never(fault)


def _refuse_stale(stored: Mark | None, mark: Mark) -> None:
    """Whoever writes must outrank what is written; the same rank is the same decision, or somebody else's."""
    if stored is None or stored.uid != mark.uid:
        return
    if stored.rank > mark.rank or (stored.rank == mark.rank and stored != mark):
        raise Stale("route")
