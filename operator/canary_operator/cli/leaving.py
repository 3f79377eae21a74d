"""How a CanaryRelease is let go without the operator: documents in, changes out, in an order in which no request is lost. Pure.

The same ends as `release/deletion.py`, one step at a time; it can tell nothing of the past, so it waits for itself what the operator has seen.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal

from canary_operator.api.names import CANARY, FINALIZER, STABLE
from canary_operator.cli.belongings import Document, Found, is_ours
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES
from canary_operator.cli.splits import shares_of, split_of, with_split
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.mesh.routes import names_subsets
from canary_operator.release.reasons import RELEASED
from canary_operator.traffic import destination_rule
from canary_operator.traffic.mark import without_ownership
from canary_operator.traffic.unsplit import is_needed, is_unsplit, unsplit, user_route_to_subsets

Span = Literal["settle", "drain"]


@dataclass(frozen=True, slots=True)
class Change:
    """One request."""

    said: str
    """What it does, for the person who watches."""
    kind: str
    namespace: str
    name: str
    verb: Literal["patch", "status", "create", "delete"]
    """`status` patches the status; whoever may not is told, and nothing else depends on it."""
    body: Mapping[str, Any] | None = None
    """A merge patch, or the object that is created; None: it is deleted."""


@dataclass(frozen=True, slots=True)
class Step:
    """What can be done at once, and what is to be waited for before the next look."""

    changes: tuple[Change, ...]
    waits: tuple[Span, ...] = ()


def next_step(found: Found, *, drained: bool) -> Step | None:
    """The next step on the way out; None: nothing of ours is left.

    Args:
        found: The CanaryRelease and its objects, as they stand.
        drained: They have stood so for `settle` and `drain`, as the caller has seen.
    """
    if not found.held:
        return None
    if found.home and (why := pinned_because(found)):
        return _homeward(found, drained=drained) or _give_back(found, f"{why}, so what stays is pinned to {found.home}")
    if found.attached:
        return _give_back(found, "nothing was taken over yet")
    return _let_go(found)


def pinned_because(found: Found) -> str | None:
    """Why routes and subsets stay as they are; None: they need not."""
    if found.attached:
        return "the routes are yours"
    if len(found.present) > 1:
        return f"several versions serve ({', '.join(found.present)})"
    if found.present and found.strangers:
        return f"endpoints without the label {found.label} serve beside {found.present[0]}"
    if found.routes and found.rule is not None and destination_rule.has_subset_policies(found.rule):
        return "somebody gave a subset a policy of its own"
    return None


def _homeward(found: Found, *, drained: bool) -> Step | None:
    """All traffic to one version, and both subsets on it; no label changes under traffic."""
    home, stable, canary = found.home, found.selected(STABLE), found.selected(CANARY)
    if stable is None or canary is None:
        return Step((_relabelled(found, home, canary or home),), ("settle",))
    weight, plain = split_of(found)
    if stable == home:
        if weight or not plain:
            return _shifted(found, 0)
        return None if canary == home else _when(drained, _relabelled(found, home, home))
    if not found.routes:
        return Step((_relabelled(found, home, home),), ("settle",))
    if canary == home:
        return _when(drained, _relabelled(found, home, home)) if (weight, plain) == (100, True) else _shifted(found, 100)
    if plain and weight in (0, 100):
        return _when(drained, _relabelled(found, stable, home) if weight == 0 else _relabelled(found, home, canary))
    return _shifted(found, 100 if canary in found.serving and stable not in found.serving else 0)


def _when(drained: bool, change: Change) -> Step:
    """A label changes only when its subset has had no traffic for the drain, and nothing tells since when that is: so it is waited for."""
    return Step((change,), ("settle",)) if drained else Step((), ("settle", "drain"))


def _shifted(found: Found, canary: int) -> Step:
    changes = []
    for route in found.routes:
        after = with_split(found, route, canary)
        if after != route["spec"]:
            before = max((weight for weight, _ in shares_of(found, route)), default=0)
            words = f"canary {before} -> {canary} %" if before != canary else "nothing but weights is left on the canary"
            changes.append(_patch(route, VIRTUAL_SERVICES, words, {"spec": {"http": after["http"]}}))
    return Step(tuple(changes), ("settle", "drain"))


def _relabelled(found: Found, stable: str, canary: str) -> Change:
    wanted = {"host": found.host, "label": found.label, "stable": stable, "canary": canary}
    if found.rule is None:
        metadata = found.release["metadata"]
        document = destination_rule.owned(metadata["name"], metadata["namespace"], **wanted)
        words = f"DestinationRule {found.title}: created, subsets select {stable} and {canary}"
        return Change(words, DESTINATION_RULES, metadata["namespace"], metadata["name"], "create", document)
    subsets = destination_rule.with_subsets(found.rule, **wanted)["spec"]["subsets"]
    changed = [name for name, version in ((STABLE, stable), (CANARY, canary)) if found.selected(name) != version]
    both = len(changed) == 2
    words = f"subsets {STABLE} and {CANARY} select {stable}" if both else f"subset {changed[0] if changed else CANARY} selects {canary} too"
    return _patch(found.rule, DESTINATION_RULES, words, {"spec": {"subsets": subsets}})


def _let_go(found: Found) -> Step | None:
    """One version alone serves, or none: routes that somebody needs name the host alone, others go; when that has settled, the subsets do."""
    gone = [
        Change(f"VirtualService {_title(route)}: deleted", VIRTUAL_SERVICES, *_name(route), "delete")
        for route in found.routes
        if is_ours(route) and not is_needed(route, found.host)
    ]
    whole = [
        _patch(route, VIRTUAL_SERVICES, "names the host without a subset", {"spec": {"http": after["spec"]["http"]}})
        for route in found.routes
        if is_needed(route, found.host) and (after := unsplit(route, found.host, _port(found))) and not is_unsplit(route, found.host)
    ]
    if gone or whole:
        return Step((*gone, *whole), ("settle",))
    if found.rule is not None and _named(found):
        home = found.home
        if home and (found.selected(STABLE), found.selected(CANARY)) != (home, home):
            return Step((_relabelled(found, home, home),), ("settle",))
        return _give_back(found, f"other routes name the subsets, so they stay, pinned to {home or 'what they select'}")
    return _give_back(found, "routes name the host without a subset", subsets_go=True)


def _named(found: Found) -> bool:
    """A route that stays sends to a subset: without it, it would answer 503."""
    others = any(names_subsets(each, found.host) for each in found.others)
    return others or any(user_route_to_subsets(each, found.host) for each in found.routes)


def _give_back(found: Found, why: str, *, subsets_go: bool = False) -> Step | None:
    """Marks and labels off what stays, then the finalizer; last, status says so."""
    pinned = f"pinned to {found.home}" if not subsets_go and found.home else "as it stands"
    changes = list(_rule_back(found, subsets_go))
    for route in found.routes:
        if off := _disowned(route, found):
            changes.append(_patch(route, VIRTUAL_SERVICES, f"is yours now, {pinned}", {"metadata": off}))
    changes.sort(key=lambda change: change.kind != VIRTUAL_SERVICES)
    finalizers = found.release["metadata"].get("finalizers") or []
    if FINALIZER in finalizers:
        kept = [name for name in finalizers if name != FINALIZER]
        changes.append(_patch(found.release, RELEASES, "finalizer off", {"metadata": {"finalizers": kept}}))
    changes.extend(_said_in_status(found, why))
    return Step(tuple(changes)) if changes else None


def _rule_back(found: Found, subsets_go: bool) -> Iterator[Change]:
    rule = found.rule
    if rule is None:
        return
    made_by_us = is_ours(rule) or (_title(rule) == found.title and is_left_behind(rule, found.host))
    if subsets_go and made_by_us and not destination_rule.holds_more(rule):
        yield Change(f"DestinationRule {_title(rule)}: deleted", DESTINATION_RULES, *_name(rule), "delete")
        return
    off = _disowned(rule, found)
    if subsets_go:
        left = destination_rule.without_subsets(rule)["spec"].get("subsets")
        body: dict[str, Any] = {"spec": {"subsets": left}, **({"metadata": off} if off else {})}
        yield _patch(rule, DESTINATION_RULES, f"is yours now, without the subsets {STABLE} and {CANARY}", body)
    elif off:
        yield _patch(rule, DESTINATION_RULES, f"is yours now, both subsets select {found.home or 'what they did'}", {"metadata": off})


def _said_in_status(found: Found, why: str) -> Iterator[Change]:
    """The status of a CanaryRelease that stays: no operator corrects it any more, so it must not tell of a release that runs."""
    metadata, status = found.release["metadata"], found.release.get("status") or {}
    if metadata.get("deletionTimestamp") or not status.get("phase"):
        return
    words = f"let go by `kubectl canary uninstall`: {why}; an operator that is started takes it over again"
    told = {"phase": RELEASED, "reason": RELEASED, "message": words, "weight": 0 if pinned_because(found) else None, "verdict": None}
    conditions = [
        {**each, "status": "Unknown" if each["type"] == "Ready" else "False", "reason": RELEASED, "message": words}
        for each in status.get("conditions") or ()
    ]
    body = {"status": {**told, **({"conditions": conditions} if conditions else {})}}
    yield Change(f"CanaryRelease {found.title}: status says {RELEASED}", RELEASES, *_name(found.release), "status", body)


def _port(found: Found) -> int:
    return int(found.release["spec"]["service"].get("port") or 80)


def _disowned(document: Document, found: Found) -> dict[str, Any]:
    """What of the metadata is to go, as a merge patch; empty: nothing is ours."""
    before, after = document["metadata"], without_ownership(document, found.release["metadata"]["name"])["metadata"]
    off = {field: dict.fromkeys(sorted(set(before.get(field) or {}) - set(after.get(field) or {}))) for field in ("labels", "annotations")}
    return {field: keys for field, keys in off.items() if keys}


def _patch(document: Document, kind: str, words: str, change: dict[str, Any]) -> Change:
    bound = {**change, "metadata": {**change.get("metadata", {}), "resourceVersion": document["metadata"]["resourceVersion"]}}
    return Change(f"{document['kind']} {_title(document)}: {words}", kind, *_name(document), "patch", bound)


def _name(document: Document) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _title(document: Document) -> str:
    return "/".join(_name(document))


def after(found: Found, change: Change) -> Found:
    """What would be there after a change: for a dry run, which asks nothing of the API."""
    if change.kind == RELEASES:
        return replace(found, release=_applied(found.release, change) or found.release)
    if change.kind == DESTINATION_RULES:
        return replace(found, rule=change.body if change.verb == "create" else found.rule and _applied(found.rule, change))
    routes = (_applied(route, change) if _name(route) == (change.namespace, change.name) else route for route in found.routes)
    return replace(found, routes=tuple(route for route in routes if route is not None))


def _applied(document: Document, change: Change) -> Document | None:
    return None if change.body is None else merged(document, change.body)


def merged(into: Any, change: Any) -> Any:
    """A merge patch, RFC 7386."""
    if not isinstance(change, Mapping):
        return deepcopy(change)
    found = dict(into) if isinstance(into, Mapping) else {}
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
