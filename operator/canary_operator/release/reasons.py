"""Every reason that a phase, condition or event can carry: what it means, and what to do. The runbook is printed from this table."""

from canary_operator.api.status import Outcome

ADOPTING = "Adopting"
ADOPTED = "Adopted"
NOTHING_SERVES = "NothingServes"
STABLE_UNKNOWN = "StableUnknown"
AT_REST = "AtRest"
CANARY_NOT_DEPLOYED = "CanaryNotDeployed"
RELEASE_STARTED = "ReleaseStarted"
PREPARING = "Preparing"
SETTLING = "Settling"
CANARY_NOT_READY = "CanaryNotReady"
OLD_PODS_SERVE = "OldPodsServe"
APPROVAL_REQUIRED = "ApprovalRequired"
SUSPENDED = "Suspended"
PAUSED = "Paused"
MIRRORING = "Mirroring"
METRICS_UNAVAILABLE = "MetricsUnavailable"
WEIGHT_NOT_SERVED = "WeightNotServed"
ANALYSIS_FAILED = "AnalysisFailed"
GATHERING = "Gathering"
SUSPECT = "Suspect"
STEP_PASSED = "StepPassed"
BAKING = "Baking"
FINISHING = "Finishing"
PROMOTED = "Promoted"
MORE_FAILURES = "MoreFailures"
SLOWER = "Slower"
GIVEN_UP = "GivenUp"
CANARY_SILENT = "CanarySilent"
CANARY_NOT_ANSWERING = "CanaryNotAnswering"
LATENCY_UNKNOWN = "LatencyUnknown"
QUERY_OUT_OF_BOUNDS = "QueryOutOfBounds"
QUERY_INVALID = "QueryInvalid"
CANARY_UNAVAILABLE = "CanaryUnavailable"
CANARY_LOST = "CanaryLost"
ABORTED = "Aborted"
RETARGETED = "Retargeted"
SUPERSEDED = "Superseded"
DEADLINE_EXCEEDED = "DeadlineExceeded"
NO_DATA = "NoData"
GLOBAL_INCIDENT = "GlobalIncident"
RECORD_LOST = "RecordLost"
STABLE_GONE = "StableGone"
STABLE_BACK = "StableBack"
STABLE_REPLACED = "StableReplaced"
STABLE_CHANGED = "StableChanged"
DRIFT = "Drift"
PLAN_CHANGED = "PlanChanged"
DRIFT_FIGHT = "DriftFight"
ROUTE_MISSING = "RouteMissing"
ROUTE_SHADOWED = "RouteShadowed"
STALE_RECORD = "StaleRecord"
DELETING = "Deleting"
RELEASED = "Released"
ACTION_TAKEN = "ActionTaken"
ACTION_IGNORED = "ActionIgnored"
INSPECTING = "Inspecting"
SURROUNDINGS_UNREAD = "SurroundingsUnread"
BUDGET_TOO_SMALL = "BudgetTooSmall"
WRITE_REFUSED = "WriteRefused"
RISES_OFF = "RisesOff"

