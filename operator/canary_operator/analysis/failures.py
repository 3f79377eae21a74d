"""Which requests count as failed, by the labels of Istio's request counter.

Refuses to count: it only sorts one series into succeeded, failed, or not counted at all. Sources: Istio standard
metrics (`response_code`, `grpc_response_status`, `response_flags`, `request_protocol`), Envoy response flags, gRPC
status codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from canary_operator.api.analysis import GrpcCode

GRPC_CODES: Mapping[str, int] = {str(code): number for number, code in enumerate(GrpcCode, start=1)}
"""The names a CanaryRelease may use, with the numbers Envoy reports: the enumeration has gRPC's order, and leaves out OK, which is 0."""


_NOBODY = frozenset({"UH", "NC", "NR", "UO", "UF", "NFCF"})
"""Envoy response flags of a request for which no upstream answered: no healthy host, no cluster, no route, overflow, no connection."""


class Outcome(StrEnum):
    """What a request counts as."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    NOT_COUNTED = "NotCounted"
    """The client hung up before an answer, or the series does not say how the request ended."""


@dataclass(frozen=True, slots=True)
class FailureCodes:
    """The answers that count as failures."""

    http: tuple[str, ...] = ("5xx",)
    """Three characters each, a digit or an `x` for any digit: `5xx`, `503`."""
    grpc: tuple[int, ...] = (2, 4, 13, 14, 15)
    """gRPC status codes, 0 to 16."""

    @classmethod
    def from_names(cls, http: Sequence[str], grpc_names: Sequence[str]) -> "FailureCodes":
        """From the words of a CanaryRelease.

        Args:
            http: Patterns such as `5xx`.
            grpc_names: Keys of `GRPC_CODES`.

        Raises:
            ValueError: A name is no gRPC status code.
        """
        unknown = [name for name in grpc_names if name not in GRPC_CODES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not one of the gRPC codes {', '.join(GRPC_CODES)}")
        return cls(tuple(http), tuple(GRPC_CODES[name] for name in grpc_names))

    def outcome(self, labels: Mapping[str, str]) -> Outcome:
        """What the requests behind one series of `istio_requests_total` count as."""
        known = labels.get("response_code", ""), labels.get("response_flags", "-")
        return _outcome(self.http, self.grpc, *known, labels.get("request_protocol"), labels.get("grpc_response_status", ""))

    @staticmethod
    def found_nobody(labels: Mapping[str, str]) -> bool:
        """No workload was asked to answer the requests behind this series."""
        return not _NOBODY.isdisjoint(labels.get("response_flags", "-").split(","))


@lru_cache(maxsize=4096)  # a hundred proxies have the same few labels
def _outcome(http: tuple[str, ...], grpc: tuple[int, ...], code: str, flags: str, protocol: str | None, status: str) -> Outcome:  # noqa: PLR0913
    if code == "0" or "DC" in flags.split(","):
        return Outcome.NOT_COUNTED
    if protocol == "grpc":
        if status.isascii() and status.isdecimal():
            return _failed_if(int(status[:9]) in grpc)
        if not status and flags not in ("-", ""):  # The stream was cut before its trailers came.
            return Outcome.FAILED
    if not code:  # A Telemetry resource removed the label: nothing can be said.
        return Outcome.NOT_COUNTED
    return _failed_if(any(_matches(code, pattern) for pattern in http))


def _failed_if(failed: bool) -> Outcome:
    return Outcome.FAILED if failed else Outcome.SUCCEEDED


def _matches(code: str, pattern: str) -> bool:
    if len(code) != len(pattern):
        return False
    return all(wanted in ("x", digit) for digit, wanted in zip(code, pattern, strict=True))
