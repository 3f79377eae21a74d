"""The ways in which a Prometheus misbehaves: each takes what the real one answered and speaks to the socket instead of it."""

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from io import BufferedIOBase
from typing import Any

Matrix = list[dict[str, Any]]
Way = Callable[[BufferedIOBase, Matrix], None]
"""Writes a whole HTTP answer, or less than that, for the matrix that the real Prometheus answered."""
CANARY, STABLE = "reviews-v2", "reviews-v1"


def reply(out: BufferedIOBase, body: bytes, code: str = "200 OK", *headers: str) -> None:
    """A whole answer."""
    head = [f"HTTP/1.1 {code}", f"Content-Length: {len(body)}", "Content-Type: application/json", "Connection: close", *headers]
    out.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def answer(out: BufferedIOBase, result: object, kind: str = "matrix", **fields: object) -> None:
    """What Prometheus says when all is well."""
    reply(out, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **fields}).encode())


def says(body: bytes, code: str = "200 OK", *headers: str) -> Way:
    """The same to every question."""
    return lambda out, matrix: reply(out, body, code, *headers)


def changed(change: Callable[[dict[str, Any]], object]) -> Way:
    """The real answer with a change in every series."""

    def way(out: BufferedIOBase, matrix: Matrix) -> None:
        copy = deepcopy(matrix)
        for series in copy:
            change(series)
        answer(out, copy)

    return way


def every_value(text: str) -> Way:
    """All values replaced."""
    return changed(lambda series: series.update(values=[[at, text] for at, _ in series["values"]]))


def shifted(seconds: float) -> Way:
    """All samples at other times."""
    return changed(lambda series: series.update(values=[[at + seconds, value] for at, value in series["values"]]))


def without_workload(name: str) -> Way:
    """One version's series are missing."""
    return lambda out, matrix: answer(out, [series for series in matrix if series["metric"].get("destination_workload") != name])


def slow(out: BufferedIOBase, matrix: Matrix) -> None:
    """Longer than anybody waits."""
    time.sleep(4)


def dripping(out: BufferedIOBase, matrix: Matrix) -> None:
    """A byte now and then, for longer than anybody waits."""
    out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(40):
        out.write(b" ")
        out.flush()
        time.sleep(0.1)


def huge(out: BufferedIOBase, matrix: Matrix) -> None:
    """More than 32 MiB."""
    out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    for _ in range(50):
        out.write(b" " * 1_048_576)


def broken_off(out: BufferedIOBase, matrix: Matrix) -> None:
    """The connection is cut in the middle of a good answer."""
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": matrix}}).encode()
    out.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])


class Frozen:
    """Answers the first answer for ever."""

    def __init__(self) -> None:
        self._first: Matrix | None = None

    def __call__(self, out: BufferedIOBase, matrix: Matrix) -> None:
        """The first answer again."""
        self._first = self._first or matrix
        answer(out, self._first)


def yesterday(out: BufferedIOBase, matrix: Matrix) -> None:
    """A proxy is back with the counters of yesterday: thousands of failures in one sample."""
    back = [
        {"metric": {**series["metric"], "instance": "back", "response_code": "503"}, "values": [[series["values"][-1][0], "9999"]]}
        for series in matrix
    ]
    answer(out, [*matrix, *back])


def lost(label: str) -> Way:
    """A label is not there any more."""
    return changed(lambda series: series["metric"].pop(label, None))


WAYS: Mapping[str, Callable[[], Way]] = {
    "down: the connection is closed": lambda: lambda out, matrix: None,
    "slow": lambda: slow,
    "drips": lambda: dripping,
    "cut in the middle": lambda: broken_off,
    "503": lambda: says(b"down", "503 Service Unavailable"),
    "422": lambda: says(b'{"status":"error","errorType":"execution","error":"too many samples"}', "422 Unprocessable Entity"),
    "200 with HTML": lambda: says(b"<html>log in</html>"),
    "redirect to loopback": lambda: says(b"", "302 Found", "Location: http://127.0.0.1:9090/api/v1/query?query=up"),
    "50 MB": lambda: huge,
    "empty": lambda: lambda out, matrix: answer(out, []),
    "a scalar": lambda: lambda out, matrix: answer(out, [1, "2"], "scalar"),
    "a string": lambda: lambda out, matrix: answer(out, [1, "up"], "string"),
    "a vector": lambda: lambda out, matrix: answer(out, [{"metric": {}, "value": [1, "1"]}], "vector"),
    "warnings: a part is missing": lambda: lambda out, matrix: answer(out, matrix, warnings=["a store is away"]),
    "the same series twice": lambda: lambda out, matrix: answer(out, [*matrix, *matrix[:1]]),
    "NaN": lambda: every_value("NaN"),
    "infinite": lambda: every_value("+Inf"),
    "negative": lambda: every_value("-1"),
    "backwards": lambda: changed(lambda series: series["values"].reverse()),
    "native histograms": lambda: changed(lambda series: series.update(histograms=[[1, {}]])),
    "the label of the workload is lost": lambda: lost("destination_workload"),
    "the label of the code is lost": lambda: lost("response_code"),
    "ten minutes old": lambda: shifted(-600),
    "frozen": Frozen,
    "one scrape": lambda: changed(lambda series: series.update(values=series["values"][-1:])),
    "the canary alone is missing": lambda: without_workload(CANARY),
    "stable alone is missing": lambda: without_workload(STABLE),
}
"""While it lasts nothing is known of the present: the weight has to stay."""
HARMLESS: Mapping[str, Callable[[], Way]] = {"a proxy is back with the counters of yesterday": lambda: yesterday}
"""While it lasts the present is known all the same: the release goes its way, unharmed."""
