"""What objects of other namespaces may do to a release: they are told, and block only where callers elsewhere go by them."""

from dataclasses import replace
from typing import Any

import pytest

from canary_operator.preflight import Attachment, Facts, inspect, left_out, reads
from canary_operator.preflight.reading import Failed, Listing
from preflight.objects import HOST, Document, facts, named, routed, row, told

ERROR, WARNING = "Error", "Warning"
TAKEN, SHADOWED, MISSING, BYPASSED = "HostTaken", "PolicyShadowed", "SubsetMissing", "RouteBypassesSubsets"
BEFORE, THEN, AFTER = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"
ROUTE = {"name": "canary-release", "route": [{"destination": {"host": HOST, "subset": subset}} for subset in ("stable", "canary")]}


def made(document: Document, when: str) -> Document:
    return {**document, "metadata": {**document["metadata"], "creationTimestamp": when}}


OURS = made(named("shop/reviews", "reviews", hosts=[HOST], http=[ROUTE]), THEN)
AT_GATEWAY: dict[str, Any] = {"hosts": ("reviews.example.com",), "gateways": ("infra/public", "mesh")}


def seen(given: Facts, telemetry: Listing | None, **more: Listing) -> Facts:
    """The facts with callers, and with the gateway infra/public."""
    around: dict[Any, Listing] = {} if telemetry is None else {reads.telemetry(given): telemetry}
    found = replace(given, around=around)
    if "gateway" in more:
        around[reads.gateways(found)["infra/public"]] = more["gateway"]
        around[reads.gateway_pods(replace(found, around=around))["infra/public"]] = more["pods"]
    return replace(found, around=around)


def of(findings: Any, reason: str) -> list[str]:
    return [severity for found, severity in told(findings) if found == reason]


# ------------------------------------------------------------------------------------------------ VirtualServices for our host


@pytest.mark.parametrize(
    ("theirs", "callers", "ours", "found", "out"),
    [
        pytest.param({}, ["web"], False, [ERROR], [], id="public, and ours is not there yet: it holds for everybody"),
        pytest.param({"when": BEFORE}, ["web"], True, [ERROR], [], id="public and older than ours: it holds for everybody"),
        pytest.param({"when": AFTER}, ["web"], True, [WARNING], [], id="public and younger: it holds for nobody"),
        pytest.param({"when": THEN, "name": "tenant/a"}, [], True, [ERROR], [], id="of one second, and first by name"),
        pytest.param({"when": THEN, "name": "tenant/z"}, [], True, [WARNING], [], id="of one second: the name decides"),
        pytest.param({"exportTo": ["."]}, ["web"], False, [WARNING], ["tenant"], id="private: for its own callers only"),
        pytest.param({"exportTo": ["tenant"]}, ["web"], False, [WARNING], ["tenant"], id="private by name"),
        pytest.param({"exportTo": ["."], "when": BEFORE}, ["web"], True, [WARNING], ["tenant"], id="private, and older than ours"),
        pytest.param({"exportTo": ["web"]}, ["web"], False, [ERROR], ["web"], id="exported by name to callers, and ours is not there yet"),
        pytest.param({"exportTo": ["web"], "when": AFTER}, ["web"], True, [WARNING], ["web"], id="the same, younger: nobody is stopped"),
        pytest.param({"exportTo": ["web"]}, ["other"], False, [WARNING], ["web"], id="exported by name to where nobody calls"),
        pytest.param({"exportTo": ["web"]}, None, False, [ERROR], ["web"], id="exported by name, callers unknown"),
        pytest.param({"exportTo": ["~"]}, ["web"], False, [WARNING], [], id="exported to nobody"),
    ],
)
def test_a_virtual_service_of_another_namespace_for_our_host(
    theirs: dict[str, Any], callers: list[str] | None, ours: bool, found: list[str], out: list[str]
) -> None:
    theirs = dict(theirs)
    document = made(routed(theirs.pop("name", "tenant/x"), HOST), theirs.pop("when", AFTER))
    document["spec"] |= theirs
    given = facts(virtual_services=(document, *([OURS] if ours else [])))
    given = seen(given, None if callers is None else tuple(row(each) for each in callers))
    assert of(inspect(given), TAKEN) == found
    assert sorted(left_out(given)) == out


