"""The virtual world: traffic follows the routing, Prometheus counts it, time costs nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.analysis.samples import NoData, QueryFailed, Samples
from canary_operator.api.spec import CanaryReleaseSpec, ServiceRef
from canary_operator.api.status import State
from canary_operator.release.model import Ask, Mark
from canary_operator.simulation.api import Api, Fault, Stale
from canary_operator.simulation.draws import expected
from canary_operator.simulation.objects import UID, Route, Subsets
from canary_operator.simulation.prometheus import Mode
from canary_operator.simulation.world import EPOCH, World

SPEC = CanaryReleaseSpec(service=ServiceRef(name="reviews"), version="v1")
ASK = Ask(("app-v2",), ("app-v1",), None)


def world(weight: int | None = None, stable: str | None = "v1", canary: str | None = "v2") -> World:
    """Two versions serve, and no operator is there to interfere."""
    made = World(SPEC, rate=100)
    made.process = None
    made.deploy("v1", pods=3)
    made.deploy("v2", pods=1)
    if weight is not None:
        made.drift(route=Route(weight), subsets=Subsets(stable, canary))
    return made


@pytest.mark.parametrize(
    ("made", "served", "lost"),
    [
        pytest.param(world(), {"v1@t1": 750, "v2@t1": 250}, 0, id="no route: by the number of pods"),
        pytest.param(world(10), {"v1@t1": 900, "v2@t1": 100}, 0, id="a route: by weight"),
        pytest.param(world(10, canary="v1"), {"v1@t1": 1000}, 0, id="both subsets select one version"),
        pytest.param(world(10, canary=None), {"v1@t1": 900}, 100, id="a missing subset loses its share"),
        pytest.param(world(10, canary="v9"), {"v1@t1": 900}, 100, id="a subset that selects nobody loses its share"),
    ],
)
def test_requests_go_where_the_routing_sends_them(made: World, served: dict[str, int], lost: int) -> None:
    made.run(10)
    assert made.traffic.served == served
    assert made.traffic.lost.no_subset + made.traffic.lost.no_pods == lost


@given(st.integers(0, 100), st.integers(1, 3), st.floats(0.5, 300), st.floats(0, 1))
def test_no_request_is_forgotten(weight: int, targets: int, rate: float, share: float) -> None:
    made = world(weight)
    made.traffic.rate, made.traffic.targets = rate, tuple(f"gateway-{n}" for n in range(targets))
    made.fail("v2@t1", share)
    made.run(20)
    assert sum(made.traffic.served.values()) == pytest.approx(20 * rate, abs=1)
    assert sum(made.traffic.counters.values()) == sum(made.traffic.served.values())
    assert made.traffic.failed.get("v2@t1", 0) == pytest.approx(share * made.traffic.served["v2@t1"], abs=targets + 1) if weight else True


def test_samples_are_raw_counters_at_the_time_of_their_scrape() -> None:
    made = world(50)
    made.run(10)
    answer = made.prometheus.answer(ASK, EPOCH + 10)
    assert isinstance(answer, Samples)
    found = {
        series.labels["destination_workload"]: [(point.time - EPOCH, point.value) for point in series.points] for series in answer.series
    }
    assert found == {"app-v1": [(2.5, 125.0), (7.5, 375.0)], "app-v2": [(2.5, 125.0), (7.5, 375.0)]}


@pytest.mark.parametrize(
    ("mode", "kind", "scrapes"),
    [
        (Mode.WORKING, Samples, 4),
        (Mode.FROZEN, Samples, 2),
        (Mode.EMPTY, NoData, 4),
        (Mode.REFUSING, QueryFailed, 4),
        (Mode.DOWN, QueryFailed, 2),
        (Mode.CANARY_BLIND, Samples, 4),
    ],
)
def test_prometheus_fails_in_every_way(mode: Mode, kind: type, scrapes: int) -> None:
    made = world(50)
    made.run(10)
    made.prometheus_is(mode)
    made.run(10)
    answer = made.prometheus.answer(ASK, EPOCH + 20)
    assert isinstance(answer, kind)
    assert len(made.prometheus.scraped) == scrapes
    if isinstance(answer, Samples):
        assert ("app-v2" in {series.labels["destination_workload"] for series in answer.series}) is (mode is not Mode.CANARY_BLIND)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.floats(0, 1))
def test_expected_values_add_up(parts: list[int], p: float) -> None:
    draw = expected()
    drawn = [draw(n, p) for n in parts]
    assert all(0 <= each <= n for each, n in zip(drawn, parts, strict=True))
    assert sum(drawn) == pytest.approx(sum(parts) * p, abs=1.001)


def test_who_does_not_outrank_the_mark_writes_nothing() -> None:
    made = world(10)
    api = Api(made.cluster)
    made.drift(route=Route(10, mark=Mark(UID, 1, 5, 10, "StepPassed")))
    for stale in (Mark(UID, 1, 4, 0, "Drift"), Mark(UID, 0, 9, 0, "Drift"), Mark(UID, 1, 5, 0, "Drift")):
        with pytest.raises(Stale):
            api.weights(0, stale)
    assert made.weight == 10
    api.weights(0, Mark(UID, 1, 6, 0, "Drift"))
    assert made.weight == 0


@pytest.mark.parametrize(("fault", "written"), [(fault, fault in (Fault.CRASH_AFTER, Fault.REPLY_LOST)) for fault in Fault])
def test_a_write_goes_wrong_as_ordered(fault: Fault, written: bool) -> None:
    made = World(SPEC)
    made.deploy("v1")
    made.api.faults = {0: fault}
    made.run(0)
    assert made.cluster.now.resource is not None
    assert made.cluster.now.resource.finalizer is written
    assert (made.process is None) is (fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER))
    made.run(60)
    assert made.state is State.STABLE


def test_a_hanging_process_knows_only_what_it_knew() -> None:
    made = World(SPEC)
    made.deploy("v1")
    made.run(30)
    hanging = made.pause()
    made.edit(version="v2")
    made.run(1)
    assert hanging.cache is not None and hanging.cache.resource is not None
    assert hanging.cache.resource.spec.version == "v1"


def test_an_hour_of_release_is_played_in_few_passes() -> None:
    made = World(replace(SPEC))
    made.deploy("v1")
    made.run(30)
    made.deploy("v2")
    made.edit(version="v2")
    made.run(3600)
    assert made.state is State.STABLE
    assert len(made.passes) < 130
