"""`spec.analysis`: what decides whether the canary is good."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.quantities import Duration, Number, Share, compare_numbers, compare_shares, span
from canary_operator.api.schema import CONFIG, text, unique, with_rules

PROVIDER = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
QUERY_NAME = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
HTTP_CODE = r"^[45](xx|[0-9][0-9])$"

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


_QUERY = with_rules(
    (
        "has(self.min) || has(self.max)",
        "a query needs min, max or both: write the least and the greatest value that is good, such as max: '100'",
    ),
    (
        f"!has(self.min) || !has(self.max) || {compare_numbers('self.min', '<', 'self.max')}",
        "min must be smaller than max: lower min or raise max",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=_QUERY)
class Query:
    """A question of your own to Prometheus; its answer must stay within bounds."""

    name: Annotated[str, text(QUERY_NAME, 63, "write a name in lower-case letters, digits and dashes, such as queue-depth")]
    """What messages and status call it."""
    query: Annotated[str, Field(min_length=1, max_length=2048)]
    """PromQL that answers exactly one value. Placeholders: in a label's value `{{canary.version}}`, `{{stable.version}}`, `{{canary.workload}}`,
    `{{service}}`, `{{namespace}}`; as a duration `{{interval}}`. Values are escaped, in a regular expression too."""
    min: Number | None = None
    """The least value that is good. At least one of min and max is needed."""
    max: Number | None = None
    """The greatest value that is good."""
    interval: Annotated[Duration, span("5s", "1h", "interval")] = timedelta(seconds=30)
    """Time between two looks while a release runs, and how far a look reaches back for the newest sample: not shorter than the interval in
    which that is scraped."""
    consecutive_failures: Annotated[int, Field(ge=1, le=100)] = 3
    """So many looks outside the bounds in a row blame the canary; a look without a value neither counts nor ends the row."""


_QUERIES = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


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
    queries: Annotated[tuple[Query, ...], Field(min_length=1, max_length=10, json_schema_extra=_QUERIES)] | None = None
    """Questions of your own beside these; none when left out. Each must answer a value within its bounds before the next step and before the
    end of the bake, and none may leave them for long."""
    reporter: Literal["Source", "Destination", "Waypoint", "Auto"] = "Source"
    """Who counted: the callers' proxies and gateways (Source), the versions' own proxies (Destination: failures to reach a pod are not
    seen), or a waypoint. Auto: the first of source, waypoint and destination that has counted requests of stable; costs more samples."""
    confidence: Annotated[int, Field(ge=80, le=99)] = 99
    """Percent. At 99 at most 1 of 100 good versions is rolled back for its failures by mistake: the bar is odds of 100:1, or 200:1 and 300:1 where
    one or both of `errors.limit` and `latency` are judged too; 1,000:1 for requests that callers gave up."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Canary requests in a step before it may advance."""
    insufficient_data: Literal["Advance", "Hold"] = "Advance"
    """At `hold.max`, when the evidence is neither good nor bad: take the next step, or wait for evidence until the deadline."""
    no_data: Literal["Hold", "Withdraw"] = "Hold"
    """No accepted sample at all for `hold.max`: wait until the deadline, or take the traffic back without blame."""
    deadline: Annotated[Duration, span("10s", "720h", "analysis.deadline")] = timedelta(hours=1)
    """The longest a step may take before the traffic goes back without blame."""