MEANING: dict[str, tuple[str, str]] = {
    ADOPTING: ("The route is being taken over; no traffic moves.", "Wait."),
    ADOPTED: (
        "The route was taken over. Where other versions had ready pods, a Warning says so: their requests go to stable from then on.",
        "Nothing; after a Warning see whether the pods of stable carry it.",
    ),
    NOTHING_SERVES: (
        "The Service has no ready pod that carries the version label.",
        "Deploy the stable version, or correct `spec.service.name` or `spec.versionLabel`.",
    ),
    STABLE_UNKNOWN: (
        "Several versions serve and nothing says which is stable.",
        "Write `spec.stableVersion`, or scale the other versions to 0.",
    ),
    AT_REST: ("The wanted version serves everything.", "Nothing."),
    CANARY_NOT_DEPLOYED: (
        "`spec.version` names a version of which no pod is behind the Service, nor a ReplicaSet that would make one.",
        "Deploy it, or correct `spec.version` or its pod label.",
    ),
    RELEASE_STARTED: ("A release has started; no traffic has moved yet.", "Wait."),
    PREPARING: (
        "The canary subset is being pointed at the new version, at weight 0; the first weight is written shortly before a scrape.",
        "Wait.",
    ),
    SETTLING: ("A routing write, or a Service that was made anew, is on its way to all proxies.", "Wait."),
    CANARY_NOT_READY: (
        "The canary has too few ready pods for the next weight.",
        "Look at the canary's pods; scale it up, or lower `spec.capacity`.",
    ),
    OLD_PODS_SERVE: (
        "Pods of an older template of the canary's or stable's version still serve; the weight waits, since requests reach both templates.",
        "Wait for the rollout; `kubectl rollout status` shows it, `kubectl rollout resume` ends a pause.",
    ),
    APPROVAL_REQUIRED: (
        "The next weight needs a person's approval; all else speaks for it.",
        "Look at the evidence in status, then `kubectl canary approve NAME` or `kubectl canary abort NAME`.",
    ),
    SUSPENDED: ("`spec.suspend` is true: nothing goes forward. A bad canary is still rolled back.", "Set `spec.suspend` to false."),
    MIRRORING: ("Requests are copied to the canary before its first weight; the answers reach nobody.", "Wait."),
    PAUSED: ("A person has paused the release. A bad canary is still rolled back.", "`kubectl canary resume NAME`."),
    METRICS_UNAVAILABLE: (
        "Prometheus gives no usable samples, so the weight does not move.",
        "Mend Prometheus or the telemetry, as the message says.",
    ),
    ANALYSIS_FAILED: (
        "The operator cannot judge the samples, by a fault of its own. No weight rises; aborts, rollbacks for lost pods and deletions go on.",
        "Report the message. Until it is mended: `kubectl canary abort NAME`, or `kubectl canary skip NAME` when you know that the version is good.",
    ),
    WEIGHT_NOT_SERVED: (
        "The callers' proxies do not share the requests as the weight says: the canary's share lies outside half to twice the weight (at 0 and 100 "
        "percent: off by more than one point), by odds of 100:1, at two scrapes in a row. Nothing is said against the canary, but what was counted "
        "says nothing of this weight either, so it does not rise; the deadline counts.",
        "Look at what the message names, as docs/served.md says. `kubectl canary skip NAME` passes this step all the same.",
    ),
    GATHERING: ("The evidence is neither good nor bad enough yet.", "Wait."),
    SUSPECT: ("The canary more likely fails more often than not; it gets no more traffic for now.", "Look at the canary's errors."),
    STEP_PASSED: ("A step was passed; the next weight follows.", "Nothing."),
    BAKING: ("The canary serves everything; the old version is still the way back.", "Wait."),
    FINISHING: ("The release is decided; routes are brought home.", "Wait."),
    PROMOTED: ("The canary passed all steps and is stable now.", "Nothing."),
    SLOWER: (
        "The canary answered slowly more often than stable; all traffic went back.",
        "Mend the version and deploy it; the new revision starts a new release.",
    ),
    GIVEN_UP: (
        "Callers gave up requests to the canary more often than to stable: it answered late, or not at all. All traffic went back.",
        "Look for requests that hang in the version; mend it and deploy it, the new revision starts a new release.",
    ),
    CANARY_SILENT: (
        "The canary ended next to none of the requests that its weight sends it, for longer than stable's requests last, while stable ended its own "
        "at the same proxies: after it had answered in this release before, or for the second time. All traffic went back without blame.",
        "Look for requests that hang in the version (a request is counted when it ends), then at docs/served.md; `kubectl canary retry NAME`.",
    ),
    CANARY_NOT_ANSWERING: (
        "The canary has not ended one of the requests that its weight sends it, for longer than stable's requests last: it hangs, or the callers' "
        "proxies send it nothing yet. All traffic went back, and it rises once more from step 1.",
        "Look for requests that hang in the version (a request is counted when it ends), then at docs/served.md.",
    ),
    LATENCY_UNKNOWN: (
        "`analysis.latency.threshold` is no bound of the histogram in the proxies, or there is no histogram; the weight does not rise.",
        "Write one of the bounds that the message names, or leave `analysis.latency` out.",
    ),
    QUERY_OUT_OF_BOUNDS: (
        "One of `analysis.queries` was outside its bounds for too many looks in a row; all traffic went back.",
        "Ask Prometheus the query in the message; mend the version and deploy it, or correct the bounds and `kubectl canary retry NAME`.",
    ),
    QUERY_INVALID: (
        "One of `analysis.queries` is not a query that answers one value; no traffic moves for it. Nothing is said against the canary.",
        "Write `spec.analysis.queries[].query` as the message says.",
    ),
    MORE_FAILURES: (
        "The canary failed more often than stable; all traffic went back.",
        "Mend the version and deploy it; the new revision starts a new release.",
    ),
    CANARY_UNAVAILABLE: ("The canary lost all its ready pods twice, or at 100 percent.", "Look at the canary's pods."),
    CANARY_LOST: ("The canary lost all its ready pods; traffic went back and rises again from step 1.", "Look at the canary's pods."),
    ABORTED: ("A person aborted the release.", "Deploy another revision, or `kubectl canary retry NAME`."),
    RETARGETED: ("`spec.version` names the stable version again.", "Nothing."),
    SUPERSEDED: ("Another revision is wanted; the next release follows.", "Nothing."),
    DEADLINE_EXCEEDED: (
        "A step took longer than `analysis.deadline`, or the way to 100 percent longer than `pace.maxDuration`.",
        "See the message for what was missing; then `kubectl canary retry NAME`.",
    ),
    NO_DATA: (
        "No sample was accepted for as long as a step may take, and `noData` is Withdraw.",
        "Mend Prometheus or the telemetry; then `kubectl canary retry NAME`.",
    ),
    GLOBAL_INCIDENT: (
        "Stable itself failed far more often than before, so nobody can tell.",
        "Mend the incident; then `kubectl canary retry NAME`.",
    ),
    RECORD_LOST: ("The status of a running release was lost; traffic went back to be safe.", "`kubectl canary retry NAME`."),
    STABLE_GONE: (
        "The stable version has no ready pod, or is losing its pods for good. Traffic goes to the version that serves as far as its pods carry "
        "it, never by itself to one that was rolled back, aborted or is suspect.",
        "The message names every way out: bring the stable version back and traffic follows; or `kubectl canary promote NAME`, or another "
        "version in `spec.stableVersion`, which moves all traffic and makes that version stable, also under `rises: false`.",
    ),
    STABLE_BACK: ("The stable version serves again, and traffic went back to it.", "Nothing. A release rises again from step 1."),
    STABLE_REPLACED: (
        "The Deployment that runs the stable version carries another version label now, so Kubernetes replaces the stable pods: "
        "there is nothing left to compare with, nor a way back.",
        "Undo it (`kubectl rollout undo`), and deploy a new version as a Deployment of its own, beside the old one.",
    ),
    STABLE_CHANGED: ("The stable version was deployed anew under the same label; evidence of a running release starts again.", "Nothing."),
    DRIFT: (
        "Somebody else changed the routing; it was set right.",
        "Do not edit the operator's VirtualService and DestinationRule; see the event for what was found.",
    ),
    PLAN_CHANGED: (
        "`spec.steps` or `spec.pace` was edited during a release; it goes on from its present weight with the new steps above it, or the new pace.",
        "Nothing.",
    ),
    BUDGET_TOO_SMALL: (
        "The lowest weight may cost more than `spec.pace.failureBudget` before anybody can see it; the release goes on.",
        "Raise `spec.pace.failureBudget`, or scrape the callers more often.",
    ),
    DRIFT_FIGHT: (
        "Somebody else kept changing the weights or subsets during the release; traffic went back to stable.",
        "Let the other manager, named in the message, leave them alone as docs/gitops.md says; then `kubectl canary retry NAME`.",
    ),
    ROUTE_MISSING: (
        "A VirtualService or route that `spec.traffic.attach` names does not exist; the operator never creates one of the user's.",
        "Apply it, or correct `spec.traffic.attach`.",
    ),
    ROUTE_SHADOWED: ("A route that somebody added before ours takes every request.", "Give it a match, or remove it."),
    STALE_RECORD: ("The routing is newer than the record at hand; it is read again.", "Nothing."),
    DELETING: ("The CanaryRelease is being deleted; traffic goes to stable first.", "Wait."),
    RELEASED: (
        "The routing is no longer managed.",
        "If the message names a version to which it stays pinned, do not rename or remove that version before the routes name the host without a "
        "subset, as docs/uninstall.md says.",
    ),
    ACTION_TAKEN: ("An action of a person was heard; status shows what comes of it.", "Nothing."),
    INSPECTING: ("What surrounds the release is being read, before any traffic moves.", "Wait a moment."),
    SURROUNDINGS_UNREAD: (
        "What surrounds the release cannot be read, so no traffic moves.",
        "See the message for what the API server said; it is tried again.",
    ),
    RISES_OFF: (
        "The operator's configuration says `rises: false`: no release starts, no weight rises, nothing is promoted, in no namespace. Rollbacks, "
        "healing, adoption and deletion go on, and so does what a person asks for while the stable version has no ready pod (`StableGone`).",
        "Ask whoever administers the operator; they write `rises: true` into its configuration file, which is read again within seconds.",
    ),
    WRITE_REFUSED: (
        "The API server does not let the operator write what it has decided: an admission policy or webhook, a webhook that is away, a quota, a "
        "missing right, or somebody who changes the object again and again. `status.weight` is what the route says.",
        "Read the server's words in the message, and do what it says after them; the operator tries again, at the latest every 10 seconds, and "
        "goes on by itself.",
    ),
    ACTION_IGNORED: (
        "An action was not meant for the present release, or is unknown.",
        "Write `<verb>/<number of the present release>/<n>`, n higher than the last.",
    ),
}


