"""What a user asks for: the spec of a CanaryRelease. The CRD and the reference text are generated from these types.

Bounds stand beside the field, rules over several fields on the type, each with what to write instead. `steps` and `traffic` have no default
in the schema, since defaulting happens before CEL; `plan()` of `release/plan.py` fills them in and status shows the result.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.quantities import Duration, Share, compare_durations, compare_shares, span
from canary_operator.api.schema import CONFIG, rules, text, unique, with_rules

# A label value that is not empty: kubernetes.io/docs/concepts/overview/working-with-objects/labels
LABEL_VALUE = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
PROVIDER = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
OBJECT_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
HOST = r"^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
GATEWAY = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
ROUTE_NAME = r"^\S(.*\S)?$"
HTTP_CODE = r"^[45](xx|[0-9][0-9])$"

_LABEL_VALUE_ADVICE = (
    "write a label value as the pods carry it: letters, digits, '-', '_' and '.', first and last a letter or a digit, such as v2"
)
_LABEL_KEY_ADVICE = "write a label key such as version or app.kubernetes.io/version"
_HOST_ADVICE = "write a host name in lower case such as reviews.example.com or *.example.com, without scheme, port or path"
_GATEWAY_ADVICE = "write the name of a Gateway as name or namespace/name, in lower case, or mesh for the sidecars"
_ROUTE_ADVICE = "write the name of an http route as its field name has it, such as primary"
_HTTP_CODE_ADVICE = "write a code from 400 to 599 such as 503, or the class 4xx or 5xx"


class GrpcCode(StrEnum):
    """A gRPC status that may count as a failure (grpc.io/docs/guides/status-codes)."""

    CANCELLED = "Cancelled"
    UNKNOWN = "Unknown"
    INVALID_ARGUMENT = "InvalidArgument"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NOT_FOUND = "NotFound"
    ALREADY_EXISTS = "AlreadyExists"
    PERMISSION_DENIED = "PermissionDenied"
    RESOURCE_EXHAUSTED = "ResourceExhausted"
    FAILED_PRECONDITION = "FailedPrecondition"
    ABORTED = "Aborted"
    OUT_OF_RANGE = "OutOfRange"
    UNIMPLEMENTED = "Unimplemented"
    INTERNAL = "Internal"
    UNAVAILABLE = "Unavailable"
    DATA_LOSS = "DataLoss"
    UNAUTHENTICATED = "Unauthenticated"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ServiceRef:
    """The Service whose traffic is moved, in the namespace of the CanaryRelease."""

    name: Annotated[str, text(DNS_LABEL, 63, "write the name of a Service of this namespace, such as reviews; without namespace or domain")]
    """Name of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the Service; may be left out when it has one."""


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


_HOLD = with_rules(
    (
        compare_durations("self.min", "<=", "self.max"),
        "hold.min (1m when left out) must not be longer than hold.max (5m when left out): lower min or raise max",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_HOLD)
class Hold:
    """How long a step is held. Only seconds that accepted samples of both versions cover are counted."""

    min: Annotated[Duration, span("0s", "24h", "hold.min")] = timedelta(minutes=1)
    """Never faster than this, however good the evidence."""
    max: Annotated[Duration, span("1s", "168h", "hold.max")] = timedelta(minutes=5)
    """After this the clock ends the step, as `analysis.insufficientData` says."""


_STEP = with_rules(
    (
        "self.weight < 100 || (self.hold.min == '1m' && self.hold.max == '5m')",
        "a step of weight 100 has no hold: leave it out, and write how long it takes in spec.bake",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_STEP)
class Step:
    """One weight of the plan."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """The canary's share of the traffic, in percent. 100 follows the last step by itself; it is written only to ask for approval before it."""
    hold: Hold = Hold()
    """How long the step is held; `bake` says it for 100."""
    approval: Literal["Required"] | None = None
    """Required: a person is asked before the weight rises to this step's. No deadline counts the time that takes."""


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


