"""From what the cache holds to what a decision may look at. Reads documents, decides nothing, waits for nothing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from canary_operator.api.names import ACTION, FINALIZER
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import CanaryReleaseStatus
from canary_operator.cache import REVISION, Cache, Document, Key
from canary_operator.clients.errors import CanaryOperatorError
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, SERVICE, VIRTUAL_SERVICE
from canary_operator.preflight import Facts, Peer, Severity, inspect
from canary_operator.preflight.service import port_of
from canary_operator.release import reasons
from canary_operator.release.model import Because, Mark, Observation, RouteSeen, Serving, SubsetsSeen
from canary_operator.traffic import destination_rule, virtual_service
from canary_operator.traffic.host import service_fqdn
from canary_operator.traffic.mark import is_ours, mark_text
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
    route = _ours(cache.get(VIRTUAL_SERVICE, *key), key)
    rule = _ours(cache.get(DESTINATION_RULE, *key), key)
    return Subject(
        key, document, spec, status, _wanted(key, spec, cache.get(SERVICE, key.namespace, spec.service.name), route), route, rule
    )


def _ours(document: Document | None, key: Key) -> Document | None:
    return document if document is not None and is_ours(document, key.name) else None


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


def observe(it: Subject, cache: Cache) -> Observation:
    """Everything that one decision may look at, as the watches last said it."""
    metadata, spec = it.document["metadata"], it.spec
    service = cache.get(SERVICE, it.key.namespace, spec.service.name)
    route, subsets = route_seen(it, cache), subsets_seen(it, cache)
    return Observation(
        now=cache.now(),
        uid=it.uid,
        generation=metadata["generation"],
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        action=(metadata.get("annotations") or {}).get(ACTION),
        last_action=it.status.last_action,
        last_release=it.status.last_release,
        stable=it.status.stable,
        versions=None if service is None else dict(_versions(it, service, cache)),
        route=route,
        route_gone_since=cache.since(VIRTUAL_SERVICE, *it.key) if route is None else None,
        subsets=subsets,
        fresh=_fresh(it, cache),
        findings=tuple(_findings(it, service, cache)),
        samples=cache.answer(it.key),
    )


def route_seen(it: Subject, cache: Cache) -> RouteSeen | None:
    """The VirtualService of ours as it stands; None: there is none."""
    if it.route is None:
        return None
    reading = virtual_service.read(it.route, it.wanted)
    return RouteSeen(reading.weight, reading.intact, Mark.parse(mark_text(it.route)), cache.since(VIRTUAL_SERVICE, *it.key))


def subsets_seen(it: Subject, cache: Cache) -> SubsetsSeen | None:
    """The DestinationRule of ours as it stands; None: there is none."""
    if it.rule is None:
        return None
    selected = destination_rule.read(it.rule, it.spec.version_label)
    return SubsetsSeen(selected.stable, selected.canary, Mark.parse(mark_text(it.rule)), cache.since(DESTINATION_RULE, *it.key))


def _fresh(it: Subject, cache: Cache) -> bool:
    """The record is newer than the routing: this process wrote the routing itself, or read the CanaryRelease after it saw it."""
    read = cache.read_at(it.key)
    for kind, document in ((VIRTUAL_SERVICE, it.route), (DESTINATION_RULE, it.rule)):
        if document is None or cache.is_own_mark(it.key, mark_text(document)):
            continue
        if read is None or read < cache.since(kind, *it.key):
            return False
    return True


def _versions(it: Subject, service: Document, cache: Cache) -> Iterator[tuple[str, Serving]]:
    """What serves each version: ReplicaSets that the Service selects, and their ready endpoints.

    Pods are not watched: a pod is named after its ReplicaSet, and the ReplicaSet's template carries the version label.
    """
    sets: dict[str, list[Document]] = defaultdict(list)
    for each in cache.replica_sets(it.key.namespace, (service.get("spec") or {}).get("selector") or {}):
        version = each["spec"]["template"]["metadata"]["labels"].get(it.spec.version_label)
        if version:
            sets[version].append(each)
    ready = _ready_pods(it, cache)
    for version, members in sets.items():
        counts = {
            each["metadata"]["name"]: sum(1 for pod in ready if pod.rpartition("-")[0] == each["metadata"]["name"]) for each in members
        }
        alive = [each for each in members if each["spec"].get("replicas") or counts[each["metadata"]["name"]]] or [max(members, key=_age)]
        newest = max((each for each in members if each["spec"].get("replicas")), key=_age, default=max(alive, key=_age))
        yield (
            version,
            Serving(
                version=version,
                revision=f"{version}@{_hash(newest)}",
                workloads=tuple(sorted({_workload(each) for each in alive})),
                ready=sum(counts.values()),
                desired=sum(each["spec"].get("replicas") or 0 for each in members),
            ),
        )


def _ready_pods(it: Subject, cache: Cache) -> set[str]:
    """Names of the pods behind the Service's ready endpoints."""
    return {
        endpoint["targetRef"]["name"]
        for each in cache.endpoint_slices(it.key.namespace, it.spec.service.name)
        for endpoint in each.get("endpoints") or ()
        # An absent `ready` counts as ready: kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1
        if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("targetRef")
    }


def _age(replica_set: Document) -> tuple[int, str, str]:
    metadata = replica_set["metadata"]
    number = (metadata.get("annotations") or {}).get(REVISION, "0")
    return int(number) if number.isdecimal() else 0, metadata.get("creationTimestamp") or "", metadata["name"]


def _hash(replica_set: Document) -> str:
    metadata = replica_set["metadata"]
    return str((metadata.get("labels") or {}).get("pod-template-hash") or metadata["name"])


def _workload(replica_set: Document) -> str:
    owners = replica_set["metadata"].get("ownerReferences") or ()
    return next((str(owner["name"]) for owner in owners if owner.get("controller")), str(replica_set["metadata"]["name"]))


def _findings(it: Subject, service: Document | None, cache: Cache) -> Iterator[Because]:
    """What must be mended before traffic moves."""
    facts = Facts(
        release=it.key.name,
        namespace=it.key.namespace,
        service_name=it.spec.service.name,
        service_port=it.spec.service.port,
        version_label=it.spec.version_label,
        host=it.wanted.host,
        hosts=it.wanted.hosts,
        gateways=it.wanted.gateways,
        service=service,
        virtual_services=cache.all(VIRTUAL_SERVICE),
        destination_rules=cache.all(DESTINATION_RULE),
        releases=tuple(_peer(each) for each in cache.all(CANARY_RELEASE, it.key.namespace)),
    )
    for finding in inspect(facts):
        if finding.severity is Severity.ERROR:
            yield Because(finding.reason, finding.message)
    if it.route is not None and not virtual_service.read(it.route, it.wanted).reached:
        words = f"VirtualService {it.key.namespace}/{it.key.name} has a route before ours that takes every request; give it a match, or remove it"
        yield Because(reasons.ROUTE_SHADOWED, words)


def _peer(release: Mapping[str, Any]) -> Peer:
    metadata = release["metadata"]
    return Peer(metadata["namespace"], metadata["name"], metadata.get("creationTimestamp") or "", release["spec"]["service"]["name"])
