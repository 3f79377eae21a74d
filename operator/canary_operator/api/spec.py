"""What a user asks for: the spec of a CanaryRelease. The CRD and the reference text are generated from these types.

Bounds stand beside the field, rules over several fields on the type, each with what to write instead. `steps` and `traffic` have no default
in the schema, since defaulting happens before CEL; `plan_of` of `release/plan.py` fills them in and status shows the result.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from canary_operator.api.analysis import Analysis
from canary_operator.api.pace import Pace
from canary_operator.api.quantities import Duration, Share, compare_durations, span
from canary_operator.api.schema import CONFIG, rules, text, with_rules
from canary_operator.api.traffic import Mirror, Preview, Traffic

# A label value that is not empty: kubernetes.io/docs/concepts/overview/working-with-objects/labels
LABEL_VALUE = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

_LABEL_VALUE_ADVICE = (
    "write a label value as the pods carry it: letters, digits, '-', '_' and '.', first and last a letter or a digit, such as v2"
)
_LABEL_KEY_ADVICE = "write a label key such as version or app.kubernetes.io/version"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ServiceRef:
    """The Service whose traffic is moved, in the namespace of the CanaryRelease."""

    name: Annotated[str, text(DNS_LABEL, 63, "write the name of a Service of this namespace, such as reviews; without namespace or domain")]
    """Name of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the Service; may be left out when it has one, when one alone is HTTP by its name, or when no gateway is named."""


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
    (
        "!(has(self.steps) && has(self.pace))",
        "steps and pace exclude each other: write steps to name the weights yourself, or pace to name the price and let the operator pick them",
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
    """The weights on the way to 100 percent; 5, 10, 25, 50 when left out. Not with `pace`."""
    pace: Pace | None = None
    """What a bad version may cost; the operator picks the weights. In the place of `steps`."""
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
