"""Whether every caller knows the host, and whether outlier detection may hide a version: Sidecars, policies."""

from collections.abc import Iterator

from canary_operator.mesh.hosts import matches
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import EJECTION_OF_ALL, SIDECAR_HIDES_HOST, Finding, Severity
from canary_operator.preflight.scope import full_host, rules_of_our_host, spec_of, title


def no_sidecar_hides_the_host(facts: Facts) -> Iterator[Finding]:
    """A Sidecar lists what its workloads may call; a host that it leaves out has no route and no subset there."""
    for namespace, read in reads.sidecars(facts).items():
        for sidecar in facts.found(read) or ():
            egress = [host for each in spec_of(sidecar).get("egress") or () for host in each.get("hosts") or ()]
            if not egress or any(_imports(host, namespace, facts) for host in egress):
                continue
            yield Finding(
                SIDECAR_HIDES_HOST,
                f"{title(sidecar, 'Sidecar')} does not let its callers see {facts.host}: "
                f'write `"{facts.namespace}/{facts.host}"` into its egress hosts',
                Severity.WARNING,
            )


def ejects_not_all(facts: Facts) -> Iterator[Finding]:
    """Outlier detection that may eject every pod turns failures of the canary into 503s that belong to nobody."""
    for rule in rules_of_our_host(facts):
        policies = [
            spec_of(rule).get("trafficPolicy") or {},
            *((each.get("trafficPolicy") or {}) for each in spec_of(rule).get("subsets") or ()),
        ]
        if any((policy.get("outlierDetection") or {}).get("maxEjectionPercent", 10) >= 100 for policy in policies):
            yield Finding(
                EJECTION_OF_ALL,
                f"{title(rule, 'DestinationRule')} may eject every pod of a version (`maxEjectionPercent: 100`), and requests then fail without "
                "telling which version failed: write `maxEjectionPercent: 50`, or leave it out",
                Severity.WARNING,
            )


CHECKS: tuple[Check, ...] = (no_sidecar_hides_the_host, ejects_not_all)


def _imports(text: str, namespace: str, facts: Facts) -> bool:
    """Whether an egress host of a Sidecar in the namespace lets the Service in."""
    where, _, host = text.partition("/")
    home = namespace if where == "." else where
    return where != "~" and home in ("*", facts.namespace) and matches(facts.host, full_host(host, facts.namespace, facts))
