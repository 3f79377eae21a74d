"""docs/outcomes.md: what each request counts as, by the code that decides."""

from collections.abc import Mapping, Sequence

from canary_operator.analysis.failures import CUT, GIVEN_UP, FailureCodes, Outcome
from tools.custom_resource import GENERATED

_CODES = FailureCodes()
_FLAGS: Sequence[tuple[str, str]] = (
    ("-", "nothing special"),
    *((flag, "the connection, or the answer, broke off on the version's side") for flag in sorted(CUT)),
    *((flag, "the caller ended the request") for flag in sorted(GIVEN_UP)),
    ("UH", "no healthy endpoint"),
    ("NC", "no cluster: the route names a subset that is missing"),
    ("NR", "no route"),
    ("UO", "too many requests at once for the circuit breaker"),
    ("URX", "retries, or connection attempts, are used up"),
    ("SI", "a stream on which nothing moved for too long"),
    ("DT", "the caller's connection was open for too long"),
    ("DPE", "the caller broke the protocol"),
    ("RL", "the caller was rate limited"),
    ("FI", "a fault was injected"),
)
_HTTP = ("200", "304", "404", "503", "0", "")
_GRPC: Sequence[tuple[str, Mapping[str, str]]] = (
    ("status 0", {"response_code": "200", "grpc_response_status": "0"}),
    ("status 14", {"response_code": "200", "grpc_response_status": "14"}),
    ("no status", {"response_code": "200"}),
    ("no status, 503", {"response_code": "503"}),
)
_WORDS = {Outcome.SUCCEEDED: "success", Outcome.FAILED: "**failure**", Outcome.GIVEN_UP: "given up", Outcome.UNTOLD: "*untold*"}


def outcomes_file() -> str:
    """The page."""
    parts = [
        f"<!-- {GENERATED} -->",
        "# What a request counts as",
        "By the labels of `istio_requests_total` and the defaults of `spec.analysis.errors` (HTTP 5xx; gRPC 2, 4, 13, 14, 15). Flags are Envoy's "
        "response flags; of several, one that is listed as given up decides, then one that broke off.",
        "- A **failure** is compared with stable's. One that reached no version (`UH`, `NC`, `NR`: its series name no workload) is the "
        "canary's where the canary lacks just these requests for its weight; else nobody's, and then no weight rises "
        "([the verdict](design/verdict.md#6-who-else-is-heard)).\n"
        "- *Given up*: the caller ended the request before the answer was complete. It is compared with stable's by a witness of its own, whose bar "
        "is ten times as high: callers also leave for reasons of their own, and those leave both versions alike. It counts as slow where latency is "
        "judged, and costs budget under a pace.\n"
        "- *Untold*: a label that tells how the request ended is missing. No weight rises, and `MetricsAvailable` is False and names the label.",
        "## HTTP",
        _table([code or "no code" for code in _HTTP], [{"request_protocol": "http", **_code(code)} for code in _HTTP]),
        "## gRPC",
        "A numeric `grpc_response_status` decides, whatever `request_protocol` and `response_code` say. Where some series carry one, an answer "
        "without it is one whose trailers never came; where none does, nobody can tell.",
        _table([name for name, _ in _GRPC], [{"request_protocol": "grpc", **labels} for _, labels in _GRPC]),
    ]
    return "\n\n".join(parts) + "\n"


def _code(code: str) -> Mapping[str, str]:
    return {"response_code": code} if code else {}


def _table(heads: Sequence[str], kinds: Sequence[Mapping[str, str]]) -> str:
    rows = [
        f"| `{flag}` | {meaning} | {' | '.join(_WORDS[_CODES.outcome({**labels, 'response_flags': flag})] for labels in kinds)} |"
        for flag, meaning in _FLAGS
    ]
    return "\n".join([f"| flag | | {' | '.join(heads)} |", f"|{'---|' * (len(heads) + 2)}", *rows])
