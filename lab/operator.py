"""The operator under test, run as in production: the rights of deploy/install.yaml, the token of its ServiceAccount, its configuration file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lab.cluster import Cluster
from lab.part import Part, answers

NAMESPACE = ACCOUNT = AGENT = "istio-canary-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
"""The API server's name for it."""
ROOT = Path(__file__).resolve().parent.parent
PROBE_PORT, METRICS_PORT = 18080, 18090


class Operator(Part):
    """`canary-operator run` as a part of the lab: it can be killed, paused and restarted alone."""

    def __init__(
        self,
        lab: Cluster,
        prometheus_url: str,
        *,
        name: str = "canary-operator",
        offset: int = 0,
        namespaces: Sequence[str] = (),
        verbose: bool = False,
        provider: Mapping[str, str] | None = None,
        providers: Mapping[str, str] | None = None,
    ) -> None:
        """Installs CRD and rights, and prepares the process; `start` starts it.

        Args:
            lab: The cluster, up.
            prometheus_url: Of the provider `default`.
            name: Of the process; a second one beside the first needs another.
            offset: Added to the ports, for a second one.
            namespaces: The namespaces that it serves; all when empty.
            verbose: Passes that change nothing are logged too.
            provider: Further keys of the provider, such as its tokenFile.
            providers: Further providers by name, with their addresses.
        """
        super().__init__(lab.directory)
        self.name = name
        self._port = PROBE_PORT + offset
        self._options = [word for namespace in namespaces for word in ("--namespace", namespace)] + ["--verbose"] * verbose
        install(lab)
        self._kubeconfig = lab.service_account_kubeconfig(NAMESPACE, ACCOUNT)
        self._config = self.directory / f"{name}.yaml"
        settings = {
            "prometheus": {
                "default": {"url": prometheus_url, **(provider or {})},
                **{each: {"url": url} for each, url in (providers or {}).items()},
            },
            "probe": f"127.0.0.1:{self._port}",
            "metrics": f"127.0.0.1:{METRICS_PORT + offset}",
            "leaderElection": True,
            "clusterDomain": lab.domain,
            "log": "json",
        }
        self._config.write_text(yaml.safe_dump(settings))

    def command(self) -> Sequence[str | Path]:
        """As a user would start it."""
        return [
            *(sys.executable, "-m", "canary_operator.cli.main", "run", "--config", self._config),
            *("--kubeconfig", self._kubeconfig),
            *self._options,
        ]

    def environment(self) -> Mapping[str, str]:
        """As in a pod: its name, by which it takes its own lease up at once when it is started again."""
        return {"POD_NAME": self.name}

    def is_ready(self) -> bool:
        """Its own readiness probe."""
        return answers(self._port, "/readyz")


def install(lab: Cluster) -> None:
    """CRD and everything of deploy/install.yaml but the Deployment: the lab has no images."""
    lab.install(ROOT / "crds")
    documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all((ROOT / "deploy/install.yaml").read_text()) if document]
    lab.api.apply(*(document for document in documents if document["kind"] != "Deployment"))
