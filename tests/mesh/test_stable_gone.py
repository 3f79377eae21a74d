"""Stable has no ready pod while another version serves: its traffic goes there, and comes back. Requests are counted all the time."""

import time
from typing import Any

from lab.waiting import until
from lab.workloads import deployment_document
from tests.mesh.shop import NAME, Shop

FLAT = [{"weight": 25, "hold": {"min": "120s", "max": "200s"}}]
SECOND = 100
"""Requests of a second, as `Shop.load` sends them."""


def events(shop: Shop) -> list[tuple[str, str]]:
    """Type and reason of every event of the CanaryRelease."""
    found = shop.lab.api.get(f"/api/v1/namespaces/{shop.namespace}/events")["items"]
    return [(each["type"], each["reason"]) for each in found if each["involvedObject"]["kind"] == "CanaryRelease"]


def served_by(shop: Shop, version: str) -> None:
    """Waits until a load has only answers of this version for a second."""
    load = shop.loads[-1]

    def there() -> bool:
        since = time.time() - 1
        report = load.report
        return report.count(version=version, since=since) > 0.8 * SECOND and not report.count(status="503", since=since)

    until(there, f"{version} answers everything: {shop.status.get('message')}", 30)


def test_stable_scaled_to_0_in_a_release_and_back(shop: Shop) -> None:
    v1 = shop.version("v1")
    shop.release("v1", steps=FLAT)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(SECOND)
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    v1.scale(0)
    shop.wait_weight(100, 15)
    status = shop.wait("it says so", phase="Blocked", reason="StableGone")
    assert "kubectl canary promote" in status["message"]
    served_by(shop, "v2")
    lost = load.report.lost
    v1.scale(2)
    shop.wait_weight(0, 30)
    shop.wait_weight(25, 60)
    assert load.stop().lost == lost, "the way back costs nothing"
    assert ("Warning", "StableGone") in events(shop) and ("Warning", "StableBack") in events(shop)
    print(f"lost until traffic had moved: {lost / SECOND:.2f} s of traffic")
    assert lost <= 2 * SECOND
    shop.assert_rules()


def test_an_abort_while_stable_is_gone_takes_effect_when_it_serves(shop: Shop) -> None:
    v1 = shop.version("v1")
    shop.release("v1", steps=FLAT)
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.load()
    shop.version("v2")
    shop.want("v2")
    shop.wait_weight(25)
    v1.scale(0)
    shop.wait_weight(100, 15)
    shop.act("abort")
    until(lambda: shop.status.get("lastAction") == "abort/1/1", "the abort is acknowledged", 10)
    assert shop.weight == 100
    v1.scale(2)
    shop.wait_weight(0, 30)
    assert shop.wait_ended(1)["reason"] == "Aborted"
    shop.assert_rules()


def test_stable_gone_at_rest_and_the_old_version_is_promoted_by_hand(shop: Shop) -> None:
    shop.version("v1")
    v2 = shop.version("v2")
    shop.release("v2", stableVersion="v2")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    shop.lab.wait_served(shop.service, "v2", through=("mesh",))
    load = shop.lab.load(shop.service, rate=SECOND, through=("mesh",))
    shop.loads.append(load)
    until(lambda: load.report.count(version="v2") > 10, "v2 answers", 30)
    v2.scale(0)
    served_by(shop, "v1")
    lost = load.report.lost
    assert shop.status["stable"].startswith("v2@")
    shop.act("promote")
    until(lambda: str(shop.status.get("stable")).startswith("v1@"), "v1 is stable", 30)
    assert load.stop().lost == lost, "to make it stable costs nothing"
    print(f"lost until traffic had moved: {lost / SECOND:.2f} s of traffic")
    assert lost <= 4 * SECOND  # the subset of v1 is made first, and settles
    shop.assert_rules()


def test_a_commit_that_prunes_the_old_version(shop: Shop) -> None:
    """Git brings v2, wants it, and takes v1 out, all at once: nothing can answer until v2 is ready."""
    v1 = shop.version("v1")
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(SECOND)
    v2 = shop.lab.workload(shop.service, "v2", replicas=2)
    v1.delete()
    shop.want("v2")
    shop.lab.wait_ready(v2)
    ready = time.time()
    served_by(shop, "v2")
    lost = load.report.count(status="503", since=ready)
    print(f"lost after v2 was ready: {lost / SECOND:.2f} s of traffic")
    assert lost <= 2 * SECOND
    shop.patch({"spec": {"stableVersion": "v2"}})
    until(lambda: str(shop.status.get("stable")).startswith("v2@"), "v2 is stable", 30)
    shop.wait("at rest", phase="Stable")
    assert not load.stop().count(status="503", since=ready + 5)
    shop.assert_rules()


def one_deployment(shop: Shop, version: str) -> None:
    """The same Deployment, with another version label in its template."""
    document: dict[str, Any] = deployment_document(shop.service, version, 3, {})
    document["metadata"]["name"] = f"{NAME}-one"
    document["spec"]["selector"]["matchLabels"] = {"app": NAME}
    shop.lab.api.apply(document)


def test_one_deployment_whose_version_label_changes(shop: Shop) -> None:
    """Kubernetes replaces the pods one after the other; traffic moves before the last one goes."""
    one_deployment(shop, "v1")
    shop.lab.wait_served(shop.service, "v1", through=("mesh",))
    shop.release("v1")
    shop.wait("adopted", phase="Stable", reason="AtRest")
    load = shop.load(SECOND)
    shop.want("v2")
    one_deployment(shop, "v2")
    served_by(shop, "v2")
    until(lambda: any(each["reason"] == "StableReplaced" for each in shop.status.get("warnings", ())), "a warning says so", 20)
    report = load.report
    print(f"lost: {report.lost / SECOND:.2f} s of traffic")
    assert report.lost <= SECOND
    shop.act("promote")
    until(lambda: str(shop.status.get("stable")).startswith("v2@"), "v2 is stable", 30)
    shop.assert_rules()
