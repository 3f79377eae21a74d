"""`kubectl canary uninstall`: brings every route home and frees every CanaryRelease, without the operator."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES, Changed, Document, Kubectl, KubectlFailed, Missing
from canary_operator.cli.leaving import Change, Found, belongs, blocker, give_back, relabel, remove_routes, shift

ATTEMPTS = 5
"""A change that somebody else's write overtook is derived anew this often."""
Say = Callable[[str], None]
Stage = Callable[[Found], Iterator[Change]]


def uninstall(kubectl: Kubectl, namespace: str | None, *, force: bool, dry_run: bool, say: Say, wait: Callable[[float], None]) -> bool:
    """Lets go of all CanaryReleases of a namespace, or of the cluster; True: all are free.

    Args:
        kubectl: The cluster.
        namespace: None: all.
        force: Also those that would lose requests.
        dry_run: Only says what would be done.
        say: Takes one line for the person who watches.
        wait: Waits for so many seconds.
    """
    found = list(gather(kubectl, namespace))
    blocked = {each.title: why for each in found if (why := blocker(each)) and not force}
    for title, why in blocked.items():
        say(f"CanaryRelease {title}: left as it is: {why}")
    free = [each for each in found if each.title not in blocked]
    if dry_run:
        for stage in (shift, relabel, remove_routes, give_back):
            for change in _changes(free, stage):
                say(f"would do: {change.said}")
        return not blocked
    _stage(kubectl, namespace, free, shift, say)
    # A label changes only when its subset has had no traffic for the drain, and nothing tells since when that is: so it is waited for here.
    _settle([each for each in free if any(relabel(each))], ("settle", "drain"), say, wait)
    _stage(kubectl, namespace, free, relabel, say)
    if _stage(kubectl, namespace, free, remove_routes, say):
        _settle(free, ("settle",), say, wait)
    _stage(kubectl, namespace, free, give_back, say)
    return not blocked


def gather(kubectl: Kubectl, namespace: str | None) -> Iterator[Found]:
    """Every CanaryRelease with what belongs to it."""
    releases, everywhere = kubectl.items(RELEASES, namespace), kubectl.items(VIRTUAL_SERVICES, namespace)
    for place in sorted({each["metadata"]["namespace"] for each in releases}):
        routes = [each for each in everywhere if each["metadata"]["namespace"] == place]
        rules = kubectl.items(DESTINATION_RULES, place)
        for release in (each for each in releases if each["metadata"]["namespace"] == place):
            yield Found(
                release,
                tuple(each for each in routes if belongs(each, release)),
                next((each for each in rules if belongs(each, release)), None),
                tuple(_pods(kubectl, place, release["spec"]["service"]["name"])),
                tuple(each for each in everywhere if each not in routes or not belongs(each, release)),
            )


def _pods(kubectl: Kubectl, namespace: str, service: str) -> Iterator[Document]:
    try:
        selector = kubectl.get("services", namespace, service)["spec"].get("selector") or {}
    except Missing:
        return
    for pod in kubectl.items("pods", namespace, "--selector=" + ",".join(f"{key}={value}" for key, value in selector.items())):
        if not pod["metadata"].get("deletionTimestamp"):
            yield pod


def _changes(found: Iterable[Found], stage: Stage) -> list[Change]:
    return [change for each in found for change in stage(each)]


def _stage(kubectl: Kubectl, namespace: str | None, free: Sequence[Found], stage: Stage, say: Say) -> bool:
    """Makes the changes of one stage, each derived from what is there now; True: there were some."""
    names, made = {each.title for each in free}, False
    for attempt in range(ATTEMPTS):
        changes = _changes((each for each in gather(kubectl, namespace) if each.title in names), stage)
        try:
            for change in changes:
                _make(kubectl, change)
                say(change.said)
                made = True
        except Changed:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return made
    return made


def _make(kubectl: Kubectl, change: Change) -> None:
    try:
        if change.patch is None:
            kubectl.delete(change.kind, change.namespace, change.name)
        else:
            kubectl.patch(change.kind, change.namespace, change.name, change.patch)
    except Missing:
        pass  # gone meanwhile, which is all the same
    except Changed:
        raise
    except KubectlFailed as error:
        raise KubectlFailed(f"{change.said}: {error}") from error


def _settle(found: Sequence[Found], spans: Sequence[str], say: Say, wait: Callable[[float], None]) -> None:
    """Waits for the longest of these spans that any of these asks for."""
    longest = max((each.span(span) for each in found for span in spans), default=timedelta(0))
    if longest:
        say(f"waiting {longest.total_seconds():g} s for the proxies")
        wait(longest.total_seconds())
