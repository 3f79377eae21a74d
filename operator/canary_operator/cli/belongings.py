"""What belongs to a CanaryRelease, and where its traffic is to end, read off documents. Pure.

Reads as little of the spec and of the record as it can, and as plain documents, so that it also frees what this version cannot read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from canary_operator.api.names import CANARY, FINALIZER, MARK, OWNER, STABLE
from canary_operator.api.quantities import parse_duration
from canary_operator.mesh.hosts import expand, service_fqdn
from canary_operator.mesh.routes import http_of
from canary_operator.release.elsewhere import end_of
from canary_operator.release.model import Mark
from canary_operator.traffic.mark import users_mark

Document = Mapping[str, Any]
_SPANS = {"settle": "5s", "drain": "30s"}
"""What a spec that does not name them means."""


@dataclass(frozen=True, slots=True)
class Found:
    """A CanaryRelease with what belongs to it."""

    release: Document
    routes: tuple[Document, ...]
    """VirtualServices that carry its label or its mark."""
    rule: Document | None
    """The DestinationRule that does, or else the one in which its subsets stand."""
    pods: tuple[Document, ...]
    """Pods that its Service selects, those that are leaving aside."""
    others: tuple[Document, ...] = ()
    """VirtualServices that do not belong to it, as far as they are listed."""
    by_hand: bool = False
    """Ready endpoints of the Service are no pods: somebody else writes its EndpointSlices too."""

    @property
    def title(self) -> str:
        """Namespace and name."""
        return f"{self.release['metadata']['namespace']}/{self.release['metadata']['name']}"

    @property
    def held(self) -> bool:
        """Something of ours is on it or on its objects."""
        documents = (*self.routes, *((self.rule,) if self.rule else ()))
        return FINALIZER in (self.release["metadata"].get("finalizers") or ()) or any(belongs(each, self.release) for each in documents)

    @property
    def host(self) -> str:
        """Full name of the Service, as the objects spell it."""
        return host_of(self.release, (*self.routes, *((self.rule,) if self.rule else ())))

    @property
    def label(self) -> str:
        """The pod label that tells versions apart."""
        return str(self.release["spec"].get("versionLabel") or "version")

    @property
    def attached(self) -> bool:
        """The routes are the user's."""
        return bool((self.release["spec"].get("traffic") or {}).get("attach")) or not all(map(is_ours, self.routes))

    def selected(self, subset: str) -> str | None:
        """The version that one of the two subsets selects; None: it is missing."""
        found = next((each.get("labels") or {} for each in subsets_of(self.rule) if each.get("name") == subset), None)
        return None if found is None else str(found.get(self.label, ""))

    def span(self, field: str) -> timedelta:
        """`settle` or `drain` of the spec."""
        return parse_duration(self.release["spec"].get(field) or _SPANS[field])

    @property
    def present(self) -> list[str]:
        """The versions that have pods."""
        return sorted({version for pod in self.pods if (version := self._version(pod))})

    @property
    def strangers(self) -> bool:
        """Endpoints without a version are behind the Service: no subset has them."""
        return self.by_hand or not all(map(self._version, self.pods))

    @property
    def serving(self) -> list[str]:
        """The versions that have ready pods, those with most of them first."""
        ready = Counter(self._version(pod) for pod in self.pods if _is_ready(pod))
        return sorted((version for version in ready if version), key=lambda version: (-ready[version], version))

    @property
    def stable(self) -> str:
        """The version that the record calls stable, or else the subset `stable` selects; empty: nobody knows."""
        status = self.release.get("status") or {}
        record = status.get("release") or {}
        to = _version_in(record.get("to"))
        if record.get("state") == "Promoting" and to and (not record.get("weight") or self.selected(STABLE) == to):
            return to
        return _version_in(record.get("from") or status.get("stable")) or self.selected(STABLE) or ""

    @property
    def home(self) -> str:
        """The version at which the traffic ends; empty: nobody knows."""
        to = _version_in(((self.release.get("status") or {}).get("release") or {}).get("to"))
        return end_of(self.stable, self.serving, (self.release["spec"].get("version"), to, self.selected(CANARY)))

    def _version(self, pod: Document) -> str:
        return str((pod["metadata"].get("labels") or {}).get(self.label, ""))


def belongs(document: Document, release: Document) -> bool:
    """The object carries the label or a mark of this CanaryRelease."""
    metadata, wanted = document["metadata"], release["metadata"]
    annotations, owner = metadata.get("annotations") or {}, (metadata.get("labels") or {}).get(OWNER)
    mark = Mark.parse(annotations.get(MARK))
    marked = users_mark(wanted["name"]) in annotations or (mark is not None and mark.uid == wanted["uid"])
    return bool(owner == wanted["name"] if owner else marked)


def rule_of(rules: Iterable[Document], release: Document) -> Document | None:
    """The DestinationRule that belongs to the CanaryRelease; else nobody's, in which both subsets of its Service stand; None: there is none."""
    known = list(rules)
    names = {STABLE, CANARY}
    alike = (
        each
        for each in known
        if not is_ours(each)
        and names <= {subset.get("name") for subset in subsets_of(each)}
        and expand(str(each["spec"].get("host", "")), each["metadata"]["namespace"]) == host_of(release, (each,))
    )
    return next((each for each in known if belongs(each, release)), next(alike, None))


def host_of(release: Document, documents: Iterable[Document]) -> str:
    """Full name of the Service of a CanaryRelease, in the cluster domain that its objects use."""
    name, namespace = release["spec"]["service"]["name"], release["metadata"]["namespace"]
    for document in documents:
        shares = (share.get("destination") or {} for http in http_of(document) for share in http.get("route") or ())
        for host in (str((document.get("spec") or {}).get("host", "")), *(str(each.get("host", "")) for each in shares)):
            if host.startswith(f"{name}.{namespace}.svc."):
                return host
    return service_fqdn(name, namespace)


def is_ours(document: Document) -> bool:
    """It carries the label of a CanaryRelease."""
    return OWNER in (document["metadata"].get("labels") or {})


def subsets_of(rule: Document | None) -> list[dict[str, Any]]:
    """The subsets of a DestinationRule."""
    return ((rule or {}).get("spec") or {}).get("subsets") or []


def _version_in(revision: object) -> str:
    return str(revision or "").rpartition("@")[0]


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
