"""Whether there is a mesh, what callers see of it, and what may not be looked at."""

from typing import Any

import pytest

from canary_operator.preflight import inspect, reads, wanted
from canary_operator.preflight.reading import Failed, Listing, NotPermitted, Read, Unserved
from preflight.objects import HOST, VALIDATOR, Document, facts, mesh, named, routed, row, service, told

ERROR, WARNING = "Error", "Warning"
CALLS = reads.telemetry(facts())
OURS = routed("shop/reviews", HOST, owner="reviews", to={"host": HOST, "subset": "stable"})


def rule(**spec: Any) -> tuple[Document, ...]:
    return (named("shop/reviews", "reviews", host=HOST, **spec),)


def validator(**hook: Any) -> dict[Read, Listing]:
    return {reads.VALIDATING: (VALIDATOR | {"webhooks": [hook]},)}


def sidecars(*hosts: str) -> dict[Read, Listing]:
    return {Read("Sidecar", "clients"): (named("clients/limits", egress=[{"hosts": list(hosts)}]),)}


@pytest.mark.parametrize(
    ("around", "found"),
    [
        pytest.param({}, [], id="all is well"),
        pytest.param({Read("Sidecar", "clients"): Unserved()}, [("IstioMissing", ERROR)], id="Istio's kinds are gone"),
        pytest.param({Read("Waypoint", "shop"): Unserved()}, [], id="the Gateway API is not Istio's"),
        pytest.param({reads.VALIDATING: ()}, [("ValidationOff", WARNING)], id="no validator"),
        pytest.param(validator(name="x", failurePolicy="Ignore"), [("ValidationOff", WARNING)], id="a validator that lets all pass"),
        pytest.param({reads.VALIDATING: NotPermitted()}, [("NotPermitted", WARNING)], id="a right is missing"),
        pytest.param(
            {reads.VALIDATING: NotPermitted(), reads.MUTATING: NotPermitted()},
            [("NotPermitted", WARNING)],
            id="missing rights are told once",
        ),
        pytest.param({CALLS: ()}, [("TelemetryMissing", WARNING)], id="no request was counted"),
        pytest.param(
            {CALLS: (row(reporter="destination"),)}, [("TelemetryMissing", WARNING)], id="counted by a reporter that is not judged by"
        ),
        pytest.param({CALLS: (row(requests=0.0),)}, [("TelemetryMissing", WARNING)], id="none within the last minutes"),
        pytest.param(
            {CALLS: Failed("Prometheus at provider default: no answer")}, [("TelemetryMissing", WARNING)], id="Prometheus is away"
        ),
        pytest.param(
            {CALLS: (row(), row(reporter="destination"), row("unknown", "unknown", "destination", 50.0))},
            [("CallersOutsideMesh", WARNING)],
            id="callers without a sidecar",
        ),
        pytest.param(
            {CALLS: (row(), row(reporter="destination", requests=999.0), row("unknown", "unknown", "destination", 1.0))},
            [],
            id="a scraper or a probe is no caller",
        ),
        pytest.param(sidecars("istio-system/*", "./*"), [("SidecarHidesHost", WARNING)], id="a Sidecar that leaves the host out"),
        pytest.param(sidecars(f"shop/{HOST}"), [], id="a Sidecar that names it"),
        pytest.param(sidecars("*/*"), [], id="a Sidecar that lets all in"),
        pytest.param(sidecars("shop/*"), [], id="a Sidecar that lets the namespace in"),
        pytest.param(sidecars("~/*"), [("SidecarHidesHost", WARNING)], id="a Sidecar that lets nothing in"),
        pytest.param({Read("Sidecar", "clients"): (named("clients/x"),)}, [], id="a Sidecar without egress limits nothing"),
    ],
)
def test_around(around: dict[Read, Listing], found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(around=around))) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"virtual_services": (OURS,)}, [], id="our route"),
        pytest.param(
            {"virtual_services": (routed("shop/reviews", HOST, owner="reviews", to={"host": HOST, "subset": "stable"}, exportTo=["."]),)},
            [],
            id="our route, kept to our namespace by somebody, is set right",
        ),
        pytest.param({"destination_rules": rule(exportTo=["shop"])}, [], id="so are our subsets"),
        pytest.param({"destination_rules": rule(exportTo=["*"])}, [], id="exported to all"),
        pytest.param(
            {"destination_rules": rule(workloadSelector={"matchLabels": {"a": "b"}})},
            [("RuleNotForAll", WARNING)],
            id="for some callers only",
        ),
        pytest.param(
            {"destination_rules": rule(trafficPolicy={"outlierDetection": {"maxEjectionPercent": 100}})},
            [("EjectionOfAll", WARNING)],
            id="all pods may be ejected",
        ),
        pytest.param(
            {"destination_rules": rule(subsets=[{"name": "canary", "trafficPolicy": {"outlierDetection": {"maxEjectionPercent": 100}}}])},
            [("EjectionOfAll", WARNING)],
            id="all of one subset may be ejected",
        ),
        pytest.param({"destination_rules": rule(trafficPolicy={"outlierDetection": {}})}, [], id="a tenth by default"),
        pytest.param(
            {"virtual_services": (OURS | {"spec": {"http": [{"name": "x", "retries": {"retryOn": "5xx,reset"}}]}},)},
            [("RetriesHideFailures", WARNING)],
            id="retries after failures",
        ),
        pytest.param(
            {"virtual_services": (OURS | {"spec": {"http": [{"name": "x", "retries": {"retryOn": "connect-failure"}}]}},)},
            [],
            id="retries before an answer hide nothing",
        ),
        pytest.param(
            {"virtual_services": (OURS | {"spec": {"http": [{"name": "x", "retries": {"attempts": 0, "retryOn": "5xx"}}]}},)},
            [],
            id="no attempts",
        ),
    ],
)
def test_what_callers_see(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(**changes))) == found


