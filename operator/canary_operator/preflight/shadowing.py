"""Whether the two subsets reach every client: no DestinationRule comes before ours for some of them, and ours hides none.

For each client Istio looks into the client's own namespace (in the root namespace only at rules private to it), then into the Service's,
then into the root namespace, and takes what the first of them with any match says, wildcards included; inside one namespace the most
specific host wins. Source: `destinationRule` in istio/istio 1.30 pilot/pkg/model/push_context.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, STABLE
from canary_operator.mesh.hosts import matches
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import POLICY_SHADOWED, RULE_NOT_FOR_ALL, Finding, Severity
from canary_operator.preflight.reach import callers_are_known, entrances, is_taken_over, lacks_subsets, rules_before_ours
from canary_operator.preflight.scope import full_host, is_exported_to, is_ours, namespace_of, rules_for_some, spec_of, title

POLICY = "the trafficPolicy"


def hides_no_rule(facts: Facts) -> Iterator[Finding]:
    """Ours ends the search for every client: what a broader rule said about the host until now would be lost."""
    ours = next((spec_of(document) for document in facts.destination_rules if is_ours(document, facts)), {})
    for document in _effective_now(facts):
        lost = sorted(_said(spec_of(document)) - _said(ours))
        if lost == [POLICY] and spec_of(document)["trafficPolicy"] == {"tls": {"mode": "ISTIO_MUTUAL"}}:
            continue  # auto mTLS, which rules where nobody speaks of `tls`, does the same
        if lost:
            yield Finding(
                POLICY_SHADOWED,
                f"{_title(document)} says for {_host(document, facts)} what {facts.host} would lose under a rule of its own: create a "
                f"DestinationRule in {facts.namespace} with `host: {facts.host}` and {' and '.join(lost)}, as far as wanted, or narrow the "
                "broader host. The operator adds its two subsets to it and keeps the rest",
            )


def is_hidden_by_no_rule(facts: Facts) -> Iterator[Finding]:
    """A rule in a caller's namespace comes before ours: its callers would be sent to subsets that they do not know, and get 503.

    It blocks in two cases (docs/adr/0061): where a gateway of the release stands, since all callers from outside come through it, and before
    the operator's first route, since that write would break callers who are answered today. Whoever breaks its own way later is told.
    """
    callers, gates, taken_over = reads.callers(facts), entrances(facts), is_taken_over(facts)
    for document in rules_before_ours(facts):
        namespace, lacking = namespace_of(document), lacks_subsets(document)
        gate, calls, unknown = namespace in gates, namespace in (callers or ()), not callers_are_known(facts)
        blocks = lacking and (gate or (not taken_over and (calls or unknown)))
        whom = "workloads of its selector" if spec_of(document).get("workloadSelector") else "all callers"
        hides = "hides" if lacking else "says itself what is selected by"
        told = "" if blocks or gate else f". Requests from {namespace} are left out of the evidence, and the release goes on"
        otherwise = (
            f"; or attach a VirtualService (spec.traffic.attach) that sends `match: [{{sourceNamespace: {namespace}}}]` to {facts.host} without "
            f"a subset, before the route of the release"
            if blocks and not gate
            else ""
        )
        yield Finding(
            POLICY_SHADOWED,
            f"{_title(document)} rules {_host(document, facts)} for {whom} in {namespace} and {hides} the subsets {STABLE} and {CANARY} of "
            f"{facts.host} {'from' if lacking else 'for'} them, {_what_follows(document, facts)}: "
            f"narrow its host so that it leaves {facts.host} out, or delete it{otherwise}{told}",
            Severity.ERROR if blocks else Severity.WARNING,
        )


def holds_for_its_workloads(facts: Facts) -> Iterator[Finding]:
    """A rule with a workloadSelector is neither the one that gets our subsets nor in its way, but its workloads go by it, or lose it.

    For the very host it comes before ours for them; a wildcard yields to ours, which is more specific.
    """
    callers, taken_over = reads.callers(facts), is_taken_over(facts)
    for document in rules_for_some(facts):
        exact = _host(document, facts) == facts.host
        if exact and lacks_subsets(document):
            calls = facts.namespace in (callers or ()) or not callers_are_known(facts)
            yield Finding(
                RULE_NOT_FOR_ALL,
                f"{_title(document)} has a `workloadSelector`: its workloads go by it when they call {facts.host}, and do not know the subsets "
                f"{STABLE} and {CANARY}, so they {'' if taken_over else 'would '}get 503: take the `workloadSelector` out, so that the operator "
                "adds its two subsets to it, or delete it",
                Severity.ERROR if calls and not taken_over else Severity.WARNING,
            )
        elif exact:
            yield Finding(
                RULE_NOT_FOR_ALL,
                f"{_title(document)} has a `workloadSelector` and subsets {STABLE} and {CANARY} of its own, so the weights of {facts.release} do "
                "not hold for its workloads: take the `workloadSelector` out, or delete it",
                Severity.WARNING,
            )
        elif _said(spec_of(document)):
            yield Finding(
                RULE_NOT_FOR_ALL,
                f"{_title(document)} has a `workloadSelector` and says for {_host(document, facts)} what its workloads lose for {facts.host} under "
                f"the DestinationRule of {facts.host}, which is more specific: write {' and '.join(sorted(_said(spec_of(document))))} into that "
                "one, as far as wanted",
                Severity.WARNING,
            )


CHECKS: tuple[Check, ...] = (hides_no_rule, is_hidden_by_no_rule, holds_for_its_workloads)


def _title(document: Mapping[str, Any]) -> str:
    return title(document, "DestinationRule")


def _host(document: Mapping[str, Any], facts: Facts) -> str:
    return full_host(str(spec_of(document).get("host")), namespace_of(document), facts)


def _said(spec: Mapping[str, Any]) -> set[str]:
    """What a rule says that could be lost, as a message calls it."""
    subsets = {f"the subset `{subset.get('name')}`" for subset in spec.get("subsets") or []}
    return subsets | ({POLICY} if spec.get("trafficPolicy") else set())


def _effective_now(facts: Facts) -> list[Mapping[str, Any]]:
    """The broader rules that hold for the host while ours is not there: the most specific of the namespace, else of the root namespace.

    None when the namespace has a rule of the very host already, since that hides the broader ones today.
    """
    for namespace in dict.fromkeys((facts.namespace, facts.root_namespace)):
        found = [
            document
            for document in facts.destination_rules
            if namespace_of(document) == namespace
            and not is_ours(document, facts)
            and "workloadSelector" not in spec_of(document)  # told by `holds_for_its_workloads`
            and matches(facts.host, _host(document, facts))
            and is_exported_to(document, facts.namespace)
        ]
        if found:
            longest = max(len(_host(document, facts)) for document in found)
            same_host = namespace == facts.namespace and any(_host(document, facts) == facts.host for document in found)
            return [] if same_host else [document for document in found if len(_host(document, facts)) == longest]
    return []


def _what_follows(document: Mapping[str, Any], facts: Facts) -> str:
    """What comes of it for callers in the namespace of a rule that is found before ours."""
    namespace, callers = namespace_of(document), reads.callers(facts)
    would = "" if is_taken_over(facts) else "would "
    if not lacks_subsets(document):
        return f"so the weights of {facts.release} do not hold for them"
    if namespace in entrances(facts) or namespace in (callers or ()):
        return f"so they {would}get 503"
    if not callers_are_known(facts):
        return f"so callers there {would}get 503, and Prometheus does not tell whether there are any"
    return f"so callers there {would}get 503" if callers is None else "so callers there, of which none is known, would get 503"