def rises_off(where: str) -> str:
    """What every status says while `rises: false` stands in the operator's configuration, at this place."""
    return f"the operator's configuration ({where}) says `rises: false`, so nothing goes forward; whoever administers it writes `rises: true` there"


OUTCOMES: dict[str, Outcome] = {
    MORE_FAILURES: Outcome.ROLLED_BACK,
    SLOWER: Outcome.ROLLED_BACK,
    GIVEN_UP: Outcome.ROLLED_BACK,
    QUERY_OUT_OF_BOUNDS: Outcome.ROLLED_BACK,
    CANARY_UNAVAILABLE: Outcome.ROLLED_BACK,
    ABORTED: Outcome.WITHDRAWN,
    RETARGETED: Outcome.WITHDRAWN,
    DEADLINE_EXCEEDED: Outcome.WITHDRAWN,
    NO_DATA: Outcome.WITHDRAWN,
    GLOBAL_INCIDENT: Outcome.WITHDRAWN,
    CANARY_SILENT: Outcome.WITHDRAWN,
    RECORD_LOST: Outcome.WITHDRAWN,
    DRIFT_FIGHT: Outcome.WITHDRAWN,
    SUPERSEDED: Outcome.SUPERSEDED,
}
"""How a release ends for each reason that takes the traffic back. A mark carries the reason, so a crash cannot lose the outcome."""

NOT_OURS = frozenset(("Conflict", "NameTaken", "HostTaken", "RuleTaken", "SubsetTaken"))
"""Findings that say that the routing is somebody else's: then nothing is written, whatever happens to the pods."""
