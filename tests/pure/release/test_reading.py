"""What an answer of Prometheus is worth: how old it is, whose series it has, and what a counter that came back says."""

from dataclasses import replace
from datetime import timedelta

import pytest

from canary_operator.analysis.samples import Point, Samples, Series
from canary_operator.api.spec import Step
from canary_operator.release import reasons
from canary_operator.release.evidence import look
from canary_operator.release.reading import read
from tests.builders import NOW, Situation, release, weights

PASSED = release().at_step(2, since=120).healthy(seconds=120)
"""All that the next step needs is there; samples come every 5 s."""


def samples_of(situation: Situation) -> Samples:
    assert isinstance(situation.seen.samples, Samples)
    return situation.seen.samples


def later(situation: Situation, seconds: float) -> Situation:
    """So many seconds later, with nothing new in Prometheus."""
    return situation.observing(now=NOW + timedelta(seconds=seconds))


# ------------------------------------------------------------------------------------------------ age
@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        pytest.param(0, [25], id="just scraped"),
        pytest.param(14.9, [25], id="not quite three scrapes ago"),
        pytest.param(15.1, [], id="three scrapes ago: nothing is known of the present"),
        pytest.param(1800, [], id="half an hour ago"),
    ],
)
def test_a_prometheus_that_stands_still_lets_nothing_rise_though_it_answers(seconds: float, written: list[int]) -> None:
    assert weights(later(PASSED, seconds).decide()) == written


def test_old_samples_let_nothing_rise_after_an_approval_either() -> None:
    gated = release().having(steps=(Step(weight=10), Step(weight=50, approval="Required")))
    waiting = later(gated.at_step(1, since=120).healthy(seconds=120), 16)
    decision = waiting.acting("approve/1/1").decide()
    assert (decision.because.reason, weights(decision)) == (reasons.METRICS_UNAVAILABLE, [])
    assert decision.because.message == "the newest sample in Prometheus is 16 s old, so nothing is known of the present"


def test_a_canary_found_worse_in_old_samples_goes_back_all_the_same() -> None:
    """They say nothing of the present, but what they say of the past is true."""
    assert weights(later(release().at_step(2, since=60).failing(0.3), 600).decide()) == [0]


def test_it_is_looked_at_again_when_the_samples_get_too_old() -> None:
    situation = release().at_step(2, since=30).healthy(seconds=30)
    again = situation.decide().look_again_in
    assert again is not None and timedelta(seconds=14.9) < again < timedelta(seconds=15.1)


# ------------------------------------------------------------------------------------------------ counters that come back
def gateway(name: str, workload: str, code: str, values: dict[int, int]) -> Series:
    """What another gateway counted; times are seconds before now."""
    labels = {"instance": name, "destination_workload": workload, "response_code": code, "response_flags": "-"}
    return Series(labels, tuple(Point(NOW.timestamp() + second, float(value)) for second, value in values.items()))


def beside(*series: Series) -> Situation:
    """A good release, with these series in the answer too."""
    good = release().at_step(2, since=60).healthy(seconds=60)
    return good.observing(samples=Samples((*samples_of(good).series, *series)))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({-10: 5000, -5: 5000, 0: 5000}, id="it was away, and has yesterday's counters"),
        pytest.param({0: 5000}, id="its first scrape"),
        pytest.param({-60: 5000, -55: 5000, -10: 5000, -5: 5000, 0: 5000}, id="it was away for a while, and nothing happened meanwhile"),
    ],
)
def test_a_gateway_with_yesterdays_failures_blames_nobody(values: dict[int, int]) -> None:
    requests = {second: 20_000 for second in values}
    decision = beside(
        gateway("back", "app-v2", "503", values), gateway("back", "app-v2", "200", requests), gateway("back", "app-v1", "200", requests)
    ).decide()
    assert (decision.because.reason, weights(decision)) in ((reasons.GATHERING, []), (reasons.STEP_PASSED, [25]))
    assert decision.state.evidence.canary.failures == 0


def test_failures_that_happened_while_a_gateway_was_not_scraped_count_once() -> None:
    """They happened after the weight was written; nobody can say when."""
    seen = {-50: 5000, -5: 5007, 0: 5007}
    decision = beside(gateway("away", "app-v2", "503", seen), gateway("away", "app-v1", "200", dict.fromkeys(seen, 20_000))).decide()
    assert sum(each.canary.failures for each in decision.state.evidence.segments) == 7


def test_a_gateway_that_restarted_counts_from_zero() -> None:
    fallen = {-15: 5000, -10: 5000, -5: 3, 0: 3}
    decision = beside(gateway("new", "app-v2", "503", fallen), gateway("new", "app-v1", "200", dict.fromkeys(fallen, 20_000))).decide()
    assert sum(each.canary.failures for each in decision.state.evidence.segments) == 3


