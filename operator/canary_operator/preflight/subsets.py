"""Whether the two subsets reach every client: exactly one DestinationRule rules the host, and none elsewhere comes before it.

For each client Istio looks into the client's own namespace (in the root namespace only at rules private to it), then into the Service's,
then into the root namespace, and takes what the first of them with any match says, wildcards included; inside one namespace the most
specific host wins. Source: `destinationRule` in istio/istio 1.30 pilot/pkg/model/push_context.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, OWNER, STABLE
from canary_operator.mesh.hosts import matches
from canary_operator.preflight import reads
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import NAME_TAKEN, POLICY_SHADOWED, RULE_TAKEN, Finding, Severity
from canary_operator.preflight.scope import (
    full_host,
    is_at_our_name,
    is_exported_to,
    is_ours,
    namespace_of,
    owner_of,
    rules_of_our_host,
    spec_of,
    title,
)


def name_is_free(facts: Facts) -> Iterator[Finding]:
    """The operator never takes over a DestinationRule of another host; it needs the name only where nobody has a rule of the host."""
    if rules_of_our_host(facts):
        return
    for document in facts.destination_rules:
        if is_at_our_name(document, facts) and not is_ours(document, facts):
            yield Finding(
                NAME_TAKEN,
                f"{_title(document)} has the name that the operator's own would have, and rules {_host(document, facts)}: rename it",
            )


def host_is_ruled_once(facts: Facts) -> Iterator[Finding]:
    """Istio merges rules of one host in one namespace, oldest first: what the younger says a second time is dropped silently.

    A single one of the user's is as good as our own: the two subsets are added to it.
    """
    found = rules_of_our_host(facts)
    if len(found) > 1:
        names = " and ".join(sorted(_title(document) for document in found))
        yield Finding(
            RULE_TAKEN,
            f"{names} rule {facts.host}: write what they say into one of them, and delete the others. "
            f"The operator then adds its two subsets and keeps the rest",
        )
    for document in found:
        owner = owner_of(document)
        if len(found) == 1 and owner and not is_ours(document, facts):
            yield Finding(
                RULE_TAKEN,
                f"{_title(document)} rules {facts.host} and carries the label `{OWNER}: {owner}`: take the label off if it is yours, "
                f"or delete it if CanaryRelease {owner} is gone",
            )


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

    It blocks where callers are: a rule for the very host says so itself, a wildcard only where telemetry shows them.
    """
    callers = reads.callers(facts) or frozenset()
    for document in facts.destination_rules:
        namespace = namespace_of(document)
        if namespace == facts.namespace or not matches(facts.host, _host(document, facts)) or not _comes_first(document, facts):
            continue
        calls = namespace in callers or _host(document, facts) == facts.host
        yield Finding(
            POLICY_SHADOWED,
            f"{_title(document)} rules {_host(document, facts)} for all callers in {namespace} and hides the subsets {STABLE} and {CANARY} "
            f"of {facts.host} from them, so {'they' if calls else 'callers there, of which none is known,'} would get 503: "
            f"narrow its host so that it leaves {facts.host} out, or delete it",
            Severity.ERROR if calls else Severity.WARNING,
        )


POLICY = "the trafficPolicy"
CHECKS: tuple[Check, ...] = (name_is_free, host_is_ruled_once, hides_no_rule, is_hidden_by_no_rule)


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
            and matches(facts.host, _host(document, facts))
            and is_exported_to(document, facts.namespace)
        ]
        if found:
            longest = max(len(_host(document, facts)) for document in found)
            same_host = namespace == facts.namespace and any(_host(document, facts) == facts.host for document in found)
            return [] if same_host else [document for document in found if len(_host(document, facts)) == longest]
    return []


def _comes_first(document: Mapping[str, Any], facts: Facts) -> bool:
    """Whether its own namespace's clients find it before ours. In the root namespace that holds for rules private to it alone."""
    if namespace_of(document) != facts.root_namespace:
        return is_exported_to(document, namespace_of(document))
    return list(spec_of(document).get("exportTo") or []) == ["."]