def policy(mode: str, name: str = "shop/default", selector: Document | None = None, **ports: str) -> Document:
    levels = {number.removeprefix("p"): {"mode": each} for number, each in ports.items()}
    return named(
        name, mtls={"mode": mode}, selector={"matchLabels": selector} if selector else None, portLevelMtls=levels if levels else None
    )


def tls(mode: str) -> Document:
    return {"tls": {"mode": mode}}


HERE, ROOT = Read("PeerAuthentication", "shop"), Read("PeerAuthentication", "istio-system")
TWICE = [("MtlsConflict", ERROR)] * 2


@pytest.mark.parametrize(
    ("around", "spec", "found"),
    [
        pytest.param({HERE: (policy("STRICT"),)}, {}, [], id="STRICT, and nobody speaks of tls"),
        pytest.param({HERE: (policy("STRICT"),)}, {"trafficPolicy": tls("ISTIO_MUTUAL")}, [], id="STRICT and ISTIO_MUTUAL"),
        pytest.param({HERE: (policy("STRICT"),)}, {"trafficPolicy": tls("DISABLE")}, TWICE, id="STRICT and DISABLE"),
        pytest.param({HERE: (policy("STRICT"),)}, {"trafficPolicy": tls("SIMPLE")}, TWICE, id="STRICT and SIMPLE"),
        pytest.param(
            {ROOT: (policy("STRICT", "istio-system/default"),)}, {"trafficPolicy": tls("DISABLE")}, TWICE, id="STRICT for the mesh"
        ),
        pytest.param(
            {HERE: (policy("PERMISSIVE"),), ROOT: (policy("STRICT", "istio-system/default"),)},
            {"trafficPolicy": tls("DISABLE")},
            [],
            id="the namespace wins over the mesh",
        ),
        pytest.param(
            {HERE: (policy("UNSET"),), ROOT: (policy("STRICT", "istio-system/default"),)},
            {"trafficPolicy": tls("DISABLE")},
            TWICE,
            id="UNSET asks the next",
        ),
        pytest.param(
            {HERE: (policy("STRICT"), policy("PERMISSIVE", "shop/x", {"app": "reviews"}))},
            {"trafficPolicy": tls("DISABLE")},
            [],
            id="the pods win over the namespace",
        ),
        pytest.param(
            {HERE: (policy("STRICT", "shop/x", {"version": "v2"}),)},
            {"trafficPolicy": tls("DISABLE")},
            TWICE[:1],
            id="for the canary's pods alone",
        ),
        pytest.param(
            {HERE: (policy("STRICT", "shop/x", {"app": "reviews"}, p9080="DISABLE"),)},
            {"trafficPolicy": tls("DISABLE")},
            [],
            id="the port wins over the rest",
        ),
        pytest.param({HERE: (policy("DISABLE"),)}, {"trafficPolicy": tls("ISTIO_MUTUAL")}, TWICE, id="DISABLE and ISTIO_MUTUAL"),
        pytest.param({HERE: (policy("DISABLE"),)}, {"trafficPolicy": tls("DISABLE")}, [], id="DISABLE and DISABLE"),
        pytest.param(
            {HERE: (policy("STRICT"),)},
            {"trafficPolicy": tls("DISABLE"), "subsets": [{"name": "stable", "trafficPolicy": tls("ISTIO_MUTUAL")}]},
            TWICE[:1],
            id="a subset's policy wins over the rule's",
        ),
        pytest.param(
            {HERE: (policy("STRICT"),)},
            {"trafficPolicy": {"portLevelSettings": [{"port": {"number": 9080}, **tls("DISABLE")}]}},
            TWICE,
            id="a policy of our port",
        ),
        pytest.param(
            {HERE: (policy("STRICT"),)},
            {"trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, **tls("DISABLE")}]}},
            [],
            id="a policy of another port",
        ),
    ],
)
def test_mtls(around: dict[Read, Listing], spec: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(around=around, destination_rules=rule(**spec)))) == found


