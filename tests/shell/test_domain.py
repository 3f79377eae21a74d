"""The cluster's domain: as configured, else as the kubelet tells every pod, else the usual one."""

from pathlib import Path

import pytest

from canary_operator.domain import cluster_domain
from canary_operator.settings import load

KUBELETS = "search canary.svc.corp.internal svc.corp.internal corp.internal\nnameserver 10.0.0.10\noptions ndots:5\n"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param(KUBELETS, "corp.internal", id="as the kubelet writes it"),
        pytest.param("search svc.One.local. a\n", "one.local", id="capitals and a dot at the end say nothing"),
        pytest.param("search svc.one.local\nsearch x.svc.two.local svc.two.local two.local\n", "two.local", id="the last list counts"),
        pytest.param("search example.com\n", "cluster.local", id="outside a cluster"),
        pytest.param("search svc.\nsearch\n", "cluster.local", id="an empty list"),
        pytest.param("", "cluster.local", id="an empty file"),
    ],
)
def test_resolv_conf(tmp_path: Path, text: str, domain: str) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert cluster_domain(None, file) == domain
    assert cluster_domain("set.by.hand", file) == "set.by.hand"


def test_without_the_file_the_usual_domain_is_taken(tmp_path: Path) -> None:
    assert cluster_domain(None, tmp_path / "none") == "cluster.local"


def test_both_can_be_set() -> None:
    found = load("clusterDomain: corp.internal\nmeshConfig: istio-system/istio-1-30")
    assert (found.cluster_domain, found.mesh_config) == ("corp.internal", ("istio-system", "istio-1-30"))
    assert (load("").cluster_domain, load("").mesh_config) == (None, ("istio-system", "istio"))