_ERRORS = with_rules(
    (
        compare_shares("self.tolerance", "<", "self.ruleOut"),
        "errors.tolerance (0.1% when left out) must be smaller than errors.ruleOut (1% when left out): lower tolerance or raise ruleOut",
    ),
    (
        f"!has(self.limit) || {compare_shares('self.tolerance', '<', 'self.limit')}",
        "errors.limit must be larger than errors.tolerance (0.1% when left out): raise limit, or leave it out",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_ERRORS)
class Errors:
    """What counts as a failed request, and how much worse than stable is too much."""

    tolerance: Share = 0.001
    """The canary may always fail this much more often than stable, in points."""
    rule_out: Share = 0.01
    """A step ends early once a worsening this large is ruled out, in points."""
    limit: Share | None = None
    """A share of failed requests that is too much whatever stable does; no such limit when left out."""
    http: Annotated[tuple[Annotated[str, text(HTTP_CODE, 3, _HTTP_CODE_ADVICE)], ...], unique(1, 20)] = ("5xx",)
    """HTTP codes that are failures: `503`, or `5xx` for a class."""
    grpc: Annotated[tuple[GrpcCode, ...], unique(1, 16)] = (
        GrpcCode.UNKNOWN,
        GrpcCode.DEADLINE_EXCEEDED,
        GrpcCode.INTERNAL,
        GrpcCode.UNAVAILABLE,
        GrpcCode.DATA_LOSS,
    )
    """gRPC codes that are failures."""


_LATENCY = with_rules(
    (
        compare_shares("self.tolerance", "<", "self.ruleOut"),
        "latency.tolerance (1% when left out) must be smaller than latency.ruleOut (5% when left out): lower tolerance or raise ruleOut",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_LATENCY)
class Latency:
    """How much more often than stable the canary may answer slowly."""

    threshold: Annotated[Duration, span("1ms", "1h", "latency.threshold")]
    """A successful answer that takes longer is slow. It must be a bound of the histogram in the proxies, by Istio's default 1, 5, 10, 25, 50,
    100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 1 m...; for another one the release waits and its message names the nearest."""
    tolerance: Share = 0.01
    """The canary may always answer this much more often slowly than stable, in points."""
    rule_out: Share = 0.05
    """A step ends early once a worsening this large is ruled out, in points."""
    warmup: Annotated[Duration, span("0s", "1h", "latency.warmup")] = timedelta(seconds=30)
    """After each rise, for so long no answer is timed: caches fill, code is compiled."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Analysis:
    """What decides whether the canary is good."""

    prometheus: Annotated[
        str, text(PROVIDER, 63, "write the name of a provider in the operator's configuration, such as default, never an address")
    ] = "default"
    """A provider named in the operator's configuration. Never an address."""
    errors: Errors = Errors()
    """Failed requests, compared with stable's."""
    latency: Latency | None = None
    """Slow answers, compared with stable's; not judged when left out."""
    reporter: Literal["Source", "Destination", "Waypoint", "Auto"] = "Source"
    """Who counted: the callers' proxies and gateways (Source), the versions' own proxies (Destination: failures to reach a pod are not
    seen), or a waypoint. Auto: the first of source, waypoint and destination that has counted requests of stable; costs more samples."""
    confidence: Annotated[int, Field(ge=80, le=99)] = 99
    """Percent. At 99 at most 1 of 100 good versions is rolled back by mistake: the bar is odds of 100:1."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Canary requests in a step before it may advance."""
    insufficient_data: Literal["Advance", "Hold"] = "Advance"
    """At `hold.max`, when the evidence is neither good nor bad: take the next step, or wait for evidence until the deadline."""
    no_data: Literal["Hold", "Withdraw"] = "Hold"
    """No accepted sample at all for `hold.max`: wait until the deadline, or take the traffic back without blame."""
    deadline: Annotated[Duration, span("10s", "720h", "analysis.deadline")] = timedelta(hours=1)
    """The longest a step may take before the traffic goes back without blame."""


_SPEC = with_rules(
    ("self.service.name == oldSelf.service.name", "service.name cannot change: create another CanaryRelease for the other Service"),
    (
        "(has(self.traffic) && has(self.traffic.attach)) == (has(oldSelf.traffic) && has(oldSelf.traffic.attach)) && "
        "(has(self.traffic) && has(self.traffic.delegate)) == (has(oldSelf.traffic) && has(oldSelf.traffic.delegate))",
        "traffic cannot change between owned, attach and delegate: delete this CanaryRelease and create it anew",
    ),
    (
        "!(has(self.traffic) && has(self.traffic.attach)) || !(has(self.preview) || has(self.mirror))",
        "preview and mirror change more than weights in a route: leave them out, or write traffic.owned or traffic.delegate",
    ),
    ("self.versionLabel == oldSelf.versionLabel", "versionLabel cannot change: delete this CanaryRelease and create it anew"),
    (
        f"!has(self.steps) || self.steps.all(s, s.weight == 100 || {compare_durations('s.hold.min', '<', 'self.analysis.deadline')})",
        "a step's hold.min must be shorter than analysis.deadline (1h when left out): lower min or raise deadline",
    ),
)
_STEPS = {
    **rules(
        ("self.map(s, s.weight).isSorted()", "steps must rise: write the weights in ascending order"),
        ("self.all(s, self.exists_one(t, t.weight == s.weight))", "steps must rise: each weight may stand only once"),
    ),
    "x-kubernetes-list-type": "atomic",
}


@dataclass(frozen=True, slots=True, kw_only=True, config=_SPEC)
class CanaryReleaseSpec:
    """The wish: which version should serve which Service, and how carefully it gets there."""

    service: ServiceRef
    """The Service whose traffic is moved."""
    version: Annotated[str, text(LABEL_VALUE, 63, _LABEL_VALUE_ADVICE)]
    """The version that should serve, as its pods are labelled. Change it to start a release."""
    version_label: Annotated[
        str,
        text(
            LABEL_KEY,
            317,
            _LABEL_KEY_ADVICE,
            (
                "self != 'pod-template-hash'",
                "versionLabel must be a label that you set yourself: pod-template-hash belongs to the Deployment",
            ),
        ),
    ] = "version"
    """The pod label that tells versions apart."""
    stable_version: Annotated[str, text(LABEL_VALUE, 63, _LABEL_VALUE_ADVICE)] | None = None
    """The version that serves now. Needed once, at the first adoption, when several versions serve."""
    traffic: Traffic | None = None
    """How the operator gets hold of the traffic; `owned` with the Service's name in the mesh when left out."""
    preview: Preview | None = None
    """Requests that always see the canary while a release runs; none when left out. Not with `traffic.attach`."""
    mirror: Mirror | None = None
    """Copies of requests for the canary before its first weight; none when left out. Not with `traffic.attach`."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20, json_schema_extra=_STEPS)] | None = None
    """The weights on the way to 100 percent; 5, 10, 25, 50 when left out."""
    bake: Annotated[Duration, span("0s", "24h", "bake")] = timedelta(minutes=2)
    """At 100 percent the old version stays the way back for this long."""
    capacity: Share = 0.5
    """Ready canary pods before a rise: this share of weight times stable's ready pods, at least one."""
    settle: Annotated[Duration, span("0s", "5m", "settle")] = timedelta(seconds=5)
    """After a routing write, the time until it counts as served by all proxies."""
    drain: Annotated[Duration, span("0s", "1h", "drain")] = timedelta(seconds=30)
    """After traffic left a version, the time until labels change or anything is removed."""
    analysis: Analysis = Analysis()
    """What decides whether the canary is good."""
    on_failure: Literal["RollBack", "Hold"] = "RollBack"
    """What a verdict against the canary leads to. RollBack: all traffic goes back at once. Hold: the weight stays where it is, and the release stalls
    until a person writes `abort` (all traffic back), `retry` (the step is judged anew) or `promote`, or until another version is wanted. A canary
    that exceeds `analysis.errors.limit`, fails most of what one scrape counted, or has no ready pod goes back all the same."""
    suspend: bool = False
    """Nothing goes forward: no release starts, no weight rises, no bake ends. Analysis, rollback and healing go on."""


RESOURCE = rules(
    (
        "!has(oldSelf.spec.traffic) || !has(oldSelf.spec.traffic.attach) || !has(self.spec.traffic) || !has(self.spec.traffic.attach) || "
        "self.spec.traffic.attach == oldSelf.spec.traffic.attach || !has(self.status) || !has(self.status.release) || "
        "self.status.release.state in ['Initializing', 'Stable']",
        "traffic.attach can change only while no release runs: a route that is left out would keep the weight that it has",
    ),
    (
        "self.metadata.name.size() <= 63",
        "metadata.name must have at most 63 characters: the operator writes it as a label on the objects it owns",
    ),
)
"""The rules over the whole resource."""
