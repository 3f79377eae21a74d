"""Every way in which Prometheus can fail, from the socket to the decision: no promotion and no rollback rests on it."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from canary_operator.analysis.samples import Samples
from canary_operator.api.status import State
from canary_operator.release import reasons
from tests.builders import NOW, Situation, release, weights
from tests.shell.misbehaving import Speak, ask, drip, huge, provider, say, serving, success

RUNNING = release().at_step(2, since=60)
Matrix = list[dict[str, Any]]


def matrix(situation: Situation) -> Matrix:
    """The samples of a situation as Prometheus answers them."""
    assert isinstance(situation.seen.samples, Samples)
    return [
        {"metric": dict(series.labels), "values": [[point.time, f"{point.value:g}"] for point in series.points]}
        for series in situation.seen.samples.series
    ]


HEALTHY, BROKEN = RUNNING.healthy(), RUNNING.failing(0.5)
GOOD = matrix(HEALTHY)


def answered(result: object, kind: str = "matrix", **fields: object) -> Speak:
    return success({"resultType": kind, "result": result}, **fields)


def changed(change: Callable[[dict[str, Any]], None], of: Matrix = GOOD) -> Speak:
    """The good answer with a change in every series."""
    copy: Matrix = json.loads(json.dumps(of))
    for series in copy:
        change(series)
    return answered(copy)


def every_value(text: str) -> Speak:
    return changed(lambda series: series.update(values=[[at, text] for at, _ in series["values"]]))


def shifted(seconds: float) -> Speak:
    return changed(lambda series: series.update(values=[[at + seconds, value] for at, value in series["values"]]))


def without(label: str) -> Speak:
    return changed(lambda series: series["metric"].pop(label))


HOLDING = [
    pytest.param(lambda connection: connection.close(), id="down"),
    pytest.param(lambda connection: time.sleep(2), id="slow"),  # noqa: TID251
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "), id="drips"),
    pytest.param(say(b"down", "503 Service Unavailable"), id="503"),
    pytest.param(say({"status": "error", "errorType": "execution", "error": "too many samples"}, "422 Unprocessable Entity"), id="422"),
    pytest.param(say(b"<html>log in</html>"), id="200 with HTML"),
    pytest.param(say(b"", "302 Found", "Location: http://127.0.0.1:1/"), id="redirect"),
    pytest.param(huge, id="50 MB"),
    pytest.param(answered([]), id="empty"),
    pytest.param(answered([1, "2"], "scalar"), id="a scalar"),
    pytest.param(answered([1, "up"], "string"), id="a string"),
    pytest.param(answered([{"metric": {}, "value": [1, "1"]}], "vector"), id="a vector"),
    pytest.param(answered(GOOD, warnings=["a store is away"]), id="warnings: a part is missing"),
    pytest.param(answered([*GOOD, GOOD[0]]), id="the same series twice"),
    pytest.param(every_value("NaN"), id="NaN"),
    pytest.param(every_value("+Inf"), id="infinite"),
    pytest.param(every_value("-1"), id="negative"),
    pytest.param(changed(lambda series: series["values"].reverse()), id="backwards"),
    pytest.param(changed(lambda series: series.update(histograms=[[1, {}]])), id="native histograms"),
    pytest.param(without("destination_workload"), id="the label of the workload is lost"),
    pytest.param(without("response_code"), id="the label of the code is lost"),
    pytest.param(shifted(-600), id="older than the step: frozen"),
    pytest.param(shifted(-58), id="two seconds of the present step"),
    pytest.param(changed(lambda series: series.update(values=series["values"][-1:])), id="one scrape: counters of yesterday", marks=()),
    pytest.param(answered([each for each in GOOD if each["metric"]["destination_workload"] == "app-v1"]), id="the canary alone is missing"),
    pytest.param(answered([each for each in GOOD if each["metric"]["destination_workload"] == "app-v2"]), id="stable alone is missing"),
]


def decided(speak: Speak) -> Any:
    with serving(speak) as server:
        answer, _ = ask(provider(server.url))
    return RUNNING.observing(samples=answer).decide()


@pytest.mark.parametrize("speak", HOLDING)
def test_holds_and_blames_nobody(speak: Callable[[socket.socket], None]) -> None:
    decision = decided(speak)
    assert (weights(decision), decision.state.state, decision.state.step) == ([], State.PROGRESSING, 2)


def test_the_same_samples_whole_let_it_rise() -> None:
    assert weights(decided(answered(GOOD))) == [25]


def test_the_same_samples_with_failures_roll_it_back() -> None:
    assert decided(answered(matrix(BROKEN))).because.reason == reasons.MORE_FAILURES


def test_a_proxy_that_comes_back_with_the_counters_of_yesterday_has_failed_nothing() -> None:
    yesterday = [
        {"metric": {**series["metric"], "instance": "back", "response_code": "503"}, "values": [[NOW.timestamp() - 1, "9999"]]}
        for series in GOOD
    ]
    assert weights(decided(answered([*GOOD, *yesterday]))) == [25]


def test_a_proxy_that_restarts_has_failed_nothing() -> None:
    def restarted(series: dict[str, Any]) -> None:
        series["values"] = [[at, value if number < 6 else str(20 * (number - 5))] for number, (at, value) in enumerate(series["values"])]

    assert decided(changed(restarted)).state.state is State.PROGRESSING


def test_what_is_lost_is_named() -> None:
    decision = replace(decided(answered([])))
    assert decision.because.reason == reasons.METRICS_UNAVAILABLE
    assert decision.because.message.startswith("Prometheus has no samples: no series match")
