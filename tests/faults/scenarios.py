"""Every story with what it needs, and when it is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults import stories
from tests.faults.bench import Bench
from tests.faults.mirror import Document
from tests.faults.stories import GATED, LONG, PUBLIC, SHORT, at_rest, ends, gone, steps


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


SHOWN = {"preview": {"match": [{"header": "x-preview", "exact": "yes"}]}, "mirror": {"percent": 50, "hold": "1s"}}


PACED = {"pace": {"failureBudget": 1_000_000, "minDuration": "0s"}}
"""So dear that only growth bounds the weights: 10, 25, 50, whatever a restart lets pass by."""


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

    spec: Document = field(default_factory=dict)
    """What else the spec says."""
    users: Callable[[Bench], None] = lambda bench: None
    """What a user has made before."""

    def prepare(self, bench: Bench) -> None:
        """What is there before the operator starts."""
        self.users(bench)
        if self.adopted:
            plan = {} if "pace" in self.spec else {"steps": self.steps}
            bench.create(version="v1", stableVersion="v1", **plan, **self.spec)

    def begun(self, bench: Bench) -> bool:
        """Whether the story may begin."""
        return not self.adopted or bench.status.get("phase") == "Stable"


SCENARIOS: Mapping[str, Scenario] = {
    "good": Scenario(stories.good, ends("Promoted")),
    "bad": Scenario(stories.good, ends("RolledBack"), failing={"v2": 0.5}),
    "forgotten": Scenario(stories.good, ends("RolledBack"), failing={"v2": 0.5}, forgetful=True),
    "adoption": Scenario(stories.adoption, ends("Promoted"), adopted=False),
    "abort": Scenario(stories.abort, ends("Withdrawn"), steps=steps(LONG, LONG)),
    "retried": Scenario(stories.retried, ends("Promoted", 2), steps=steps(LONG)),
    "superseded": Scenario(stories.superseded, ends("Promoted", 2), steps=steps(SHORT, LONG)),
    "retargeted": Scenario(stories.retargeted, ends("Withdrawn"), steps=steps(SHORT, LONG)),
    "deleted": Scenario(stories.deleted, gone, steps=steps(SHORT, LONG)),
    "stranded": Scenario(stories.stranded, gone, steps=steps(SHORT, LONG)),
    "gone-home": Scenario(stories.gone_home, ends("Withdrawn"), steps=steps(LONG)),
    "rescued": Scenario(stories.rescued, ends("Promoted"), steps=steps(LONG)),
    "refused": Scenario(stories.refused, ends("Withdrawn"), steps=steps(LONG)),
    "removed": Scenario(lambda bench: bench.delete(), gone, service="ratings"),
    "left": Scenario(lambda bench: bench.delete(), gone, service="ratings", spec={"traffic": PUBLIC}),
    "left-pinned": Scenario(stories.deleted, gone, steps=steps(SHORT, LONG), spec={"traffic": PUBLIC}),
    "retaken": Scenario(stories.retaken, lambda bench: bench.status.get("phase") == "Stable", service="ratings", spec={"traffic": PUBLIC}),
    "recreated": Scenario(stories.recreated, ends("Promoted"), steps=steps(SHORT, LONG)),
    "lost": Scenario(
        stories.lost, lambda bench: at_rest(bench, "RolledBack") and bench.status["phase"] == "RolledBack", steps=steps(SHORT, LONG)
    ),
    "conflict": Scenario(stories.conflict, ends("Withdrawn"), steps=steps(LONG)),
    "erased": Scenario(stories.erased, ends("Withdrawn"), steps=steps(SHORT, LONG)),
    "reborn": Scenario(stories.reborn, ends("Promoted"), steps=steps(SHORT, LONG)),
    "approved": Scenario(stories.approved, ends("Promoted"), steps=GATED),
    "by-hand": Scenario(stories.by_hand, ends("Promoted"), steps=steps(LONG, LONG)),
    "suspended": Scenario(
        stories.suspended, lambda bench: at_rest(bench, "Withdrawn") and bench.status["reason"] == "AtRest", steps=steps(LONG)
    ),
    "attached": Scenario(stories.good, ends("Promoted"), spec={"traffic": ATTACH}, users=_users_objects),
    "detached": Scenario(stories.deleted, gone, steps=steps(SHORT, LONG), spec={"traffic": ATTACH}, users=_users_objects),
    "delegate": Scenario(stories.abort, ends("Withdrawn"), steps=steps(LONG), spec={"traffic": {"delegate": {}}}, users=_root),
    "shown": Scenario(stories.good, ends("Promoted"), spec=SHOWN),
    "hidden": Scenario(stories.deleted, gone, steps=steps(SHORT, LONG), spec=SHOWN),
    "held": Scenario(stories.held, ends("Withdrawn"), failing={"v2": 0.2}, spec={"onFailure": "Hold"}),
    "paced": Scenario(stories.good, ends("Promoted"), spec=PACED),
    "paced-bad": Scenario(stories.good, ends("RolledBack"), failing={"v2": 0.5}, spec=PACED),
    "fought": Scenario(stories.fought, ends("Withdrawn"), steps=steps(LONG)),
    "reset": Scenario(stories.reset, ends("Withdrawn"), steps=steps(SHORT, LONG)),
}

FROZEN = {
    "retried:8:after": "after the restart a settle time was pending, and the retry was taken for one without a meaning",
    "removed:3:conflict": "a deletion that was answered with 409 counted as done, and the DestinationRule outlived the finalizer",
    "recreated:1:before": "what the deleted CanaryRelease had left behind stood in the way of its namesake",
}
"""Plans that diverged once, and why; tried for ever."""
