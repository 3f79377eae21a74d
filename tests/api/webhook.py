"""An admission webhook that the API server must ask before it writes routes of one namespace: it refuses, hangs or is away, as told."""

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.api import ApiError
from lab.waiting import until
from tests.api.place import Place

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
RULES = [
    {
        "apiGroups": ["networking.istio.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["virtualservices", "destinationrules"],
    }
]


class Webhook:
    """In force from `up` to `close`; what it says can be changed meanwhile."""

    def __init__(self, place: Place, *, code: int = 403, words: str = "not now", hangs: float = 0, away: bool = False) -> None:
        self.code, self.words, self.hangs = code, words, hangs
        self._place, self._away, self._done = place, away, threading.Event()
        self.name = f"refusing.{place.namespace}.example.com"
        certificate = place.cluster.api_server.authority  # the API server's own, for the same address
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._authority = base64.b64encode(certificate.read_bytes()).decode()

    def up(self, timeout: int = 5) -> "Webhook":
        """It is asked from now on, and given so many seconds."""
        place, service = self._place, {"service": {"name": "istiod", "namespace": self._place.namespace, "path": "/validate"}}
        url = {"url": f"https://127.0.0.1:{self._server.server_port}/", "caBundle": self._authority}
        place.api.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": self.name},
                "webhooks": [
                    {
                        "name": self.name,
                        "clientConfig": service if self._away else url,
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
                        "rules": RULES,
                        "failurePolicy": "Fail",
                        "sideEffects": "None",
                        "admissionReviewVersions": ["v1"],
                        "timeoutSeconds": timeout,
                    }
                ],
            }
        )
        until(self._is_asked, "the webhook is asked", 30)
        return self

    def down(self) -> None:
        """It is not asked any more."""
        if self._place.api.find(f"{CONFIGURATIONS}/{self.name}"):
            self._place.api.delete(f"{CONFIGURATIONS}/{self.name}")
            until(lambda: not self._is_asked(), "the webhook is not asked any more", 30)

    def close(self) -> None:
        self.down()
        self._done.set()
        self._server.shutdown()
        self._server.server_close()

    def _is_asked(self) -> bool:
        path = self._place.api.path("networking.istio.io/v1", "VirtualService", self._place.namespace, "nobody")
        probe: dict[str, Any] = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "nobody", "namespace": self._place.namespace},
            "spec": {"hosts": ["nobody"], "http": [{"route": [{"destination": {"host": "nobody"}}]}]},
        }
        try:
            self._place.api.create(probe)
        except ApiError:
            return True
        self._place.api.delete(path)
        return False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                webhook._done.wait(webhook.hangs)
                said = {"code": webhook.code, "message": webhook.words}
                answer = {"uid": review["request"]["uid"], "allowed": False, "status": said}
                body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        return Handler


def seconds(since: float) -> float:
    """Since a monotonic time."""
    return time.monotonic() - since
