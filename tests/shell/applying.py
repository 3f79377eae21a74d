"""One CanaryRelease in a cluster in memory, and operators that see it as it is when they start."""

from dataclasses import dataclass, field
from typing import Any, cast

from canary_operator.apply import apply
from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.clients.kubernetes import Cluster
from canary_operator.hands import Hands
from canary_operator.release.model import Effect, Mark
from canary_operator.subject import Subject, subject
from tests.shell.memory import Memory

HOST = "reviews.shop.svc.cluster.local"
KEY = Key("shop", "reviews")
MARK = "canary.rollouts.dev/mark"
USERS_MARK = "mark.canary.rollouts.dev/reviews"
Document = dict[str, Any]


def named(name: str, spec: Document, **metadata: Any) -> Document:
    return {"metadata": {"namespace": "shop", "name": name} | metadata, "spec": spec}


def split(name: str = "primary", canary: int = 0, **more: Any) -> Document:
    shares = [{"destination": {"host": "reviews", "subset": s}, "weight": w} for s, w in (("stable", 100 - canary), ("canary", canary))]
    return {"name": name, "route": shares, **more}


@dataclass
class Process:
    """One operator with its own picture of the cluster."""

    memory: Memory
    cache: Cache
    woken: list[Key] = field(default_factory=list)

    @property
    def it(self) -> Subject:
        found = subject(KEY, self.cache)
        assert found is not None
        return found

    async def reach(self, *effects: Effect) -> None:
        for effect in effects:
            await apply(effect, self.it, Hands(cast(Cluster, self.memory), self.cache, self.woken.extend), dict)

    def mark(self, seq: int, weight: int = 0) -> Mark:
        return Mark(self.it.uid, 1, seq, weight, "StepPassed")


class World:
    """A cluster with one CanaryRelease; `process` starts an operator that sees it as it is now."""

    def __init__(self, **traffic: Any) -> None:
        self.memory = Memory()
        spec = {"service": {"name": "reviews"}, "version": "v2", **({"traffic": traffic} if traffic else {})}
        self.memory.put(CANARY_RELEASE, named("reviews", spec, generation=1))
        self.memory.put(SERVICE, named("reviews", {"ports": [{"port": 9080}], "selector": {"app": "reviews"}}))

    def process(self, *, age: float = 0) -> Process:
        """An operator that started so many seconds ago, and has seen nothing change since."""
        seconds = [0.0]
        cache = Cache(monotonic=lambda: seconds[0])
        for kind in (CANARY_RELEASE, SERVICE, VIRTUAL_SERVICE, DESTINATION_RULE):
            for (of, _, _), document in self.memory.objects.items():
                if of == kind.kind:
                    cache.store(kind, document)
        cache.mark_synced()
        seconds[0] = age
        return Process(self.memory, cache)

    def spec(self, kind: str, name: str) -> Document:
        found: Document = self.memory.objects[kind, "shop", name]["spec"]
        return found

    def metadata(self, kind: str, name: str) -> Document:
        found: Document = self.memory.objects[kind, "shop", name]["metadata"]
        return found


TWO = {"attach": [{"virtualService": "web", "routes": ["primary"]}, {"virtualService": "api"}]}


def attached() -> World:
    world = World(**TWO)
    world.memory.put(VIRTUAL_SERVICE, named("web", {"hosts": ["a"], "http": [split(timeout="1s"), split("other")]}))
    world.memory.put(VIRTUAL_SERVICE, named("api", {"hosts": ["b"], "http": [split(mirrors=[{"destination": {"host": "log"}}])]}))
    return world
