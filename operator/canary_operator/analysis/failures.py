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
CUT = frozenset({"UPE", "UC", "UR", "UF", "LR", "UT", "UMSDR"})
"""Envoy response flags of an answer that broke off on the upstream's side: protocol error, connection closed, reset by the upstream, no
connection, reset by the proxy, and the two time limits of a route. Source: Envoy, access log, `%RESPONSE_FLAGS%`."""
GIVEN_UP = frozenset({"DC", "DR"})
"""Envoy response flags of a request that its caller ended: connection closed (HTTP/1), stream reset (HTTP/2, gRPC)."""


class Outcome(StrEnum):
    """What a request counts as."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GIVEN_UP = "GivenUp"
    """The caller ended it before the answer was complete: because none came, or for a reason of the caller's own."""
    UNTOLD = "Untold"
    """The label that says how it ended is missing: neither a success nor a failure."""


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

    def outcome(self, labels: Mapping[str, str], *, statuses: bool = True) -> Outcome:
        """What the requests behind one series of `istio_requests_total` count as.

        Args:
            labels: Of the series.
            statuses: Some series of the same answer carries `grpc_response_status`, so that a gRPC answer without one is an answer whose
                trailers never came. False: the label may have been removed from all of them.
        """
        known = labels.get("response_code", ""), labels.get("response_flags", "-")
        return _outcome(self.http, self.grpc, *known, labels.get("request_protocol"), labels.get(STATUS, ""), statuses)

    @staticmethod
    def found_nobody(labels: Mapping[str, str]) -> bool:
        """No workload was asked to answer the requests behind this series."""
        return not _NOBODY.isdisjoint(labels.get("response_flags", "-").split(","))


STATUS = "grpc_response_status"
"""The label with the number of the gRPC status. Prometheus keeps no empty label, so one without a value is missing."""


def untold_label(labels: Mapping[str, str]) -> str:
    """The label that is missing from a series whose outcome is untold."""
    return STATUS if labels.get("response_code") else "response_code"


@lru_cache(maxsize=4096)  # a hundred proxies have the same few labels
def _outcome(  # noqa: PLR0913, PLR0911 (the labels that decide; a list of rules, read from top to bottom)
    http: tuple[str, ...], grpc: tuple[int, ...], code: str, flags: str, protocol: str | None, status: str, statuses: bool
) -> Outcome:
    raised = frozenset(flags.split(","))
    if raised & GIVEN_UP:
        return Outcome.GIVEN_UP
    if status.isascii() and status.isdecimal():  # Only gRPC has one: it decides, whatever else is known.
        return _failed_if(int(status[:9]) in grpc)
    if raised & CUT and not code.startswith("5"):
        return Outcome.FAILED
    if code == "0":
        return Outcome.GIVEN_UP
    if not code:
        return Outcome.UNTOLD
    if protocol == "grpc" and code == "200":
        if flags not in ("-", ""):  # The stream ended by something else than its trailers.
            return Outcome.FAILED
        return Outcome.FAILED if statuses else Outcome.UNTOLD
    return _failed_if(any(_matches(code, pattern) for pattern in http))


def _failed_if(failed: bool) -> Outcome:
    return Outcome.FAILED if failed else Outcome.SUCCEEDED


def _matches(code: str, pattern: str) -> bool:
    if len(code) != len(pattern):
        return False
    return all(wanted in ("x", digit) for digit, wanted in zip(code, pattern, strict=True))
