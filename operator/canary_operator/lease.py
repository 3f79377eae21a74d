"""Which of several replicas works: the rules of the Lease, as values. Pure: `leadership.py` reads the clock and speaks with the API.

The times that stand in a Lease are for people; they are never compared, so clocks may differ by any amount. A candidate counts seconds of its own
clock since it first saw the record as it is: a holder that renews changes the record. A holder counts from before it sent the renewal that was
stored. So the holder stops first, by a third of the lease, as long as no clock runs half as fast again as another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; all follow from the first."""

    lease: float = 15.0
    """After so long without a renewal others take over."""

    @property
    def deadline(self) -> float:
        """After so long without a renewal the holder writes nothing more."""
        return self.lease * 2 / 3

    @property
    def renew(self) -> float:
        """Between two renewals."""
        return self.lease / 3

    @property
    def timeout(self) -> float:
        """Until a request is given up: a renewal can be tried twice before the deadline."""
        return self.lease / 6

    @property
    def look(self) -> float:
        """Between two looks of a candidate, and after a request that failed."""
        return min(1.0, self.lease / 10)


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as it was read."""

    holder: str
    """Empty: it was given back."""
    version: str
    """Its resource version: another one means that somebody wrote."""
    seconds: float
    """How long its holder may be silent."""
    terms: int
    """How often it has changed hands."""


@dataclass(frozen=True, slots=True)
class View:
    """All that one candidate knows."""

    me: str
    timings: Timings = Timings()
    record: Record | None = None
    """None: there is no Lease, or nobody has looked yet."""
    since: float = 0.0
    """When the record was first seen as it is."""
    looked: float | None = None
    """When the record was last known to be so; None: look before anything else."""
    held: float | None = None
    """Just before the last renewal that is stored was sent; None: not the holder."""

    def leads(self, now: float) -> bool:
        """Whether this candidate works."""
        return self.held is not None and now < self.held + self.timings.deadline

    def seconds_left(self, now: float) -> float:
        """How long a write that is sent now may take, so that it ends before anybody else begins; 0: nothing may be written."""
        return self.held + self.timings.lease - now if self.held is not None and self.leads(now) else 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """Read the Lease."""


@dataclass(frozen=True, slots=True)
class Write:
    """Create the Lease, take it, or renew it: bound to the version that is known."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for a while."""

    seconds: float


def move(view: View, now: float) -> Look | Write | Wait:
    """What a candidate does next."""
    times, record = view.timings, view.record
    if view.looked is None:
        return Look()
    if view.held is not None:
        return Write() if now >= view.held + times.renew else Wait(view.held + times.renew - now)
    if record is None or record.holder in ("", view.me):
        return Write()
    due, free = view.looked + times.look, view.since + record.seconds
    if now >= free:
        return Write()
    return Look() if now >= due else Wait(min(due, free) - now)


def seen(view: View, record: Record | None, now: float) -> View:
    """After a look."""
    if record is not None and view.record is not None and record.version == view.record.version:
        return replace(view, looked=now)
    mine = record is not None and record.holder == view.me
    return replace(view, record=record, since=now, looked=now, held=view.held if mine else None)


def written(view: View, record: Record, sent: float, now: float) -> View:
    """After a write that was stored; `sent` is the time just before."""
    return replace(view, record=record, since=now, looked=now, held=sent)


def refused(view: View) -> View:
    """After a write that was refused, or whose outcome is unknown."""
    return replace(view, looked=None)


def checked(view: View, now: float) -> View:
    """The view without a lease that was held for too long. Nobody else can have it as long as the record stays: then it is taken again at once."""
    return view if view.held is None or view.leads(now) else replace(view, held=None, looked=None)


# --------------------------------------------------------------------------------------------------------------------------- documents


def read(document: Mapping[str, Any], timings: Timings) -> Record:
    """A Lease as the API has it."""
    spec = document.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        version=document["metadata"]["resourceVersion"],
        seconds=float(spec.get("leaseDurationSeconds") or timings.lease),
        terms=int(spec.get("leaseTransitions") or 0),
    )


def content(view: View, wall: datetime) -> dict[str, Any]:
    """The fields that `Write` sets."""
    at = wall.isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec: dict[str, Any] = {"holderIdentity": view.me, "leaseDurationSeconds": ceil(view.timings.lease), "renewTime": at}
    if view.held is not None:
        return spec
    terms = view.record.terms + 1 if view.record is not None else 0
    return {**spec, "acquireTime": at, "leaseTransitions": terms}


def given_back() -> dict[str, Any]:
    """The fields that a holder sets when it ends: the next one need not wait."""
    return {"holderIdentity": None, "leaseDurationSeconds": 1}
