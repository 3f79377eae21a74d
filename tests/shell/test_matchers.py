"""Label matchers of a provider: configured once, in every query of the operator's own; without them several clusters hold the weight."""

from datetime import timedelta

import pytest

from canary_operator.analysis import promql
from canary_operator.analysis.samples import Samples, Series
from canary_operator.release import reasons
from canary_operator.settings import SettingsError, load
from tests.builders import release, weights

CONFIGURED = "prometheus: {default: {url: 'http://p:9090', matchers: {cluster: prod, env: 'a\"b'}}}"
RUNNING = release().at_step(2, since=60).healthy()


def test_matchers_are_read_and_quoted():
    assert load(CONFIGURED).matchers("default") == 'cluster="prod",env="a\\"b"'
    assert load(CONFIGURED).matchers("another") == ""


@pytest.mark.parametrize(
    ("matchers", "message"),
    [
        ("{reporter: source}", "prometheus.default.matchers.reporter: no label that may be chosen"),
        ("{'a-b': c}", "prometheus.default.matchers.a-b: no label that may be chosen"),
        ("{cluster: 1}", "prometheus.default.matchers.cluster: must be the value"),
        ("{cluster: ''}", "prometheus.default.matchers.cluster: must be the value"),
        ("[cluster]", "prometheus.default.matchers: "),
    ],
)
def test_what_is_no_matcher_is_named(matchers: str, message: str):
    with pytest.raises(SettingsError, match=message):
        load(f"prometheus: {{default: {{url: 'http://p:9090', matchers: {matchers}}}}}")


def test_every_query_of_the_operator_has_them():
    wanted = 'cluster="prod"'
    subject = promql.Subject("Source", "reviews", "shop", ("reviews-v1",), wanted)
    minute = timedelta(minutes=1)
    queries = (
        promql.counters(subject, minute),
        promql.counters(subject, minute, timedelta(seconds=1)),
        promql.bounds(subject),
        promql.callers("reviews", "shop", minute, wanted),
    )
    assert all(f",{wanted}" in query for query in queries)


def of_clusters(*names: str) -> Samples:
    assert isinstance(RUNNING.seen.samples, Samples)
    return Samples(tuple(Series({**each.labels, "cluster": name}, each.points) for name in names for each in RUNNING.seen.samples.series))


def test_series_of_several_clusters_hold_the_weight_and_say_what_to_write():
    decision = RUNNING.observing(samples=of_clusters("prod", "staging")).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.METRICS_UNAVAILABLE, [])
    assert "prometheus.default.matchers: {cluster: prod}" in decision.because.message


def test_series_of_one_cluster_are_judged():
    assert RUNNING.observing(samples=of_clusters("prod")).decide().metrics is None


def test_series_without_the_label_are_another_cluster():
    named = of_clusters("prod").series
    assert isinstance(RUNNING.seen.samples, Samples)
    decision = RUNNING.observing(samples=Samples((*named, *RUNNING.seen.samples.series))).decide()
    assert (decision.because.reason, weights(decision)) == (reasons.METRICS_UNAVAILABLE, [])
    assert "one without the label `cluster`" in decision.because.message
    assert "global.external_labels.cluster" in decision.because.message
