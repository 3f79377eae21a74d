"""What the operator says when the cluster lacks what it needs: one line with the command that mends it, and exit code 3."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab import Cluster


def start(kubeconfig: Path, tmp_path: Path, **settings: object) -> "subprocess.CompletedProcess[str]":
    config = tmp_path / "config.yaml"
    config.write_text(
        yaml.safe_dump({"probe": ":0", "metrics": ":0", "prometheus": {"default": {"url": "http://127.0.0.1:9"}}, **settings})
    )
    command = [sys.executable, "-m", "canary_operator.cli.main", "run", "--config", str(config), "--kubeconfig", str(kubeconfig)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_istio_it_names_what_to_install(cluster: Cluster, tmp_path: Path) -> None:
    ended = start(cluster.kubeconfig, tmp_path)
    assert ended.returncode == 3
    assert "istioctl install" in ended.stderr.splitlines()[-1]


def test_without_rights_it_names_the_right_and_the_file_that_gives_it(cluster: Cluster, tmp_path: Path) -> None:
    cluster.namespace("powerless")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": "powerless"}}
    cluster.api.apply(account)
    ended = start(cluster.service_account_kubeconfig("powerless", "nobody"), tmp_path)
    assert ended.returncode == 3
    assert "may not list" in ended.stderr.splitlines()[-1]
    assert "kubectl apply -f deploy/install.yaml" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"workers": 0}, "workers"), ({"prometheus": {"default": {"url": "ftp://x"}}}, "prometheus.default.url"), ({"wrokers": 8}, "wrokers")],
    ids=["a number out of range", "an address that is none", "a key that does not exist"],
)
def test_a_wrong_configuration_is_named_by_its_key(cluster: Cluster, tmp_path: Path, settings: dict[str, object], key: str) -> None:
    ended = start(cluster.kubeconfig, tmp_path, **settings)
    assert ended.returncode == 2
    assert key in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
