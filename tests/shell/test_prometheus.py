"""The Prometheus client against servers that misbehave in every way found so far: never raises, never takes long, tells no secret."""

import asyncio
import gzip
import time
from pathlib import Path

import pytest

from canary_operator.analysis.samples import NoData, QueryFailed, Samples
from canary_operator.clients.prometheus import Prometheus
from tests.shell.misbehaving import GOOD, Speak, ask, drip, huge, provider, say, serving, success


def test_samples_arrive_whole() -> None:
    with serving(success(GOOD)) as server:
        answer, _ = ask(provider(server.url + "/prefix"), 'requests_total{a="b+c"}[60s]')
    assert isinstance(answer, Samples) and answer.series[0].points[0].value == 3
    (request,) = server.asked
    assert request.startswith("GET /prefix/api/v1/query?query=requests_total%7Ba%3D%22b%2Bc%22%7D%5B60s%5D&timeout=0.4s HTTP/1.1")
    assert "Authorization" not in request


def test_an_incomplete_answer_is_no_data() -> None:
    with serving(success(GOOD, warnings=["store is away"])) as server:
        answer, _ = ask(provider(server.url))
    assert isinstance(answer, NoData) and "store is away" in answer.why


MISBEHAVING = [
    pytest.param(say(b"down", "503 Service Unavailable"), "HTTP 503", id="503"),
    pytest.param(say({"status": "error", "errorType": "bad_data", "error": "parse error"}, "400 Bad Request"), "parse error", id="400"),
    pytest.param(say({"message": "no"}, "401 Unauthorized"), "HTTP 401", id="401"),
    pytest.param(say(b"<html>log in</html>"), "no JSON", id="HTML"),
    pytest.param(say(b"\xff\xfe\x00"), "no JSON", id="bytes"),
    pytest.param(say(b"[" * 200_000), "no JSON", id="nested without end"),
    pytest.param(say([]), "", id="JSON that is a list"),
    pytest.param(say({"status": "success"}), "data", id="no data"),
    pytest.param(success({"resultType": "vector", "result": []}), "vector", id="a vector"),
    pytest.param(success({"resultType": "scalar", "result": [1, "2"]}), "scalar", id="a scalar"),
    pytest.param(say(b"", "302 Found", "Location: http://169.254.169.254/"), "a redirect (HTTP 302), which is not followed", id="redirect"),
    pytest.param(
        say(gzip.compress(b" " * 100_000_000), "200 OK", "Content-Encoding: gzip"), "is compressed", id="100 MB packed into 100 kB"
    ),
    pytest.param(huge, "larger than 32 MiB", id="50 MB"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "), "did not end within 0.4 s", id="drips its body"),
    pytest.param(
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "did not end within 0.4 s", id="drips chunks"
    ),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "no answer within 0.4 s", id="drips its headers"),
    pytest.param(lambda connection: time.sleep(2), "no answer within 0.4 s", id="mute"),  # noqa: TID251
    pytest.param(lambda connection: connection.close(), "", id="hangs up"),
    pytest.param(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "", id="breaks off"),
    pytest.param(lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), "", id="no HTTP"),
]


@pytest.mark.parametrize(("speak", "said"), MISBEHAVING)
def test_misbehaviour_is_a_failed_query_in_bounded_time(speak: Speak, said: str) -> None:
    with serving(speak) as server:
        answer, seconds = ask(provider(server.url))
    assert isinstance(answer, QueryFailed)
    assert answer.why.startswith("Prometheus at provider default: ") and said in answer.why
    assert "127.0.0.1" not in answer.why and "\n" not in answer.why
    assert seconds < 2
    assert len(server.asked) == 1, "no retries, no redirects"


def test_nobody_there() -> None:
    answer, seconds = ask(provider("http://127.0.0.1:1"))
    assert answer == QueryFailed("Prometheus at provider default: connection refused")
    assert seconds < 1


def test_an_unknown_host() -> None:
    answer, _ = ask(provider("http://prometheus.invalid:9090"))
    assert isinstance(answer, QueryFailed) and "prometheus.invalid" not in answer.why


def test_an_unknown_provider() -> None:
    answer, _ = ask(provider("http://127.0.0.1:1"), name="other")
    assert isinstance(answer, QueryFailed) and "other" in answer.why


def test_token_and_headers_are_read_anew_for_each_query(tmp_path: Path) -> None:
    token, headers = tmp_path / "token", tmp_path / "headers"
    token.write_text("one\n")
    headers.write_text("X-Scope-OrgID: shop\n\n")

    async def main(url: str) -> None:
        client = Prometheus({"default": provider(url, token_file=str(token), headers_file=str(headers))})
        await client.query("default", "a[1m]")
        token.write_text("two")
        await client.query("default", "b[1m]")
        token.unlink()
        answer = await client.query("default", "c[1m]")
        assert isinstance(answer, QueryFailed) and "tokenFile" in answer.why and "two" not in answer.why
        client.close()

    with serving(success(GOOD)) as server:
        asyncio.run(main(server.url))
    first, second = server.asked
    assert "Authorization: Bearer one\r\n" in first and "X-Scope-OrgID: shop\r\n" in first
    assert "Authorization: Bearer two\r\n" in second


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(success(GOOD)) as server:
        answer, _ = ask(provider(server.url))
    assert isinstance(answer, Samples)
