"""The text of every query this operator sends to Prometheus. Refuses to send one.

Raw counters are asked as a range vector, so that each sample has its own time and no failure is lost: `rate()` and
`increase()` drop the first value of a series (prometheus/prometheus#1673) and return fractions.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

_REGEX_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LITERAL_ESCAPES = re.compile(r'[\x00-\x1f\x7f"\\]')


def quote(text: str) -> str:
    """`text` as a PromQL string literal, quotes included: the only place where a value becomes part of a query.

    Source: Prometheus, "Querying basics", string literals (escapes as in Go).
    """
    # A lone surrogate is no Unicode text and could not be sent; no label can hold one either.
    sendable = text.encode("utf-8", "replace").decode("utf-8")
    return '"' + _LITERAL_ESCAPES.sub(lambda found: _escaped(found.group()), sendable) + '"'


def _escaped(character: str) -> str:
    return "\\" + character if character in '"\\' else f"\\x{ord(character):02x}"


def any_of(values: Sequence[str]) -> str:
    """A quoted regular expression that matches exactly these values (RE2, which Prometheus anchors at both ends).

    Raises:
        ValueError: No value is given; the expression would then match series that lack the label.
    """
    if not values:
        raise ValueError("a query needs at least one workload")
    return quote("|".join(_REGEX_META.sub(r"\\\g<0>", value) for value in values))


def duration(span: timedelta) -> str:
    """A positive span as PromQL writes it: whole seconds where possible, else milliseconds.

    Raises:
        ValueError: The span is shorter than one millisecond.
    """
    milliseconds = span // timedelta(milliseconds=1)
    if milliseconds < 1:
        raise ValueError(f"a range must be at least 1 ms long, not {span}")
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def requests_total(reporter: str, service: str, namespace: str, workloads: Sequence[str], window: timedelta) -> str:
    """Raw request counters of these workloads, as they were called through one service.

    Args:
        reporter: Who counted: `source`, `destination` or `waypoint` (Istio standard metrics).
        service: Name of the Service.
        namespace: Namespace of the Service and of the workloads.
        workloads: Names of the workloads (Deployments) of both arms, at least one.
        window: How far back to ask. It must reach two scrape intervals further back than the evidence.
    """
    labels = ",".join(
        (
            f"reporter={quote(reporter)}",
            f"destination_service_name={quote(service)}",
            f"destination_service_namespace={quote(namespace)}",
            f"destination_workload_namespace={quote(namespace)}",
            f"destination_workload=~{any_of(workloads)}",
        )
    )
    return f"istio_requests_total{{{labels}}}[{duration(window)}]"
