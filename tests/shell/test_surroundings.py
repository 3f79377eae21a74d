"""What is read while a release needs it: once for all, again after a minute, never at rest; and no pass waits for it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from canary_operator.analysis.samples import Answer, NoData, Point, QueryFailed, Samples, Series
from canary_operator.cache import Key
from canary_operator.clients.errors import ClusterError, Forbidden, NotFound, TooManyRequests, Unauthorized, Unavailable
from canary_operator.clients.kinds import LOOKED_UP, Kind
from canary_operator.preflight.reading import RESOURCES, Failed, Listing, NotPermitted, Read, Unserved
from canary_operator.surroundings import AT_ONCE, FRESH, GATEWAY_PODS, Reader, Surroundings
from tests.shell.virtual_time import now, run

ONE, OTHER = Key("shop", "reviews"), Key("shop", "ratings")
PODS, NAMESPACE = Read("Pod", "shop", selector="app=reviews"), Read("Namespace", name="shop")


class World:
    """An API server that answers after a tenth of a second."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Read]] = []
        self.woken: list[tuple[float, Key]] = []
        self.flying = self.most = 0
        self.content: Callable[[Read], Listing] = lambda read: ()

    async def read(self, read: Read) -> Listing:
        self.asked.append((now(), read))
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(0.1)
        self.flying -= 1
        return self.content(read)

    def times(self, read: Read = PODS) -> list[float]:
        return [round(at, 1) for at, asked in self.asked if asked == read]


def play(world: World, script: Callable[[Surroundings], Awaitable[object]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        surroundings = Surroundings(world.read, lambda key: world.woken.append((round(now(), 1), key)), monotonic=loop.time)
        await script(surroundings)
        await surroundings.stop()

    run(main())


def fails(*errors: ClusterError) -> Callable[[Read], Listing]:
    """These errors first, then an empty list."""
    left = list(errors)

    def content(read: Read) -> Listing:
        if left:
            raise left.pop(0)
        return ()

    return content


def test_a_release_is_woken_when_what_it_wants_is_there() -> None:
    world = World()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS, NAMESPACE))
        assert surroundings.known(ONE) == {}
        await asyncio.sleep(1)
        assert surroundings.known(ONE) == {PODS: (), NAMESPACE: ()}

    play(world, script)
    assert world.woken == [(0.1, ONE), (0.1, ONE)]


def test_it_is_read_again_every_minute_while_it_is_wanted_and_wakes_nobody_without_news() -> None:
    world = World()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(200)

    play(world, script)
    assert world.times() == [0, 60.1, 120.2, 180.3]
    assert world.woken == [(0.1, ONE)]


def test_a_change_wakes_everybody_who_wants_it() -> None:
    world = World()
    world.content = lambda read: () if now() < 1 else ({"metadata": {"name": "new"}},)

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        surroundings.want(OTHER, (PODS,))
        await asyncio.sleep(100)

    play(world, script)
    assert world.woken == [(0.1, OTHER), (0.1, ONE), (60.2, OTHER), (60.2, ONE)]


def test_nothing_is_read_for_nobody() -> None:
    world = World()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(1)
        surroundings.want(ONE, ())
        assert surroundings.known(ONE) == {}
        await asyncio.sleep(600)

    play(world, script)
    assert world.times() == [0]


@pytest.mark.parametrize(
    ("pause", "reads"),
    [pytest.param(30, [0], id="what is fresh serves the next"), pytest.param(FRESH + 1, [0, 62], id="what is old is read anew")],
)
def test_releases_share_what_was_read_within_a_minute(pause: float, reads: list[float]) -> None:
    world = World()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(1)
        surroundings.want(ONE, ())
        await asyncio.sleep(pause)
        surroundings.want(OTHER, (PODS,))
        await asyncio.sleep(1)
        assert surroundings.known(OTHER) == {PODS: ()}

    play(world, script)
    assert world.times() == reads
    assert world.woken[-1][1] == OTHER


