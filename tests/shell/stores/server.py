"""The stand-in over HTTP: `/api/v1/query`, at the time of a world in which time jumps."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answers = Callable[[str], dict[str, object]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: Answers


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        assert asked.path == "/api/v1/query", self.path
        body = json.dumps(self.server.answers(parse_qs(asked.query)["query"][0])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """The address at which queries are answered."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answers = answers
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
