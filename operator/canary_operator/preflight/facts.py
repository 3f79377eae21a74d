"""What the checks may look at: the wish of one CanaryRelease, and the objects around it as the API server gives them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from canary_operator.mesh.config import Mesh
from canary_operator.mesh.hosts import MESH
from canary_operator.preflight.finding import Finding
from canary_operator.preflight.reading import Document, Listing, Read
from canary_operator.workloads.model import Endpoint, Stranger


@dataclass(frozen=True, slots=True)
class Peer:
    """A CanaryRelease, as far as another one may collide with it."""

    namespace: str
    name: str
    created: str
    """`metadata.creationTimestamp`, which is RFC 3339 in UTC and whole seconds, so that text order is time order."""
    service: str
    """`spec.service.name`."""
    attachments: tuple["Attachment", ...] = ()
    """The user's routes that it moves."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A VirtualService of the user's with managed routes."""

    virtual_service: str
    """Its name, in the namespace of the CanaryRelease."""
    routes: tuple[str, ...] = ()
    """Names of the managed HTTP routes; none: its only one."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the two versions."""

    role: str
    """`stable` or `canary`."""
    version: str
    """Value of the version label."""
    sets: tuple[Document, ...]
    """What makes its pods, in the shape of a ReplicaSet: those that the Service selects, that carry the version and that want pods. Other
    owners and pods that nobody owns are given that shape by `preflight/sets.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the checks of one CanaryRelease look at."""

    release: str
    """Name of the CanaryRelease, and of the VirtualService and DestinationRule it owns."""
    namespace: str
    service_name: str
    service_port: int | None
    """As the spec names it; None: left out."""
    version_label: str
    host: str
    """Full name of the Service."""
    version: str = ""
    """The version that is wanted."""
    provider: str = "default"
    """Name of the Prometheus provider."""
    providers: frozenset[str] | None = None
    """Names of the Prometheus providers in the operator's configuration; None: unknown."""
    reporters: tuple[str, ...] = ("source",)
    """Whose telemetry is judged by, as the label `reporter` names them."""
    hosts: tuple[str, ...] = ()
    """Further hosts, as the spec names them."""
    gateways: tuple[str, ...] = ()
    """As the spec names them; none: the mesh alone."""
    adopted: bool = False
    """The route was taken over once: what stands in the subsets is the operator's, or was put over it."""
    stable_named: bool = False
    """The spec names the stable version."""
    attachments: tuple[Attachment, ...] = ()
    """The user's VirtualServices whose routes are managed; none: the operator has its own."""
    delegate: bool = False
    """The operator's VirtualService is a delegate: hosts and gateways are those of the user's root."""
    service: Mapping[str, Any] | None = None
    """None: it does not exist."""
    services: tuple[Document, ...] = ()
    """All Services of the namespace, this one among them."""
    replica_sets: tuple[Document, ...] = ()
    """All of the namespace."""
    arms: tuple[Arm, ...] = ()
    """The versions that serve or are to serve, stable first."""
    strangers: tuple[Stranger, ...] = ()
    """Ready endpoints of the Service that belong to no version."""
    unreadable: tuple[Endpoint, ...] = ()
    """Endpoints of pods whose labels the operator may not read."""
    under_way: bool = False
    """A release runs, and traffic has moved already."""
    virtual_services: tuple[Mapping[str, Any], ...] = ()
    """Of all namespaces, ours among them."""
    destination_rules: tuple[Mapping[str, Any], ...] = ()
    """Of all namespaces, ours among them."""
    releases: tuple[Peer, ...] = ()
    """All CanaryReleases; this one may be missing while it is not applied yet."""
    export_to: tuple[str, ...] = ("*",)
    """Whom the Service is exported to, as a VirtualService of its namespace would write it."""
    mesh: Mesh = field(default_factory=Mesh)
    """What is known of the mesh as a whole."""
    around: Mapping[Read, Listing] = field(default_factory=dict)
    """What was read beside the watched kinds; empty when nothing was."""

    @property
    def domain(self) -> str:
        """The cluster's domain, such as `cluster.local`."""
        return self.host.partition(".svc.")[2]

    @property
    def root_namespace(self) -> str:
        """The mesh's root namespace, whose rules hold everywhere."""
        return self.mesh.config_map[0]

    @property
    def is_in_mesh(self) -> bool:
        """Sidecars or waypoints apply the weights, or may: an attached VirtualService and a root say so themselves."""
        return bool(self.attachments) or self.delegate or MESH in (self.gateways or (MESH,))

    @property
    def needs_port(self) -> bool:
        """A route that the operator writes is for gateways, which must be told a port."""
        return self.delegate or (not self.attachments and any(each != MESH for each in self.gateways))

    def found(self, read: Read) -> tuple[Document, ...] | None:
        """What a read brought; None: nothing is known of it."""
        listing = self.around.get(read)
        return listing if isinstance(listing, tuple) else None

    def is_older_than(self, peer: Peer) -> bool:
        """Whether this CanaryRelease has precedence; one that is not applied yet has none. Of two from one second the name decides."""
        ours = next((each for each in self.releases if (each.namespace, each.name) == (self.namespace, self.release)), None)
        return ours is not None and (ours.created, ours.namespace, ours.name) < (peer.created, peer.namespace, peer.name)


Check = Callable[[Facts], Iterator[Finding]]
"""One question. It yields nothing when all is well, or when another check already says why it cannot be asked."""
