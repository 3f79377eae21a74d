"""One CanaryRelease with the documents that belong to it, as the cache has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from canary_operator.api.names import ROUTE
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus
from canary_operator.api.traffic import Traffic
from canary_operator.cache import Cache, Document, Key
from canary_operator.clients.errors import CanaryOperatorError
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.mesh import exports
from canary_operator.mesh.config import MeshConfig
from canary_operator.mesh.hosts import service_fqdn
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.mesh.routes import http_of
from canary_operator.preflight.ports import port_of
from canary_operator.traffic import destination_rule, managed
from canary_operator.traffic.managed import Attached, Reading, Wanted, Way
from canary_operator.traffic.mark import is_nobodys, is_ours, mark_text
from canary_operator.traffic.preview import match_of
from canary_operator.trimming import name_of


class Unreadable(CanaryOperatorError):
    """A stored CanaryRelease that this version of the operator cannot read. Nothing is written until it can."""


@dataclass(frozen=True, slots=True)
class Route:
    """One VirtualService with managed routes."""

    name: str
    """Of the VirtualService."""
    way: Way
    """Which of its routes are managed, and how."""
    document: Document | None
    """As it stands; None: there is none, or it is somebody else's."""

    @property
    def reading(self) -> Reading | None:
        """What the managed routes do; None: there is none that can be given a weight."""
        return None if self.document is None else managed.read(self.document, self.way)


@dataclass(frozen=True, slots=True)
class Subject:
    """One CanaryRelease with the documents that belong to it."""

    key: Key
    document: Document
    spec: CanaryReleaseSpec
    status: CanaryReleaseStatus
    wanted: Wanted
    """What the Service and the spec make of the routes, whosever VirtualServices they stand in."""
    routes: tuple[Route, ...]
    """In the order in which they are written. One, unless the user's are attached."""
    rule: Document | None
    """The DestinationRule with our subsets, or in which they are to stand; None: it is to be created."""
    rule_is_ours: bool
    """It belongs to this CanaryRelease; False: it is the user's, or there is none."""

    @property
    def uid(self) -> str:
        """Of the CanaryRelease."""
        return str(self.document["metadata"]["uid"])

    @property
    def attached(self) -> bool:
        """The routes are the user's."""
        return self.spec.traffic is not None and self.spec.traffic.attach is not None

    @property
    def deleting(self) -> bool:
        """The user has asked for deletion."""
        return bool(self.document["metadata"].get("deletionTimestamp"))

    @property
    def reading(self) -> Reading | None:
        """What all managed routes together do; None: there is none that can be given a weight."""
        found = managed.together([reading for route in self.routes if (reading := route.reading) is not None])
        unlabelled = any(route.document is not None and is_nobodys(route.document) for route in self.routes)
        if found is not None and unlabelled and not self.attached and not self.deleting:
            return replace(found, intact=False)  # given back once, and wanted again: the next write takes it over
        return found


def subject(key: Key, cache: Cache) -> Subject | None:
    """The CanaryRelease of a key; None when it is gone.

    Raises:
        Unreadable: spec or status are not in a form that this version knows.
    """
    document = cache.get(CANARY_RELEASE, *key)
    if document is None:
        return None
    try:
        spec, status = cache.parsed.of(key, document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unreadable(f"CanaryRelease {key.namespace}/{key.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    host = service_fqdn(spec.service.name, key.namespace, cache.mesh.domain)
    named = tuple(_named(key, spec, host))
    documents = {name: _document(cache, key, name, host, attached=way is not None) for name, way in named}
    wanted = _wanted(spec, host, cache.get(SERVICE, key.namespace, spec.service.name), tuple(documents.values()), cache.mesh.config)
    routes = tuple(Route(name, way or wanted, documents[name]) for name, way in named)
    rule, ours = _rule(cache, key, wanted.host)
    return Subject(key, document, spec, status, wanted, routes, rule, ours)


def _named(key: Key, spec: CanaryReleaseSpec, host: str) -> Iterator[tuple[str, Attached | None]]:
    """The VirtualServices by name, in a fixed order, with what is managed of a user's; None: it is ours."""
    if spec.traffic is None or spec.traffic.attach is None:
        yield key.name, None
        return
    for each in sorted(spec.traffic.attach, key=lambda each: each.virtual_service):
        yield each.virtual_service, Attached(host=host, routes=each.routes or ())


def _document(cache: Cache, key: Key, name: str, host: str, *, attached: bool) -> Document | None:
    document = cache.get(VIRTUAL_SERVICE, key.namespace, name)
    ours = document is not None and (attached or is_ours(document, key.name) or is_left_behind(document, host))
    return document if ours else None


def _rule(cache: Cache, key: Key, host: str) -> tuple[Document | None, bool]:
    """The DestinationRule, and whether it is ours: the one of our name and label, else the one that a user has for the host."""
    named = cache.get(DESTINATION_RULE, *key)
    if named is not None and is_ours(named, key.name):
        return named, True
    mine = [name for name in cache.indexes.rules_of(host) if name[0] == key.namespace]
    users = [each for each in cache.pick(DESTINATION_RULE, mine) if is_nobodys(each) and destination_rule.rules(each, host)]
    # Several are a finding. Until it is mended: the one in which our subsets stand, else the oldest, whose subsets Istio takes.
    rule = min(
        users,
        key=lambda each: (mark_text(each, key.name) is None, each["metadata"].get("creationTimestamp") or "", name_of(each)),
        default=None,
    )
    return rule, rule is not None and rule is named and is_left_behind(rule, host)


def _wanted(
    spec: CanaryReleaseSpec, host: str, service: Document | None, routes: Sequence[Document | None], config: MeshConfig | None
) -> Wanted:
    traffic = spec.traffic or Traffic()
    # With the Service gone, the port of the route as it stands: taking traffic back must not depend on the Service.
    port = (port_of(service, spec.service.port) if service else None) or spec.service.port or _port_in(routes)
    return Wanted(
        host=host,
        port=port or 80,
        hosts=(traffic.owned.hosts if traffic.owned else None) or (),
        gateways=(traffic.owned.gateways if traffic.owned else None) or (),
        delegate=traffic.delegate is not None,
        preview=tuple(
            match_of(header=each.header, cookie=each.cookie, exact=each.exact, prefix=each.prefix, regex=each.regex)
            for each in (spec.preview.match if spec.preview else ())
        ),
        export_to=_exports(service, routes, config),
    )


def _exports(service: Document | None, routes: Sequence[Document | None], config: MeshConfig | None) -> tuple[str, ...]:
    """As the Service's. While that is not known, as it stands: what is not known must change nothing."""
    if service is not None and (config is not None or (service["metadata"].get("annotations") or {}).get(exports.ANNOTATION)):
        found = exports.of_service(service, (config or MeshConfig()).services)
        return found if found != (exports.NONE,) else (exports.OWN,)
    standing = (((each or {}).get("spec") or {}).get("exportTo") for each in routes)
    return next((tuple(map(str, found)) for found in standing if found), (exports.ALL,))


def _port_in(routes: Sequence[Document | None]) -> int | None:
    """The port in a route of ours; None: none names one."""
    for document in routes:
        for http in http_of(document or {}):
            for share in http.get("route") or () if http.get("name") == ROUTE else ():
                number = ((share.get("destination") or {}).get("port") or {}).get("number")
                if isinstance(number, int):
                    return number
    return None
