"""What the checks are given of one CanaryRelease, and what of their findings reaches its status."""

from typing import Any

import pytest

from canary_operator.cache import Cache, Key
from canary_operator.clients.kinds import CANARY_RELEASE, REPLICA_SET, SERVICE
from canary_operator.findings import Inspection, look
from canary_operator.preflight.reading import Listing, NotPermitted, Read
from canary_operator.release import reasons
from canary_operator.subject import subject

KEY = Key("shop", "reviews")
NAMESPACE, PODS = Read("Namespace", name="shop"), Read("Pod", "shop", selector="app=reviews")
WELL: dict[Read, Listing] = {
    NAMESPACE: ({"metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}}},),
    PODS: (),
    Read("MutatingWebhookConfiguration"): NotPermitted(),
    Read("ValidatingWebhookConfiguration"): NotPermitted(),
    Read("ConfigMap", "istio-system", "istio"): ({"metadata": {"name": "istio"}, "mesh": {}},),
    Read("WorkloadEntry", "shop"): (),
    Read("PeerAuthentication", "shop"): (),
    Read("PeerAuthentication", "istio-system"): (),
    Read("Telemetry", "shop", "reviews", "default"): (),
}


def named(name: str, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1", "generation": 1}, **rest}


def deployed(version: str, **pod: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "reviews", "version": version}}, "spec": {"containers": [{"name": "app"}], **pod}}
    return named(f"reviews-{version}-1", spec={"replicas": 2, "template": template})


def inspection(around: dict[Read, Listing], *sets: dict[str, Any], trouble: str | None = None, **status: Any) -> Inspection:
    cache = Cache()
    cache.store(CANARY_RELEASE, named("reviews", spec={"service": {"name": "reviews"}, "version": "v2"}, status=status))
    cache.store(SERVICE, named("reviews", spec={"selector": {"app": "reviews"}, "ports": [{"name": "http", "port": 9080}]}))
    for each in sets:
        cache.store(REPLICA_SET, each)
    it = subject(KEY, cache)
    assert it is not None
    return look(it, cache, around, trouble)


def found(of: Inspection) -> list[str]:
    return [each.reason for each in of.findings]


def test_what_is_not_watched_is_asked_for_and_awaited() -> None:
    first = inspection({})
    assert set(first.reads) == set(WELL)
    assert first.unread is not None and first.unread.reason == reasons.INSPECTING
    assert inspection(WELL).unread is None


def test_a_read_that_fails_is_told() -> None:
    unread = inspection({}, trouble="list Pod shop: HTTP 503").unread
    assert unread is not None
    assert (unread.reason, "HTTP 503" in unread.message) == (reasons.SURROUNDINGS_UNREAD, True)


@pytest.mark.parametrize(
    ("status", "roles"),
    [
        pytest.param({"stable": "v1@1"}, ["stable v1", "canary v2"], id="at rest: the recorded stable and the wanted version"),
        pytest.param(
            {"stable": "v1@1", "release": {"state": "Progressing", "from": "v1@1", "to": "v3@1"}},
            ["stable v1", "canary v3"],
            id="while a release runs: its own two",
        ),
        pytest.param({"stable": "v2@1"}, ["stable v2"], id="nothing to release"),
    ],
)
def test_the_versions_that_are_looked_at(status: dict[str, Any], roles: list[str]) -> None:
    sets = [deployed(version, hostNetwork=True) for version in ("v1", "v2", "v3")]
    messages = [each.message for each in inspection(WELL, *sets, **status).findings]
    assert [role for message in messages for role in [message.partition("(")[2].partition(")")[0]]] == roles


def test_before_the_adoption_the_only_version_that_serves_is_stable() -> None:
    assert "(stable v1)" in inspection(WELL, deployed("v1", hostNetwork=True)).findings[0].message


def test_errors_block_and_warnings_warn() -> None:
    seen = inspection(WELL, deployed("v1", hostNetwork=True), stable="v1@1")
    assert found(seen) == ["HostNetwork"]
    assert [each.reason for each in seen.warnings] == ["NotPermitted", "TelemetryMissing"]


OLD = [{"reason": "TelemetryMissing", "message": "none"}, {"reason": "ServiceOverlaps", "message": "another"}]


def test_before_there_is_anything_to_judge_no_telemetry_is_missed() -> None:
    assert [each.reason for each in inspection(WELL, deployed("v2"), stable="v2@1").warnings] == ["NotPermitted"]


def test_a_warning_of_what_is_read_stays_until_it_is_read_again() -> None:
    unread = inspection({}, stable="v1@1", warnings=OLD)
    assert ([each.reason for each in unread.remembered], unread.warnings) == (["TelemetryMissing"], ())
    assert not inspection(WELL, stable="v1@1", warnings=OLD).remembered
    assert [each.reason for each in inspection(WELL, stable="v1@1", warnings=OLD).warnings] == ["NotPermitted", "TelemetryMissing"]
    counted = ({"reporter": "source", "workload": "web", "namespace": "", "requests": 5.0},)
    calm = inspection(WELL | {Read("Telemetry", "shop", "reviews", "default"): counted}, stable="v1@1", warnings=OLD)
    assert [each.reason for each in calm.warnings] == ["NotPermitted"]
