"""What is assumed of the traffic of a release that is played before it is applied."""

from collections.abc import Callable
from dataclasses import dataclass

from canary_operator.simulation.recorded import Recorded

HISTORY = 900.0
"""Seconds that stable has served before the release: as far back as the operator asks."""


@dataclass(frozen=True, slots=True)
class Incident:
    """For a while both versions fail more."""

    since: float
    """Seconds from the start of the release."""
    until: float
    share: float
    """So large a share (0 to 1) of all requests fails on top."""

    def at(self, seconds: float) -> float:
        """The share on top at this time."""
        return self.share if self.since <= seconds < self.until else 0.0


@dataclass(frozen=True, slots=True)
class Assumed:
    """Traffic, faults and telemetry. All times are seconds from the start of the release; all shares are fractions of one."""

    rate: float = 100.0
    """Requests per second, over all proxies."""
    stable_fails: float = 0.001
    canary_fails: float | None = None
    """None: like stable."""
    fails_from: float = 0.0
    """The canary's fault begins at this time; until then it fails like stable."""
    fails_from_weight: int = 0
    """The fault shows only at this weight or above, percent."""
    stable_slow: float = 0.0
    """Of its successful answers, when `spec.analysis.latency` is set; so many take longer than the threshold."""
    canary_slow: float | None = None
    """None: like stable."""
    scrape: float = 15.0
    """Seconds between two scrapes of one proxy."""
    proxies: int = 1
    """Proxies that count; each is scraped at times of its own."""
    clump: int = 1
    """Failures come in groups of so many."""
    incident: Incident | None = None
    outages: tuple[tuple[float, float], ...] = ()
    """From when until when Prometheus neither scrapes nor answers."""
    lag: float = 0.3
    """Seconds from a scrape until the operator is answered with it."""
    reaction: float = 0.45
    """Seconds from a decision until every proxy obeys it."""
    recorded: Recorded | None = None
    """Takes the place of `rate` and `stable_fails`."""
    approve_after: float | None = 0.0
    """A gate is opened by hand after so many seconds; None: never."""

    @property
    def edges(self) -> tuple[float, ...]:
        """When shares change by themselves, seconds above 0."""
        incident = (self.incident.since, self.incident.until) if self.incident else ()
        return tuple(each for each in (self.fails_from, *incident) if each > 0.0)

    def stable_share(self, seconds: float) -> float:
        """Of stable's requests, the share that fails at this time."""
        usual = self.stable_fails if self.recorded is None else self.recorded.at(seconds).share
        return min(1.0, usual + (self.incident.at(seconds) if self.incident else 0.0))

    def canary_share(self, seconds: float, weight: int) -> float:
        """Of the canary's requests, the share that fails at this time and weight. With a recording it fails at least as stable does."""
        stable = self.stable_share(seconds)
        if self.canary_fails is None or seconds < self.fails_from or weight < self.fails_from_weight:
            return stable
        worse = min(1.0, self.canary_fails + (self.incident.at(seconds) if self.incident else 0.0))
        return max(stable, worse) if self.recorded else worse

    def since(self, start: float) -> tuple[Callable[[float, int], float], Callable[[float, int], float]]:
        """How stable and the canary fail in a world whose release starts at this time, Unix seconds."""
        return (lambda time, weight: self.stable_share(time - start)), (lambda time, weight: self.canary_share(time - start, weight))
