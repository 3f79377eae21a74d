"""What the demo applies, as a user would: the operator's rights, its configuration, a CanaryRelease."""

from pathlib import Path
from typing import Any

RESULTS = Path("build/demo")
"""Where report, timeline, picture and the operator's log go."""
NAMESPACE, SERVICE, PORT = "shop", "reviews", 9080
RATE = 200
"""Requests per second, over both ways."""
WAYS = ("gateway", "mesh")
SCRAPE = "2s"
RELEASES = "/apis/canary.rollouts.dev/v1beta1/canaryreleases"
RELEASE = f"/apis/canary.rollouts.dev/v1beta1/namespaces/{NAMESPACE}/canaryreleases/{SERVICE}"
ROUTES = "/apis/networking.istio.io/v1/virtualservices"
RULES = "/apis/networking.istio.io/v1/destinationrules"


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
