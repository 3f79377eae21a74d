"""What becomes of requests: which befall a behaviour, when they end, and how Istio's proxies count them. Knows no controller."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench.failure_modes.modes import ABSENT, CUT, HANG, LEAVE, REFUSE, SLOW, STREAM, FailureMode

OK = "ok"
HARMLESS = frozenset({OK, STREAM, LEAVE})
"""Answers of which no caller complains."""
Draw = Callable[[int, float], int]
"""Of n requests, each with probability p, how many it befalls."""
Arrive = Callable[[float], int]
"""Of what happens so often on average, how often it happens."""
_HTTP = {
    OK: ("200", "-"),
    STREAM: ("200", "-"),
    SLOW: ("200", "-"),
    HANG: ("0", "DC"),
    LEAVE: ("0", "DC"),
    CUT: ("200", "UPE"),
    REFUSE: ("503", "UF,URX"),
}
_GRPC = {
    OK: ("200", "-", "0"),
    STREAM: ("200", "-", "0"),
    SLOW: ("200", "-", "0"),
    HANG: ("0", "DR", ""),
    LEAVE: ("0", "DR", ""),
    CUT: ("200", "UR", ""),
    REFUSE: ("200", "UF,URX", "14"),
}
"""Response code, response flags and gRPC status as Istio's proxies count them (Envoy, access log, `%RESPONSE_FLAGS%`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Requests with one fate."""

    answer: str
    requests: int
    seconds: float
    """From the request until it is counted."""

    @property
    def hurt(self) -> bool:
        """A caller complains."""
        return self.answer not in HARMLESS


def fates(mode: FailureMode, *, new: bool, seconds: float, traffic: float, requests: int, draw: Draw, arrive: Arrive) -> Iterator[Part]:
    """What becomes of so many requests of one version.

    Args:
        mode: What is played.
        new: They are the new version's.
        seconds: Since the new version was deployed; negative before.
        traffic: The new version's share of all requests, 0 to 1.
        requests: How many.
        draw: Chance.
        arrive: Chance.
    """
    left = requests
    for each in mode.new if new else mode.old:
        share = each.at(max(0.0, seconds) if _always(each.after, each.until) else seconds, traffic if new else 1.0)
        if each.answer == ABSENT or not share or not left:
            continue
        hit = min(left, draw(requests, share) if each.clump == 1 else each.clump * arrive(requests * share / each.clump))
        left -= hit
        if hit:
            waits = {HANG: mode.patience, STREAM: each.lasts, LEAVE: mode.patience / 4}.get(each.answer, 0.0)
            yield Part(each.answer, hit, waits)
    if left:
        yield Part(OK, left, 0.0)


def _always(after: float, until: float) -> bool:
    """The old version does so before the new one is deployed too."""
    return not after and until == float("inf")


def absent(mode: FailureMode, seconds: float) -> bool:
    """The new version's pods are not ready at this time."""
    return any(each.answer == ABSENT and each.at(seconds, 1.0) for each in mode.new)


def labels(answer: str, protocol: str, removes: str | None = None) -> Mapping[str, str]:
    """The labels of `istio_requests_total` that tell how a request ended. A label without a value is left out, as Prometheus does.

    Args:
        answer: How it ended.
        protocol: http or grpc.
        removes: A label that the mesh takes off.
    """
    status = ""
    if found := re.fullmatch(r"grpc (\d+)", answer):
        code, flags, status = "200", "-", found[1]
    elif protocol == "grpc" and answer in _GRPC:
        code, flags, status = _GRPC[answer]
    else:
        code, flags = _HTTP.get(answer, (answer, "-"))
    told = {"response_code": code, "response_flags": flags, "request_protocol": protocol, "grpc_response_status": status}
    return {label: value for label, value in told.items() if value and label != removes}