def test_a_read_that_fails_is_told_and_tried_again() -> None:
    world = World()
    world.content = fails(Unavailable("list Pod shop: HTTP 503"), Unavailable("list Pod shop: HTTP 503"))

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(1)
        assert (surroundings.known(ONE), surroundings.trouble(ONE)) == ({}, "list Pod shop: HTTP 503")
        await asyncio.sleep(10)
        assert (surroundings.known(ONE), surroundings.trouble(ONE)) == ({PODS: ()}, None)

    play(world, script)
    assert world.times() == [0, 2.1, 6.2]


def test_what_was_read_counts_while_it_cannot_be_read_again() -> None:
    world = World()
    world.content = lambda read: () if now() < 1 else fails(Unavailable("away"))(read)

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(100)
        assert (surroundings.known(ONE), surroundings.trouble(ONE)) == ({PODS: ()}, None)

    play(world, script)


def test_patience_that_the_server_asks_for_is_given() -> None:
    world = World()
    world.content = fails(TooManyRequests("later", 20))

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(30)

    play(world, script)
    assert world.times() == [0, 20.1]


def test_prometheus_is_asked_again_soon_when_it_failed() -> None:
    world = World()
    world.content = lambda read: Failed("no answer") if now() < 5 else ()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(30)

    play(world, script)
    assert world.times() == [0, 10.1]


def test_few_reads_are_made_at_once() -> None:
    world = World()

    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, [Read("Sidecar", f"client-{number}") for number in range(20)])
        await asyncio.sleep(5)

    play(world, script)
    assert world.most == AT_ONCE
    assert len(world.woken) == 20


# ------------------------------------------------------------------------------------------------------------------------ the reader


class Cluster:
    """Finds what it is given, or fails."""

    def __init__(self, found: list[dict[str, Any]] | ClusterError) -> None:
        self._found = found
        self.most: list[int | None] = []

    async def find(
        self, kind: Kind, namespace: str | None, name: str | None, selector: str = "", *, most: int | None = None
    ) -> list[dict[str, Any]]:
        self.most.append(most)
        if isinstance(self._found, ClusterError):
            raise self._found
        return self._found


