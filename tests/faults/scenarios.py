"""What users do, step by step, each step when the one before has had its effect; and when all is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


GATED = [{"weight": 20, "hold": SHORT}, {"weight": 40, "hold": SHORT, "approval": "Required"}, {"weight": 100, "approval": "Required"}]


def _at_rest(bench: Bench, outcome: str, number: int = 1) -> bool:
    """The release of this number has ended so, nothing runs, and status speaks of the spec as it is."""
    if bench.release is None:
        return False
    metadata, status = bench.release["metadata"], bench.status
    past, release = status.get("lastRelease") or {}, status.get("release") or {}
    answered = status.get("observedGeneration") == metadata["generation"]
    return answered and (past.get("outcome"), past.get("number")) == (outcome, number) and release.get("state") == "Stable"


def ends(outcome: str, number: int = 1) -> Callable[[Bench], bool]:
    """The story is over when this release has ended so."""
    return lambda bench: _at_rest(bench, outcome, number)


def gone(bench: Bench) -> bool:
    """The story is over when there is no CanaryRelease any more."""
    return bench.release is None


def reaches(bench: Bench, weight: int) -> None:
    """Waits until the canary has this weight."""
    until(lambda: bench.weight == weight, f"weight {weight}", 30)


def _good(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})


def _adoption(bench: Bench) -> None:
    bench.create(version="v2", stableVersion="v1", steps=steps(SHORT, SHORT))


def _abort(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.act("abort/1/1")


def _deleted(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.delete()


def _recreated(bench: Bench) -> None:
    _deleted(bench)
    until(lambda: gone(bench), "deleted")
    bench.create(version="v2", stableVersion="v1", steps=steps(SHORT))


def _superseded(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.change({"spec": {"version": "v3", "steps": steps(SHORT)}})


def _retargeted(bench: Bench) -> None:
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.change({"spec": {"version": "v1"}})


def _retried(bench: Bench) -> None:
    _abort(bench)
    until(lambda: _at_rest(bench, "Withdrawn"), "withdrawn")
    bench.change({"metadata": {"annotations": {"canary.rollouts.dev/action": "retry/1/2"}}, "spec": {"steps": steps(SHORT)}})


def _lost(bench: Bench) -> None:
    """All pods of the canary vanish, twice; in the end they are there again."""
    bench.change({"spec": {"version": "v2"}})
    for _ in range(2):
        reaches(bench, 40)
        bench.scale("v2", 0)
        reaches(bench, 0)
        bench.scale("v2", 1)


def _conflict(bench: Bench) -> None:
    """Somebody makes a second CanaryRelease of the service while a release of the first runs."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.create(SECOND, version="v3", stableVersion="v1", steps=steps(SHORT))
    until(lambda: bench.status_of(SECOND).get("phase") == "Blocked", "the second is blocked")
    bench.act("abort/1/1")


