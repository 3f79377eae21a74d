"""A Prometheus that repeats our credentials in everything it says: nothing of them is in any log, object, event or metric."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from lab import Cluster
from lab.operator import METRICS_PORT, Operator
from lab.waiting import until
from tests.api.place import Place

TOKEN, KEY = "t0ken-that-nobody-may-see", "k3y-that-nobody-may-see"
QUERY = {"name": "depth", "query": "max(depth)", "max": "1", "interval": "5s"}
MODES = ("error", "bad_data", "warnings")


class Repeating:
    """Answers every question with what it was asked with, in one of three ways."""

    def __init__(self) -> None:
        self.mode = MODES[0]
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                told = f"{outer.mode}: as {self.headers['Authorization']} with {self.headers['X-Api-Key']}"
                kind = "matrix" if "[" in parse_qs(urlsplit(self.path).query)["query"][0] else "vector"
                refused = {"status": "error", "errorType": "bad_data" if outer.mode == "bad_data" else "internal", "error": told}
                incomplete = {"status": "success", "warnings": [told], "data": {"resultType": kind, "result": []}}
                content = json.dumps(incomplete if outer.mode == "warnings" else refused).encode()
                self.send_response(200 if outer.mode == "warnings" else 400)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def repeating() -> Iterator[Repeating]:
    server = Repeating()
    yield server
    server.close()


def test_credentials_are_told_nowhere(cluster: Cluster, place: Place, stopped: Operator, repeating: Repeating, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "headers").write_text(f"X-Api-Key: {KEY}\n")
    stopped.terminate()
    files = {"tokenFile": str(tmp_path / "token"), "headersFile": str(tmp_path / "headers")}
    operator = Operator(cluster, repeating.url, name="credentials", offset=10, verbose=True, provider=files)
    operator.start()
    try:
        place.begun(analysis={"queries": [QUERY]})
        written = ""
        for mode in MODES:
            repeating.mode = mode
            until(lambda mode=mode: f"{mode}: as *** with ***" in json.dumps(place.status()), f"status repeats {mode}", 60)  # type: ignore[misc]
            written += json.dumps(place.status())
        for collection in ("events", "services"):
            written += json.dumps(cluster.api.list(f"/api/v1/namespaces/{place.namespace}/{collection}"))
        for kind in ("VirtualService", "DestinationRule"):
            written += json.dumps(place.find(kind))
        with urlopen(f"http://127.0.0.1:{METRICS_PORT + 10}/metrics", timeout=5) as answer:
            written += answer.read().decode()
    finally:
        operator.terminate()
    written += operator.log.read_text()
    assert repeating.asked > len(MODES)
    assert "***" in operator.log.read_text()
    assert TOKEN not in written and KEY not in written
