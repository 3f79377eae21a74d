"""Servers that mean harm, from the socket to status: one clear condition for each, in bounded time, and nobody is blamed or promoted by them."""

import asyncio
import gzip
import threading
import time
import tracemalloc
from datetime import timedelta

import pytest

from canary_operator.analysis.samples import QueryFailed, Samples
from canary_operator.analysis.value import Refused, Value, ValueAnswer
from canary_operator.api.analysis import Query
from canary_operator.api.status import State
from canary_operator.clients.prometheus import Prometheus
from canary_operator.release import reasons
from canary_operator.settings import Provider
from tests.builders import NOW, Situation, release, weights
from tests.shell.misbehaving import GOOD, TIMEOUT, Server, Speak, drip, huge, provider, say, serving, success

DEPTH = Query(name="depth", query="max(depth)", max="100", consecutive_failures=1)
PASSING = release().at_step(2, since=400).healthy(seconds=400)
JUDGED = PASSING.having(analysis=type(PASSING.spec.analysis)(queries=(DEPTH,)))
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


def endless(connection) -> None:  # type: ignore[no-untyped-def]
    """Chunks as fast as they are taken, and no end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(400):
        connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")


HARM = [
    pytest.param(huge, "the answer is larger than 32 MiB", id="50 MB that are announced"),
    pytest.param(endless, "the answer ", id="400 MB that are not announced"),
    pytest.param(drip(BODY, b" "), "the answer did not end within 0.4 s", id="a drip of the body"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "no answer within 0.4 s", id="a drip of the headers"),
    pytest.param(say(gzip.compress(b" " * 100_000_000), "200 OK", "Content-Encoding: gzip"), "the answer is compressed", id="a gzip bomb"),
    pytest.param(say(b"[" * 1_000_000), "the answer is no JSON", id="a million open brackets"),
    pytest.param(say(b'{"status":"success","data":' + b"9" * 1_000_000 + b"}"), "", id="a number of a million digits"),
]


def asked(
    speak: Speak, text: str = "max(depth)", lookback: timedelta | None = timedelta(seconds=30), timeout: float = TIMEOUT
) -> tuple[ValueAnswer, Server, float]:
    async def main(url: str) -> tuple[ValueAnswer, float]:
        client = Prometheus({"default": Provider(url, timedelta(seconds=timeout))})
        began = time.monotonic()
        try:
            return await client.value("default", text, lookback), time.monotonic() - began
        finally:
            client.close()

    with serving(speak) as server:
        answer, seconds = asyncio.run(main(server.url))
    return answer, server, seconds


def holds(situation: Situation, said: str) -> None:
    """Nothing moves, nobody is blamed, and one condition says why."""
    decision, status = situation.decide(), situation.status()
    assert (decision.because.reason, decision.state.state, weights(decision)) == (reasons.METRICS_UNAVAILABLE, State.PROGRESSING, [])
    (condition,) = [each for each in status.conditions if each.type == "MetricsAvailable"]
    assert (condition.status, condition.reason) == ("False", reasons.METRICS_UNAVAILABLE)
    assert said in condition.message and "\n" not in condition.message and "127.0.0.1" not in condition.message


@pytest.mark.parametrize(("speak", "said"), HARM)
def test_a_query_of_ones_own_holds_with_one_clear_condition(speak: Speak, said: str) -> None:
    answer, server, seconds = asked(speak)
    assert isinstance(answer, QueryFailed) and seconds < 3
    assert len(server.asked) == 1, "not tried again"
    (ask,) = JUDGED.decide().queries
    holds(JUDGED.observing(queries={ask: answer}), said)


def test_a_redirect_is_followed_nowhere() -> None:
    with serving(success({"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]})) as inside:
        answer, server, _ = asked(say(b"", "307 Temporary Redirect", f"Location: {inside.url}/api/v1/query?query=secret"))
        assert inside.asked == []
    assert isinstance(answer, QueryFailed) and "a redirect (HTTP 307), which is not followed" in answer.why
    (ask,) = JUDGED.decide().queries
    holds(JUDGED.observing(queries={ask: answer}), "a redirect (HTTP 307)")


def test_an_answer_without_end_costs_no_more_memory_than_the_bound() -> None:
    tracemalloc.start()
    try:
        answers = [asked(speak, timeout=30)[0] for speak in (huge, endless)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [answer.why.rpartition(": ")[2] for answer in answers if isinstance(answer, QueryFailed)] == [
        "the answer is larger than 32 MiB"
    ] * 2
    assert peak < 80 * 1024 * 1024


def test_a_slow_server_holds_up_no_other() -> None:
    """Its threads are its own: with as many drips as there are slots for queries, the counters of another provider still come."""

    async def main(slow: str, good: str) -> float:
        client = Prometheus({"slow": provider(slow), "good": provider(good)})
        drips = [asyncio.create_task(client.value("slow", "depth", None)) for _ in range(4)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert isinstance(await client.query("good", "up[1m]"), Samples)
        spent = time.monotonic() - began
        await asyncio.gather(*drips)
        client.close()
        return spent

    with serving(drip(BODY, b" ")) as slow, serving(success(GOOD)) as good:
        assert asyncio.run(main(slow.url, good.url)) < 0.3
    assert threading.active_count() < 50


def test_a_query_of_ones_own_is_asked_for_what_was_scraped_in_its_interval() -> None:
    vector = {"resultType": "vector", "result": [{"metric": {}, "value": [NOW.timestamp(), "42"]}]}
    answer, server, _ = asked(success(vector))
    assert answer == Value(NOW.timestamp(), 42.0)
    assert server.asked[0].startswith("GET /api/v1/query?query=max%28depth%29&lookback_delta=30s&timeout=0.4s HTTP/1.1")


def test_a_query_that_is_only_checked_is_asked_where_no_samples_are() -> None:
    answer, server, _ = asked(say({"status": "error", "errorType": "bad_data", "error": "parse error"}, "400 Bad Request"), lookback=None)
    assert answer == Refused("Prometheus refused the query: parse error")
    assert server.asked[0].startswith("GET /api/v1/query?query=max%28depth%29&time=1&timeout=0.4s HTTP/1.1")


@pytest.mark.parametrize("text", ['a{b="c&query=up#x"}', "a\r\nHost: evil\r\n\r\n", "a{b='é\u2028💥'}", "a{b='%0d%0a'}"])
def test_no_text_leaves_its_place_in_the_request(text: str) -> None:
    _, server, _ = asked(success({"resultType": "vector", "result": []}), text)
    (request,) = server.asked
    line, *headers = request.split("\r\n")
    assert line.count("query=") == 1 and line.count(" ") == 2 and "#" not in line
    assert not [header for header in headers if "evil" in header]
