"""What users do, step by step, each step when the one before has had its effect."""

from collections.abc import Callable, Mapping
from typing import Any

from lab.waiting import until
from tests.faults.bench import Bench
from tests.faults.mirror import VIRTUAL_SERVICES, Document

SECOND = "reviews-too"
"""A further CanaryRelease of the same service."""
LONG = {"min": "10m", "max": "20m"}
SHORT = {"min": "0s", "max": "20s"}


def steps(*holds: Mapping[str, str]) -> list[dict[str, Any]]:
    """A plan of weights 20, 40..."""
    return [{"weight": 20 * number, "hold": dict(hold)} for number, hold in enumerate(holds, 1)]


PUBLIC = {"owned": {"hosts": ["a.example.com"]}}
"""A further host, for which callers need the VirtualService, as they do at a gateway."""
GATED = [{"weight": 20, "hold": SHORT}, {"weight": 40, "hold": SHORT, "approval": "Required"}, {"weight": 100, "approval": "Required"}]


def at_rest(bench: Bench, outcome: str, number: int = 1) -> bool:
    """The release of this number has ended so, nothing runs, and status speaks of the spec as it is."""
    if bench.release is None:
        return False
    metadata, status = bench.release["metadata"], bench.status
    past, release = status.get("lastRelease") or {}, status.get("release") or {}
    answered = status.get("observedGeneration") == metadata["generation"]
    return answered and (past.get("outcome"), past.get("number")) == (outcome, number) and release.get("state") == "Stable"


def ends(outcome: str, number: int = 1) -> Callable[[Bench], bool]:
    """The story is over when this release has ended so."""
    return lambda bench: at_rest(bench, outcome, number)


def gone(bench: Bench) -> bool:
    """The story is over when there is no CanaryRelease any more."""
    return bench.release is None


def reaches(bench: Bench, weight: int) -> None:
    """Waits until the canary has this weight."""
    until(lambda: bench.weight == weight, f"weight {weight}", 30)


def good(bench: Bench) -> None:
    """The new version is wanted."""
    bench.change({"spec": {"version": "v2"}})


def adoption(bench: Bench) -> None:
    """A CanaryRelease is created with the new version wanted at once."""
    bench.create(version="v2", stableVersion="v1", steps=steps(SHORT, SHORT))


def abort(bench: Bench) -> None:
    """A person aborts at 20 percent."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.act("abort/1/1")


def deleted(bench: Bench) -> None:
    """The CanaryRelease is deleted at 40 percent."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.delete()


def stranded(bench: Bench) -> None:
    """All pods of stable go at 40 percent, and the CanaryRelease is deleted: the traffic ends at the canary."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.take_away("v1")
    until(lambda: not bench.serves("v1"), "stable is gone", 30)
    bench.delete()


def gone_home(bench: Bench) -> None:
    """All pods of stable go at 20 percent, and the canary takes its traffic; they come back, and it goes home; a person ends the release."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.take_away("v1")
    reaches(bench, 100)
    bench.bring_back("v1")
    reaches(bench, 0)
    bench.act("abort/1/1")


def rescued(bench: Bench) -> None:
    """All pods of stable go at 20 percent, and a person makes the canary stable."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.take_away("v1")
    reaches(bench, 100)
    bench.act("promote/1/1")


def refused(bench: Bench) -> None:
    """Routes may not be changed when a person aborts at 20 percent; later they may."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.freeze()
    bench.act("abort/1/1")
    until(lambda: bench.status.get("reason") == "WriteRefused", "the refusal is told", 30)
    bench.thaw()


def retaken(bench: Bench) -> None:
    """Deleted at a gateway, where the route stays without a subset, and made anew: the route is taken back."""
    bench.delete()
    until(lambda: gone(bench), "deleted")
    bench.create(version="v1", stableVersion="v1", steps=steps(SHORT), traffic=PUBLIC)


def recreated(bench: Bench) -> None:
    """It is deleted, and made anew with the new version wanted."""
    deleted(bench)
    until(lambda: gone(bench), "deleted")
    bench.create(version="v2", stableVersion="v1", steps=steps(SHORT))


def superseded(bench: Bench) -> None:
    """Another version is wanted at 40 percent."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.change({"spec": {"version": "v3", "steps": steps(SHORT)}})


def retargeted(bench: Bench) -> None:
    """The old version is wanted again at 40 percent."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.change({"spec": {"version": "v1"}})


def retried(bench: Bench) -> None:
    """Aborted, and then tried once more."""
    abort(bench)
    until(lambda: at_rest(bench, "Withdrawn"), "withdrawn")
    bench.change({"metadata": {"annotations": {"canary.rollouts.dev/action": "retry/1/2"}}, "spec": {"steps": steps(SHORT)}})


