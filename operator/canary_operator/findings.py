"""What the preflight checks find, as reasons that a decision can name, and what they need to be read for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.analysis import promql
from canary_operator.api.names import STABLE
from canary_operator.api.status import State
from canary_operator.cache import Cache, Document, Key
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, REPLICA_SET, SERVICE, VIRTUAL_SERVICE
from canary_operator.indexes import owner_of
from canary_operator.mesh import exports
from canary_operator.mesh.config import Mesh, MeshConfig, config_of
from canary_operator.mesh.hosts import MESH
from canary_operator.preflight import Arm, Attachment, Facts, Finding, Peer, Severity, inspect, left_out, unmanaged_subsets, wanted
from canary_operator.preflight.finding import OF_READS, ROUTE_MISSING, ROUTE_UNFIT
from canary_operator.preflight.reading import Listing, NotPermitted, Read
from canary_operator.preflight.reads import mesh_config, pods_behind, telemetry
from canary_operator.preflight.scope import full_gateway
from canary_operator.preflight.sets import as_sets
from canary_operator.release import reasons
from canary_operator.release.model import ALL_MANAGED, Because, Beside
from canary_operator.release.scene import version_of
from canary_operator.serving import survey
from canary_operator.subject import Subject
from canary_operator.trimming import name_of
from canary_operator.workloads.model import Survey
from canary_operator.workloads.telemetry import with_telemetry


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one look at the surroundings of a release brought."""

    findings: tuple[Because, ...]
    """What must be mended before traffic moves."""
    warnings: tuple[Because, ...]
    """What should be mended."""
    unread: Because | None
    """Why not everything could be looked at yet; None: it was."""
    reads: tuple[Read, ...]
    """All that is needed of what is not watched."""
    survey: Survey
    """What serves behind the Service."""
    left_out: frozenset[str] = frozenset()
    """Namespaces whose callers see nothing of the weights or the subsets, by objects of their own: their requests are no evidence."""
    remembered: tuple[Because, ...] = ()
    """Warnings in status of what is not read now."""
    beside: Beside = ALL_MANAGED
    """What else sends to the Service's host."""


@dataclass(frozen=True, slots=True)
class Found:
    """What follows from the facts alone."""

    findings: tuple[Finding, ...]
    reads: tuple[Read, ...]
    left_out: frozenset[str]
    beside: Beside


class Remembered:
    """What the checks found last about each CanaryRelease. They go by the facts alone, so facts that are equal need no second look.

    Documents of the cache that have not changed are the very same objects, so that comparing costs next to nothing.
    """

    def __init__(self, check: Callable[[Facts], tuple[Finding, ...]] = inspect) -> None:
        self._check = check
        self._last: dict[Key, tuple[Facts, Found]] = {}

    def found(self, key: Key, facts: Facts) -> Found:
        """What the checks find, found now or before."""
        last = self._last.get(key)
        if last is not None and last[0] == facts:
            return last[1]
        found = Found(self._check(facts), wanted(facts), left_out(facts), _beside(facts))
        self._last[key] = (facts, found)
        return found

    def forget(self, key: Key) -> None:
        """The CanaryRelease is gone."""
        self._last.pop(key, None)


def look(
    it: Subject,
    cache: Cache,
    around: Mapping[Read, Listing],
    trouble: str | None = None,
    pods_trouble: str | None = None,
    *,
    remembered: Remembered | None = None,
    providers: frozenset[str] | None = None,
) -> Inspection:
    """Every check.

    Args:
        it: The CanaryRelease.
        cache: What is watched.
        around: What was read beside it.
        trouble: Why reading failed; None: it did not.
        pods_trouble: Why pods that no name tells of could not be read; None: nothing failed.
        remembered: What was found before; None: nothing is remembered.
        providers: Names of the Prometheus providers in the operator's configuration; None: unknown.
    """
    found_behind = behind(it, cache, around)
    facts = facts_of(it, cache, around, found_behind, providers)
    all_found = (remembered or Remembered()).found(it.key, facts)
    reads = all_found.reads
    missing = [read for read in reads if read not in around]
    found = [each for each in all_found.findings if each.reason not in _OF_ROUTES or _subsets_settled(it, cache)]
    errors = [_because(each) for each in found if each.severity is Severity.ERROR]
    warnings = [_because(each) for each in found if each.severity is Severity.WARNING]
    # What is not looked at now is as it was: such warnings go when a look shows that they are mended, or when no release needs the look any more.
    told = {each.reason for each in warnings}
    old = (Because(each.reason, each.message) for each in (it.status.warnings if missing else ()) if each.reason not in told)
    as_before = tuple(each for each in old if each.reason in OF_READS)
    named = with_telemetry(found_behind, it.spec.version_label, facts.found(telemetry(facts)) or ())
    unread = _unread(missing, trouble) or _untold(it, cache, found_behind, pods_trouble)
    return Inspection((*errors, *_shadowed(it)), tuple(warnings), unread, reads, named, all_found.left_out, as_before, all_found.beside)


