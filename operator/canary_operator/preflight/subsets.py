"""Whether exactly one DestinationRule rules the host, and the names of the two subsets are free in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.api.names import CANARY, OWNER, STABLE, USERS_MARK
from canary_operator.preflight.facts import Check, Facts
from canary_operator.preflight.finding import NAME_TAKEN, RULE_TAKEN, SUBSET_TAKEN, Finding
from canary_operator.preflight.labels import annotations_of
from canary_operator.preflight.scope import (
    destinations,
    full_host,
    is_at_our_name,
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


def ours_are_free(facts: Facts) -> Iterator[Finding]:
    """The names of the two subsets are not the user's already, with other labels: a route that names them would lead elsewhere at once.

    After the adoption what stands there is our own, or what was put over it, which is drift. So it is with a mark of ours.
    """
    for document in rules_of_our_host(facts) if not facts.adopted else ():
        if is_ours(document, facts) or _is_marked(document, facts):
            continue
        subsets = spec_of(document).get("subsets") or []
        first = {name: next((each for each in subsets if each.get("name") == name), None) for name in (STABLE, CANARY)}
        selected = _version(first[STABLE], facts)
        stable = selected or next((arm.version for arm in facts.arms if arm.role == STABLE), "")
        for name, subset in first.items():
            if subset is None or (_version(subset, facts) == stable if name == CANARY else selected):
                continue
            has = ", ".join(f"{key}: {value}" for key, value in sorted((subset.get("labels") or {}).items()))
            yield Finding(
                SUBSET_TAKEN,
                f"{_title(document)} has a subset {name} of its own with the labels {{{has}}}, and the operator would write "
                f"{{{facts.version_label}: {stable or 'VERSION'}}} into it, which leads{_who_names(name, facts)} elsewhere: give the subset "
                f"another name, there and in the routes that name it, or write `labels: {{{facts.version_label}: {stable or 'VERSION'}}}` into "
                "it, if nothing but the release is to use it",
            )


CHECKS: tuple[Check, ...] = (name_is_free, host_is_ruled_once, ours_are_free)


def _title(document: Mapping[str, Any]) -> str:
    return title(document, "DestinationRule")


def _host(document: Mapping[str, Any], facts: Facts) -> str:
    return full_host(str(spec_of(document).get("host")), namespace_of(document), facts)


def _is_marked(document: Mapping[str, Any], facts: Facts) -> bool:
    """The CanaryRelease has written into it."""
    return USERS_MARK + facts.release.replace(".", "_") in annotations_of(document)


def _version(subset: Mapping[str, Any] | None, facts: Facts) -> str | None:
    """The version that a subset selects, if by nothing else."""
    labels = (subset or {}).get("labels") or {}
    return labels.get(facts.version_label) if len(labels) == 1 else None


def _who_names(subset: str, facts: Facts) -> str:
    """The VirtualServices that send to the subset, in words."""
    found = sorted(
        {
            title(document, "VirtualService")
            for document in facts.virtual_services
            for destination in destinations(document)
            if destination.get("subset") == subset and full_host(str(destination.get("host")), namespace_of(document), facts) == facts.host
        }
    )
    return f" {' and '.join(found[:3])}" if found else " every route that names it"