def lost(bench: Bench) -> None:
    """All pods of the canary vanish, twice; in the end they are there again."""
    bench.change({"spec": {"version": "v2"}})
    for _ in range(2):
        reaches(bench, 40)
        bench.scale("v2", 0)
        reaches(bench, 0)
        bench.scale("v2", 1)


def conflict(bench: Bench) -> None:
    """Somebody makes a second CanaryRelease of the service while a release of the first runs."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.create(SECOND, version="v3", stableVersion="v1", steps=steps(SHORT))
    until(lambda: bench.status_of(SECOND).get("phase") == "Blocked", "the second is blocked")
    bench.act("abort/1/1")


def erased(bench: Bench) -> None:
    """Somebody deletes the route half-way: the canary begins again."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.delete(VIRTUAL_SERVICES)
    until(lambda: bench.weight != 40, "the route is gone")
    reaches(bench, 40)
    bench.act("abort/1/1")


def reset(bench: Bench) -> None:
    """Somebody gives the canary everything half-way, and adds a route and retries: only the first is taken back; the canary begins again."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    route = bench.route()
    assert route is not None
    for share, weight in zip(route["spec"]["http"][0]["route"], (0, 100), strict=True):
        share["weight"] = weight
    managed = {**route["spec"]["http"][0], "retries": {"attempts": 2}}
    before = {"name": "users", "match": [{"uri": {"prefix": "/users"}}], "directResponse": {"status": 204}}
    written = bench.change({"spec": {"http": [before, managed]}}, VIRTUAL_SERVICES)
    until(lambda: _written_since(bench, written), "it is taken back")
    reaches(bench, 40)
    bench.act("abort/1/1")


def reborn(bench: Bench) -> None:
    """Somebody takes the finalizer off, deletes the CanaryRelease half-way and makes it anew: the routing carries marks of one that is gone."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.change({"metadata": {"finalizers": None}})
    bench.delete()
    until(lambda: gone(bench), "gone")
    bench.create(version="v1", stableVersion="v1", steps=steps(SHORT))
    until(lambda: bench.status.get("phase") == "Stable", "taken over")
    bench.change({"spec": {"version": "v2"}})


def shows(bench: Bench, phase: str, weight: int = 0) -> None:
    """Waits until status says so."""
    until(lambda: (bench.status.get("phase"), bench.status.get("weight")) == (phase, weight), f"{phase} at {weight} %", 30)


def approved(bench: Bench) -> None:
    """A person is asked before 40 percent, and before all of it."""
    bench.change({"spec": {"version": "v2"}})
    for n, weight in enumerate((20, 40), 1):
        shows(bench, "Waiting", weight)
        bench.act(f"approve/1/{n}")


def by_hand(bench: Bench) -> None:
    """Paused, resumed, and promoted by hand."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.act("pause/1/1")
    shows(bench, "Suspended", 20)
    bench.act("resume/1/2")
    shows(bench, "Progressing", 20)
    bench.act("promote/1/3")


def suspended(bench: Bench) -> None:
    """Suspended before the release starts, and while it runs; withdrawn while it is suspended."""
    bench.change({"spec": {"version": "v2", "suspend": True}})
    shows(bench, "Suspended", 0)
    bench.change({"spec": {"suspend": False}})
    reaches(bench, 20)
    bench.change({"spec": {"suspend": True}})
    shows(bench, "Suspended", 20)
    bench.change({"spec": {"version": "v1"}})


def held(bench: Bench) -> None:
    """A failing canary is held where it is, until a person takes its traffic back."""
    bench.change({"spec": {"version": "v2"}})
    shows(bench, "Blocked", 20)
    bench.act("abort/1/1")


def fought(bench: Bench) -> None:
    """Somebody gives the canary more than it has earned, three times; it is taken back each time."""
    bench.change({"spec": {"version": "v2"}})
    for _ in range(3):
        reaches(bench, 20)
        route = bench.route()
        assert route is not None
        for share, weight in zip(route["spec"]["http"][0]["route"], (40, 60), strict=True):
            share["weight"] = weight
        written = bench.change({"spec": {"http": route["spec"]["http"]}}, VIRTUAL_SERVICES)
        until(lambda written=written: _written_since(bench, written), "it is taken back")
    reaches(bench, 20)
    bench.act("abort/1/1")


def _written_since(bench: Bench, written: Document) -> bool:
    route = bench.route()
    return route is not None and int(route["metadata"]["resourceVersion"]) > int(written["metadata"]["resourceVersion"])