def _beside(facts: Facts) -> Beside:
    others = unmanaged_subsets(facts)
    return Beside(stable=STABLE in others, canary=bool(others - {STABLE}))


def learned(mesh: Mesh, around: Mapping[Read, Listing]) -> Mesh:
    """What is known of the mesh after these reads; where its mesh config may not be read, or is not there, Istio's defaults hold."""
    match around.get(mesh_config(mesh.config_map)):
        case NotPermitted():
            return replace(mesh, config=MeshConfig())
        case tuple() as found:
            return replace(mesh, config=config_of((found[0].get("mesh") if found else None) or {}))
        case _:
            return mesh


_OF_ROUTES = (ROUTE_MISSING, ROUTE_UNFIT)


def _subsets_settled(it: Subject, cache: Cache) -> bool:
    """A person may be asked for a route that names the subsets: every proxy knows them by now."""
    return it.rule is not None and cache.now() - cache.since(DESTINATION_RULE, *name_of(it.rule)) >= it.spec.settle


def _because(finding: Finding) -> Because:
    return Because(finding.reason, finding.message)


def _unread(missing: list[Read], trouble: str | None) -> Because | None:
    if not missing:
        return None
    if trouble is None:
        return Because(reasons.INSPECTING, f"reading what surrounds the release: {', '.join(read.words for read in missing[:3])}")
    return Because(reasons.SURROUNDINGS_UNREAD, f"what surrounds the release cannot be read, and is tried again: {trouble}")


def _pods_read(it: Subject, service: Document | None, around: Mapping[Read, Listing]) -> tuple[Document, ...]:
    """The pods that the Service selects, as they were read lately; none where they were not."""
    read = pods_behind(it.key.namespace, service or {})
    listing = around.get(read) if read is not None else None
    return listing if isinstance(listing, tuple) else ()


def _untold(it: Subject, cache: Cache, found: Survey, trouble: str | None) -> Because | None:
    """Which pods nobody knows yet. One that may not be read is a finding: waiting is of no use."""
    names = sorted(each.name for each in found.unknown if each.ready)
    if not names or cache.pods.denied(it.key.namespace):
        return None
    words = f"Pod {it.key.namespace}/{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
    if trouble is None:
        return Because(reasons.INSPECTING, f"reading what surrounds the release: the labels of {words}")
    return Because(reasons.SURROUNDINGS_UNREAD, f"the labels of {words} cannot be read, and are tried again: {trouble}")


def behind(it: Subject, cache: Cache, around: Mapping[Read, Listing]) -> Survey:
    """What serves behind the Service, by all that is known now."""
    service = cache.get(SERVICE, it.key.namespace, it.spec.service.name)
    return survey(it, service, cache, _pods_read(it, service, around))


def facts_of(it: Subject, cache: Cache, around: Mapping[Read, Listing], found: Survey, providers: frozenset[str] | None = None) -> Facts:
    """What the checks look at: of each watched kind the objects that can concern this CanaryRelease, ordered by name.

    The checks find in them what they would find in all objects of the cluster. A check that asks for objects by another property than those
    here needs an index for it.
    """
    namespace, name = it.key.namespace, it.spec.service.name
    service, attached = cache.get(SERVICE, namespace, name), attachments(it.document)
    arms = tuple(_arms(it, service, cache, found, around))
    release = it.status.release
    pods = _replica_sets(it, service, arms, cache)
    routes = cache.pick(VIRTUAL_SERVICE, _virtual_services(it, attached, cache))
    return Facts(
        release=it.key.name,
        namespace=namespace,
        service_name=name,
        service_port=it.spec.service.port,
        version_label=it.spec.version_label,
        host=it.wanted.host,
        version=it.spec.version,
        adopted=it.status.stable is not None,
        stable_named=bool(it.spec.stable_version),
        provider=it.spec.analysis.prometheus,
        providers=providers,
        reporters=promql.REPORTERS[it.spec.analysis.reporter],
        hosts=it.wanted.hosts,
        gateways=it.wanted.gateways,
        attachments=attached,
        delegate=it.wanted.delegate,
        service=service,
        services=cache.pick(SERVICE, _services(it, pods, cache)),
        replica_sets=pods,
        arms=arms,
        strangers=found.strangers,
        unreadable=found.unknown if cache.pods.denied(namespace) else (),
        under_way=release is not None and release.weight > 0,
        virtual_services=routes,
        destination_rules=cache.pick(
            DESTINATION_RULE, {it.key} | cache.indexes.rules_of(it.wanted.host) | cache.indexes.rules_covering(it.wanted.host)
        ),
        releases=tuple(_peer(each) for each in cache.pick(CANARY_RELEASE, _peers(it, attached, routes, cache))),
        export_to=exports.of_service(service, (cache.mesh.config or MeshConfig()).services) if service else (exports.ALL,),
        mesh=cache.mesh,
        around=around,
    )


