"""kube-apiserver, with RBAC, the default admission plugins and an audit log of every request."""

import base64
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from lab import programs
from lab.addresses import API_PORT, API_SERVER, ETCD_PORT, NODE_ADDRESS
from lab.api import Api, ApiUnreachable
from lab.part import Part

ADMIN = "lab-admin"
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/livez*", "/readyz*", "/healthz*"]},
        {"level": "Metadata", "omitManagedFields": True},
    ],
}
_ROTATE_MEGABYTES = 100_000
"""Far beyond any run: a rotated audit log would hide requests from whoever counts them."""


class ApiServer(Part):
    """The cluster's front door; `api` is a client with an administrator's token."""

    name = "kube-apiserver"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.token = secrets.token_urlsafe(16)
        self.api = Api(API_SERVER, self.token, self.authority, ADMIN)

    @property
    def authority(self) -> Path:
        """The certificate to trust; the server writes it at its first start and keeps it."""
        return self.directory / "certificates" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        """One JSON line per request."""
        return self.directory / "audit.log"

    def kubeconfig(self, token: str, namespace: str = "default") -> str:
        """A kubeconfig (JSON, which is YAML) for whoever holds this token."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": API_SERVER, "certificate-authority": str(self.authority)}}],
                "users": [{"name": "lab", "user": {"token": token}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
            }
        )

    def command(self) -> Sequence[str | Path]:
        """Writes the signing key, the token file and the audit policy first."""
        key = self._signing_key()
        tokens = self.directory / "tokens.csv"
        tokens.write_text(f'{self.token},{ADMIN},{ADMIN},"system:masters"\n')
        policy = self.directory / "audit-policy.json"
        policy.write_text(json.dumps(_AUDIT_POLICY))
        return [
            programs.path(programs.API_SERVER),
            *(
                "--etcd-servers",
                f"http://127.0.0.1:{ETCD_PORT}",
                "--bind-address",
                "127.0.0.1",
                "--secure-port",
                str(API_PORT),
            ),
            *("--cert-dir", self.authority.parent, "--token-auth-file", tokens, "--authorization-mode", "RBAC"),
            *("--service-cluster-ip-range", "10.0.0.0/16", "--allow-privileged=true"),
            *("--advertise-address", NODE_ADDRESS, "--endpoint-reconciler-type", "none"),
            *(
                "--service-account-issuer",
                f"{API_SERVER}/",
                "--service-account-key-file",
                key,
                "--service-account-signing-key-file",
                key,
            ),
            *(
                "--audit-policy-file",
                policy,
                "--audit-log-path",
                self.audit_log,
                "--audit-log-maxsize",
                str(_ROTATE_MEGABYTES),
            ),
        ]

    def is_ready(self) -> bool:
        """Its own word: /readyz."""
        try:
            return self.authority.exists() and self.api.answers("/readyz")
        except ApiUnreachable:
            return False

    def _signing_key(self) -> Path:
        """A P-256 key for service account tokens (SEC 1: the public half may be left out), made here so that no openssl is needed."""
        key = self.directory / "service-accounts.key"
        if not key.exists():
            content = bytes.fromhex("3031020101" + "0420") + secrets.token_bytes(32) + bytes.fromhex("a00a06082a8648ce3d030107")
            key.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{base64.b64encode(content).decode()}\n-----END EC PRIVATE KEY-----\n")
            key.chmod(0o600)
        return key
