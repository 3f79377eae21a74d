"""What the demo applies, as a user would: the operator's rights, its configuration, a CanaryRelease."""

import os
from pathlib import Path
from typing import Any

import yaml

from lab import Lab

ROOT = Path(__file__).parents[2]
RESULTS = Path("build/demo")
"""Where report, timeline, picture and the operator's log go."""
OPERATOR = "istio-canary-operator"
"""Name of the operator's namespace and of its ServiceAccount."""
ACCOUNT = f"system:serviceaccount:{OPERATOR}:{OPERATOR}"
NAMESPACE, SERVICE, PORT = "shop", "reviews", 9080
PROBE_PORT, METRICS_PORT = 18080, 18090
"""Free ones: the network is the demo's own."""
RATE = 200
"""Requests per second, over both ways."""
WAYS = ("gateway", "mesh")
SCRAPE = "2s"
RELEASES = "/apis/canary.rollouts.dev/v1beta1/canaryreleases"
RELEASE = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{NAMESPACE}/canaryreleases/{SERVICE}"
ROUTES = "/apis/networking.istio.io/v1/virtualservices"
RULES = "/apis/networking.istio.io/v1/destinationrules"


def install(lab: Lab) -> None:
    """The CRD, and everything of install.yaml but the Deployment: the operator runs as a process here, with the same account."""
    lab.install(ROOT / "crds")
    documents = yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text(encoding="utf-8"))
    lab.install([document for document in documents if document and document["kind"] != "Deployment"])


def configuration(prometheus_url: str) -> str:
    """The operator's configuration file."""
    return yaml.safe_dump(
        {
            "prometheus": {"default": {"url": prometheus_url}},
            "probe": f"127.0.0.1:{PROBE_PORT}",
            "metrics": f"127.0.0.1:{METRICS_PORT}",
            "log": "json",
        },
        sort_keys=False,
    )


def canary_release(version: str) -> dict[str, Any]:
    """The CanaryRelease; holds are short, so that the demo is."""
    return {
        "apiVersion": "canary.rollouts.dev/v1beta1",
        "kind": "CanaryRelease",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE},
        "spec": {
            "service": {"name": SERVICE, "port": PORT},
            "version": version,
            "traffic": {"owned": {"hosts": ["reviews.example.com"], "gateways": ["infra/public", "mesh"]}},
            "steps": [{"weight": weight, "hold": {"min": "5s", "max": "60s"}} for weight in (5, 25, 50)],
            "bake": "10s",
            "drain": "5s",
            "settle": "2s",
        },
    }


def results() -> Path:
    """The folder of the results, made if it is missing."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS


def environment() -> dict[str, str]:
    """What the operator's process gets: this environment, with the operator's source in sight."""
    paths = (str(ROOT / "operator"), os.environ.get("PYTHONPATH"))
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
