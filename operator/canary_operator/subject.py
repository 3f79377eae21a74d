"""One CanaryRelease with the documents that belong to it, as the cache has them."""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus
from canary_operator.cache import Cache, Document, Key
from canary_operator.clients.errors import CanaryOperatorError
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.mesh.hosts import service_fqdn
from canary_operator.mesh.left_behind import is_left_behind
from canary_operator.preflight.service import port_of
from canary_operator.traffic.mark import is_ours
from canary_operator.traffic.virtual_service import Wanted

_SPEC: TypeAdapter[CanaryReleaseSpec] = TypeAdapter(CanaryReleaseSpec)
_STATUS: TypeAdapter[CanaryReleaseStatus] = TypeAdapter(CanaryReleaseStatus)


class Unreadable(CanaryOperatorError):
    """A stored CanaryRelease that this version of the operator cannot read. Nothing is written until it can."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One CanaryRelease with the documents that belong to it."""

    key: Key
    document: Document
    spec: CanaryReleaseSpec
    status: CanaryReleaseStatus
    wanted: Wanted
    route: Document | None
    """The VirtualService of ours; None: there is none."""
    rule: Document | None
    """The DestinationRule of ours; None: there is none."""

    @property
    def uid(self) -> str:
        """Of the CanaryRelease."""
        return str(self.document["metadata"]["uid"])


def subject(key: Key, cache: Cache) -> Subject | None:
    """The CanaryRelease of a key; None when it is gone.

    Raises:
        Unreadable: spec or status are not in a form that this version knows.
    """
    document = cache.get(CANARY_RELEASE, *key)
    if document is None:
        return None
    try:
        spec = _SPEC.validate_python(document["spec"])
        status = _STATUS.validate_python(document.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unreadable(f"CanaryRelease {key.namespace}/{key.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    host = service_fqdn(spec.service.name, key.namespace)
    route = _ours(cache.get(VIRTUAL_SERVICE, *key), key, host)
    rule = _ours(cache.get(DESTINATION_RULE, *key), key, host)
    return Subject(
        key, document, spec, status, _wanted(key, spec, cache.get(SERVICE, key.namespace, spec.service.name), route), route, rule
    )


def _ours(document: Document | None, key: Key, host: str) -> Document | None:
    return document if document is not None and (is_ours(document, key.name) or is_left_behind(document, host)) else None


def _wanted(key: Key, spec: CanaryReleaseSpec, service: Document | None, route: Document | None) -> Wanted:
    owned = spec.traffic.owned if spec.traffic else None
    # With the Service gone, the port of the route as it stands: taking traffic back must not depend on the Service.
    port = (port_of(service, spec.service.port) if service else None) or spec.service.port or _port_in(route)
    return Wanted(
        host=service_fqdn(spec.service.name, key.namespace),
        port=port or 80,
        hosts=(owned.hosts if owned else None) or (),
        gateways=(owned.gateways if owned else None) or (),
    )


def _port_in(route: Document | None) -> int | None:
    for http in (route or {}).get("spec", {}).get("http") or ():
        for share in http.get("route") or ():
            number = ((share.get("destination") or {}).get("port") or {}).get("number")
            if isinstance(number, int):
                return number
    return None