POD: Document = {"metadata": {"namespace": "edge", "name": "gw-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def gateway(*hosts: str) -> Document:
    return named("infra/public", selector={"istio": "public"}, servers=[{"hosts": list(hosts)}])


@pytest.mark.parametrize(
    ("hosts", "theirs", "found"),
    [
        pytest.param(["*"], {}, [ERROR], id="the gateway's proxies see it"),
        pytest.param(["*"], {"exportTo": ["."]}, [], id="they do not: it is private to its namespace"),
        pytest.param(["*"], {"exportTo": ["edge"]}, [ERROR], id="exported to the namespace of the proxies"),
        pytest.param(["*"], {"exportTo": ["infra"]}, [], id="exported to that of the Gateway, where no proxy stands"),
        pytest.param(["shop/*"], {}, [], id="the Gateway takes VirtualServices of our namespace only"),
        pytest.param(["shop/*", "tenant/*"], {}, [ERROR], id="and of theirs"),
        pytest.param(["./*"], {}, [], id="of its own only"),
        pytest.param(["*"], {"when": AFTER}, [WARNING], id="younger than ours"),
    ],
)
def test_at_a_gateway(hosts: list[str], theirs: dict[str, Any], found: list[str]) -> None:
    when = theirs.get("when", BEFORE)
    rest = {key: value for key, value in theirs.items() if key != "when"}
    document = made(routed("tenant/x", "reviews.example.com", gateways=["infra/public"], **rest), when)
    given = facts(virtual_services=(document, OURS), **AT_GATEWAY)
    assert of(inspect(seen(given, (row("edge"),), gateway=(gateway(*hosts),), pods=(POD,))), TAKEN) == found


@pytest.mark.parametrize(
    ("where", "severity"),
    [pytest.param("shop", ERROR, id="our own namespace"), pytest.param("tenant", WARNING, id="another namespace: it stops nobody")],
)
def test_a_route_to_a_subset_that_nobody_has(where: str, severity: str) -> None:
    edge = routed(f"{where}/edge", "made.up.example.com", to={"host": HOST, "subset": "v9"})
    assert told(inspect(facts(virtual_services=(edge,)))) == [(MISSING, severity)]


# ------------------------------------------------------------------------------------------------------------- DestinationRules

BOTH = [{"name": "stable", "labels": {"version": "v1"}}, {"name": "canary", "labels": {"version": "v1"}}]


@pytest.mark.parametrize(
    ("host", "telemetry", "ours", "found"),
    [
        pytest.param(HOST, (row("tenant"),), False, [ERROR], id="its callers are answered, and our first route would break that"),
        pytest.param("*.local", (row("tenant"),), False, [ERROR], id="by a wildcard too"),
        pytest.param(HOST, (row("tenant"),), True, [WARNING], id="who breaks its own way later is told"),
        pytest.param(HOST, (row("web"),), False, [WARNING], id="nobody there calls"),
        pytest.param(HOST, (), False, [WARNING], id="nobody calls at all"),
        pytest.param(HOST, None, False, [WARNING], id="not read yet: the reads are waited for"),
        pytest.param(HOST, Failed("no answer"), False, [ERROR], id="Prometheus does not tell who calls"),
        pytest.param(HOST, Failed("no answer"), True, [WARNING], id="which later does not matter"),
    ],
)
def test_a_rule_of_another_namespace_that_hides_our_subsets(host: str, telemetry: Listing | None, ours: bool, found: list[str]) -> None:
    given = facts(destination_rules=(named("tenant/x", host=host),), virtual_services=(OURS,) if ours else ())
    given = seen(given, telemetry)
    assert of(inspect(given), SHADOWED) == found
    assert left_out(given) == {"tenant"}


@pytest.mark.parametrize("ours", [False, True])
def test_one_that_has_the_two_subsets_breaks_nobody_but_its_callers_do_not_see_our_weights(ours: bool) -> None:
    given = facts(destination_rules=(named("tenant/x", host=HOST, subsets=BOTH),), virtual_services=(OURS,) if ours else ())
    given = seen(given, (row("tenant"),))
    assert of(inspect(given), SHADOWED) == [WARNING]
    assert left_out(given) == {"tenant"}


@pytest.mark.parametrize("namespace", ["infra", "edge"])
def test_one_in_the_namespace_of_our_gateway_blocks_at_any_time(namespace: str) -> None:
    given = facts(destination_rules=(named(f"{namespace}/x", host=HOST),), virtual_services=(OURS,), **AT_GATEWAY)
    given = seen(given, (row("edge"),), gateway=(gateway("*"),), pods=(POD,))
    assert of(inspect(given), SHADOWED) == [ERROR]
    assert left_out(given) == frozenset()


def test_a_root_of_another_namespace_makes_no_gateway_of_it() -> None:
    """Else a tenant could make its own namespace one whose rules block."""
    root = named(
        "tenant/root", hosts=["x.example.com"], gateways=["tenant/own"], http=[{"delegate": {"name": "reviews", "namespace": "shop"}}]
    )
    given = facts(delegate=True, destination_rules=(named("tenant/x", host=HOST),), virtual_services=(OURS, root))
    assert of(inspect(seen(given, (row("tenant"),))), SHADOWED) == [WARNING]


def test_the_gateway_of_a_root_of_ours_is_one() -> None:
    root = named("shop/root", hosts=["x.example.com"], gateways=["infra/public"], http=[{"delegate": {"name": "reviews"}}])
    given = facts(delegate=True, destination_rules=(named("infra/x", host=HOST),), virtual_services=(OURS, root))
    assert of(inspect(seen(given, (row("infra"),))), SHADOWED) == [ERROR]


def test_attached_routes_are_the_users_and_change_for_nobody_by_an_adoption() -> None:
    web = named("shop/web", hosts=[HOST], http=[{"name": "primary", "route": [{"destination": {"host": HOST}}]}])
    given = facts(attachments=(Attachment("web"),), destination_rules=(named("tenant/x", host=HOST),), virtual_services=(web,))
    assert of(inspect(seen(given, (row("tenant"),))), SHADOWED) == [WARNING]


def test_messages_name_the_namespace_and_the_ways_out() -> None:
    given = seen(facts(destination_rules=(named("tenant/x", host=HOST),)), (row("tenant"),))
    (before,) = inspect(given)
    assert before.message == (
        f"DestinationRule tenant/x rules {HOST} for all callers in tenant and hides the subsets stable and canary of {HOST} from them, so they "
        f"would get 503: narrow its host so that it leaves {HOST} out, or delete it; or attach a VirtualService (spec.traffic.attach) that sends "
        f"`match: [{{sourceNamespace: tenant}}]` to {HOST} without a subset, before the route of the release"
    )
    (after,) = inspect(replace(given, virtual_services=(OURS,)))
    assert after.message == (
        f"DestinationRule tenant/x rules {HOST} for all callers in tenant and hides the subsets stable and canary of {HOST} from them, so they "
        f"get 503: narrow its host so that it leaves {HOST} out, or delete it. Requests from tenant are left out of the evidence, and the release "
        "goes on"
    )


# ------------------------------------------------------------------------------------------------------------ any object of theirs


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param({"virtual_services": (made(routed("tenant/x", HOST), AFTER),)}, id="a younger VirtualService for our host"),
        pytest.param({"virtual_services": (made(routed("tenant/x", HOST, exportTo=["web"]), AFTER),)}, id="exported to our callers"),
        pytest.param({"virtual_services": (routed("tenant/x", HOST, exportTo=["."]),)}, id="a private VirtualService for our host"),
        pytest.param({"virtual_services": (routed("tenant/x", "made.up", to={"host": HOST, "subset": "v9"}),)}, id="a missing subset"),
        pytest.param(
            {"virtual_services": (routed("tenant/x", "*", to={"host": HOST}, gateways=["tenant/own"]),)}, id="a way past the subsets"
        ),
        pytest.param({"destination_rules": (named("tenant/x", host=HOST),)}, id="a DestinationRule for our host"),
        pytest.param({"destination_rules": (named("tenant/x", host="*"),)}, id="a DestinationRule for everything"),
        pytest.param({"destination_rules": (named("tenant/x", host=HOST, workloadSelector={"matchLabels": {"a": "b"}}),)}, id="for some"),
        pytest.param({"destination_rules": (named("tenant/x", host=HOST, exportTo=["*"], subsets=BOTH),)}, id="with our subsets"),
    ],
)
def test_no_tenant_stops_the_release_of_a_service_that_is_taken_over(theirs: dict[str, tuple[Document, ...]]) -> None:
    given = facts(**{**theirs, "virtual_services": (OURS, *theirs.get("virtual_services", ()))})
    findings = inspect(seen(given, (row("web"), row("tenant"))))
    assert [severity for _, severity in told(findings) if severity == ERROR] == []
    assert findings, "it is told"


# ---------------------------------------------------------------------------------------------------------------------- clusters


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        pytest.param([{}], [], id="no cluster is named"),
        pytest.param([{"from_cluster": "east", "to_cluster": "east"}], [], id="one"),
        pytest.param([{"from_cluster": "east", "to_cluster": "unknown"}], [], id="one, and requests that reached nobody"),
        pytest.param(
            [{"from_cluster": "east", "to_cluster": "east"}, {"from_cluster": "west", "to_cluster": "east"}], [WARNING], id="callers"
        ),
        pytest.param([{"from_cluster": "east", "to_cluster": "west"}], [WARNING], id="pods elsewhere"),
        pytest.param([{"from_cluster": "east", "to_cluster": "west", "requests": 0.0}], [], id="none lately"),
    ],
)
def test_other_clusters_are_told(rows: list[dict[str, Any]], found: list[str]) -> None:
    given = seen(facts(), tuple({**row(), **each} for each in rows))
    assert of(inspect(given), "SeveralClusters") == found
