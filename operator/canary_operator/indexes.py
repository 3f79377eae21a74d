"""Which objects can concern which, found without a walk over all of a kind. Pure; told of every change by the cache.

Errs on the side of too many: the checks look again, and a pass that changes nothing costs no request.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from canary_operator.api.names import OWNER
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.mentions import (
    Name,
    attached_by,
    delegates_of,
    destinations_of,
    full,
    hosts_of,
    hosts_wanted,
    service_named,
    spellings,
)
from canary_operator.mesh.hosts import DOMAIN
from canary_operator.preflight.scope import gateways_of
from canary_operator.tables import ByHost, ByLabels, BySelector, Pair, Table, patterns

Document = Mapping[str, Any]


class Indexes:
    """All of them. Answers are names; whoever asks gets the documents from the cache."""

    def __init__(self, domain: str = DOMAIN) -> None:
        self._domain = domain
        self._hosts = ByHost()
        self._destinations = ByHost()
        self._patterns: Table[tuple[str, str]] = Table()
        self._delegates: Table[Name] = Table()
        self._rules = ByHost()
        self._services = BySelector()
        self._templates = ByLabels()
        self._strays: Table[Pair] = Table()
        self._releases: Table[Name] = Table()
        self._attached: Table[Name] = Table()
        self._wanting: Table[Pair] = Table()
        self._wished = ByHost()
        self._served: dict[Name, Name] = {}
        """The Service of each CanaryRelease."""

    def change(self, kind: Kind, name: Name, before: Document | None, after: Document | None) -> None:
        """One object of a watched kind is otherwise than before; None: it is not there."""
        old, new = _both(before), _both(after)
        if kind == VIRTUAL_SERVICE:
            self._hosts.change(name, _all(hosts_of, old), _all(hosts_of, new))
            self._destinations.change(name, _all(destinations_of, old), _all(destinations_of, new))
            self._patterns.change(name, _all(_patterns, old), _all(_patterns, new))
            self._delegates.change(name, _all(delegates_of, old), _all(delegates_of, new))
        elif kind == DESTINATION_RULE:
            self._rules.change(name, _all(hosts_of, old), _all(hosts_of, new))
        elif kind == SERVICE:
            self._services_changed(name, None if after is None else (after.get("spec") or {}).get("selector") or {})
        elif kind == REPLICA_SET:
            stray = self._strayed(name)
            self._templates.change(name, None if after is None else after["spec"]["template"]["metadata"]["labels"])
            self._strays.change(name, stray, self._strayed(name))
        elif kind == CANARY_RELEASE:
            self._releases.change(name, _all(_service, old), _all(_service, new))
            self._attached.change(name, _all(_attached, old), _all(_attached, new))
            self._wanting.change(name, _all(_wanted_pods, old), _all(_wanted_pods, new))
            self._wished.change(name, _all(self._wished_by, old), _all(self._wished_by, new))
            self._served.pop(name, None)
            if after is not None:
                self._served[name] = service_named(after)

    # ------------------------------------------------------------------------------------------------------- VirtualServices

    def sending_to(self, host: str) -> set[Name]:
        """VirtualServices that send to this Service, by its full name."""
        return self._destinations.exactly(spellings(host, ""))

    def ruling(self, hosts: Iterable[str], namespace: str, gateways: Iterable[str]) -> set[Name]:
        """VirtualServices that rule one of these hosts as it is, or cover it at one of these gateways.

        Args:
            hosts: As an object in the namespace writes them.
            namespace: The namespace.
            gateways: As `namespace/name`, or `mesh`.
        """
        written = list(hosts)
        asked = {spelling for host in written for spelling in spellings(host, namespace)}
        wide = {pattern for host in asked | {full(each, self._domain) for each in asked} | set(written) for pattern in patterns(host)}
        covering = (name for gateway in set(gateways) for pattern in wide for name in self._patterns.at((gateway, pattern)))
        return self._hosts.exactly(each for each in asked if not each.startswith("*")).union(covering)

    def delegating_to(self, name: Name) -> set[Name]:
        """VirtualServices that delegate to the one of this name."""
        return self._delegates.at(name)

    # ------------------------------------------------------------------------------------------------------ DestinationRules

    def rules_of(self, host: str) -> set[Name]:
        """DestinationRules of this Service, by its full name."""
        return self._rules.exactly(spellings(host, ""))

    def rules_covering(self, host: str) -> set[Name]:
        """DestinationRules with a pattern that covers this Service."""
        return self._rules.covering({host, *spellings(host, "")})

    # ---------------------------------------------------------------------------------------------- Services and what they select

    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> set[Name]:
        """Services that select pods with these labels."""
        return self._services.selecting(namespace, labels)

    def replica_sets_selected(self, namespace: str, selector: Mapping[str, str]) -> set[Name]:
        """ReplicaSets whose pods the selector matches."""
        return self._templates.selected(namespace, selector)

    def labels_selected(self, namespace: str, selector: Mapping[str, str]) -> list[Mapping[str, str]]:
        """The labels of the pods of these ReplicaSets."""
        return [self._templates.labels(name) for name in self._templates.selected(namespace, selector)]

    def strays(self, namespace: str, label: str, value: str) -> set[Name]:
        """ReplicaSets whose pods carry this label and are no Service's."""
        return self._strays.at((namespace, label, value))

    # -------------------------------------------------------------------------------------------------------- CanaryReleases

    def is_release(self, name: Name) -> bool:
        """Whether there is a CanaryRelease of this name."""
        return name in self._served

    def releases_of(self, service: Name) -> set[Name]:
        """CanaryReleases that move the traffic of this Service."""
        return self._releases.at(service)

    def attaching(self, virtual_service: Name) -> set[Name]:
        """CanaryReleases that attach this VirtualService."""
        return self._attached.at(virtual_service)

    def waiting_for(self, namespace: str, labels: Mapping[str, str]) -> set[Name]:
        """CanaryReleases that want the version that pods with these labels are, and whose Service selects no pods of it."""
        wanting = ((name, {key: value}) for key, value in labels.items() for name in self._wanting.at((namespace, key, value)))
        return {name for name, version in wanting if not self._has_pods(namespace, self._services.selector(self._served[name]), version)}

    def wishing(self, hosts: Iterable[str]) -> set[Name]:
        """CanaryReleases whose route has one of these hosts, spelled out, or a host or pattern that one of them covers or that covers it."""
        asked = {spelling for host in hosts for spelling in (host, full(host, self._domain))}
        return self._wished.exactly(asked) | self._wished.covering(asked) | self._wished.covered_by(asked)

    # -------------------------------------------------------------------------------------------------------------- private

    def _wished_by(self, release: Document) -> set[str]:
        return {spelling for host in hosts_wanted(release) for spelling in (host, full(host, self._domain))}

    def _has_pods(self, namespace: str, selector: Mapping[str, str], version: Mapping[str, str]) -> bool:
        """Whether a Service selects pods of a version; one that selects nothing waits for none."""
        return not selector or bool(self._templates.selected(namespace, {**selector, **version}))

    def _services_changed(self, name: Name, selector: Mapping[str, str] | None) -> None:
        touched = self._templates.selected(name[0], self._services.selector(name)) | self._templates.selected(name[0], selector or {})
        before = {each: self._strayed(each) for each in touched}
        self._services.change(name, selector)
        for each, stray in before.items():
            self._strays.change(each, stray, self._strayed(each))

    def _strayed(self, name: Name) -> list[Pair]:
        """The labels under which a ReplicaSet is found that no Service selects."""
        labels = self._templates.labels(name)
        return [] if self._services.selecting(name[0], labels) else [(name[0], key, value) for key, value in labels.items()]


def owner_of(namespace: str, document: Document) -> Name | None:
    """The CanaryRelease that a routing object belongs to, by its label; None: nobody's."""
    owner = (document["metadata"].get("labels") or {}).get(OWNER)
    return (namespace, owner) if isinstance(owner, str) else None


def _both(document: Document | None) -> list[Document]:
    return [] if document is None else [document]


def _all(ask: Any, documents: list[Document]) -> set[Any]:
    return {found for document in documents for found in ask(document)}


def _patterns(document: Document) -> set[tuple[str, str]]:
    wide = [host for host in hosts_of(document) if host.startswith("*")]
    return {(gateway, host) for gateway in gateways_of(document) for host in wide} if wide else set()


def _service(release: Document) -> list[Name]:
    return [service_named(release)]


def _attached(release: Document) -> list[Name]:
    return [(release["metadata"].get("namespace", ""), each) for each in attached_by(release)]


def _wanted_pods(release: Document) -> list[Pair]:
    spec = release.get("spec") or {}
    return [(release["metadata"].get("namespace", ""), str(spec.get("versionLabel", "version")), str(spec.get("version", "")))]
