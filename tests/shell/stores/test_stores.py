"""A good and a bad canary on every kind of store, asked as the operator asks; what cannot work is told before traffic moves."""

import pytest

from tests.shell.stores.releases import Ended, released
from tests.shell.stores.stand_in import Store, Switches

SECONDS = 15.0
"""Between two scrapes."""
AWAY = (30.0, 150.0)
"""When the first of two replicas is silent."""
STORES = {
    "Prometheus": Switches(),
    "Prometheus, two scrape jobs": Switches(jobs=2),
    "Prometheus, recording rule without instance and pod": Switches(evaluates_every=SECONDS),
    "Prometheus, recording rule of every 30 s": Switches(evaluates_every=30.0),
    "Thanos, replicas not told to the querier": Switches(replicas=2),
    "Thanos, deduplicated, one replica away": Switches(replicas=2, deduplicates=True, silent=AWAY),
    "Thanos Receive, series apart": Switches(late=2.0, apart=5.0),
    "Mimir, HA tracker, one replica away": Switches(replicas=2, deduplicates=True, late=5.0, silent=AWAY),
    "Mimir, HA tracker off, no replica label": Switches(replicas=2, replica_label=None, late=5.0),
    "VictoriaMetrics, deduplicated": Switches(replicas=2, replica_label=None, keeps_one_in=SECONDS),
    "VictoriaMetrics, samples late by 30 s": Switches(late=30.0),
    "Amazon": Switches(late=5.0, external={"cluster": "prom-team1"}),
    "Google": Switches(late=10.0, rebased=True, exact_names=True, external={"cluster": "prod", "location": "eu", "project_id": "shop"}),
    "Azure": Switches(late=20.0, external={"cluster": "prod", "microsoft.resourceid": "x"}),
}


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("store", STORES)
def test_a_good_canary_is_promoted_and_a_bad_one_is_rolled_back(store: str, bad: bool):
    lag = 5.0 if STORES[store].apart else 0.3  # asked when a part of the scrape is there
    ended = released(STORES[store], bad=bad, scrape=SECONDS, lag=lag)
    assert ended.end == ("rolled back" if bad else "promoted"), ended
    assert ended.hurt < 600, "100 requests/s, a quarter of them, a fifth of which fail"


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
def test_of_several_clusters_the_matchers_choose_one(bad: bool):
    ended = released(Switches(other_cluster=True, external={"cluster": "prod"}), bad=bad, matchers={"cluster": "prod"})
    assert ended.end == ("rolled back" if bad else "promoted"), ended


def _waits(ended: Ended, *words: str) -> None:
    assert (ended.end, ended.hurt) == ("held", 0), ended
    assert "at weight 0" in ended.reason
    assert all(word in ended.reason for word in words), ended.reason


@pytest.mark.parametrize(
    ("external", "said"),
    [({"cluster": "prod"}, "(prod, staging)"), ({}, "(staging, one without the label `cluster`)")],
    ids=["both named", "one of them unnamed"],
)
def test_several_clusters_without_matchers_are_told_before_the_first_weight(external: dict[str, str], said: str):
    _waits(released(Switches(other_cluster=True, external=external), bad=False, most=200), said, "matchers: {cluster: ")


def test_a_store_that_is_incomplete_is_told_before_the_first_weight():
    _waits(released(Switches(incomplete=True), bad=False, most=200), "incomplete", "1 of 2 stores did not answer")


def test_counters_of_another_name_are_told_before_the_first_weight():
    _waits(released(Switches(renames="shop:istio_requests:total"), bad=False, most=200), "no series match the query")


def test_latency_where_names_must_be_exact_is_told_before_the_first_weight():
    _waits(released(Switches(exact_names=True), bad=False, most=200, objective=0.25), "only exact matching on metric names")


def test_latency_is_judged_through_a_store():
    assert released(Switches(late=5.0), bad=False, objective=0.25).end == "promoted"


# ------------------------------------------------------------------------------------------------------------------- the stand-in


def told(store: Store, text: str, now: float = 100.0) -> list[dict[str, str]]:
    return [row["metric"] for row in store.query(text, now)["data"]["result"]]  # type: ignore[index]


SERIES = {frozenset({("__name__", "up"), ("job", "a.b"), ("quoted", 'x"\n')}): 1.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("up{}[10s]", True),
        ("down{}[10s]", False),
        ('up{job="a.b"}[10s]', True),
        ('up{job=~"a.b|c"}[10s]', True),
        ('up{job=~"a"}[10s]', False),
        ('up{job!~"a"}[10s]', True),
        ('up{job!="a.b"}[10s]', False),
        ('up{absent=""}[10s]', True),
        ('up{quoted="x\\"\\x0a"}[10s]', True),
        ('{__name__=~"up|down",job="a.b"}[10s]', True),
        ("up{}[5s]", False),
        ("up{}[5001ms]", True),
    ],
)
def test_a_selector_finds_what_prometheus_would_find(text: str, found: bool):
    store = Store(Switches(), 0.0)
    store.write(95.0, 0, SERIES)
    assert bool(told(store, text)) is found


def test_what_is_no_selector_with_a_range_is_refused():
    with pytest.raises(ValueError, match="not a selector"):
        Store(Switches(), 0.0).query("sum(up)", 0.0)


@pytest.mark.parametrize(
    ("switches", "values"),
    [
        (Switches(), [["1", "2", "3"]]),
        (Switches(late=5.0), [["1", "2"]]),
        (Switches(rebased=True), [["0", "1", "2"]]),
        (Switches(keeps_one_in=1000.0), [["3"]]),
        (Switches(jobs=2), [["1", "2", "3"], ["1", "2", "3"]]),
        (Switches(silent=(0.0, 92.0)), [["3"]]),
        (Switches(evaluates_every=10.0), [["1", "3"]]),
    ],
)
def test_what_a_switch_does_to_samples(switches: Switches, values: list[list[str]]):
    store = Store(switches, 0.0)
    for number, at in enumerate((80.0, 88.0, 96.0), start=1):
        store.write(at, 0, {frozenset({("__name__", "up"), ("instance", "a")}): float(number)})
    rows = store.query("up{}[60s]", 100.0)["data"]["result"]  # type: ignore[index]
    assert [[value for _, value in row["values"]] for row in rows] == values


def test_of_two_replicas_that_are_deduplicated_the_second_is_heard_after_the_failover():
    store = Store(Switches(replicas=2, deduplicates=True, failover=30.0, silent=(20.0, 1000.0)), 0.0)
    for at in (0.0, 10.0, 20.0, 30.0, 45.0, 55.0):
        for replica in (0, 1):
            store.write(at + replica, replica, {frozenset({("__name__", "up")}): at})
    (row,) = store.query("up{}[60s]", 59.0)["data"]["result"]  # type: ignore[index]
    assert [at for at, _ in row["values"]] == [0.0, 10.0, 46.0, 56.0]
