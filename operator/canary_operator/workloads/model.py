"""What serves behind a Service, as values: endpoints, the pods behind them, what owns those, and what all that means for each version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Endpoint(NamedTuple):
    """One endpoint of an EndpointSlice. A tuple, because a cluster has many."""

    kind: str
    """Kind of the object behind it, such as `Pod`; empty: the slice names none."""
    name: str
    """Name of that object, in the namespace of the slice; empty: the slice names none."""
    uid: str
    """Of that object: pods of a StatefulSet have the names of their predecessors. Empty: unknown."""
    address: str
    """The first of its addresses."""
    ready: bool
    """It takes new requests. Where a slice does not say so it does: EndpointSlice, field `conditions.ready`."""
    serving: bool = True
    """It answers, though it may be on its way out."""
    terminating: bool = False
    """It is on its way out."""

    @property
    def is_pod(self) -> bool:
        """A pod is behind it, as far as the slice says. Of anything else Istio knows no labels."""
        return self.kind == "Pod" and bool(self.name)


class Owner(NamedTuple):
    """The controller of a pod or ReplicaSet."""

    kind: str
    """Such as `ReplicaSet`, `StatefulSet`, `CloneSet`."""
    name: str


class Pod(NamedTuple):
    """A pod, by its metadata only."""

    name: str
    uid: str
    labels: Mapping[str, str]
    owner: Owner | None
    """None: nobody's."""
    created: str
    """`metadata.creationTimestamp`, RFC 3339 in UTC and whole seconds, so that text order is time order."""
    generated: bool
    """Its name was generated: Istio's telemetry names it after its owner only then."""
    leaving: bool = False
    """It is being deleted."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What owns pods of a version: the object that a person would edit."""

    kind: str
    """`Deployment`, `StatefulSet`, ...; `Pod` for one that nobody owns."""
    name: str

    def title(self, namespace: str) -> str:
        """As messages name it.

        >>> Workload("StatefulSet", "db").title("shop")
        'StatefulSet shop/db'
        """
        return f"{self.kind} {namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves one version behind the Service."""

    version: str
    """Value of the version label."""
    revision: str
    """version @ hash of its newest template; where several workloads carry the version, of the newest of each."""
    workloads: tuple[str, ...]
    """Names of the workloads whose pods carry the version, as Istio's telemetry calls them; sorted."""
    ready: int
    """Ready endpoints of the Service that belong to the newest template."""
    desired: int = 0
    """Pods that are asked for, of all templates: by ReplicaSets as they say, of any other owner the pods that there are and stay."""
    old: int = 0
    """Ready endpoints that belong to older templates of this version: they answer its requests too."""

    told: bool = True
    """ReplicaSets say how many pods are asked for; False: that is only counted by the pods that there are."""
    leaving: bool = False
    """No pod of it is asked for, and those that are ready are being taken away."""
    replaced_by: str | None = None
    """The version that its Deployments carry now, so that Kubernetes replaces its pods by that version's; None: its own."""

    @property
    def endpoints(self) -> int:
        """All ready endpoints that answer for this version."""
        return self.ready + self.old


@dataclass(frozen=True, slots=True)
class Stranger:
    """A ready endpoint that belongs to no version: no subset has it."""

    endpoint: Endpoint
    pod: Pod | None = None
    """What is known of the pod behind it; None: it is no pod, or nothing is known."""
    workload: Workload | None = None
    """What owns the pod."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What serves behind one Service."""

    versions: Mapping[str, Serving] = field(default_factory=dict)
    """By version. One that has neither pods nor anything that would make them is not there."""
    strangers: tuple[Stranger, ...] = ()
    """Ready endpoints that belong to no version."""
    unknown: tuple[Endpoint, ...] = ()
    """Endpoints of pods of which nothing is known yet and whose names do not tell: their metadata must be read."""
    pods: Mapping[str, tuple[Pod, ...]] = field(default_factory=dict)
    """Per version the pods that are known by their metadata, those that no ReplicaSet tells of."""

    @property
    def unknown_ready(self) -> int:
        """Ready endpoints of which nobody knows the version yet."""
        return sum(endpoint.ready for endpoint in self.unknown)
