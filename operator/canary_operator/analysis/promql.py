"""The text of every query this operator sends to Prometheus. Refuses to send one.

Raw counters are asked as a range vector, so that each sample has its own time and no failure is lost: `rate()` and
`increase()` drop the first value of a series (prometheus/prometheus#1673) and return fractions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

_REGEX_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LITERAL_ESCAPES = re.compile(r'[\x00-\x1f\x7f"\\]')


def quote(text: str) -> str:
    """`text` as a PromQL string literal, quotes included: the only place where a value becomes part of a query.

    Source: Prometheus, "Querying basics", string literals (escapes as in Go).
    """
    return '"' + _LITERAL_ESCAPES.sub(lambda found: _escaped(found.group()), _sendable(text)) + '"'


def _sendable(text: str) -> str:
    """A lone surrogate is no Unicode text and could not be sent, no label can hold one either: it becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _escaped(character: str) -> str:
    return "\\" + character if character in '"\\' else f"\\x{ord(character):02x}"


def any_of(values: Sequence[str]) -> str:
    """A quoted regular expression that matches exactly these values (RE2, which Prometheus anchors at both ends).

    Raises:
        ValueError: No value is given; the expression would then match series that lack the label.
    """
    if not values:
        raise ValueError("a query needs at least one workload")
    return quote("|".join(map(literally, values)))


def literally(value: str) -> str:
    """A regular expression (RE2) that matches exactly this text, wherever it stands outside of `[...]`."""
    return _REGEX_META.sub(r"\\\g<0>", _sendable(value))  # in this order: the question mark must be escaped too


def duration(span: timedelta) -> str:
    """A positive span as PromQL writes it: whole seconds where possible, else milliseconds.

    Raises:
        ValueError: The span is shorter than one millisecond.
    """
    milliseconds = span // timedelta(milliseconds=1)
    if milliseconds < 1:
        raise ValueError(f"a range must be at least 1 ms long, not {span}")
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


NOWHERE = "unknown"
"""What Istio's telemetry calls the workload of a request that reached none, and its namespace."""
REQUESTS = "istio_requests_total"
DURATION = "istio_request_duration_milliseconds"
BUCKETS = f"{DURATION}_bucket"
REPORTERS = {
    "Source": ("source",),
    "Destination": ("destination",),
    "Waypoint": ("waypoint",),
    "Auto": ("source", "waypoint", "destination"),
}
"""The words of a CanaryRelease, with the values of the label `reporter`; of several the first that has counted is used."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose requests are asked for."""

    reporter: str
    """A key of `REPORTERS`."""
    service: str
    """Name of the Service."""
    namespace: str
    """Namespace of the Service and of the workloads."""
    workloads: tuple[str, ...]
    """Names of the workloads (Deployments) of both arms, at least one."""
    matchers: str = ""
    """Those of the provider, as `matchers` writes them; empty: none."""

    @property
    def selector(self) -> str:
        """Label matchers. A request that found no healthy endpoint names the Service, but no workload."""
        return ",".join(
            (
                f"reporter=~{any_of(REPORTERS[self.reporter])}",
                f"destination_service_name={quote(self.service)}",
                f"destination_service_namespace={quote(self.namespace)}",
                f"destination_workload_namespace=~{any_of((self.namespace, NOWHERE))}",
                f"destination_workload=~{any_of((*self.workloads, NOWHERE))}",
                *([self.matchers] if self.matchers else []),
            )
        )


def matchers(wanted: Mapping[str, str]) -> str:
    """Label matchers as a query writes them; empty when nothing is wanted."""
    return ",".join(f"{label}={quote(value)}" for label, value in sorted(wanted.items()))


def counters(subject: Subject, window: timedelta, threshold: timedelta | None = None) -> str:
    """Raw request counters of these workloads, as they were called through one service, and with a threshold what tells slow answers.

    One question brings both: of the histogram only two buckets are asked for, the threshold's and the last.

    Args:
        subject: Whose.
        window: How far back to ask. It must reach two scrape intervals further back than the evidence.
        threshold: An answer that takes longer is slow. None: no histogram is asked for.
    """
    if threshold is None:
        return f"{REQUESTS}{{{subject.selector}}}[{duration(window)}]"
    names, bounds = f"{REQUESTS}|{BUCKETS}", f"|{milliseconds(threshold)}([.]0)?|[+]Inf"
    return f"{{__name__=~{quote(names)},{subject.selector},le=~{quote(bounds)}}}[{duration(window)}]"


def recorded(service: str, namespace: str, reporter: str, window: timedelta) -> str:
    """Raw counters of all requests to one service, whichever workload answered: what was going on there.

    Args:
        service: Name of the Service.
        namespace: Namespace of the Service.
        reporter: A key of `REPORTERS`.
        window: How far back to ask.
    """
    who = f"reporter=~{any_of(REPORTERS[reporter])}"
    labels = f"{who},destination_service_name={quote(service)},destination_service_namespace={quote(namespace)}"
    return f"{REQUESTS}{{{labels}}}[{duration(window)}]"


def bounds(subject: Subject) -> str:
    """The bounds that the histogram has: one series for each, which carries `le` alone. Each second, so that one that has just begun shows."""
    return f"(group by (le) ({BUCKETS}{{{subject.selector}}}))[10s:1s]"


def lasting(subject: Subject, window: timedelta) -> str:
    """Milliseconds that requests lasted on average, by the reporter with the longest. Answered as a range like all queries.

    Args:
        subject: Whose.
        window: Over how long.
    """
    total, count = (f"sum by (reporter) (increase({DURATION}_{of}{{{subject.selector}}}[{duration(window)}]))" for of in ("sum", "count"))
    return f"max({total} / ({count} > 0))[10s:5s]"


def milliseconds(span: timedelta) -> str:
    """A span as a bound of Istio's histograms."""
    return f"{span / timedelta(milliseconds=1):g}"


def callers(service: str, namespace: str, window: timedelta, matchers: str = "") -> str:
    """How many requests each workload sent to each workload behind one service lately, by reporter. Answered as a range like all queries.

    Args:
        service: Name of the Service.
        namespace: Namespace of the Service.
        window: How far back to ask.
        matchers: Those of the provider; empty: none.
    """
    labels = (
        f"destination_service_name={quote(service)},destination_service_namespace={quote(namespace)}{',' if matchers else ''}{matchers}"
    )
    counted = f"increase({REQUESTS}{{{labels}}}[{duration(window)}])"
    told = "reporter, source_workload, source_workload_namespace, source_cluster, destination_cluster"
    served = "destination_workload, destination_version, destination_canonical_revision"
    return f"sum by ({told}, {served}) ({counted})[20s:5s]"  # the last step is at most 5 s old: who has just begun to call is a caller
