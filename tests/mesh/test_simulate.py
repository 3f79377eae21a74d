"""A release is played over what the mesh's own Prometheus has counted of the service."""

import json
from pathlib import Path

import yaml

from lab import Lab
from lab.waiting import until
from tests.api.place import plugin
from tests.mesh.shop import NAME, Shop

SPEC = {"service": {"name": NAME}, "version": "v2", "steps": [{"weight": 10, "hold": {"min": "20s", "max": "1m"}}], "bake": "10s"}


def test_a_release_is_played_over_what_prometheus_has_counted(shop: Shop, lab: Lab, tmp_path: Path) -> None:
    """50 requests a second, of which 5 % fail: so does what is played."""
    shop.version("v1").behave(error_share=0.05)
    load = shop.load(50, ("mesh",))
    until(lambda: load.report.versions.get("v1", 0) > 1000, "a thousand requests were answered", 90)
    file = tmp_path / "release.yaml"
    file.write_text(
        yaml.safe_dump({"apiVersion": "canary.rollouts.dev/v1beta1", "kind": "CanaryRelease", "metadata": {"name": NAME}, "spec": SPEC})
    )
    asked = ("--prometheus", lab.prometheus_url, "-n", shop.namespace, "--last", "15s")
    done = plugin(lab, "simulate", "-f", str(file), *asked, "-o", "json")
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout)["moments"][-1]
    rate = (last["stable"]["requests"] + last["canary"]["requests"]) / last["seconds"]
    share = last["stable"]["failures"] / last["stable"]["requests"]
    assert (35 < rate < 65, 0.02 < share < 0.09) == (True, True), (rate, share)