class Prometheus:
    """Answers what it is given."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.texts: list[tuple[str, str]] = []

    async def query(self, provider: str, text: str) -> Answer:
        self.texts.append((provider, text))
        return self._answer


def read(read: Read, found: list[dict[str, Any]] | ClusterError | None = None, answer: Answer | None = None) -> Listing:
    return run(Reader(Cluster(found or []), Prometheus(answer or NoData("x"))).read(read))


@pytest.mark.parametrize(
    ("found", "listing"),
    [
        pytest.param([], (), id="nothing there"),
        pytest.param(Forbidden("no"), NotPermitted(), id="no right"),
        pytest.param(NotFound("no such kind"), Unserved(), id="no such kind"),
    ],
)
def test_what_a_list_comes_to(found: list[dict[str, Any]] | ClusterError, listing: Listing) -> None:
    assert read(PODS, found) == listing


def test_credentials_that_expired_are_no_missing_right() -> None:
    with pytest.raises(Unauthorized):
        read(PODS, Unauthorized("expired"))


def test_of_a_pod_only_what_the_checks_go_by_is_kept() -> None:
    pod = {
        "metadata": {"name": "a", "namespace": "shop", "labels": {"app": "reviews"}, "managedFields": [1], "annotations": {"x": "y"}},
        "spec": {
            "containers": [{"name": "app", "env": [{"name": "TOKEN", "value": "secret"}]}],
            "initContainers": [{"name": "istio-proxy"}],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized"}], "podIP": "10.0.0.1"},
    }
    assert read(PODS, [pod]) == (
        {
            "metadata": {"name": "a", "namespace": "shop", "labels": {"app": "reviews"}},
            "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
    )


def test_a_tenants_gateway_cannot_have_all_pods_of_the_cluster_read() -> None:
    cluster = Cluster([])
    for asked in (Read("Pod", None, selector="a=b"), Read("Pod", "shop", selector="a=b"), Read("ValidatingWebhookConfiguration")):
        run(Reader(cluster, Prometheus(NoData("x"))).read(asked))
    assert cluster.most == [GATEWAY_PODS, None, None]


CALLERS = Read("Telemetry", "shop", "reviews", "default")
LABELS = {
    "reporter": "source",
    "source_workload": "web",
    "source_workload_namespace": "clients",
    "source_cluster": "east",
    "destination_cluster": "west",
    "destination_workload": "reviews-v1",
    "destination_version": "v1",
    "destination_canonical_revision": "one",
}


@pytest.mark.parametrize(
    ("answer", "listing"),
    [
        pytest.param(NoData("no series match the query"), (), id="no callers"),
        pytest.param(
            QueryFailed("Prometheus at provider default: no answer"), Failed("Prometheus at provider default: no answer"), id="away"
        ),
        pytest.param(
            Samples((Series(LABELS, (Point(1.0, 3.0), Point(31.0, 5.0))),)),
            (
                {
                    "reporter": "source",
                    "workload": "web",
                    "namespace": "clients",
                    "from_cluster": "east",
                    "to_cluster": "west",
                    "served_by": "reviews-v1",
                    "version": "v1",
                    "revision": "one",
                    "requests": 5.0,
                },
            ),
            id="a caller",
        ),
    ],
)
def test_what_telemetry_comes_to(answer: Answer, listing: Listing) -> None:
    assert read(CALLERS, answer=answer) == listing


def test_callers_are_asked_of_the_provider_that_the_release_names() -> None:
    prometheus = Prometheus(NoData("x"))
    run(Reader(Cluster([]), prometheus).read(CALLERS))
    assert prometheus.texts == [
        (
            "default",
            "sum by (reporter, source_workload, source_workload_namespace, source_cluster, destination_cluster, "
            "destination_workload, destination_version, destination_canonical_revision) "
            "(increase(istio_requests_total{"
            'destination_service_name="reviews",destination_service_namespace="shop"}[600s]))[20s:5s]',
        )
    ]


def test_rights_are_named_as_the_api_names_them() -> None:
    assert {kind.kind: kind.resource for kind in LOOKED_UP} == RESOURCES


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the operator this runs: its cost without a clock."""
    many = 0

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal many
        if "canary_operator" not in frame.f_code.co_filename:
            return None
        many += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return many


def test_what_is_wanted_costs_the_same_among_a_thousand_others() -> None:
    costs = {}
    for others in (10, 1000):
        world = World()

        async def script(surroundings: Surroundings, others: int = others) -> None:
            for number in range(others):
                surroundings.want(Key("shop", f"app-{number}"), (NAMESPACE, Read("Pod", "shop", selector=f"app=app-{number}")))
            await asyncio.sleep(others / AT_ONCE * 0.1 + 1)
            for number in range(0, others, 2):
                surroundings.want(Key("shop", f"app-{number}"), ())
            cost = lines_run(lambda: surroundings.want(ONE, (PODS, NAMESPACE)))
            await asyncio.sleep(1)
            costs[others] = cost + lines_run(lambda: surroundings.want(ONE, ()))

        play(world, script)
    assert costs[10] == costs[1000]


def test_what_nobody_wants_any_more_is_dropped_after_a_minute() -> None:
    async def script(surroundings: Surroundings) -> None:
        surroundings.want(ONE, (PODS,))
        await asyncio.sleep(1)
        surroundings.want(ONE, ())
        await asyncio.sleep(FRESH - 2)
        surroundings.want(OTHER, (PODS,))
        assert surroundings.known(OTHER) == {PODS: ()}
        surroundings.want(OTHER, ())
        await asyncio.sleep(2)
        assert not surroundings._entries

    play(World(), script)
