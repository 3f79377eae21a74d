"""Requests: how many there are, which version gets them, which of them fail, and which find nobody.

Proxies of this world obey at once. What happens while they do not is left to the rules on settling, which are checked on the stored revisions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from canary_operator.release.model import Serving
from canary_operator.simulation.draws import Arrive, Draw, steady
from canary_operator.simulation.objects import Stored

Failing = Callable[[float, int], float]
"""The share (0 to 1) of requests that fail, at this time (Unix seconds) and canary weight (percent)."""
Obeying = Callable[[float], float]
"""The canary's share (0 to 1) of the requests that proxies really give it, where the route says this share (0 to 1)."""
Counter = tuple[str, str, str, str]
"""Target, workload, HTTP code, and the bound of a histogram's bucket; no bound: the counter of requests."""
SUCCEEDING, FAILING = "200", "503"
"""HTTP codes of the requests of this world."""
EVERY = "+Inf"
"""The bound that no answer exceeds."""


def steadily(share: float) -> Failing:
    """The same share at all times."""
    return lambda time, weight: share


def faithfully(share: float) -> float:
    """As the route says."""
    return share


@dataclass(slots=True)
class Lost:
    """Requests that no version was asked to answer."""

    no_subset: int = 0
    """The route names a subset that the DestinationRule lacks."""
    no_pods: int = 0
    """The subset selects a version without a ready pod, or nothing serves at all."""


@dataclass(slots=True)
class Traffic:
    """The users of the service, and the proxies that count what they get."""

    draw: Draw
    rate: float = 100.0
    """Requests per second."""
    targets: tuple[str, ...] = ("gateway-0",)
    """The proxies that count; each gets an equal part."""
    failing: dict[str, Failing] = field(default_factory=dict)
    """Per revision; one that is not named never fails."""
    arrive: Arrive = field(default_factory=steady)
    """How many requests, and how many clumps of failures, come in."""
    clump: int = 1
    """Failures come in groups of so many."""
    slow: dict[str, float] = field(default_factory=dict)
    """Per revision, the share (0 to 1) of successful answers that take longer than `threshold`."""
    threshold: str | None = None
    """A bound of the histogram, as the proxies write it (milliseconds). None: they keep no histogram."""
    counters: dict[Counter, int] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    """Revisions that never answer; their callers wait, so nothing is counted."""
    hung: int = 0
    """Requests that wait like this."""
    lost: Lost = field(default_factory=Lost)
    failed: dict[str, int] = field(default_factory=dict)
    """Per revision, all failed requests so far."""
    served: dict[str, int] = field(default_factory=dict)
    """Per revision, all requests so far."""
    obeying: Obeying = faithfully
    """Whether the mesh serves the weight: with another one, callers do not go by the route. Set it by `Stage.obey`."""
    _turn: int = 0
    """The target that gets the next request that cannot be shared equally."""
    _routed: Stored | None = None
    """What the shares were worked out of."""
    _shared: tuple[tuple[Serving | None, float], ...] = ()

    def flow(self, stored: Stored, since: float, until: float) -> None:
        """What comes in between two times, in which nothing else happens."""
        requests = self.arrive(self.rate * (until - since))
        weight = stored.route.weight if stored.route else 0
        if stored is not self._routed:
            self._routed, self._shared = stored, tuple(_shares(stored, self.obeying))
        left, last = requests, len(self._shared) - 1
        for number, (serving, share) in enumerate(self._shared):
            part = left if number == last else min(left, self.draw(requests, share))
            left -= part
            if serving is not None and serving.revision in self.hanging:
                self.hung += part
                continue
            if serving is None or serving.endpoints == 0:
                self._lose(missing=serving is None, requests=part)
            else:
                failing = self.failing.get(serving.revision)
                self._serve(serving, part, failing((since + until) / 2, weight) if failing else 0.0)

    def forget(self) -> None:
        """Shares are worked out anew."""
        self._routed = None

    def _lose(self, *, missing: bool, requests: int) -> None:
        if missing:
            self.lost.no_subset += requests
        else:
            self.lost.no_pods += requests

    def _serve(self, serving: Serving, requests: int, odds: float) -> None:
        revision, workload, targets = serving.revision, serving.workloads[0], len(self.targets)
        self.served[revision] = self.served.get(revision, 0) + requests
        part_of_all, more = divmod(requests, targets)
        first, self._turn = self._turn, (self._turn + more) % targets
        for number, target in enumerate(self.targets):
            part = part_of_all + ((number - first) % targets < more)
            failures = self._failures(part, odds) if odds else 0
            if part > failures:
                self._count((target, workload, SUCCEEDING, ""), part - failures)
            if failures:
                self.failed[revision] = self.failed.get(revision, 0) + failures
                self._count((target, workload, FAILING, ""), failures)
            if self.threshold is not None and part > failures:
                slow = self.draw(part - failures, self.slow.get(revision, 0.0))
                self._count((target, workload, SUCCEEDING, self.threshold), part - failures - slow)
                self._count((target, workload, SUCCEEDING, EVERY), part - failures)

    def _failures(self, requests: int, odds: float) -> int:
        if self.clump == 1:
            return self.draw(requests, odds)
        return min(requests, self.clump * self.arrive(requests * odds / self.clump))

    def _count(self, counter: Counter, count: int) -> None:
        self.counters[counter] = self.counters.get(counter, 0) + count


PREVIEWED = 0.01
"""Share (0 to 1) of the requests that ask for the canary while there is a preview."""
_NOBODY = Serving(version="", revision="", workloads=("nobody",), ready=0)


def _shares(stored: Stored, obeying: Obeying) -> Iterator[tuple[Serving | None, float]]:
    """Who gets which share (0 to 1) of the requests; None: a subset that does not exist."""
    versions: Mapping[str, Serving] = stored.versions or {}
    if stored.route is None or not stored.route.split:
        ready = sum(serving.endpoints for serving in versions.values())
        if not ready:
            yield _NOBODY, 1.0
        for serving in versions.values():
            if serving.endpoints:
                yield serving, serving.endpoints / ready
        return
    subsets = stored.subsets
    canary = obeying(stored.route.weight / 100)
    if stored.route.extras.preview:
        canary += (1 - canary) * PREVIEWED
    for version, share in ((subsets.canary if subsets else None, canary), (subsets.stable if subsets else None, 1 - canary)):
        if share > 0:
            yield (None if version is None else versions.get(version, _NOBODY)), share
