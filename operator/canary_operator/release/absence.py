"""Whether the stable version serves: the states between "serves" and "gone", told by its endpoints, its workloads and its telemetry."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from canary_operator.analysis.counters import Interval
from canary_operator.api.record import Outcome, ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.model import Because, Observation
from canary_operator.workloads.model import Serving

PATIENCE = timedelta(seconds=5)
"""A version whose pods are asked for is gone when it has had no ready endpoint for so long on end: a probe that fails once is no outage."""


class Absence(StrEnum):
    """How far a version is from serving."""

    SERVES = "serves"
    """It has ready endpoints, and its workloads stay. Also where the Service is missing: then nobody knows."""
    LEAVING = "leaving"
    """It has ready endpoints, and Kubernetes takes them away: its workloads are gone, are asked for 0 pods, or carry another version."""
    BRIEF = "brief"
    """It has had no ready endpoint for less than `PATIENCE`, and its pods are asked for."""
    ANSWERS = "answers"
    """It has no ready endpoint, but callers count answers of it."""
    GONE = "gone"
    """It has no ready endpoint, and nothing says that its requests are answered."""


UNREADY = frozenset((Absence.BRIEF, Absence.ANSWERS, Absence.GONE))
"""No endpoint of it is ready."""


def pods(serving: Serving | None) -> int:
    """Ready endpoints of a version, of whatever template."""
    return serving.endpoints if serving else 0


MOVABLE = frozenset((Absence.ANSWERS, Absence.GONE))
"""A person may give its traffic to another version: what callers count does not stand against that."""


def absence(seen: Observation, version: str, found: tuple[Interval, ...] = ()) -> Absence:
    """How far the stable version is from serving.

    Args:
        seen: What is there.
        version: The stable version.
        found: What callers counted lately, of both arms; empty: nobody knows, which contradicts nothing.
    """
    if seen.versions is None or not version:
        return Absence.SERVES
    serving, presence = seen.versions.get(version), seen.presence.get(version)
    # At once only where ReplicaSets tell: of other owners nobody reads how many pods they ask for, and they may be making one anew.
    at_once = not serving.desired and serving.told if serving is not None else presence is None or presence.told
    if serving is not None and pods(serving):
        return Absence.LEAVING if serving.leaving or serving.replaced_by else Absence.SERVES
    if seen.unknown or (not at_once and brief_left(seen, version)):
        return Absence.BRIEF
    return Absence.ANSWERS if presence and _answers(found, presence.since.timestamp()) else Absence.GONE


def brief_left(seen: Observation, version: str) -> timedelta:
    """What is left of the time for which a version without a ready endpoint is not called gone; never negative."""
    presence = seen.presence.get(version)
    return max(timedelta(0), PATIENCE - (seen.now - presence.since)) if presence else PATIENCE


def _answers(found: tuple[Interval, ...], since: float) -> bool:
    """By the newest interval of each caller that began after its endpoints went, most of its requests are answered.

    Not only some: pods that are going end what they have begun.
    """
    newest = {each.target: each for each in found if each.since >= since}
    answered = sum(each.stable.requests - each.stable.failures for each in newest.values())
    return answered > sum(each.stable.failures + each.lost for each in newest.values())


# ------------------------------------------------------------------------------------------------------- what may serve instead


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version that takes the traffic."""

    serving: Serving


@dataclass(frozen=True, slots=True)
class Nobody:
    """No version can take the traffic, and why."""

    why: str


def serving_beside(seen: Observation, stable: str) -> dict[str, Serving]:
    """All other versions that have a ready endpoint, by name."""
    return {version: each for version, each in sorted((seen.versions or {}).items()) if version != stable and pods(each)}


def chosen(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, stable: str, *, by_hand: bool) -> Chosen | Nobody:
    """The version that takes the traffic of a stable version that is gone; of several, the wanted one.

    Args:
        spec: The wish.
        state: The record.
        seen: What is there.
        stable: The version that is gone.
        by_hand: A person asks for it. By itself no version is chosen that was rolled back or aborted.
    """
    others = serving_beside(seen, stable)
    if by_hand and (named := named_by_hand(spec, state, stable)) in others:
        return Chosen(others[named])
    failed = {version for version, each in others.items() if not by_hand and blamed(seen, each.revision)}
    able = {version: each for version, each in others.items() if version not in failed}
    if spec.version in able:
        return Chosen(able[spec.version])
    if len(able) == 1:
        return Chosen(next(iter(able.values())))
    if able:
        return Nobody(f"several versions serve ({', '.join(able)}), and spec.version names none of them")
    if failed:
        return Nobody(f"{', '.join(sorted(failed))} was rolled back or aborted, so no traffic goes there by itself")
    return Nobody("no other version has a ready pod")


def not_ours(seen: Observation) -> Because | None:
    """The finding that says that the routing is somebody else's: then nothing rises, by hand neither. None: there is none."""
    return next((each for each in seen.findings if each.reason in reasons.NOT_OURS), None)


def asked_by_hand(state: ReleaseRecord) -> bool:
    """A person has asked, while stable was gone, that the version that serves becomes stable."""
    return state.stable_gone is not None and state.stable_gone.asked


def made_stable_by_hand(state: ReleaseRecord) -> bool:
    """A person makes the canary stable because stable was gone: no verdict and no edit takes that back, an abort does."""
    return state.stable_gone is not None and state.stable_gone.by_hand


def blamed(seen: Observation, revision: str) -> bool:
    """The last release of this revision was rolled back or aborted."""
    past = next((each for each in (*(seen.last_release and (seen.last_release,) or ()), *seen.history) if each.revision == revision), None)
    return past is not None and (past.outcome is Outcome.ROLLED_BACK or past.reason == reasons.ABORTED)


def named_by_hand(spec: CanaryReleaseSpec, state: ReleaseRecord, stable: str) -> str:
    """The version that a person wrote into `spec.stableVersion` while stable was gone; empty: none.

    One that stands there since before names what was stable once, so it says nothing of now.
    """
    wish = spec.stable_version or ""
    return wish if state.stable_version is not None and wish not in (state.stable_version, stable) else ""


# ------------------------------------------------------------------------------------------------------- what is remembered of it


def remembered(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, stable: str) -> ReleaseRecord:
    """The record with what is known of stable while it serves: how many pods carry its load, and what the spec called stable.

    While it does not serve both stay as they were, so that its load is not measured by what is left of it, and an edit is seen as one.
    """
    if state.state is State.INITIALIZING or not stable or seen.versions is None:
        return state
    presence, here = seen.presence.get(stable), absence(seen, stable)
    if here in UNREADY or state.stable_gone is not None:
        return state
    most = max(pods(seen.versions.get(stable)), presence.most if presence else 0)
    forgets = state.state is State.STABLE and presence is not None and presence.whole
    return replace(state, stable_pods=most if forgets else max(most, state.stable_pods), stable_version=spec.stable_version or "")