def _virtual_services(it: Subject, attached: Sequence[Attachment], cache: Cache) -> set[tuple[str, str]]:
    """Those of our names, those that send to the Service, those that rule or cover our hosts, and the roots over our delegate."""
    namespace, known = it.key.namespace, cache.indexes
    gateways = {full_gateway(gateway, namespace) for gateway in it.wanted.gateways or (MESH,)}
    return (
        {it.key, *((namespace, each.virtual_service) for each in attached)}
        | known.sending_to(it.wanted.host)
        | known.ruling((it.wanted.host, *it.wanted.hosts), namespace, gateways)
        | known.delegating_to(it.key)
    )


def _replica_sets(it: Subject, service: Document | None, arms: Sequence[Arm], cache: Cache) -> tuple[Document, ...]:
    """Those whose pods the Service selects; when it selects none of the wanted version, also those that carry it and are no Service's."""
    namespace, known = it.key.namespace, cache.indexes
    names = known.replica_sets_selected(namespace, ((service or {}).get("spec") or {}).get("selector") or {})
    if not any(arm.version == it.spec.version and arm.sets for arm in arms):
        names = names | known.strays(namespace, it.spec.version_label, it.spec.version)
    return cache.pick(REPLICA_SET, names)


def _services(it: Subject, pods: Sequence[Document], cache: Cache) -> set[tuple[str, str]]:
    """The Service, and those that select pods of its own."""
    labels = (each["spec"]["template"]["metadata"]["labels"] for each in pods if each["spec"].get("replicas"))
    others = (cache.indexes.services_selecting(it.key.namespace, each) for each in labels)
    return {(it.key.namespace, it.spec.service.name)}.union(*others)


def _peers(it: Subject, attached: Sequence[Attachment], routes: Sequence[Document], cache: Cache) -> set[tuple[str, str]]:
    """Itself, those of the namespace that want its Service or its routes, and those that own a VirtualService that concerns it."""
    namespace, known = it.key.namespace, cache.indexes
    owners = {owner for each in routes if (owner := owner_of(name_of(each)[0], each)) is not None and owner[0] == namespace}
    rivals = (known.attaching((namespace, each.virtual_service)) for each in attached)
    return {it.key, *owners}.union(known.releases_of((namespace, it.spec.service.name)), *rivals)


def _arms(it: Subject, service: Document | None, cache: Cache, found: Survey, around: Mapping[Read, Listing]) -> Iterator[Arm]:
    """Stable, and the version that is to follow it. Before the adoption stable is what alone serves, if one does."""
    sets: dict[str, list[Document]] = {}
    for version, pods in found.pods.items():
        sets[version] = list(as_sets(it.key.namespace, pods, _pods_read(it, service, around)))
    for each in cache.replica_sets(it.key.namespace, ((service or {}).get("spec") or {}).get("selector") or {}):
        version = each["spec"]["template"]["metadata"]["labels"].get(it.spec.version_label)
        if version and each["spec"].get("replicas"):
            sets.setdefault(version, []).append(each)
    release = it.status.release
    running = release is not None and release.state in (State.PROGRESSING, State.PROMOTING)
    canary = version_of(release.to) if release and running else it.spec.version
    stable = version_of(release.from_ if release and running else it.status.stable) or it.spec.stable_version or ""
    if not stable:
        stable = next(iter(sets)) if len(sets) == 1 else canary
    for role, version in (("stable", stable), ("canary", canary)):
        if version and (role == "stable" or version != stable):
            yield Arm(role, version, tuple(sets.get(version, ())))


def _shadowed(it: Subject) -> Iterator[Because]:
    if it.reading is not None and not it.reading.reached:
        words = f"VirtualService {it.key.namespace}/{it.key.name} has a route before ours that takes every request; give it a match, or remove it"
        yield Because(reasons.ROUTE_SHADOWED, words)


def _peer(release: Mapping[str, Any]) -> Peer:
    metadata = release["metadata"]
    return Peer(
        metadata["namespace"],
        metadata["name"],
        metadata.get("creationTimestamp") or "",
        release["spec"]["service"]["name"],
        attachments(release),
    )


def attachments(release: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """The user's routes that a CanaryRelease moves."""
    attach = (release["spec"].get("traffic") or {}).get("attach") or ()
    return tuple(Attachment(each["virtualService"], tuple(each.get("routes") or ())) for each in attach)
