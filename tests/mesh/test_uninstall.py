"""Taking the operator away in the middle of a release, on real traffic."""

from lab import Lab
from lab.operator import Operator
from tests.api.place import plugin
from tests.mesh.shop import Shop


def test_letting_go_in_the_middle_of_a_release_loses_no_request(shop: Shop, lab: Lab, operator: Operator) -> None:
    shop.version("v1")
    shop.release("v1", steps=[{"weight": 25, "hold": {"min": "60s", "max": "120s"}}], drain="2s")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(100, ("gateway", "mesh"))
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    operator.terminate()
    try:
        done = plugin(lab, "uninstall", "--namespace", shop.namespace, "--force")
        assert done.returncode == 0, done.stderr
        report = load.stop()
        rule = lab.api.get(shop.routing("DestinationRule"))
        assert {subset["labels"]["version"] for subset in rule["spec"]["subsets"]} == {"v1"}
        assert (shop.weight, report.lost) == (0, 0), report
    finally:
        operator.start()
        operator.wait_ready()
