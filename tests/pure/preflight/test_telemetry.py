"""Whether there is anything to judge a release by."""

import pytest

from canary_operator.preflight import Arm, inspect
from preflight.objects import facts, replica_set, told

ARMS = (Arm("stable", "v1", (replica_set("v1"),)), Arm("canary", "v2", (replica_set("v2"),)))
UNKNOWN = "ProviderUnknown"


@pytest.mark.parametrize(
    ("arms", "under_way", "severity"),
    [
        pytest.param(1, False, "Warning", id="at rest it is told, before a release needs it"),
        pytest.param(2, False, "Error", id="a release does not start"),
        pytest.param(2, True, "Warning", id="a release that runs goes by insufficientData, as without any Prometheus"),
    ],
)
def test_a_provider_that_the_configuration_lacks_is_named(arms: int, under_way: bool, severity: str) -> None:
    given = facts(provider="mimir", providers=frozenset({"default", "thanos"}), arms=ARMS[:arms], under_way=under_way)
    found = [each for each in inspect(given) if each.reason == UNKNOWN]
    assert [str(each.severity) for each in found] == [severity]
    assert "names the provider mimir" in found[0].message
    assert "write default, or write thanos, or add `prometheus.mimir` to the configuration" in found[0].message


@pytest.mark.parametrize("known", [frozenset({"default", "mimir"}), None])
def test_a_provider_that_is_configured_or_may_be_is_no_finding(known: frozenset[str] | None) -> None:
    assert UNKNOWN not in dict(told(inspect(facts(provider="mimir", providers=known))))
