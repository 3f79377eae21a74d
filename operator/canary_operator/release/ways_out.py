"""What a person is told while stable has no ready pod: how it stands, why nothing more happens by itself, and every way out."""

from canary_operator.api.names import ACTION
from canary_operator.api.record import ReleaseRecord, State
from canary_operator.api.spec import CanaryReleaseSpec
from canary_operator.release import reasons
from canary_operator.release.absence import Chosen, chosen, not_ours, pods, serving_beside
from canary_operator.release.model import Because, Observation


def told(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, stable: str, *, why: str = "") -> str:
    """The state of things in one message.

    Args:
        spec: The wish.
        state: The record.
        seen: What is there.
        stable: The stable revision.
        why: Why no more traffic moves by itself; empty: nothing stands in the way.
    """
    name, weight = stable.rpartition("@")[0], seen.route.weight if seen.route else 0
    count = pods((seen.versions or {}).get(name))
    subject = f"stable {stable} has {_ready(count)} behind Service {spec.service.name}{_asked_for(seen, name)}"
    return "; ".join(filter(None, (subject, _others(state, seen, name, weight), why, ways(spec, state, seen, name, back=not count))))


def _asked_for(seen: Observation, version: str) -> str:
    """That nobody wants pods of it: then it does not come back by itself."""
    serving = (seen.versions or {}).get(version)
    if serving is None or pods(serving) or serving.desired or not serving.told or serving.replaced_by:
        return ""
    return ": it is scaled to 0"


def _ready(count: int) -> str:
    return f"{count or 'no'} ready pod{'s' if count > 1 else ''}"


def _others(state: ReleaseRecord, seen: Observation, stable: str, weight: int) -> str:
    """Which versions serve, and which of them has the traffic."""
    others = serving_beside(seen, stable)
    if not others:
        return "no other version has a ready pod"
    canary = (state.to or "").rpartition("@")[0]
    words = [f"{version} has {_ready(pods(each))}" for version, each in others.items()]
    return " and ".join(words) + (f", and {weight} % of the traffic is on {canary}" if weight and canary in others else "")


def ways(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, stable: str, *, back: bool = True) -> str:
    """Every way out, in words; empty: there is none.

    Args:
        spec: The wish.
        state: The record.
        seen: What is there.
        stable: The stable version.
        back: It has no ready pod, so it may be brought back.
    """
    found = [f"bring {stable} back, and traffic follows when it has been ready for {spec.settle.total_seconds():g} s"] if back else []
    if state.asked.abort:
        return f"the release was aborted, so nothing rises: {found[0]}" if found else "the release was aborted, so nothing rises"
    if not_ours(seen):  # which is told, and what to write; before that nothing is promoted
        return f"ways out: {found[0]}" if found else ""
    others, choice = serving_beside(seen, stable), _by_hand(spec, state, seen, stable)
    if choice:
        found.append(f"{how_to_promote(state, seen)}, which gives {choice} all traffic and makes it stable")
    if others and not (state.state is State.PROGRESSING and seen.route is not None and seen.route.weight):
        names = [version for version in others if version != spec.stable_version] or list(others)
        found.append(f"write {' or '.join(names)} into spec.stableVersion, which does the same")
    if spec.version == stable:
        found.append("or write the version that should serve into spec.version")
    return f"ways out: {'; '.join(found)}" if found else ""


def _by_hand(spec: CanaryReleaseSpec, state: ReleaseRecord, seen: Observation, stable: str) -> str:
    """The version that `promote` would make stable now; empty: none."""
    if state.state in (State.PROGRESSING, State.PROMOTING):
        canary = (state.to or "").rpartition("@")[0]
        return canary if canary in serving_beside(seen, stable) else ""
    choice = chosen(spec, state, seen, stable, by_hand=True)
    return choice.serving.version if isinstance(choice, Chosen) else ""


def how_to_promote(state: ReleaseRecord, seen: Observation) -> str:
    """What a person writes to promote."""
    done = (seen.last_action or "").split("/")
    last = int(done[2]) if len(done) == 3 and done[1] == str(state.number) and done[2].isdecimal() else 0
    return f"`kubectl canary promote {seen.name}`, or annotate {ACTION}=promote/{state.number}/{max(state.asked.n, last) + 1}"


def replaced(seen: Observation, stable: str) -> Because | None:
    """A warning: the Deployment that runs stable carries another version now. None: it does not.

    Args:
        seen: What is there.
        stable: The stable version.
    """
    serving = (seen.versions or {}).get(stable)
    if serving is None or not serving.replaced_by:
        return None
    names, other = ", ".join(serving.workloads), serving.replaced_by
    return Because(
        reasons.STABLE_REPLACED,
        f"Deployment {names}, which runs stable {stable}, carries version label {other} now, so Kubernetes replaces the pods of {stable}: "
        f"write {stable} into it again (`kubectl rollout undo deployment {names}`), and deploy {other} as a Deployment of its own beside it",
    )
