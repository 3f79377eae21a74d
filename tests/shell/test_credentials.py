"""Token, headers and certificates of a provider: read again when they change, on a real TLS server, and told to nobody.

The certificates in `testdata` are for 127.0.0.1 and for these tests alone; they were made with
`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -addext subjectAltName=IP:127.0.0.1`.
"""

import asyncio
import json
import shutil
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from canary_operator.analysis.samples import Answer, NoData, QueryFailed, Samples
from canary_operator.clients.prometheus import Prometheus
from canary_operator.settings import Provider
from tests.shell.misbehaving import GOOD, Speak, ask, provider, reply, serving

TESTDATA = Path(__file__).with_name("testdata")
Query = Callable[[], Awaitable[Answer]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"status": "success", "data": GOOD}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


class Server(ThreadingHTTPServer):
    """Keeps connections alive, counts them, and may show another certificate to the next."""

    daemon_threads = True

    def __init__(self, certificate: str, *, asks: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self._asks = asks
        self.show(certificate)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"

    def show(self, certificate: str) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(TESTDATA / f"{certificate}.pem", TESTDATA / f"{certificate}.key")
        if self._asks:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(TESTDATA / f"{self._asks}.pem")

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.connections += 1
        try:
            with self._context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            return


@contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def use(name: str, path: Path) -> Path:
    """Puts a file of the test data there as a mounted Secret is replaced: by another file of the same name."""
    fresh = path.with_name(f"{path.name}.new")
    shutil.copyfile(TESTDATA / name, fresh)
    return fresh.replace(path)


def play(provider: Provider, script: Callable[[Query], Awaitable[None]]) -> None:
    """Several queries through one client."""

    async def main() -> None:
        client = Prometheus({"default": provider})
        try:
            await script(lambda: client.query("default", "up[1m]"))
        finally:
            client.close()

    asyncio.run(main())


def said(answer: Answer) -> str:
    assert isinstance(answer, QueryFailed | NoData), answer
    return answer.why


def test_another_ca_holds_for_the_next_query_even_on_a_connection_that_is_open(tmp_path: Path) -> None:
    trusted = use("one.pem", tmp_path / "ca.pem")

    async def script(query: Query) -> None:
        assert isinstance(await query(), Samples)
        assert isinstance(await query(), Samples)
        assert server.connections == 1, "kept alive"
        use("two.pem", trusted)
        assert "not trusted" in said(await query())
        server.show("two")
        assert isinstance(await query(), Samples)

    with running(Server("one")) as server:
        play(Provider(server.url, timedelta(seconds=2), ca_file=str(trusted)), script)


def test_without_a_ca_of_its_own_such_a_server_is_not_trusted() -> None:
    with running(Server("one")) as server:
        answer, _ = ask(Provider(server.url, timedelta(seconds=2)))
    assert "not trusted" in said(answer)


def test_the_certificate_is_shown_and_read_again(tmp_path: Path) -> None:
    shown, key = use("two.pem", tmp_path / "tls.crt"), use("two.key", tmp_path / "tls.key")

    async def script(query: Query) -> None:
        assert "TLS" in said(await query()) or "connection" in said(await query()), "the server asks for another certificate"
        use("client.pem", shown)
        assert f"certFile {shown} and keyFile {key}" in said(await query()), "half of a rotation"
        use("client.key", key)
        assert isinstance(await query(), Samples)

    with running(Server("one", asks="client")) as server:
        files = {"ca_file": str(TESTDATA / "one.pem"), "cert_file": str(shown), "key_file": str(key)}
        play(Provider(server.url, timedelta(seconds=2), **files), script)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["caFile", "certFile", "keyFile"])
def test_a_file_that_is_gone_or_no_certificate_is_named_by_its_key(key: str, tmp_path: Path) -> None:
    paths = {
        "caFile": use("one.pem", tmp_path / "ca"),
        "certFile": use("client.pem", tmp_path / "crt"),
        "keyFile": use("client.key", tmp_path / "key"),
    }

    async def script(query: Query) -> None:
        paths[key].write_text("-----BEGIN NOTHING-----")
        assert f"{key} {paths[key]}" in said(await query())
        paths[key].unlink()
        assert said(await query()) == f"Prometheus at provider default: {key} {paths[key]} cannot be read"

    with running(Server("one")) as server:
        files = {"ca_file": str(paths["caFile"]), "cert_file": str(paths["certFile"]), "key_file": str(paths["keyFile"])}
        play(Provider(server.url, timedelta(seconds=2), **files), script)  # type: ignore[arg-type]


def test_each_provider_has_its_own_address_and_credentials(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-second")

    async def main(one: str, two: str) -> None:
        client = Prometheus({"default": provider(one), "second": provider(two, token_file=str(token))})
        for name in ("default", "second"):
            await client.query(name, "up[1m]")
        client.close()

    good = json.dumps({"status": "success", "data": GOOD}).encode()
    with (
        serving(lambda connection: connection.sendall(reply(good))) as one,
        serving(lambda connection: connection.sendall(reply(good))) as two,
    ):
        asyncio.run(main(one.url, two.url))
    assert "Authorization" not in one.asked[0] and "Authorization: Bearer of-the-second" in two.asked[0]


TOKEN, KEY = "s3cr3t-token-of-prometheus", "api-key-1234567890"


def echo(*, status: str, body: str) -> Speak:
    """A server that repeats in its error what it was asked with, as proxies do."""
    return lambda connection: connection.sendall(reply(body.encode(), status))


ECHOES = [
    pytest.param("400 Bad Request", {"status": "error", "errorType": "bad_data", "error": f"no: Bearer {TOKEN}, {KEY}"}, id="error"),
    pytest.param("200 OK", {"status": "success", "warnings": [f"as {TOKEN} and {KEY}"], "data": GOOD}, id="warning"),
    pytest.param("200 OK", {"status": TOKEN, "error": KEY}, id="status"),
    pytest.param("200 OK", {"status": "success", "data": {"resultType": TOKEN, "result": []}}, id="type"),
    pytest.param(
        "200 OK", {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, KEY]]}]}}, id="sample"
    ),
]


@pytest.mark.parametrize(("status", "body"), ECHOES)
def test_what_a_server_repeats_of_our_credentials_is_not_told(status: str, body: object, tmp_path: Path) -> None:
    token, headers = tmp_path / "token", tmp_path / "headers"
    token.write_text(TOKEN)
    headers.write_text(f"X-Api-Key: {KEY}\n")
    with serving(echo(status=status, body=json.dumps(body))) as server:
        answer, _ = ask(provider(server.url, token_file=str(token), headers_file=str(headers)))
        assert TOKEN in server.asked[0] and KEY in server.asked[0]
    assert "***" in said(answer)
    assert TOKEN not in said(answer) and KEY not in said(answer)
