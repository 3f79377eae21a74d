"""The pass itself when the API server refuses: what it writes instead, how often it asks again, what it tells and when."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from canary_operator.api.names import ACTION, FINALIZER
from canary_operator.asker import Asker
from canary_operator.cache import Cache
from canary_operator.clients.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotLeading,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WebhookUnavailable,
)
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, ENDPOINT_SLICE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.clients.kubernetes import Cluster
from canary_operator.instrumentation import Metrics
from canary_operator.lister import Lister
from canary_operator.reconcile import as_json, reconciler
from canary_operator.refusals import LONGEST_PAUSE, PATIENCE, Refusals, cause_of
from canary_operator.release.model import EnsureWeights, Mark
from canary_operator.release.refusal import Cause
from canary_operator.sampler import Sampler
from canary_operator.settings import Provider, Settings
from canary_operator.shell import Shell
from canary_operator.surroundings import Surroundings
from canary_operator.workqueue import Pass
from tests.builders import NOW, release
from tests.shell.applying import HOST, KEY, MARK, Document, named, split
from tests.shell.memory import Memory

DENIED = Invalid("patch VirtualService shop/reviews: ValidatingAdmissionPolicy 'freeze' denied request: change freeze")
UID = "uid-1"
AT_25 = release().at_step(3, since=60)


class Refusing(Memory):
    """An API server in memory that refuses some writes, in its own words."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, ClusterError] = {}
        """By kind; `status`: that of a CanaryRelease."""
        self.tried: list[str] = []
        """Kinds of the writes that were refused."""

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> Document:
        self._refuse(kind.kind)
        return await super().create(kind, document)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], **options: object) -> Document:
        self._refuse(kind.kind)
        return await super().merge_patch(kind, namespace, name, body, **options)

    async def json_patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], **options: object
    ) -> Document:
        self._refuse("status" if options.get("subresource") else kind.kind)
        return await super().json_patch(kind, namespace, name, operations, **options)

    async def find_metadata(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> list[Document]:
        return []

    def _refuse(self, what: str) -> None:
        if what in self.refused:
            self.tried.append(what)
            raise self.refused[what]


class Place:
    """A release at 25 %, before the API server in memory."""

    def __init__(self) -> None:
        self.memory, self.cache = Refusing(), Cache(wall=lambda: NOW)
        metadata = {"uid": UID, "generation": 1, "finalizers": [FINALIZER], "annotations": {}}
        steps = [{"weight": weight} for weight in (5, 10, 25, 50)]
        spec = {"service": {"name": "reviews"}, "version": "v2", "steps": steps}
        self._put(CANARY_RELEASE, {**named("reviews", spec, **metadata), "status": as_json(AT_25.status())})
        self._put(SERVICE, named("reviews", {"ports": [{"name": "http", "port": 9080}], "selector": {"app": "reviews"}}))
        for version in ("v1", "v2"):
            self._deploy(version)
        marked = {"labels": {"canary.rollouts.dev/release": "reviews"}, "annotations": {MARK: f"{UID}/1/9/25/StepPassed"}}
        http = {**split("canary-release", 25), "route": [_share("stable", 75), _share("canary", 25)]}
        self._put(VIRTUAL_SERVICE, named("reviews", {"hosts": [HOST], "http": [http]}, **marked))
        subsets = [{"name": name, "labels": {"version": version}} for name, version in (("stable", "v1"), ("canary", "v2"))]
        self._put(DESTINATION_RULE, named("reviews", {"host": HOST, "subsets": subsets}, **marked))
        self.cache.mark_synced()
        self.look: Pass = reconciler(self._shell())

    def _put(self, kind: Kind, document: Document) -> None:
        self.cache.store(kind, self.memory.put(kind, document))

    def _deploy(self, version: str) -> None:
        labels = {"app": "reviews", "version": version, "pod-template-hash": "t1"}
        template = {"metadata": {"labels": labels}}
        owner = [{"name": f"app-{version}", "controller": True, "kind": "Deployment"}]
        self._put(REPLICA_SET, named(f"app-{version}-t1", {"replicas": 1, "template": template}, labels=labels, ownerReferences=owner))
        endpoint = {"targetRef": {"kind": "Pod", "name": f"app-{version}-t1-abcde"}, "conditions": {"ready": True}}
        slice_ = named(f"reviews-{version}", {}, labels={"kubernetes.io/service-name": "reviews"})
        self._put(ENDPOINT_SLICE, {**slice_, "endpoints": [endpoint]})

    def _shell(self) -> Shell:
        cluster, prometheus = cast(Cluster, self.memory), cast(Any, _Silent())

        async def nothing(_: object) -> tuple[()]:
            return ()

        return Shell(
            cluster=cluster,
            cache=self.cache,
            sampler=Sampler(prometheus, self.cache, lambda key: None),
            asker=Asker(prometheus, self.cache, lambda key: None),
            surroundings=Surroundings(nothing, lambda key: None),
            lister=Lister(self.memory, self.cache, lambda key: None),
            metrics=Metrics(),
            settings=Settings(prometheus={"default": Provider("http://prometheus:9090")}),
            wake=lambda key: None,
        )

    def act(self, text: str) -> None:
        stored = self.memory.objects["CanaryRelease", *KEY]
        self._put(CANARY_RELEASE, {**stored, "metadata": {**stored["metadata"], "annotations": {ACTION: text}}})

    @property
    def status(self) -> Document:
        found: Document = self.memory.objects["CanaryRelease", *KEY]["status"]
        return found

    @property
    def events(self) -> list[str]:
        return [document["reason"] for (kind, _, _), document in self.memory.objects.items() if kind == "Event"]

    @property
    def status_writes(self) -> int:
        return self.memory.requests.count("patch CanaryRelease reviews")


class _Silent:
    """Prometheus is not asked in these tests: no sampler is started."""


def _share(subset: str, weight: int) -> Document:
    return {"destination": {"host": HOST, "subset": subset, "port": {"number": 9080}}, "weight": weight}


@pytest.fixture
async def place() -> Place:
    return Place()


async def refuses(place: Place, error: ClusterError) -> None:
    """One pass, whose write is refused."""
    with pytest.raises(type(error)):
        await place.look(KEY)


async def test_an_abort_is_heard_in_the_pass_whose_drop_is_refused(place: Place) -> None:
    place.memory.refused = {"VirtualService": DENIED}
    place.act("abort/1/1")

    await refuses(place, DENIED)

    status = place.status
    assert (status["lastAction"], status["phase"], status["reason"], status["weight"]) == ("abort/1/1", "Blocked", "WriteRefused", 25)
    assert (
        "the canary is to go to 0 % and still has 25 %: release 1 was aborted by hand at 25 %; but patch VirtualService"
        in status["message"]
    )
    assert "change freeze" in status["message"]
    assert sorted(place.events) == ["ActionTaken", "WriteRefused"]


async def test_it_is_told_once_and_asked_for_again_and_again(place: Place) -> None:
    place.memory.refused = {"VirtualService": DENIED}
    place.act("abort/1/1")
    for _ in range(5):
        await refuses(place, DENIED)

    assert place.memory.tried == ["VirtualService"] * 5, "a drop waits for nothing"
    assert (place.status_writes, len(place.events)) == (1, 2)


async def test_when_it_is_allowed_again_the_drop_is_written_and_the_reason_goes(place: Place) -> None:
    place.memory.refused = {"VirtualService": DENIED}
    place.act("abort/1/1")
    await refuses(place, DENIED)
    place.memory.refused = {}

    await place.look(KEY)

    assert (place.status["reason"], place.status["weight"], place.status["release"]["state"]) == ("Aborted", 0, "Withdrawing")
    assert next(each for each in place.status["conditions"] if each["type"] == "Stalled")["status"] == "False"


async def test_nothing_is_claimed_when_the_status_is_refused_too(place: Place) -> None:
    before = place.status
    place.memory.refused = {"VirtualService": DENIED, "status": Forbidden("patch CanaryRelease shop/reviews: no")}
    place.act("abort/1/1")

    await refuses(place, DENIED)

    assert place.status == before and not place.events


async def test_a_write_that_takes_nothing_from_the_canary_waits_for_its_next_try(place: Place) -> None:
    """Samples wake a release every few seconds; the policy is not asked each time."""
    gone = place.memory.objects["DestinationRule", *KEY]
    subsets = [each for each in gone["spec"]["subsets"] if each["name"] == "stable"]
    place._put(DESTINATION_RULE, {**gone, "spec": {**gone["spec"], "subsets": subsets}})
    place.memory.refused = {"DestinationRule": DENIED}

    await refuses(place, DENIED)
    again = [await place.look(KEY) for _ in range(3)]

    assert place.memory.tried == ["DestinationRule"]
    assert all(span is not None and 0 < span.total_seconds() <= 1 for span in again)
    assert place.status["reason"] == "WriteRefused" and place.status_writes == 1


# ------------------------------------------------------------------------------------------------------------------ what is told when

EFFECT = EnsureWeights(50, Mark(UID, 1, 10, 50, "StepPassed"))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Forbidden('patch VirtualService a/b: User "x" cannot patch resource "virtualservices"'), Cause.RIGHTS),
        (Forbidden("create VirtualService a/b: exceeded quota: routes, requested: 1, used: 1, limited: 1"), Cause.ADMISSION),
        (Forbidden('patch VirtualService a/b: admission webhook "gatekeeper" denied the request: [freeze] no'), Cause.ADMISSION),
        (Unauthorized("patch VirtualService a/b: Unauthorized"), Cause.RIGHTS),
        (DENIED, Cause.ADMISSION),
        (WebhookUnavailable('patch VirtualService a/b: failed calling webhook "validation.istio.io"'), Cause.WEBHOOK),
        (Conflict("patch VirtualService a/b: the object has been modified"), Cause.CONFLICT),
        (NotFound("patch VirtualService a/b: not found"), Cause.MISSING),
        (TooManyRequests("patch VirtualService a/b: later", 1), Cause.BUSY),
        (Unavailable("patch VirtualService a/b: no answer within 5 s"), Cause.SILENT),
        (NotLeading("patch VirtualService a/b: not sent"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ClusterError) else str(value),
)
def test_what_an_error_means(error: ClusterError, cause: Cause | None) -> None:
    assert cause_of(error) is cause


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("error", "awaited", "told"),
    [
        pytest.param(DENIED, False, True, id="a policy: at once"),
        pytest.param(WebhookUnavailable("x"), False, True, id="a webhook that is away: at once"),
        pytest.param(Conflict("x"), False, False, id="a conflict: the next try may go through"),
        pytest.param(Conflict("x"), True, False, id="also when an abort was heard"),
        pytest.param(Unavailable("x"), False, False, id="no answer: the next try may get one"),
        pytest.param(Unavailable("x"), True, True, id="somebody waits for an answer"),
        pytest.param(NotLeading("x"), True, False, id="another replica works"),
    ],
)
def test_when_a_refusal_is_told(error: ClusterError, awaited: bool, told: bool) -> None:
    refusals = Refusals(Clock())
    assert (refusals.met(KEY, EFFECT, error, began=100.0, awaited=awaited) is not None) == told


