"""Which CanaryReleases an object may matter to. Errs on the side of too many: a pass that changes nothing costs no request. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from canary_operator.api.names import OWNER
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, ENDPOINT_SLICE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE, Kind
from canary_operator.trimming import SERVICE_NAME

Document = Mapping[str, Any]
_Name = tuple[str, str]


class Reverse:
    """Kept up to date by being told of every change."""

    def __init__(self) -> None:
        self._by_service: dict[_Name, set[_Name]] = defaultdict(set)
        self._by_host: dict[str, set[_Name]] = defaultdict(set)
        self._in_namespace: dict[str, set[_Name]] = defaultdict(set)
        self._attached: dict[_Name, set[_Name]] = defaultdict(set)
        self._served: dict[_Name, _Name] = {}
        self._version: dict[_Name, tuple[str, str]] = {}
        self._selectors: dict[_Name, Mapping[str, str]] = {}

    def affected(self, kind: Kind, name: _Name, before: Document | None, after: Document | None) -> set[_Name]:
        """The CanaryReleases that a change from one document to another concerns."""
        if kind == CANARY_RELEASE:
            return self._release(name, before, after)
        both = [document for document in (before, after) if document is not None]
        if kind == SERVICE:
            self._selectors.pop(name, None)
            if after is not None:
                self._selectors[name] = (after.get("spec") or {}).get("selector") or {}
            return set(self._by_service.get(name, ()))
        if kind == ENDPOINT_SLICE:
            return {key for each in both for key in self._by_service.get((name[0], each["metadata"]["labels"].get(SERVICE_NAME, "")), ())}
        if kind == REPLICA_SET:
            return {key for each in both for key in self._selecting(name[0], each["spec"]["template"]["metadata"]["labels"])}
        if kind in (VIRTUAL_SERVICE, DESTINATION_RULE):
            hosts = {host for each in both for text in _mentioned(each) for host in _spellings(text, name[0])}
            named = {key for each in both for key in (*self._owner(name[0], each), *self._delegates(name[0], each))}
            return set(self._matching(hosts)) | named | (self._attached.get(name, set()) if kind == VIRTUAL_SERVICE else set())
        return set()

    def _release(self, name: _Name, before: Document | None, after: Document | None) -> set[_Name]:
        peers: set[_Name] = set()
        if _wishes(before) != _wishes(after):  # a change of status alone is nobody else's business
            peers |= self._peers(name, before)
            self._forget(name, before)
            if after is not None:
                self._learn(name, after)
                peers |= self._peers(name, after)
        return peers | {name}

    def _peers(self, name: _Name, release: Document | None) -> set[_Name]:
        """The CanaryReleases that want the same Service, or attach the same VirtualService."""
        attached = (self._attached.get((name[0], each), set()) for each in _attachments(release))
        return self._by_service.get(self._served.get(name, ("", "")), set()).union(*attached)

    def _learn(self, name: _Name, release: Document) -> None:
        service = (name[0], str(((release.get("spec") or {}).get("service") or {}).get("name", "")))
        self._served[name] = service
        spec = release.get("spec") or {}
        self._version[name] = (str(spec.get("versionLabel", "version")), str(spec.get("version", "")))
        self._by_service[service].add(name)
        self._in_namespace[name[0]].add(name)
        for host in _release_hosts(service, release):
            self._by_host[host].add(name)
        for each in _attachments(release):
            self._attached[name[0], each].add(name)

    def _forget(self, name: _Name, release: Document | None) -> None:
        service = self._served.pop(name, None)
        self._version.pop(name, None)
        if service is None or release is None:
            return
        _drop(self._by_service, service, name)
        _drop(self._in_namespace, name[0], name)
        for host in _release_hosts(service, release):
            _drop(self._by_host, host, name)
        for each in _attachments(release):
            _drop(self._attached, (name[0], each), name)

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterator[_Name]:
        """Those whose Service selects the pods, and those that want a version of this name: perhaps the Service should select them."""
        for key in self._in_namespace.get(namespace, ()):
            selector, (label, version) = self._selectors.get(self._served[key]), self._version[key]
            if selector and (selector.items() <= labels.items() or labels.get(label) == version):
                yield key

    def _matching(self, hosts: Iterable[str]) -> Iterator[_Name]:
        wild = [host for host in self._by_host if host.startswith("*")]
        for host in hosts:
            yield from self._by_host.get(host, ())
            asked = (
                [each for each in self._by_host if _covers(host, each)]
                if host.startswith("*")
                else [each for each in wild if _covers(each, host)]
            )
            for each in asked:
                yield from self._by_host[each]

    def _owner(self, namespace: str, document: Document) -> Iterator[_Name]:
        owner = (document["metadata"].get("labels") or {}).get(OWNER)
        if owner and (namespace, owner) in self._served:
            yield namespace, owner

    def _delegates(self, namespace: str, document: Document) -> Iterator[_Name]:
        for route in (document.get("spec") or {}).get("http") or ():
            delegate = route.get("delegate") or {}
            name = delegate.get("namespace") or namespace, delegate.get("name", "")
            if name in self._served:
                yield name


def _drop(table: dict[Any, set[_Name]], entry: object, name: _Name) -> None:
    table[entry].discard(name)
    if not table[entry]:
        del table[entry]


def _wishes(release: Document | None) -> object:
    if release is None:
        return None
    metadata = release["metadata"]
    return release.get("spec"), metadata.get("deletionTimestamp"), metadata.get("uid")


def _attachments(release: Document | None) -> set[str]:
    """The VirtualServices that a CanaryRelease attaches, by name."""
    attach = (((release or {}).get("spec") or {}).get("traffic") or {}).get("attach") or ()
    return {str(each.get("virtualService", "")) for each in attach}


def _release_hosts(service: _Name, release: Document) -> set[str]:
    owned = ((release.get("spec") or {}).get("traffic") or {}).get("owned") or {}
    return {host for text in (service[1], *(owned.get("hosts") or ())) for host in _spellings(text, service[0])}


def _mentioned(document: Document) -> set[str]:
    """Every host that a VirtualService or DestinationRule speaks of, as written."""
    spec = document.get("spec") or {}
    found = {spec["host"]} if isinstance(spec.get("host"), str) else set()
    found.update(host for host in spec.get("hosts") or () if isinstance(host, str))
    for protocol in ("http", "tcp", "tls"):
        for route in spec.get(protocol) or ():
            targets = [*(route.get("route") or ()), *(route.get("mirrors") or ()), {"destination": route.get("mirror")}]
            found.update(str((target.get("destination") or {}).get("host", "")) for target in targets)
    return found - {""}


def _spellings(host: str, namespace: str) -> set[str]:
    """A host in its full spelling, whatever the cluster's domain is; `name.ns` may be a Service or a name of its own."""
    parts = host.lower().split(".")
    if len(parts) == 1 and host != "*":
        return {f"{host}.{namespace}.svc"}
    if len(parts) >= 3 and parts[2] == "svc":
        return {".".join(parts[:3])}
    return {host.lower(), f"{host.lower()}.svc"} if len(parts) == 2 else {host.lower()}


def _covers(wild: str, host: str) -> bool:
    """Whether a pattern covers a host or another pattern, either way."""
    suffix, other = wild.removeprefix("*"), host.removeprefix("*")
    if host.startswith("*") and suffix.endswith(other):
        return True
    return other.endswith(suffix) or (other.endswith(".svc") and f"{other}.cluster.local".endswith(suffix))