# ------------------------------------------------------------------------------------------------ a Service that was made anew
@pytest.mark.parametrize(
    ("made", "counted"),
    [
        pytest.param(7200, 600, id="long ago"),
        pytest.param(25, 150, id="10 s after it was made all proxies know its endpoints: what begins then counts"),
        pytest.param(17, 50, id="a scrape that began before does not count, nor a part of it"),
        pytest.param(3, 0, id="a moment ago: nothing counts yet"),
    ],
)
def test_requests_count_from_ten_seconds_after_the_service_was_made(made: float, counted: int) -> None:
    since = release().at_step(2, since=60).failing(0.01, seconds=60).observing(service_since=NOW - timedelta(seconds=made))
    found = look(since.spec, since.state, since.seen).now.segments
    assert sum(each.canary.requests for each in found) == counted


# ------------------------------------------------------------------------------------------------ a canary that nobody counts
QUERY = 'Prometheus has no series of the canary: istio_requests_total{destination_workload=~"app-v2"} is empty'


def uncounted(situation: Situation) -> Situation:
    """The answer has series of stable only."""
    alone = tuple(each for each in samples_of(situation).series if each.labels["destination_workload"] != "app-v2")
    return situation.observing(samples=Samples(alone))


@pytest.mark.parametrize(
    ("situation", "told"),
    [
        pytest.param(uncounted(release().at_step(0).healthy()), False, id="without weight it need not be counted"),
        pytest.param(uncounted(release().at_step(1, since=10).healthy(seconds=10)), True, id="the first weight"),
        pytest.param(uncounted(release().at_step(4, since=600).healthy(seconds=60)), True, id="for ten minutes"),
        pytest.param(uncounted(release().at_step(4, since=3700).healthy(seconds=60)), True, id="at the deadline"),
        pytest.param(uncounted(release().baking(since=30).healthy(seconds=30)), True, id="baking"),
        pytest.param(release().at_step(1, since=10).healthy(seconds=10), False, id="it is counted"),
    ],
)
def test_a_canary_that_nobody_counts_is_named_with_the_query_that_finds_nothing(situation: Situation, told: bool) -> None:
    decision = situation.decide()
    assert (QUERY in decision.because.message) == told
    assert not told or weights(decision) in ([], [0])


def test_odd_names_of_workloads_are_escaped_in_that_query() -> None:
    situation = release().at_step(1, since=10).healthy(seconds=10)
    versions = {**(situation.seen.versions or {})}
    versions["v2"] = replace(versions["v2"], workloads=("app.v2", 'app"v2'))
    message = situation.observing(versions=versions).decide().because.message
    assert message.endswith('istio_requests_total{destination_workload=~"app\\"v2|app\\\\.v2"} is empty')


def test_an_answer_that_is_looked_at_again_is_not_counted_again() -> None:
    """A Service has a birthday like any object: one long ago leaves the counts as they are."""
    situation = release().at_step(1, since=60).healthy().observing(service_since=NOW - timedelta(days=3))
    first, again = (read(situation.spec, situation.state, situation.seen).found for _ in range(2))
    assert (bool(first), again is first) == (True, True)


# ------------------------------------------------------------------------------------------------ callers that are left out
def called_also_from(situation: Situation, namespace: str, failing: float) -> Situation:
    """Another namespace calls as well, and these shares of the canary's requests to it fail."""
    more = samples_of(situation.failing(failing, seconds=120))
    theirs = tuple(
        replace(each, labels={**each.labels, "instance": "tenant", "source_workload_namespace": namespace}) for each in more.series
    )
    return situation.observing(samples=Samples((*samples_of(situation).series, *theirs)))


def test_what_a_namespace_does_to_its_own_callers_is_no_evidence() -> None:
    given = called_also_from(PASSED, "tenant", 0.5)
    assert weights(given.decide()) == [0]
    assert weights(given.observing(left_out=frozenset({"tenant"})).decide()) == weights(PASSED.decide()) == [25]


def test_where_all_callers_are_left_out_that_is_told() -> None:
    only = called_also_from(PASSED, "tenant", 0.0)
    theirs = tuple(each for each in samples_of(only).series if each.labels["instance"] == "tenant")
    given = only.observing(samples=Samples(theirs), left_out=frozenset({"tenant"}))
    decision = given.decide()
    assert weights(decision) == []
    assert decision.metrics is not None
    assert decision.metrics.message == "no proxy has counted a request as reporter Source, but in tenant, whose requests are left out"