@pytest.mark.parametrize("error", [Conflict("x"), Unavailable("x"), TooManyRequests("x", 1)], ids=lambda error: type(error).__name__)
def test_what_does_not_end_is_told(error: ClusterError) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.met(KEY, EFFECT, error, began=clock.now, awaited=False)
    clock.now += PATIENCE / 2
    assert refusals.met(KEY, EFFECT, error, began=clock.now, awaited=False) is None
    clock.now += PATIENCE / 2
    assert refusals.met(KEY, EFFECT, error, began=clock.now, awaited=False) is not None
    refusals.forget(KEY)
    assert refusals.met(KEY, EFFECT, error, began=clock.now, awaited=False) is None, "after a pass that came through it begins anew"


def test_the_pauses_grow_up_to_a_bound() -> None:
    clock, pauses = Clock(), []
    refusals = Refusals(clock)
    for _ in range(7):
        refusals.met(KEY, EFFECT, DENIED, began=clock.now, awaited=False)
        waits = refusals.waits(KEY, (EFFECT,))
        assert waits is not None
        pauses.append(waits[1])
        clock.now += waits[1]
        assert refusals.waits(KEY, (EFFECT,)) is None
    assert pauses == [1, 2, 4, 8, 10, 10, 10] and LONGEST_PAUSE == 10


def test_another_write_is_asked_for_at_once() -> None:
    refusals = Refusals(Clock())
    refusals.met(KEY, EFFECT, DENIED, began=100.0, awaited=False)
    assert refusals.waits(KEY, (EnsureWeights(25, EFFECT.mark),)) is None
