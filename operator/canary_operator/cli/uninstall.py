"""`kubectl canary uninstall`: brings every route home and frees every CanaryRelease, without the operator."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from canary_operator.cli.belongings import Found, belongs, rule_of
from canary_operator.cli.kubectl import DESTINATION_RULES, RELEASES, VIRTUAL_SERVICES, Changed, Document, Kubectl, KubectlFailed, Missing
from canary_operator.cli.leaving import Change, Step, after, next_step

MOST_STEPS = 40
"""So many looks at a cluster that somebody else keeps changing."""
Say = Callable[[str], None]


def uninstall(kubectl: Kubectl, namespace: str | None, *, dry_run: bool, say: Say, wait: Callable[[float], None]) -> None:
    """Lets go of all CanaryReleases of a namespace, or of the cluster.

    Args:
        kubectl: The cluster.
        namespace: None: all.
        dry_run: Only says what would be done.
        say: Takes one line for the person who watches.
        wait: Waits for so many seconds.

    Raises:
        KubectlFailed: Something was refused, or somebody else kept changing what is let go.
    """
    if dry_run:
        for found in gather(kubectl, namespace):
            _say_all(found, say)
        return
    drained: frozenset[str] = frozenset()
    refused: set[str] = set()
    for _ in range(MOST_STEPS):
        there = (found for found in gather(kubectl, namespace) if found.title not in refused)
        steps = [(found, step) for found in there if (step := next_step(found, drained=found.title in drained))]
        if not steps and refused:
            raise KubectlFailed(
                f"left as they are, since a change was refused: {', '.join(sorted(refused))}; mend that, and run this again"
            )
        if not steps:
            return
        overtaken = {found.title for found, step in steps if not _try_all(kubectl, found, step, say, refused)}
        waiting = [(found, step) for found, step in steps if found.title not in overtaken]
        _wait(waiting, say, wait)
        drained = frozenset(found.title for found, step in waiting if "drain" in step.waits)
    raise KubectlFailed("somebody else keeps changing what is let go: find out who, stop it, and run this again")


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
                rule_of(rules, release),
                tuple(_pods(kubectl, place, release["spec"]["service"]["name"])),
                tuple(each for each in everywhere if each not in routes or not belongs(each, release)),
                _by_hand(kubectl, place, release["spec"]["service"]["name"]),
            )


def _pods(kubectl: Kubectl, namespace: str, service: str) -> Iterator[Document]:
    try:
        selector = kubectl.get("services", namespace, service)["spec"].get("selector") or {}
    except Missing:
        return
    for pod in kubectl.items("pods", namespace, "--selector=" + ",".join(f"{key}={value}" for key, value in selector.items())):
        if not pod["metadata"].get("deletionTimestamp"):
            yield pod


def _by_hand(kubectl: Kubectl, namespace: str, service: str) -> bool:
    """Whether a ready endpoint of the Service is no pod. An absent `ready` counts as ready, as for EndpointSlices in general."""
    slices = kubectl.items("endpointslices.discovery.k8s.io", namespace, f"--selector=kubernetes.io/service-name={service}")
    ready = [each for found in slices for each in found.get("endpoints") or () if (each.get("conditions") or {}).get("ready") is not False]
    return any((each.get("targetRef") or {}).get("kind") != "Pod" for each in ready)


def _say_all(found: Found, say: Say) -> None:
    """What would be done, step by step, if nothing else changed meanwhile."""
    for number in range(MOST_STEPS):
        step = next_step(found, drained=number > 0)
        if step is None:
            return
        for change in step.changes:
            say(f"would do: {change.said}")
            found = after(found, change)


def _try_all(kubectl: Kubectl, found: Found, step: Step, say: Say, refused: set[str]) -> bool:
    """Makes the changes of one step; False: they are not all made. One that is refused takes part no more, and the others go on."""
    try:
        return _make_all(kubectl, step, say)
    except KubectlFailed as error:
        refused.add(found.title)
        say(f"CanaryRelease {found.title}: left as it is from here on: {error}")
        return False


def _make_all(kubectl: Kubectl, step: Step, say: Say) -> bool:
    """Makes the changes of one step; False: somebody else's write overtook one, and the rest is derived anew."""
    for change in step.changes:
        try:
            _make(kubectl, change)
        except Changed:
            return False
        except KubectlFailed as error:
            if change.verb != "status":
                raise
            say(f"{change.said}: not written: {error}")
        else:
            say(change.said)
    return True


def _make(kubectl: Kubectl, change: Change) -> None:
    place = (change.kind, change.namespace, change.name)
    try:
        if change.body is None:
            kubectl.delete(*place)
        elif change.verb == "create":
            kubectl.create(change.body)
        else:
            kubectl.patch(*place, change.body, subresource="status" if change.verb == "status" else None)
    except Missing:
        pass  # gone meanwhile, which is all the same
    except Changed:
        raise
    except KubectlFailed as error:
        raise KubectlFailed(f"{change.said}: {error}") from error


def _wait(steps: list[tuple[Found, Step]], say: Say, wait: Callable[[float], None]) -> None:
    """Waits for the longest of the spans that any of these asks for."""
    spans = [max((found.span(span) for span in step.waits), default=timedelta(0)) for found, step in steps]
    longest = max(spans, default=timedelta(0))
    if longest:
        say(f"waiting {longest.total_seconds():g} s for the proxies")
        wait(longest.total_seconds())
