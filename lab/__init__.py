"""A real Kubernetes cluster and Istio mesh without containers, for tests, the demo and benchmarks. Not part of the wheel.

python -m lab isolated -- python my_test.py          # a private namespace; inside it:

from lab import Lab
with Lab() as lab:
    lab.namespace("shop")
    reviews = lab.service("reviews", "shop")
    v1 = lab.workload(reviews, "v1")
    lab.wait_ready(v1)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.api import ApiError as ApiError
    from lab.cluster import Cluster as Cluster
    from lab.laboratory import Lab as Lab
    from lab.load import Load as Load
    from lab.part import PartFailed as PartFailed
    from lab.report import Report as Report

_HOMES = {
    "Lab": "laboratory",
    "Cluster": "cluster",
    "ApiError": "api",
    "Load": "load",
    "PartFailed": "part",
    "Report": "report",
}


def __getattr__(name: str) -> object:
    """Imports on first use: every backend process imports this package, and must stay small."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"lab.{_HOMES[name]}"), name)