def _erased(bench: Bench) -> None:
    """Somebody deletes the route half-way: the canary begins again."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 40)
    bench.delete(VIRTUAL_SERVICES)
    until(lambda: bench.weight != 40, "the route is gone")
    reaches(bench, 40)
    bench.act("abort/1/1")


def _reset(bench: Bench) -> None:
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


def _reborn(bench: Bench) -> None:
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


def _approved(bench: Bench) -> None:
    """A person is asked before 40 percent, and before all of it."""
    bench.change({"spec": {"version": "v2"}})
    for n, weight in enumerate((20, 40), 1):
        shows(bench, "Waiting", weight)
        bench.act(f"approve/1/{n}")


def _by_hand(bench: Bench) -> None:
    """Paused, resumed, and promoted by hand."""
    bench.change({"spec": {"version": "v2"}})
    reaches(bench, 20)
    bench.act("pause/1/1")
    shows(bench, "Suspended", 20)
    bench.act("resume/1/2")
    shows(bench, "Progressing", 20)
    bench.act("promote/1/3")


def _suspended(bench: Bench) -> None:
    """Suspended before the release starts, and while it runs; withdrawn while it is suspended."""
    bench.change({"spec": {"version": "v2", "suspend": True}})
    shows(bench, "Suspended", 0)
    bench.change({"spec": {"suspend": False}})
    reaches(bench, 20)
    bench.change({"spec": {"suspend": True}})
    shows(bench, "Suspended", 20)
    bench.change({"spec": {"version": "v1"}})


def _written_since(bench: Bench, written: Document) -> bool:
    route = bench.route()
    return route is not None and int(route["metadata"]["resourceVersion"]) > int(written["metadata"]["resourceVersion"])


def _users_objects(bench: Bench) -> None:
    """Two VirtualServices with three routes to attach to, and a DestinationRule, all with more in them than the operator needs."""
    host = f"{bench.service}.{bench.namespace}.svc.cluster.local"
    split = [{"destination": {"host": host, "subset": subset}, "weight": weight} for subset, weight in (("stable", 100), ("canary", 0))]
    picky = {"match": [{"headers": {"x-user": {"exact": "ann"}}}], "name": "picky", "route": [*split], "retries": {"attempts": 3}}
    other = {"match": [{"uri": {"prefix": "/static"}}], "name": "static", "directResponse": {"status": 204}}
    main = {"name": "main", "route": split, "timeout": "3s"}
    bench.apply(
        _users("VirtualService", bench, "inside", {"hosts": [host], "http": [other, picky, main]}),
        _users("VirtualService", bench, "outside", {"hosts": ["a.example.com"], "gateways": ["infra/public"], "http": [{"route": split}]}),
        _users(
            "DestinationRule",
            bench,
            "policies",
            {
                "host": host,
                "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 9}}},
                "subsets": [{"name": "theirs", "labels": {"app": "x"}}],
            },
        ),
        manager="git",
    )


def _root(bench: Bench) -> None:
    """A VirtualService that delegates to the one of the release."""
    http = [{"name": "all", "delegate": {"name": bench.service}}]
    bench.apply(
        _users("VirtualService", bench, "root", {"hosts": ["a.example.com"], "gateways": ["infra/public"], "http": http}), manager="git"
    )


def _users(kind: str, bench: Bench, name: str, spec: Document) -> Document:
    metadata = {"name": name, "namespace": bench.namespace, "annotations": {"team": "shop"}}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


ATTACH = {"attach": [{"virtualService": "inside", "routes": ["picky", "main"]}, {"virtualService": "outside"}]}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story."""

    story: Callable[[Bench], None]
    """What is done while faults may strike."""
    over: Callable[[Bench], bool]
    """Nothing more is to come."""
    service: str = "reviews"
    steps: list[dict[str, Any]] = field(default_factory=lambda: steps(SHORT, SHORT))
    adopted: bool = True
    """The route has been taken over before the story begins."""
    failing: Mapping[str, float] = field(default_factory=dict)
    """Share of failed requests per version, 0 to 1."""
    forgetful: bool = False
    """Once traffic has left the failing versions, Prometheus remembers nothing of it: only what was written says why."""

    traffic: Document | None = None
    """`spec.traffic`."""
    users: Callable[[Bench], None] = lambda bench: None
    """What a user has made before."""

    def prepare(self, bench: Bench) -> None:
        """What is there before the operator starts."""
        self.users(bench)
        if self.adopted:
            traffic = {"traffic": self.traffic} if self.traffic else {}
            bench.create(version="v1", stableVersion="v1", steps=self.steps, **traffic)

    def begun(self, bench: Bench) -> bool:
        """Whether the story may begin."""
        return not self.adopted or bench.status.get("phase") == "Stable"


SCENARIOS: Mapping[str, Scenario] = {
    "good": Scenario(_good, ends("Promoted")),
    "bad": Scenario(_good, ends("RolledBack"), failing={"v2": 0.5}),
    "forgotten": Scenario(_good, ends("RolledBack"), failing={"v2": 0.5}, forgetful=True),
    "adoption": Scenario(_adoption, ends("Promoted"), adopted=False),
    "abort": Scenario(_abort, ends("Withdrawn"), steps=steps(LONG, LONG)),
    "retried": Scenario(_retried, ends("Promoted", 2), steps=steps(LONG)),
    "superseded": Scenario(_superseded, ends("Promoted", 2), steps=steps(SHORT, LONG)),
    "retargeted": Scenario(_retargeted, ends("Withdrawn"), steps=steps(SHORT, LONG)),
    "deleted": Scenario(_deleted, gone, steps=steps(SHORT, LONG)),
    "removed": Scenario(lambda bench: bench.delete(), gone, service="ratings"),
    "recreated": Scenario(_recreated, ends("Promoted"), steps=steps(SHORT, LONG)),
    "lost": Scenario(
        _lost, lambda bench: _at_rest(bench, "RolledBack") and bench.status["phase"] == "RolledBack", steps=steps(SHORT, LONG)
    ),
    "conflict": Scenario(_conflict, ends("Withdrawn"), steps=steps(LONG)),
    "erased": Scenario(_erased, ends("Withdrawn"), steps=steps(SHORT, LONG)),
    "reborn": Scenario(_reborn, ends("Promoted"), steps=steps(SHORT, LONG)),
    "approved": Scenario(_approved, ends("Promoted"), steps=GATED),
    "by-hand": Scenario(_by_hand, ends("Promoted"), steps=steps(LONG, LONG)),
    "suspended": Scenario(_suspended, lambda bench: _at_rest(bench, "Withdrawn") and bench.status["reason"] == "AtRest", steps=steps(LONG)),
    "attached": Scenario(_good, ends("Promoted"), traffic=ATTACH, users=_users_objects),
    "detached": Scenario(_deleted, gone, steps=steps(SHORT, LONG), traffic=ATTACH, users=_users_objects),
    "delegate": Scenario(_abort, ends("Withdrawn"), steps=steps(LONG), traffic={"delegate": {}}, users=_root),
    "reset": Scenario(_reset, ends("Withdrawn"), steps=steps(SHORT, LONG)),
}

FROZEN = {
    "retried:8:after": "after the restart a settle time was pending, and the retry was taken for one without a meaning",
    "removed:3:conflict": "a deletion that was answered with 409 counted as done, and the DestinationRule outlived the finalizer",
    "recreated:1:before": "what the deleted CanaryRelease had left behind stood in the way of its namesake",
}
"""Plans that diverged once, and why; tried for ever."""
