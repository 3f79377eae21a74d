"""What the preflight checks find, as reasons that a decision can name."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_operator.cache import Cache, Document
from canary_operator.clients.kinds import CANARY_RELEASE, DESTINATION_RULE, VIRTUAL_SERVICE
from canary_operator.preflight import Attachment, Facts, Peer, Severity, inspect
from canary_operator.release import reasons
from canary_operator.release.model import Because
from canary_operator.subject import Subject


def findings(it: Subject, service: Document | None, cache: Cache) -> Iterator[Because]:
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
        attachments=attachments(it.document),
        delegate=it.wanted.delegate,
        service=service,
        virtual_services=cache.all(VIRTUAL_SERVICE),
        destination_rules=cache.all(DESTINATION_RULE),
        releases=tuple(_peer(each) for each in cache.all(CANARY_RELEASE, it.key.namespace)),
    )
    for finding in inspect(facts):
        if finding.severity is Severity.ERROR:
            yield Because(finding.reason, finding.message)
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
