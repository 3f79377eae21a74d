"""Whether the callers' proxies serve the weight that was written: what may be told of it in this release, and the words for it."""

from canary_operator.analysis.counters import Interval
from canary_operator.analysis.odds import Segment
from canary_operator.analysis.record import Evidence
from canary_operator.analysis.served import Judged, NotServed, Pool, not_served
from canary_operator.analysis.silence import Silent, silent
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.api.status import ReleaseRecord
from canary_operator.release.model import Observation
from canary_operator.release.plan import FULL

MORE = (
    "look for callers that do not go by the route: their Sidecar or a rule's exportTo hides it, a VirtualService or EnvoyFilter of their own, an "
    "HTTPRoute on the same Service, a gateway or control plane revision that does not read it, another cluster domain"
)
LESS = f"{MORE}; or for requests that the canary has not ended yet (long streams, slow answers), which are counted at their end"


def judged(spec: CanaryReleaseSpec, seen: Observation) -> Judged:
    """Which deviations from the weight can be told.

    A preview reaches the canary beside the weight, so it may get more; a route of the user's to stable leaves it less; a route past the subsets
    may do either.
    """
    beside = seen.beside
    return Judged(more=spec.preview is None and not beside.canary, less=not beside.stable and not beside.canary)


def share(
    spec: CanaryReleaseSpec,
    state: ReleaseRecord,
    seen: Observation,
    routed: tuple[Interval, ...],
    settled_at: float | None,
    step: Segment,
) -> NotServed | None:
    """What speaks against the weight of the record; None: nothing does, or nobody can tell.

    Args:
        spec: The wish.
        state: The record.
        seen: What is seen.
        routed: What proxies counted of the requests that weights hold for.
        settled_at: When the weight was served everywhere, Unix seconds; None: not yet.
        step: Settled counts of the present step.
    """
    if seen.route is None or not seen.route.intact:
        return None
    so_far = Pool(step.canary.requests + step.canary_given_up, step.stable.requests + step.stable_given_up, step.lost)
    return not_served(routed, state.weight / FULL, settled_at, judged(spec, seen), so_far)


def silence(
    spec: CanaryReleaseSpec,
    state: ReleaseRecord,
    seen: Observation,
    routed: tuple[Interval, ...],
    settled_at: float | None,
    known: Evidence,
) -> Silent | None:
    """What speaks for a canary that ends none of its requests; None: nothing does, or nobody can tell. Arguments as for `share`.

    Where other routes send to stable by themselves, nobody knows how many requests the canary should have.
    """
    if seen.route is None or not seen.route.intact or not judged(spec, seen).less or state.baseline is None:
        return None
    return silent(routed, state.weight / FULL, settled_at, state.baseline.lasting, known.step, known.segments)


def told(found: NotServed) -> str:
    """The finding in words, with what to look at."""
    return f"{found.told}: {MORE if found.more else LESS}"
