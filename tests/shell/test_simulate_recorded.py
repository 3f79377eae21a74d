"""`simulate` over the traffic that a service really had: recorded in a file, or asked for."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.shell.misbehaving import Speak, say, serving, success
from tests.shell.simulating import RELEASE, SHORT, as_json, run

ANSWER = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {
                "metric": {"destination_workload": "reviews-v1", "response_code": code, "instance": "gateway", "response_flags": "-"},
                "values": [[1_763_847_000 + 15 * number, str(grows * number)] for number in range(41)],
            }
            for code, grows in (("200", 735), ("503", 15))
        ],
    },
}


def test_recorded_traffic_takes_the_place_of_an_assumed_rate(tmp_path: Path) -> None:
    (tmp_path / "recorded.json").write_text(json.dumps(ANSWER))
    told = as_json(SHORT, "--record", str(tmp_path / "recorded.json"))
    stable = told["moments"][-1]["stable"]
    assert stable["failures"] / stable["requests"] == pytest.approx(0.02, rel=0.3), "15 of 750 failed"
    first = next(each for each in told["moments"] if each["seconds"] >= 20)
    requests = first["stable"]["requests"] + first["canary"]["requests"]
    assert requests / first["seconds"] == pytest.approx(50, rel=0.2), "750 requests in 15 s"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("no json", "not JSON"),
        ('{"status": "error", "error": "bad query"}', "bad query"),
        (
            json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"]]}]}}),
            "without sum",
        ),
    ],
)
def test_a_recording_that_cannot_be_played_says_why(tmp_path: Path, document: str, said: str) -> None:
    (tmp_path / "recorded.json").write_text(document)
    done = run(RELEASE, "--record", str(tmp_path / "recorded.json"))
    assert done.exit_code == 2
    assert said in done.stderr


def test_what_a_prometheus_is_asked_for_is_played_like_a_recording_of_it(tmp_path: Path) -> None:
    (tmp_path / "recorded.json").write_text(json.dumps(ANSWER))
    with serving(success(ANSWER["data"])) as prometheus:
        asked = as_json(SHORT, "--prometheus", prometheus.url)
    assert asked == as_json(SHORT, "--record", str(tmp_path / "recorded.json"))


@pytest.mark.parametrize(
    ("text", "options", "labels"),
    [
        pytest.param(SHORT, (), ('"default"', "[7200s]"), id="two hours, in the namespace that kubectl would take"),
        pytest.param(SHORT, ("-n", "shop", "--last", "30m"), ('"shop"', "[1800s]"), id="as told"),
        pytest.param(SHORT.replace("reviews}", "reviews, namespace: infra}", 1), ("-n", "shop"), ('"infra"',), id="as the file says"),
    ],
)
def test_a_prometheus_is_asked_for_the_requests_to_the_service(text: str, options: tuple[str, ...], labels: tuple[str, ...]) -> None:
    with serving(success(ANSWER["data"])) as prometheus:
        run(text, "--prometheus", prometheus.url, *options)
    query = parse_qs(urlsplit(prometheus.asked[0].split()[1]).query)["query"][0]
    assert 'destination_service_name="reviews"' in query
    assert [label for label in labels if label not in query] == []


@pytest.mark.parametrize("reporter", ["Source", "Auto", "Destination"])
def test_requests_that_two_reporters_have_counted_are_played_once(tmp_path: Path, reporter: str) -> None:
    text = f"{SHORT}  analysis: {{reporter: {reporter}}}\n"
    counted = [
        {**series, "metric": {**series["metric"], "reporter": reporter}}
        for reporter in ("source", "destination")
        for series in ANSWER["data"]["result"]
    ]
    told = []
    for document in (ANSWER, {**ANSWER, "data": {**ANSWER["data"], "result": counted}}):
        (tmp_path / "recorded.json").write_text(json.dumps(document))
        told.append(as_json(text, "--record", str(tmp_path / "recorded.json")))
    assert told[0] == told[1]


def test_a_recording_of_another_reporter_says_which(tmp_path: Path) -> None:
    counted = [{**series, "metric": {**series["metric"], "reporter": "destination"}} for series in ANSWER["data"]["result"]]
    (tmp_path / "recorded.json").write_text(json.dumps({**ANSWER, "data": {**ANSWER["data"], "result": counted}}))
    done = run(f"{SHORT}  analysis: {{reporter: Source}}\n", "--record", str(tmp_path / "recorded.json"))
    assert (done.exit_code, "counted by reporter destination, and spec.analysis.reporter is Source" in done.stderr) == (2, True), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        pytest.param(say(b"<html>not here</html>", "404 Not Found"), "HTTP 404, and no JSON", id="not Prometheus"),
        pytest.param(say(b"<html>sign in</html>"), "no JSON that could be read", id="a page to sign in"),
        pytest.param(say({"message": "Unauthorized"}, "401 Unauthorized"), "HTTP 401; forward a port", id="credentials are wanted"),
        pytest.param(say(b"", "302 Found", "Location: http://127.0.0.1:1/"), "HTTP 302", id="a redirect, which nobody follows"),
        pytest.param(say(b"[" * 200_000), "no JSON that could be read", id="brackets without end"),
        pytest.param(lambda connection: connection.sendall(b"\x1b[31mhello\r\n"), "forward a port", id="no HTTP"),
        pytest.param(
            say({"status": "error", "errorType": "bad_data", "error": "exceeded"}, "422 Unprocessable"),
            "exceeded",
            id="an error of its own",
        ),
        pytest.param(
            success({"resultType": "matrix", "result": []}), "reviews in namespace default (-n names another)", id="nothing there"
        ),
    ],
)
def test_a_prometheus_that_has_nothing_to_play_says_why(speak: Speak, said: str) -> None:
    with serving(speak) as prometheus:
        done = run(SHORT, "--prometheus", prometheus.url)
    assert (done.exit_code, said in done.stderr, "\x1b" in done.stderr) == (2, True, False), done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(
            (("--prometheus", url), "write one such as http://localhost:9090")
            for url in ("", "localhost:9090", "ftp://127.0.0.1", "http://[::1", "http://127.0.0.1:port")
        ),
        (("--prometheus", "http://me:s3cret@127.0.0.1:1"), "credentials have no place in an address"),
        (("--last", "1h"), "--last: goes with --prometheus"),
        (("-n", "shop"), "--namespace: goes with --prometheus"),
        (("--prometheus", "http://127.0.0.1:1"), "http://127.0.0.1:1: [Errno 111] Connection refused; forward a port to Prometheus"),
        (("--prometheus", "http://127.0.0.1:1", "--last", "0s"), "--last: must be 1s or more"),
        (("--prometheus", "http://127.0.0.1:1", "--record", "x.json"), "leave one out"),
    ],
)
def test_an_address_that_cannot_be_asked_says_what_to_write(options: tuple[str, ...], said: str) -> None:
    done = run(SHORT, *options)
    assert (done.exit_code, said in done.stderr, "s3cret" in done.stderr) == (2, True, False), done.stderr
