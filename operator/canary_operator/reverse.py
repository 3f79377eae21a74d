"""Which CanaryReleases an object may matter to. Errs on the side of too many: a pass that changes nothing costs no request. Pure."""

from collections.abc import Mapping
from typing import Any

from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, ENDPOINT_SLICE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.indexes import Indexes, owner_of
from canary_operator.mentions import Name, attached_by, delegates_of, destinations_of, hosts_of, service_named
from canary_operator.trimming import SERVICE_NAME

Document = Mapping[str, Any]


class Reverse:
    """Asks the indexes, which know an object as it was before the change when `before` is called, and as it is when `after` is."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    def concerned(self, kind: Kind, name: Name, document: Document | None, other: Document | None) -> set[Name]:
        """The CanaryReleases that an object concerns as it stands in the indexes now.

        Args:
            kind: Of the object.
            name: Of the object.
            document: As it stands now; None: it is not there.
            other: As it stands on the other side of the change.
        """
        if kind == CANARY_RELEASE:
            return {name} | (self._peers(name, document) if _wishes(document) != _wishes(other) else set())
        if kind == SERVICE:
            return self._of_service(name, _selector(document), _selector(other))
        if document is None:
            return set()
        if kind == ENDPOINT_SLICE:
            return self._indexes.releases_of((name[0], document["metadata"]["labels"].get(SERVICE_NAME, "")))
        if kind == REPLICA_SET:
            return self._of_pods(name[0], document["spec"]["template"]["metadata"]["labels"])
        if kind in (VIRTUAL_SERVICE, DESTINATION_RULE):
            return self._of_routing(kind, name, document)
        return set()

    def _peers(self, name: Name, release: Document | None) -> set[Name]:
        """The CanaryReleases that want the same Service, or attach the same VirtualService."""
        if release is None:
            return set()
        attached = (self._indexes.attaching((name[0], each)) for each in attached_by(release))
        return self._indexes.releases_of(service_named(release)).union(*attached)

    def _of_service(self, name: Name, selector: Mapping[str, str] | None, other: Mapping[str, str] | None) -> set[Name]:
        """Those that move its traffic; when it selects other pods than on the other side, also those whose Services select them too."""
        found = {name}
        if selector != other:
            for each in (selector, other):
                for labels in self._indexes.labels_selected(name[0], each or {}):
                    found |= self._indexes.services_selecting(name[0], labels)
        return self._of_services(found)

    def _of_pods(self, namespace: str, labels: Mapping[str, str]) -> set[Name]:
        """Those whose Service selects the pods. Of pods that are no Service's, those that wait for their version: theirs should select them."""
        services = self._indexes.services_selecting(namespace, labels)
        return self._of_services(services) if services else self._indexes.waiting_for(namespace, labels)

    def _of_services(self, services: set[Name]) -> set[Name]:
        return {release for service in services for release in self._indexes.releases_of(service)}

    def _of_routing(self, kind: Kind, name: Name, document: Document) -> set[Name]:
        known = self._indexes
        hosts = hosts_of(document) | destinations_of(document)
        named = {each for each in (owner_of(name[0], document), *delegates_of(document)) if each is not None and known.is_release(each)}
        return known.wishing(hosts) | named | (known.attaching(name) if kind == VIRTUAL_SERVICE else set())


def _selector(service: Document | None) -> Mapping[str, str] | None:
    """What a Service selects; None: it is not there."""
    return None if service is None else (service.get("spec") or {}).get("selector") or {}


def _wishes(release: Document | None) -> object:
    """What of a CanaryRelease is somebody else's business: not its status."""
    if release is None:
        return None
    metadata = release["metadata"]
    return release.get("spec"), metadata.get("deletionTimestamp"), metadata.get("uid")
