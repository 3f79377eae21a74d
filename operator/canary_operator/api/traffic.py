"""`spec.traffic`, `spec.preview` and `spec.mirror`: how the operator gets hold of the traffic, and what it shows beside the weights."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.quantities import Duration, span
from canary_operator.api.schema import CONFIG, text, unique, with_rules

OBJECT_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
HOST = r"^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
GATEWAY = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
ROUTE_NAME = r"^\S(.*\S)?$"

_HOST_ADVICE = "write a host name in lower case such as reviews.example.com or *.example.com, without scheme, port or path"
_GATEWAY_ADVICE = "write the name of a Gateway as name or namespace/name, in lower case, or mesh for the sidecars"
_ROUTE_ADVICE = "write the name of an http route as its field name has it, such as primary"


_OWNED = with_rules(
    (
        "!has(self.gateways) || has(self.hosts)",
        "traffic.owned.gateways needs traffic.owned.hosts: write the hosts that these gateways serve",
    ),
    (
        "!has(self.hosts) || (has(self.gateways) && !self.gateways.exists(g, g == 'mesh')) || self.hosts.all(h, !h.startsWith('*'))",
        "a wildcard host cannot be served in the mesh: name the gateways in traffic.owned.gateways, without mesh",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_OWNED)
class Owned:
    """The operator creates and owns the VirtualService."""

    hosts: Annotated[tuple[Annotated[str, text(HOST, 253, _HOST_ADVICE)], ...], unique(1, 16)] | None = None
    """Hosts beside the Service's own name that lead to it; none when left out."""
    gateways: Annotated[tuple[Annotated[str, text(GATEWAY, 317, _GATEWAY_ADVICE)], ...], unique(1, 16)] | None = None
    """Gateways, as `name` or `namespace/name`, that serve the hosts; `mesh` stands for the sidecars. In the mesh alone when left out."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Attach:
    """A VirtualService of the user's in which only the weights of the managed routes change."""

    virtual_service: Annotated[
        str, text(OBJECT_NAME, 253, "write the name of a VirtualService of this namespace, such as reviews; without a namespace")
    ]
    """Name of a VirtualService in the namespace of the CanaryRelease."""
    routes: Annotated[tuple[Annotated[str, text(ROUTE_NAME, 253, _ROUTE_ADVICE)], ...], unique(1, 16)] | None = None
    """Names of its HTTP routes; may be left out when it has one. Each leads to the subsets `stable` and `canary` of the Service alone."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Delegate:
    """The operator creates and owns a delegate VirtualService of the name of the CanaryRelease, under a root of the user's."""


_TRAFFIC = with_rules(
    (
        "(has(self.owned) ? 1 : 0) + (has(self.attach) ? 1 : 0) + (has(self.delegate) ? 1 : 0) == 1",
        "traffic needs exactly one of owned, attach and delegate; for owned with the Service's name in the mesh alone, leave traffic out",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_TRAFFIC)
class Traffic:
    """How the operator gets hold of the traffic. Exactly one of the three."""

    owned: Owned | None = None
    """The operator creates and owns the VirtualService of the host."""
    attach: (
        Annotated[
            tuple[Attach, ...],
            Field(
                min_length=1,
                max_length=8,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["virtualService"]},
            ),
        ]
        | None
    ) = None
    """The VirtualServices are the user's: only the two weights of the managed routes change in them."""
    delegate: Delegate | None = None
    """The operator creates and owns a VirtualService to which one of the user's delegates: that one keeps hosts, gateways and other routes."""


_MATCH = with_rules(
    ("has(self.header) != has(self.cookie)", "a preview match needs exactly one of header and cookie: write two matches for two ways"),
    (
        "(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.regex) ? 1 : 0) == 1",
        "a preview match needs exactly one of exact, prefix and regex",
    ),
)
_PRINTABLE = r"^[ -~]{1,253}$"
_VALUE_ADVICE = "write 1 to 253 printable characters"


@dataclass(frozen=True, slots=True, kw_only=True, config=_MATCH)
class PreviewMatch:
    """One way for a request to ask for the canary."""

    header: (
        Annotated[str, text(r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", 63, "write the name of a header such as x-preview")] | None
    ) = None
    """Name of a header."""
    cookie: Annotated[str, text(r"^[A-Za-z0-9_.-]{1,63}$", 63, "write the name of a cookie such as preview")] | None = None
    """Name of a cookie."""
    exact: Annotated[str, text(_PRINTABLE, 253, _VALUE_ADVICE)] | None = None
    """The whole value."""
    prefix: Annotated[str, text(_PRINTABLE, 253, _VALUE_ADVICE)] | None = None
    """What the value begins with."""
    regex: Annotated[str, text(_PRINTABLE, 253, _VALUE_ADVICE)] | None = None
    """A regular expression (RE2) for the whole value."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Preview:
    """Requests that always see the canary while a release runs and the canary has a ready pod."""

    match: Annotated[tuple[PreviewMatch, ...], Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"})]
    """A request that fits one of these sees the canary, whatever the weight is."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Mirror:
    """Requests are copied to the canary before its first weight. Nobody waits for the answers, and they count as no evidence."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Share of the requests that are copied."""
    hold: Annotated[Duration, span("1s", "24h", "mirror.hold")] = timedelta(minutes=1)
    """For so long before the first weight."""