WAYPOINT: Document = {
    "metadata": {"namespace": "shop", "name": "waypoint"},
    "status": {"conditions": [{"type": "Programmed", "status": "True"}]},
}
AMBIENT, USED = {"istio.io/dataplane-mode": "ambient"}, {"istio.io/use-waypoint": "waypoint"}
POINTS = Read("Waypoint", "shop")
LACKING, ALPHA = [("WaypointMissing", ERROR)], [("WaypointAlpha", WARNING)]


@pytest.mark.parametrize(
    ("labels", "waypoints", "found"),
    [
        pytest.param(AMBIENT, (WAYPOINT,), LACKING, id="no waypoint is used"),
        pytest.param(AMBIENT | USED, (WAYPOINT,), ALPHA, id="a waypoint is used"),
        pytest.param(AMBIENT | USED, (), LACKING, id="it does not exist"),
        pytest.param(AMBIENT | USED, (WAYPOINT | {"status": {}},), LACKING, id="it is not programmed"),
        pytest.param(
            AMBIENT | USED,
            (WAYPOINT | {"metadata": {"name": "waypoint", "labels": {"istio.io/waypoint-for": "workload"}}},),
            LACKING,
            id="it takes no requests to Services",
        ),
        pytest.param(AMBIENT | USED, NotPermitted(), [("NotPermitted", WARNING), *ALPHA], id="it may not be looked at"),
        pytest.param(AMBIENT | USED | {"istio.io/use-waypoint-namespace": "infra"}, (), ALPHA, id="it stands in another namespace"),
        pytest.param(
            AMBIENT | {"istio-injection": "enabled"}, (), [("SeveralInjectionLabels", WARNING)], id="the label for sidecars comes before it"
        ),
    ],
)
def test_ambient(labels: dict[str, str], waypoints: Listing, found: list[tuple[str, str]]) -> None:
    assert told(inspect(mesh(labels, around={POINTS: waypoints}))) == found


def test_what_is_not_permitted_is_named_by_its_right_and_by_what_stays_unchecked() -> None:
    (finding,) = inspect(mesh(around={reads.VALIDATING: NotPermitted(), HERE: NotPermitted()}))
    assert finding.message == (
        "The operator may not list peerauthentications.security.istio.io in shop, "
        "list validatingwebhookconfigurations.admissionregistration.k8s.io, so mTLS and validation are not checked: "
        "give its ServiceAccount these rights (deploy/install.yaml holds them), or check that by hand"
    )


def test_reads_lead_to_further_reads() -> None:
    first = wanted(facts(service=service()))
    assert {read.kind for read in first} == {
        "Namespace",
        "ConfigMap",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "Pod",
        "WorkloadEntry",
        "PeerAuthentication",
        "Telemetry",
    }
    assert Read("Sidecar", "clients") in wanted(mesh())
    assert Read("Waypoint", "shop") in wanted(mesh(AMBIENT))


def test_nothing_is_said_of_what_was_not_read() -> None:
    known = mesh()
    assert inspect(facts(arms=known.arms, replica_sets=known.replica_sets, services=known.services, version="v2")) == ()
